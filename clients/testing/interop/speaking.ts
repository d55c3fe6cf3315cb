// Foreign clients that log in, write a record and read it: kcat, confluent-kafka, kafka-python, kafkajs and Kafka's own tools.

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
import { kafkaClasspath, pythonCommand, pythonWithNewClients, run } from './tools.ts'

export const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const
export type Mechanism = (typeof mechanisms)[number]

export interface Way {
  readonly bootstrap: string
  /** The path of the CA: with TLS. */
  readonly ca?: string
  /** The paths of the client's certificate and key: without login. */
  readonly own?: { readonly cert: string; readonly key: string; readonly store: string }
  readonly mechanism: Mechanism
  readonly username: string
  readonly password: string
  readonly token: string
  readonly topic: string
}

/** Writes one record and reads it. @returns its value. @throws the client's words */
export type Speak = (way: Way) => Promise<string>

export const speakers = {
  'confluent-kafka': (way) => python('confluent', way),
  'confluent-kafka, new': (way) => newPython('confluent', way),
  'kafka-python': (way) => python('kafka-python', way),
  'kafka-python, new': (way) => newPython('kafka-python', way),
  kcat,
  kafkajs,
  "Kafka's own": java,
} satisfies Record<string, Speak>

/** Of Kafka's property `security.protocol`. */
function protocolOf({ ca, own }: Way): string {
  if (own !== undefined) return 'SSL'
  return ca === undefined ? 'SASL_PLAINTEXT' : 'SASL_SSL'
}

async function python(client: string, way: Way): Promise<string> {
  const { stdout } = await run(...pythonCommand('sasl_peer.py', argumentsOf(client, way)))
  return stdout.toString().trim()
}

async function newPython(client: string, way: Way): Promise<string> {
  const [, [script]] = pythonCommand('sasl_peer.py', [])
  const { stdout } = await run(await pythonWithNewClients(), [script!, ...argumentsOf(client, way)])
  return stdout.toString().trim()
}

function argumentsOf(client: string, way: Way): string[] {
  return [way.bootstrap, client, JSON.stringify({ ...way, protocol: protocolOf(way) })]
}

async function kcat(way: Way): Promise<string> {
  const { bootstrap, ca, own, mechanism, username, password, topic } = way
  const settings = {
    'security.protocol': protocolOf(way),
    ...(ca !== undefined && { 'ssl.ca.location': ca }),
    ...(own === undefined
      ? { 'sasl.mechanism': mechanism, 'sasl.username': username, 'sasl.password': password }
      : { 'ssl.certificate.location': own.cert, 'ssl.key.location': own.key }),
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-X', `${name}=${value}`])
  const at = ['-b', bootstrap, ...flags, '-t', topic, '-m', '10']
  await run('kcat', ['-P', ...at, '-X', 'message.timeout.ms=10000'], Buffer.from('written'))
  return (await run('kcat', ['-C', ...at, '-o', 'beginning', '-e', '-q'])).stdout.toString().trim()
}

async function kafkajs(way: Way): Promise<string> {
  const { bootstrap, ca, own, mechanism, topic, token } = way
  const { username, password } = way
  const login = { username, password }
  const ways: Record<Mechanism, SASLOptions> = {
    PLAIN: { mechanism: 'plain', ...login },
    'SCRAM-SHA-256': { mechanism: 'scram-sha-256', ...login },
    'SCRAM-SHA-512': { mechanism: 'scram-sha-512', ...login },
    OAUTHBEARER: {
      mechanism: 'oauthbearer',
      oauthBearerProvider: async () => ({ value: token }),
    },
  }
  const pair = own && { cert: readFileSync(own.cert), key: readFileSync(own.key) }
  const kafka = new Kafka({
    brokers: [bootstrap],
    ...(ca !== undefined && { ssl: { ca: [readFileSync(ca)], ...pair } }),
    ...(own === undefined && { sasl: ways[mechanism] }),
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
  })
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: [{ value: 'written' }] })
  await producer.disconnect()
  const consumer = kafka.consumer({ groupId: topic })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const value = await new Promise<string>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }) =>
      resolve(String(message.value))
    consumer.run({ eachMessage }).catch(reject)
  })
  await consumer.disconnect()
  return value
}

const SECURITY = 'org.apache.kafka.common.security'

async function java(way: Way): Promise<string> {
  const { bootstrap, topic } = way
  const directory = mkdtempSync(join(tmpdir(), 'millrace-java-'))
  const token = join(directory, 'token.jwt')
  writeFileSync(token, way.token)
  const url = pathToFileURL(token).href
  const file = join(directory, 'client.properties')
  writeFileSync(file, javaProperties(way, url).join('\n'), { mode: 0o600 })
  const tool = async (name: string, ...args: string[]) => {
    const allowed = `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${url}`
    const at = ['--bootstrap-server', bootstrap, '--topic', topic, '--command-config', file]
    const main = `org.apache.kafka.tools.${name}`
    const command = [allowed, '-XX:TieredStopAtLevel=1', '-cp', await kafkaClasspath(), main]
    return run('java', [...command, ...at, ...args], Buffer.from('written\n'))
  }
  const produced = await tool('ConsoleProducer')
  const said = produced.stdout.toString() + produced.stderr
  if (/ERROR/.test(said)) throw new Error(said)
  const once = ['--from-beginning', '--max-messages', '1', '--timeout-ms', '20000']
  const { stdout } = await tool('consumer.ConsoleConsumer', ...once, '--group', topic)
  return stdout.toString().trim()
}

function javaProperties(way: Way, tokenUrl: string): string[] {
  const { ca, own, mechanism, username, password } = way
  const login = `required username="${username}" password="${password}"`
  const modules: Record<Mechanism, string> = {
    PLAIN: `plain.PlainLoginModule ${login}`,
    'SCRAM-SHA-256': `scram.ScramLoginModule ${login}`,
    'SCRAM-SHA-512': `scram.ScramLoginModule ${login}`,
    OAUTHBEARER: 'oauthbearer.OAuthBearerLoginModule required',
  }
  const sasl = [
    `sasl.mechanism=${mechanism}`,
    `sasl.jaas.config=${SECURITY}.${modules[mechanism]};`,
  ]
  const oauth = [
    `sasl.oauthbearer.token.endpoint.url=${tokenUrl}`,
    `sasl.login.callback.handler.class=${SECURITY}.oauthbearer.OAuthBearerLoginCallbackHandler`,
  ]
  return [
    `security.protocol=${protocolOf(way)}`,
    ...(ca === undefined ? [] : ['ssl.truststore.type=PEM', `ssl.truststore.location=${ca}`]),
    ...(own === undefined ? sasl : ['ssl.keystore.type=PEM', `ssl.keystore.location=${own.store}`]),
    ...(own === undefined && mechanism === 'OAUTHBEARER' ? oauth : []),
    'delivery.timeout.ms=15000',
    'request.timeout.ms=10000',
    'max.block.ms=15000',
  ]
}
