// Users: our client and command line make them on Apache Kafka, where they can log in; Kafka's tool makes them on our broker;
// kcat and Kafka's tools log in with the files of `start --secure`.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { scramKeys } from '../../../protocol/sasl/scram.ts'
import { systemClock } from '../../../storage/clock.ts'
import { openStore } from '../../../storage/open-store.ts'
import { Client, type SaslOptions } from '../../index.ts'
import { outcome } from '../secured.ts'
import { freePort } from './killable-broker.ts'
import { startSecuredKafka } from './secured-kafka.ts'
import { KAFKA_FETCH_TIMEOUT_MS, kafkaClasspath, run, requireKafka } from './tools.ts'

requireKafka()
const cli = fileURLToPath(new URL('../../cli/main.js', import.meta.url))
const CONFIGS = 'kafka.admin.ConfigCommand'
/** SASLprep would change it. */
const PASSWORD = 'p=ä\u00ad, a\u0308 ss'

type ScramOptions = Extract<SaslOptions, { readonly username: string }>

t.test('users that we make on Apache Kafka can log in there', async (t) => {
  t.setTimeout(300_000)
  await using kafka = await startSecuredKafka()
  await using client = new Client({ brokers: kafka.at.plaintext })
  const { users } = client.admin()
  /** A change reaches the parts of Apache Kafka some time after it was answered. */
  const logsIn = async (sasl: ScramOptions): Promise<string | undefined> => {
    const patience = { bootstrapTimeoutMs: 10_000, timeoutMs: 15_000 }
    return (await outcome(kafka.at.saslssl, { tls: kafka.tls, sasl, ...patience }))?.code
  }
  const until = async (sasl: ScramOptions, code?: string) => {
    for (let tries = 0; tries < 20; tries++) if ((await logsIn(sasl)) === code) return true
    return false
  }
  const by = (mechanism: ScramOptions['mechanism'], username: string, password = PASSWORD) =>
    ({ mechanism, username, password }) as const

  await users.upsert([
    { user: 'carl', password: PASSWORD, iterations: 16_384 },
    { user: 'd=o,ra', password: PASSWORD, mechanism: 'scram-sha-512' },
  ])
  for (const mechanism of ['scram-sha-256', 'scram-sha-512'] as const)
    t.ok(await until(by(mechanism, 'carl')), mechanism)
  t.ok(await until(by('scram-sha-512', 'd=o,ra')))
  t.equal(await logsIn(by('scram-sha-256', 'd=o,ra')), 'SASL_AUTHENTICATION_FAILED')
  t.equal(await logsIn(by('scram-sha-256', 'carl', 'wrong')), 'SASL_AUTHENTICATION_FAILED')
  const described = await users.describe(['carl', 'd=o,ra'])
  t.match(described, [
    { user: 'carl', credentials: [{ iterations: 16_384 }, { iterations: 16_384 }] },
    { user: 'd=o,ra', credentials: [{ mechanism: 'scram-sha-512', iterations: 4096 }] },
  ])

  const millrace = (...args: string[]) =>
    run(process.execPath, [cli, 'user', ...args, '-b', kafka.at.plaintext])
  const { stdout } = await millrace('add', 'eve', '--generate', '--json')
  const { password } = JSON.parse(stdout.toString()) as { password: string }
  t.ok(await until(by('scram-sha-256', 'eve', password)), 'by the command line')
  writeFileSync(join(kafka.directory, 'new'), `${PASSWORD}\n`)
  await millrace('passwd', 'eve', '--new-password-file', join(kafka.directory, 'new'))
  t.ok(await until(by('scram-sha-512', 'eve')))
  await t.rejects(millrace('add', 'eve', '--generate'), /eve exists/)
  await millrace('rm', 'eve', '--yes')
  t.ok(await until(by('scram-sha-512', 'eve'), 'SASL_AUTHENTICATION_FAILED'))
  await users.delete(['carl', 'd=o,ra'])
  await t.rejects(users.delete(['carl']), /RESOURCE_NOT_FOUND/)
})

