// One property file for two programs: kcat and our -F, and Kafka's tools and our --command-config, read the same file
// and reach the same cluster. OpenSSL and Java's keytool make the key stores.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { PASSWORD, propertyText, USER, type SecuredKafka } from './secured-kafka.ts'
import { kafkaClasspath, run } from './tools.ts'

const cli = fileURLToPath(new URL('../../cli/main.js', import.meta.url))
const STORE_PASSWORD = 'store-8d21'
const MODULES = 'org.apache.kafka.common.security'

export async function sharingProperties(t: Test, kafka: SecuredKafka): Promise<void> {
  const shared = await prepared(kafka)
  await t.test('kcat and our -F read the same files', (t) => besideKcat(t, shared))
  await t.test("Kafka's tools and our --command-config read the same files", (t) =>
    besideKafkasTools(t, shared),
  )
  await t.test('a JKS store is refused with the command that converts it', (t) =>
    convertingStores(t, shared),
  )
}

/** A directory with stores and properties, and our command in it. */
type Shared = Awaited<ReturnType<typeof prepared>>

async function prepared({ directory, at, ca, client }: SecuredKafka) {
  const path = (name: string): string => join(directory, name)
  const write = (name: string, lines: readonly string[]): string => {
    writeFileSync(path(name), `${lines.join('\n')}\n`)
    return path(name)
  }
  const caFile = write('their-ca.pem', [ca])
  const pemStore = write('client.pem', [client.key, client.cert])
  const p12 = await storeOf(pemStore, path)
  const ours = async (...args: string[]): Promise<string> => {
    const home = `HOME=${directory}`
    const { stdout } = await run('env', [home, process.execPath, cli, 'topic', 'ls', ...args])
    return stdout.toString()
  }
  return { at, path, write, caFile, pemStore, p12, ours }
}

async function besideKcat(t: Test, { at, write, caFile, p12, ours }: Shared): Promise<void> {
  // PLAIN, because Debian's librdkafka (before 2.6.1) repeats its nonce in SCRAM, which Kafka 4 refuses.
  const plain = write('plain.properties', [
    '# for both',
    'security.protocol=sasl_ssl',
    'sasl.mechanisms=PLAIN',
    'sasl.username=ann',
    `sasl.password=${PASSWORD}`,
    `ssl.ca.location=${caFile}`,
    'socket.timeout.ms=10000',
  ])
  const mtls = write('mtls.properties', [
    'security.protocol=ssl',
    `ssl.ca.location=${caFile}`,
    `ssl.keystore.location=${p12}`,
    `ssl.keystore.password=${STORE_PASSWORD}`,
  ])
  for (const [file, brokers] of [
    [plain, at.saslssl],
    [mtls, at.mtls],
  ] as const) {
    const theirs = await run('kcat', ['-F', file, '-b', brokers, '-L'])
    t.match(theirs.stdout.toString(), 'topic "ssl-no-SASL"', `kcat with ${file}`)
    t.match(await ours('-F', file, '-b', brokers), 'ssl-no-SASL', `ours with ${file}`)
  }
}

async function besideKafkasTools(
  t: Test,
  { at, write, caFile, pemStore, p12, ours }: Shared,
): Promise<void> {
  const classpath = await kafkaClasspath()
  const jaas = `${MODULES}.scram.ScramLoginModule required username="${USER}" password="${PASSWORD}";`
  const trust = ['ssl.truststore.type=PEM', `ssl.truststore.location=${caFile}`]
  const scram = write('scram-java.properties', [
    'security.protocol=SASL_SSL',
    'sasl.mechanism=SCRAM-SHA-256',
    `sasl.jaas.config=${propertyText(jaas)}`,
    ...trust,
  ])
  const identities = {
    pem: ['ssl.keystore.type=PEM', `ssl.keystore.location=${pemStore}`],
    pkcs12: [`ssl.keystore.location=${p12}`, `ssl.keystore.password=${STORE_PASSWORD}`],
  }
  const files: (readonly [string, string])[] = [[scram, at.saslssl]]
  for (const [kind, lines] of Object.entries(identities))
    files.push([
      write(`${kind}.properties`, ['security.protocol=SSL', ...trust, ...lines]),
      at.mtls,
    ])
  for (const [file, brokers] of files) {
    const tool = ['-cp', classpath, 'org.apache.kafka.tools.TopicCommand']
    const flags = ['--bootstrap-server', brokers, '--command-config', file, '--list']
    const theirs = await run('java', [...tool, ...flags])
    t.match(theirs.stdout.toString(), 'ssl-no-SASL', `Kafka's tool with ${file}`)
    t.match(await ours('-b', brokers, '--command-config', file), 'ssl-no-SASL', `ours with ${file}`)
  }
}

async function convertingStores(
  t: Test,
  { at, path, write, caFile, p12, ours }: Shared,
): Promise<void> {
  const jks = path('client.jks')
  await keytool(p12, jks, 'JKS')
  const properties = (store: string) =>
    write('jks.properties', [
      'security.protocol=SSL',
      'ssl.truststore.type=PEM',
      `ssl.truststore.location=${caFile}`,
      `ssl.keystore.location=${store}`,
      `ssl.keystore.password=${STORE_PASSWORD}`,
    ])
  const flags = ['-b', at.mtls, '--command-config', properties(jks)]
  const error = await ours(...flags).catch(String)
  const [, command = ''] = /`(keytool [^`]*)`/.exec(error) ?? []
  const words = command.split(' ').slice(1)
  await run('keytool', [...words, ...passwords])
  t.match(await ours('-b', at.mtls, '--command-config', properties(`${jks}.p12`)), 'ssl-no-SASL')
}

const passwords = ['-srcstorepass', STORE_PASSWORD, '-deststorepass', STORE_PASSWORD, '-noprompt']

async function storeOf(pem: string, path: (name: string) => string): Promise<string> {
  const store = path('client.p12')
  const args = ['-in', pem, '-out', store, '-name', 'client', '-passout', `pass:${STORE_PASSWORD}`]
  await run('openssl', ['pkcs12', '-export', ...args])
  return store
}

async function keytool(from: string, to: string, type: string): Promise<void> {
  const stores = ['-srckeystore', from, '-destkeystore', to, '-deststoretype', type]
  await run('keytool', ['-importkeystore', ...stores, ...passwords])
}
