// docs/guide/security.md as a newcomer follows it: its shell lines start a secure broker and make users and ACLs, then each
// client's block is used as it stands, but for ports and the address of the identity provider.

import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { blocksOf } from '../../../docs/pages.ts'
import { commandsOf, Shell } from '../../../docs/shell.ts'
import { Client } from '../../index.ts'
import { Authority } from '../certificates.ts'
import { contents } from '../index.ts'
import { freePort } from './killable-broker.ts'
import {
  KAFKA_FETCH_TIMEOUT_MS,
  kafkaClasspath,
  pythonWithNewClients,
  requireKafka,
  requireTools,
  run,
} from './tools.ts'

requireTools()
requireKafka()
t.setTimeout(KAFKA_FETCH_TIMEOUT_MS + 300_000)

const PAGE = 'docs/guide/security.md'
const root = fileURLToPath(new URL('../../../../', import.meta.url))
const kafkaMains: Record<string, string> = {
  'kafka-topics.sh': 'org.apache.kafka.tools.TopicCommand',
  'kafka-configs.sh': 'kafka.admin.ConfigCommand',
  'kafka-acls.sh': 'org.apache.kafka.tools.AclCommand',
  'kafka-console-producer.sh': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-console-consumer.sh': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
}

/** The blocks that are files, by the name in their first line. */
const blocks = new Map(
  (['properties', 'python', 'js'] as const)
    .flatMap((language) => blocksOf(PAGE, language))
    .map((block) => [/^(?:#|\/\/) ([\w.-]+(?:, also)?)/.exec(block)?.[1] ?? block, block]),
)

function block(name: string): string {
  const found = blocks.get(name)
  if (found === undefined) throw new Error(`${PAGE} has no block ${name}`)
  return found
}

const classpath = await kafkaClasspath()
const python = await pythonWithNewClients()

/** Makes what the blocks take from their surroundings: Kafka's scripts and the packages. */
function equip({ directory }: Shell): string {
  const here = join(directory, 'here')
  for (const [name, main] of Object.entries(kafkaMains)) {
    const script = `#!/bin/bash\nexec java $KAFKA_OPTS -XX:TieredStopAtLevel=1 -cp '${classpath}' ${main} "$@"\n`
    writeFileSync(join(directory, 'bin', name), script)
    chmodSync(join(directory, 'bin', name), 0o755)
  }
  mkdirSync(join(here, 'node_modules'))
  symlinkSync(root, join(here, 'node_modules/millrace'))
  symlinkSync(join(root, 'node_modules/kafkajs'), join(here, 'node_modules/kafkajs'))
  return here
}

async function all(t: Test, shell: Shell, lines: readonly string[]): Promise<string> {
  const { lines: ended, output } = await shell.run(lines)
  t.strictSame(
    ended.filter(({ status }) => status !== 0),
    [],
    output,
  )
  return output
}

t.test('each client works with its settings in the guide', async (t) => {
  await using shell = await Shell.open({ isSecure: true })
  const here = equip(shell)
  await all(t, shell, blocksOf(PAGE, 'sh').flatMap(commandsOf))
  for (const [name, text] of blocks)
    writeFileSync(
      join(here, name),
      text.replaceAll('localhost:9094', `localhost:${shell.securePort}`),
    )
  const typed = blocksOf(PAGE, 'console')
    .flatMap((each) => each.split('\n'))
    .filter((line) => /^\$ .*(kcat|kafka-)/.test(line))
    .map((line) => line.slice(2))
  t.equal(typed.length, 7)
  const said = await all(t, shell, typed)
  t.match(said, /\nby kcat\n/)
  t.match(said, /total of 2 messages/)
  t.match(said, /\norders\n/)
  t.match(said, /principal=User:carl/)
  const programs = ['kafkajs.mjs', 'millrace.mjs', 'confluent.py', 'kafka_python.py']
  const runs = programs.map((name) => `${name.endsWith('py') ? python : '"$NODE"'} ${name}`)
  await all(t, shell, runs)
  const seen = await all(t, shell, ['kcat -F librdkafka.conf -C -t orders -e -q'])
  for (const name of ['kcat', 'java', 'kafkajs', 'millrace', 'confluent-kafka', 'kafka-python'])
    t.match(seen, new RegExp(`\nby ${name}\n`))
})

t.test('the settings for certificates and tokens work, too', async (t) => {
  const here = t.testdir()
  const write = (name: string, text: string) => writeFileSync(join(here, name), text)
  const authority = new Authority('the CA of the guide')
  const own = authority.issue({ name: 'broker', hosts: ['localhost'] })
  const ann = authority.issue({ name: 'ann' })
  write('ca.pem', authority.cert)
  write('broker.pem', own.key + own.cert)
  write('ann.crt', ann.cert)
  write('ann.key', ann.key)
  write('ann.pem', ann.key + ann.cert)
  const provider = await identityProvider(t)
  const [mtls, sasl] = [await freePort(), await freePort()]
  const placed = (text: string) =>
    text
      .replaceAll(/(localhost|0\.0\.0\.0):9093/g, `$1:${mtls}`)
      .replaceAll(/(localhost|0\.0\.0\.0):9094/g, `$1:${sasl}`)
      .replaceAll('https://idp.example.com', provider)
      .replaceAll(/=((?:broker|ca)\.pem)$/gm, `=${here}/$1`)
  for (const [name, text] of blocks) write(name, placed(text))
  const properties = placed(block('server.properties') + block('server.properties, also'))
    .split('\n')
    .filter((line) => line.includes('=') && !line.startsWith('#'))
    .map((line) => line.split(/=(.*)/s) as [string, string])
  const plain = { listeners: `PLAINTEXT://127.0.0.1:0`, 'super.users': 'User:admin;User:ANONYMOUS' }
  const config = Object.fromEntries(properties)
  config['listeners'] += `,${plain.listeners}`
  config['super.users'] = plain['super.users']
  await using broker = await Broker.start({ ephemeral: true, config })
  await using admin = new Client({ brokers: broker.listeners['PLAINTEXT']! })
  await admin.admin().createTopics(['orders'])
  const topic = { resourceType: 'topic', resourceName: 'orders', principal: 'User:ann' } as const
  await admin.admin().acls.create([{ ...topic, operation: 'write', permission: 'allow' }])
  const inHere = (command: string) =>
    run('bash', ['-c', `cd ${here} && ${command}`], Buffer.from('a record\n'))
  const java = `java -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${provider}/token -XX:TieredStopAtLevel=1 -cp '${classpath}' ${kafkaMains['kafka-console-producer.sh']} --topic orders`
  symlinkSync(join(root, 'node_modules'), join(here, 'node_modules'))
  await inHere('kcat -F librdkafka-mtls.conf -P -t orders')
  await inHere(
    `${java} --bootstrap-server localhost:${mtls} --command-config client-mtls.properties`,
  )
  await inHere(`${process.execPath} kafkajs-mtls.mjs`)
  await inHere(`${python} kafka_python_mtls.py`)
  t.equal((await contents(admin, 'orders')).length, 4)
  const { stdout, stderr } = await inHere(
    `${java} --bootstrap-server localhost:${sasl} --command-config client-token.properties`,
  )
  t.equal((await contents(admin, 'orders')).length, 5, stdout.toString() + stderr)
  await inHere(`${python} -c '${PRODUCE_BY_FILE}'`)
  t.equal((await contents(admin, 'orders')).length, 6)
})

/** kcat of Debian cannot fetch tokens. */
const PRODUCE_BY_FILE = `
from confluent_kafka import Producer
lines = [line.strip().split("=", 1) for line in open("librdkafka-token.conf") if not line.startswith("#")]
producer = Producer(dict(line for line in lines if len(line) == 2))
producer.produce("orders", "by token")
assert producer.flush(30) == 0
`

/** An identity provider that gives everybody with the right secret a token. @returns its URL */
async function identityProvider(t: Test): Promise<string> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }
  const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const tokenOf = (issuer: string) => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { sub: 'ann', aud: 'kafka', iss: issuer, iat: now, exp: now + 3600 }
    const text = `${base64({ alg: 'RS256', kid: 'k1' })}.${base64(claims)}`
    return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`
  }
  const secret = Buffer.from('ann:ann-secret').toString('base64')
  const server = createServer(({ url, headers }, response) => {
    const isToken = url === '/token' && headers.authorization === `Basic ${secret}`
    response.setHeader('content-type', 'application/json')
    if (url === '/keys') response.end(JSON.stringify({ keys: [jwk] }))
    else if (isToken) response.end(JSON.stringify(grant(tokenOf(issuer))))
    else response.writeHead(401).end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return issuer
}

function grant(token: string): object {
  return { access_token: token, token_type: 'Bearer', expires_in: 3600 }
}