t.test('users that kafka-configs makes on our broker are described right', async (t) => {
  t.setTimeout(KAFKA_FETCH_TIMEOUT_MS + 100_000)
  const dataDir = t.testdir()
  const classpath = await kafkaClasspath()
  await using broker = await Broker.start({ dataDir })
  await using client = new Client({ brokers: broker.bootstrap })
  const { users } = client.admin()
  const configs = async (...args: string[]): Promise<string> => {
    const java = ['-XX:TieredStopAtLevel=1', '-Dfile.encoding=UTF-8', '-cp', classpath, CONFIGS]
    const where = ['--bootstrap-server', broker.bootstrap, '--entity-type', 'users']
    const { stdout, stderr } = await run('java', [...java, ...where, ...args])
    return stdout.toString() + stderr
  }
  const ann = ['--entity-name', 'ann']
  // Apache Kafka refuses both in one command, too.
  await configs(
    '--alter',
    ...ann,
    '--add-config',
    'SCRAM-SHA-256=[iterations=8192,password=sesame]',
  )
  await configs('--alter', ...ann, '--add-config', 'SCRAM-SHA-512=[password=sesame]')
  t.match(await users.list(), [
    {
      user: 'ann',
      credentials: [
        { mechanism: 'scram-sha-256', iterations: 8192 },
        { mechanism: 'scram-sha-512', iterations: 4096 },
      ],
    },
  ])
  await users.upsert([{ user: 'bob', password: 'b', iterations: 5000 }])
  const told = await configs('--describe')
  t.match(
    told,
    /SCRAM credential configs for user-principal 'ann' are .*SCRAM-SHA-256=iterations=8192/,
  )
  t.match(told, /'bob' are .*SCRAM-SHA-512=iterations=5000/)
  await t.rejects(
    configs('--alter', ...ann, '--add-config', 'SCRAM-SHA-256=[iterations=20000,password=x]'),
    /greater than maximum|16384/,
  )
  await configs('--alter', ...ann, '--delete-config', 'SCRAM-SHA-512')
  t.match(await users.describe(['ann']), [{ credentials: [{ mechanism: 'scram-sha-256' }] }])
  await broker.close()
  await using store = await openStore({ dataDir, writer: 'inline', clock: systemClock })
  const kept = store.scramCredentials.find('SCRAM-SHA-256', 'ann')!
  const { storedKey, serverKey } = await scramKeys('SCRAM-SHA-256', 'sesame', kept)
  t.match(kept, { storedKey, serverKey }, "the password is Kafka's")
})

t.test("kcat, Kafka's tools and OpenSSL take what a secure start makes", async (t) => {
  t.setTimeout(KAFKA_FETCH_TIMEOUT_MS + 100_000)
  const dataDir = join(t.testdir(), 'with a space and \u00e4')
  const classpath = await kafkaClasspath()
  const port = await freePort()
  const where = ['--data', dataDir, '--secure-port', `${port}`, '--no-plaintext', '--http', 'off']
  const broker = spawn(process.execPath, [cli, 'start', '--secure', '--json', '-q', ...where])
  t.teardown(() => broker.kill('SIGKILL'))
  await once(broker.stdout, 'data')
  const directory = join(dataDir, 'secure')
  const file = (name: string) => join(directory, name)
  const librdkafka = file('librdkafka.conf')
  const tool = async (...args: string[]): Promise<string> => {
    const java = [
      '-XX:TieredStopAtLevel=1',
      '-cp',
      classpath,
      'org.apache.kafka.tools.TopicCommand',
    ]
    const login = ['--bootstrap-server', `localhost:${port}`, '--command-config', args.shift()!]
    return (await run('java', [...java, ...login, ...args])).stdout.toString()
  }
  await tool(file('java.properties'), '--create', '--topic', 'secured', '--partitions', '1')
  await run('kcat', ['-F', librdkafka, '-P', '-t', 'secured'], Buffer.from('by kcat\n'))
  await run(
    process.execPath,
    [cli, 'produce', 'secured', '-F', librdkafka, '-q'],
    Buffer.from('by millrace\n'),
  )
  const consume = ['-F', librdkafka, '-C', '-t', 'secured', '-e', '-q']
  t.equal((await run('kcat', consume)).stdout.toString(), 'by kcat\nby millrace\n')
  const text = readFileSync(librdkafka, 'utf8').replace(/(sasl.password=).*/, '$1wrong')
  writeFileSync(file('wrong.conf'), text)
  const wrong = run('kcat', ['-F', file('wrong.conf'), '-L', '-m', '5'])
  await t.rejects(wrong, /[Aa]uthentication/)
  await t.rejects(run('kcat', ['-b', `localhost:${port}`, '-L', '-m', '5']))
  const verify = ['verify', '-x509_strict', '-CAfile', file('ca.pem'), file('server.pem')]
  t.match((await run('openssl', verify)).stdout.toString(), /: OK/)
})
