// ACLs and foreign software: kafka-acls and confluent-kafka change those of our broker, which then holds kcat, kafkajs and
// kafka-acls to them; our client and command line change those of an Apache Kafka with its StandardAuthorizer.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import kafkajs from 'kafkajs'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { STANDARD_AUTHORIZER } from '../../../broker/auth/configs.ts'
import { Client, type NewAcl } from '../../index.ts'
import { ACLS_APPLY_MS, startAuthorizingKafka, START_TIMEOUT_MS } from './authorizing-kafka.ts'
import { freePort, KillableBroker } from './killable-broker.ts'
import { kafkaClasspath, pythonWithNewClients, requireTools, run, requireKafka } from './tools.ts'

const cli = fileURLToPath(new URL('../../cli/main.js', import.meta.url))
const authorizer = { 'authorizer.class.name': STANDARD_AUTHORIZER }
const asAdministrators = { ...authorizer, 'super.users': 'User:ANONYMOUS' }

requireTools()
requireKafka()

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-acls-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function kafkaAcls(bootstrap: string, words: string): Promise<string> {
  const command = ['-XX:TieredStopAtLevel=1', '-cp', await kafkaClasspath()]
  const tool = ['org.apache.kafka.tools.AclCommand', '--bootstrap-server', bootstrap]
  const { stdout, stderr } = await run('java', [...command, ...tool, ...words.split(' ')])
  return stdout.toString() + stderr
}

t.test(
  'kafka-acls adds, lists and removes ACLs of our broker',

  async (t) => {
    t.setTimeout(START_TIMEOUT_MS + 120_000)
    await using broker = await KillableBroker.start(directory(), asAdministrators)
    const tool = (words: string) => kafkaAcls(broker.bootstrap, words)
    const added = await tool('--add --allow-principal User:ann --producer --topic orders')
    t.match(added, /Adding ACLs for resource .*orders/)
    await tool(
      '--add --allow-principal User:ben --consumer --topic or --group bills --resource-pattern-type prefixed',
    )
    await tool(
      '--add --deny-principal User:* --deny-host 10.0.0.7 --operation Delete --topic orders',
    )
    const matching = await tool('--list --topic orders --resource-pattern-type match')
    t.match(matching, /principal=User:ann, host=\*, operation=WRITE, permissionType=ALLOW/)
    t.match(matching, /name=or, patternType=PREFIXED/)
    t.match(matching, /principal=User:\*, host=10.0.0.7, operation=DELETE, permissionType=DENY/)
    t.match(await tool('--list --principal User:ben'), /resourceType=GROUP, name=bills/)
    await t.rejects(
      tool(
        '--add --allow-principal User:ann --allow-host 10.0.0.0/8 --operation Read --topic orders',
      ),
      /a range of addresses matches no client/,
    )
    await tool('--remove --force --topic orders')
    t.notMatch(await tool('--list'), /name=orders/)
    t.match(await tool('--list'), /name=or, patternType=PREFIXED/)
  },
)

t.test('confluent-kafka creates, lists and deletes ACLs of our broker', async (t) => {
  t.setTimeout(180_000)
  await using broker = await KillableBroker.start(directory(), asAdministrators)
  const script = new URL('../../../../clients/testing/interop/confluent_acls.py', import.meta.url)
  const python = await pythonWithNewClients()
  const { stdout } = await run(python, [fileURLToPath(script), broker.bootstrap])
  const [created, listed, deleted, left] = stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.strictSame(created.slice(0, 2), [null, null])
  t.match(created[2], /a range of addresses matches no client/)
  t.strictSame(listed, [
    ['TOPIC', 'from-python', 'LITERAL', 'User:py', '*', 'READ'],
    ['TOPIC', 'from-python', 'PREFIXED', 'User:py', '*', 'READ'],
  ])
  t.strictSame(deleted, listed)
  t.strictSame(left, [])
})

t.test('our broker holds kcat and kafkajs to its ACLs', async (t) => {
  t.setTimeout(60_000)
  const dataDir = directory()
  {
    await using broker = await KillableBroker.start(dataDir, asAdministrators)
    await using client = new Client({ brokers: broker.bootstrap })
    const admin = client.admin()
    await admin.createTopics(['open', 'closed'])
    const may: Omit<NewAcl, 'operation'> = {
      resourceType: 'topic',
      resourceName: 'open',
      principal: 'User:ANONYMOUS',
    }
    await admin.acls.create([
      { ...may, operation: 'write' },
      { ...may, operation: 'read' },
      { ...may, resourceType: 'group', resourceName: 'g', operation: 'read' },
    ])
  }
  await using broker = await KillableBroker.start(dataDir, authorizer)
  const at = ['-b', broker.bootstrap]
  await run('kcat', [...at, '-P', '-t', 'open'], Buffer.from('one\n'))
  await t.rejects(
    run('kcat', [...at, '-P', '-t', 'closed'], Buffer.from('two\n')),
    /authorization/i,
  )
  const { stdout } = await run('kcat', [...at, '-C', '-t', 'open', '-o', 'beginning', '-e', '-q'])
  t.equal(stdout.toString(), 'one\n')
  await t.rejects(run('kcat', [...at, '-C', '-t', 'closed', '-e']), /authorization/i)
  t.notMatch((await run('kcat', [...at, '-L'])).stdout.toString(), /closed/)
  const kafka = new kafkajs.Kafka({
    brokers: [broker.bootstrap],
    logLevel: 0,
    retry: { retries: 0 },
  })
  const consumer = kafka.consumer({ groupId: 'g' })
  const read = new Promise((resolve) => {
    void consumer.connect().then(async () => {
      await consumer.subscribe({ topic: 'open', fromBeginning: true })
      await consumer.run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) })
    })
  })
  t.equal(await read, 'one')
  await consumer.disconnect()
  const other = kafka.consumer({ groupId: 'other' })
  await other.connect()
  await other.subscribe({ topic: 'open' })
  const crashed = new Promise((resolve) => {
    other.on('consumer.crash', ({ payload }) => resolve(payload.error))
  })
  await other.run({ eachMessage: async () => {} })
  t.match(await crashed, { message: 'Failed to find group coordinator' }, "kafkajs's own words")
  await other.disconnect()
  const admin = kafka.admin()
  await admin.connect()
  await t.rejects(admin.createTopics({ topics: [{ topic: 'new' }] }), {
    errors: [{ type: 'TOPIC_AUTHORIZATION_FAILED' }],
  })
  await admin.disconnect()
})

t.test(
  'users of SASL_PLAINTEXT: kafka-acls as the administrator, kcat as the others',

  async (t) => {
    t.setTimeout(START_TIMEOUT_MS + 120_000)
    const dataDir = directory()
    const port = await freePort()
    const bootstrap = `127.0.0.1:${port}`
    const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
    await using broker = await Broker.start({
      dataDir,
      config: {
        ...authorizer,
        'super.users': 'User:root',
        listeners: `SASL_PLAINTEXT://${bootstrap}`,
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
        'listener.name.sasl_plaintext.plain.sasl.jaas.config': `${login} user_root="secret";`,
      },
    })
    const sasl = { mechanism: 'plain', username: 'root', password: 'secret' } as const
    await using client = new Client({ brokers: broker.bootstrap, sasl })
    await client.admin().createTopics(['orders'])
    await client.admin().users.upsert([{ user: 'ann', password: 'ann-secret' }])
    const properties = join(directory(), 'root.properties')
    const lines = [
      'security.protocol=SASL_PLAINTEXT',
      'sasl.mechanism=PLAIN',
      `sasl.jaas.config=${login} username="root" password="secret";`,
    ]
    writeFileSync(properties, lines.join('\n'))
    const tool = (words: string) => kafkaAcls(bootstrap, `--command-config ${properties} ${words}`)
    const ann = ['security.protocol=SASL_PLAINTEXT', 'sasl.mechanism=PLAIN']
    const secrets = ['sasl.username=ann', 'sasl.password=ann-secret']
    const flags = [...ann, ...secrets].flatMap((each) => ['-X', each])
    const produce = () =>
      run('kcat', ['-b', bootstrap, ...flags, '-P', '-t', 'orders'], Buffer.from('one\n'))
    await t.rejects(produce(), /authorization/i)
    await tool(
      '--add --allow-principal User:ann --producer --topic ord --resource-pattern-type prefixed',
    )
    await produce()
    await tool(
      '--add --deny-principal User:ann --deny-host 127.0.0.1 --operation Write --topic orders',
    )
    await t.rejects(produce(), /authorization/i)
  },
)

t.test(
  'our client and command line change the ACLs of Apache Kafka',

  async (t) => {
    t.setTimeout(START_TIMEOUT_MS + 120_000)
    await using kafka = await startAuthorizingKafka()
    const sasl = { mechanism: 'plain', username: 'admin', password: 'secret' } as const
    await using client = new Client({ brokers: kafka.adminBootstrap, sasl })
    const { acls } = client.admin()
    const acl: NewAcl = {
      resourceType: 'topic',
      resourceName: 'or',
      patternType: 'prefixed',
      principal: 'User:ann',
      operation: 'describeConfigs',
    }
    await acls.create([
      acl,
      { ...acl, patternType: 'literal', host: '10.0.0.7', permission: 'deny' },
    ])
    await setTimeout(ACLS_APPLY_MS)
    t.strictSame(await acls.list({ resourceName: 'orders', patternType: 'match' }), [
      { ...acl, host: '*', permission: 'allow' },
    ])
    t.equal((await acls.delete([{ resourceName: 'or' }])).length, 2)

    const env = { ...process.env, MILLRACE_PASSWORD: 'secret' }
    const login = ['-b', kafka.adminBootstrap, '--sasl', 'plain', '--user', 'admin']
    const millrace = async (words: string) => {
      const args = [cli, ...words.split(' '), ...login]
      return (await promisify(execFile)(process.execPath, args, { env })).stdout
    }
    await millrace('topic create orders')
    await using anonymous = new Client({ brokers: kafka.bootstrap })
    t.strictSame(await anonymous.admin().listTopics(), [])
    await millrace('acl add --allow ANONYMOUS --topic orders --producer --host 127.0.0.1')
    await setTimeout(ACLS_APPLY_MS)
    await using producer = anonymous.producer()
    const sent = await producer.send('orders', { value: 'x' })
    t.match(sent, { offset: 0 })
    t.match(await millrace('acl ls --allow ANONYMOUS --json'), /"operation":"write".*127\.0\.0\.1/)
    await millrace('acl rm --allow ANONYMOUS --operation write --yes')
    await setTimeout(ACLS_APPLY_MS)
    await t.rejects(producer.send('orders', { value: 'y' }), { code: 'TOPIC_AUTHORIZATION_FAILED' })
  },
)
