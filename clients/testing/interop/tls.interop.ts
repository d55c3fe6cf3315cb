// Listeners with TLS of our broker, for other vendors' clients: kcat, Java's tools and openssl, with and without certificates
// of their own; and the commands that the broker names for stores which it cannot read.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from '../../../protocol/testing/tap.ts'
import { Broker } from '../../../broker/broker.ts'
import { jksStore, STORE_PASSWORD } from '../../../broker/tls/testing/stores.ts'
import { Authority, type Identity } from '../certificates.ts'
import { KAFKA_FETCH_TIMEOUT_MS, kafkaClasspath, requireTools, run } from './tools.ts'

requireTools()
t.setTimeout(KAFKA_FETCH_TIMEOUT_MS + 300_000)

const authority = new Authority('the interop CA')
const directory = t.testdir()

function write(name: string, contents: string | Buffer): string {
  const path = join(directory, name)
  writeFileSync(path, contents)
  return path
}

const local = authority.issue({ name: 'broker', hosts: ['localhost', '127.0.0.1'] })
const ca = write('ca.pem', authority.cert)
const stores = {
  'ssl.keystore.type': 'PEM',
  'ssl.keystore.location': write('broker.pem', local.key + local.cert),
  'ssl.truststore.type': 'PEM',
  'ssl.truststore.location': ca,
}
const broker = await Broker.start({
  ephemeral: true,
  config: {
    ...stores,
    listeners: 'PLAINTEXT://127.0.0.1:0,SSL://127.0.0.1:0,MTLS://127.0.0.1:0',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SSL:SSL,MTLS:SSL',
    'listener.name.mtls.ssl.client.auth': 'required',
    'listener.name.mtls.ssl.principal.mapping.rules': 'RULE:^CN=([a-z]+)$/$1/,DEFAULT',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:admin;User:ANONYMOUS',
  },
})
t.teardown(() => broker.close())
const at = (listener: string) => broker.listeners[listener]!

/** Files of an identity, as librdkafka and Java's tools want them. */
function clientFiles(name: string, { key, cert }: Identity) {
  return {
    key: write(`${name}.key`, key),
    certificate: write(`${name}.crt`, cert),
    store: write(`${name}.pem`, key + cert),
  }
}

const admin = clientFiles('admin', authority.issue({ name: 'admin' }))
const guest = clientFiles('guest', authority.issue({ name: 'guest' }))
const stranger = clientFiles('stranger', new Authority('another CA').issue({ name: 'admin' }))
type Files = typeof admin

async function kcat(listener: string, files: Files | undefined, args: string[], input = '') {
  const own = files && [
    `ssl.certificate.location=${files.certificate}`,
    `ssl.key.location=${files.key}`,
  ]
  const settings = ['security.protocol=ssl', `ssl.ca.location=${ca}`, ...(own ?? [])]
  const flags = settings.flatMap((setting) => ['-X', setting])
  const { stdout, stderr } = await run(
    'kcat',
    ['-b', at(listener), ...flags, ...args],
    Buffer.from(input),
  )
  return stdout.toString() + stderr
}

t.test('kcat writes and reads over TLS, with a certificate and without', async (t) => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i} ${'x'.repeat(100)}\n`).join('')
  for (const [listener, files] of [
    ['SSL', undefined],
    ['MTLS', admin],
  ] as const) {
    const topic = ['-t', `kcat-${listener}`, '-p', '0']
    await kcat(listener, files, ['-P', ...topic], lines)
    t.equal(await kcat(listener, files, ['-C', '-q', '-e', ...topic]), lines, listener)
  }
})

t.test('the principal of a certificate decides what kcat may do', async (t) => {
  const topic = ['-t', 'kcat-MTLS', '-p', '0', '-m', '5']
  await t.rejects(
    kcat('MTLS', guest, ['-C', '-e', ...topic]),
    /authorization failed|Unknown (topic|partition)/i,
  )
  await t.rejects(kcat('MTLS', stranger, ['-L', '-m', '5']), /Disconnected|handshake|SSL/i)
  await t.rejects(kcat('MTLS', undefined, ['-L', '-m', '5']), /certificate required|SSL/i)
})

t.test("Java's tools write and read over TLS and mTLS", async (t) => {
  t.setTimeout(KAFKA_FETCH_TIMEOUT_MS + 120_000)
  const classpath = await kafkaClasspath()
  const java = async (
    main: string,
    listener: string,
    files: Files | undefined,
    words: string[],
  ) => {
    const own = files && ['ssl.keystore.type=PEM', `ssl.keystore.location=${files.store}`]
    const trust = ['ssl.truststore.type=PEM', `ssl.truststore.location=${ca}`]
    const properties = write(
      'client.properties',
      [
        'security.protocol=SSL',
        ...trust,
        ...(own ?? []),
        'request.timeout.ms=8000',
        'default.api.timeout.ms=8000',
      ].join('\n'),
    )
    const options = ['-XX:TieredStopAtLevel=1', '-cp', classpath, main]
    const where = ['--bootstrap-server', at(listener), '--command-config', properties]
    const { stdout, stderr } = await run('java', [...options, ...where, ...words])
    return stdout.toString() + stderr
  }
  const topics = 'org.apache.kafka.tools.TopicCommand'
  const performance = 'org.apache.kafka.tools.ProducerPerformance'
  for (const [listener, files] of [
    ['SSL', undefined],
    ['MTLS', admin],
  ] as const) {
    const name = `java-${listener}`
    await java(topics, listener, files, ['--create', '--topic', name])
    const load = `--num-records 20000 --record-size 1000 --throughput -1 --topic ${name}`
    const where = ['--command-property', `bootstrap.servers=${at(listener)}`]
    const own = ['--command-config', join(directory, 'client.properties'), ...where]
    const all = ['-cp', classpath, performance, ...load.split(' '), ...own]
    const produced = await run('java', all)
    t.match(produced.stdout.toString(), /20000 records sent/, listener)
    const read = await kcat(listener, files, ['-C', '-q', '-e', '-t', name, '-f', '%S\n'])
    t.equal(read.trim().split('\n').length, 20_000, listener)
  }
  await t.rejects(
    java(topics, 'MTLS', undefined, ['--list']),
    /SSL handshake failed|certificate_required|SslAuthenticationException/,
  )
  t.equal((await java(topics, 'MTLS', guest, ['--list'])).trim(), '', 'a guest sees no topic')
  t.match(await java(topics, 'MTLS', admin, ['--list']), /java-MTLS/)
})

async function openssl(listener: string, ...args: string[]): Promise<string> {
  const flags = ['-connect', at(listener), '-CAfile', ca, '-brief', '-verify_return_error']
  const { stdout, stderr } = await run('openssl', ['s_client', ...flags, ...args])
  return stdout.toString() + stderr
}

t.test('openssl agrees on versions, suites, certificates and names', async (t) => {
  t.match(await openssl('SSL', '-tls1_3'), /TLSv1\.3[^]*Verification: OK/)
  t.match(
    await openssl('SSL', '-tls1_2', '-verify_ip', '127.0.0.1'),
    /TLSv1\.2[^]*Verification: OK/,
  )
  const own = ['-cert', admin.certificate, '-key', admin.key]
  t.match(await openssl('MTLS', ...own), /Verification: OK/)
  await t.rejects(openssl('SSL', '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'), /alert|protocol version/)
  await t.rejects(openssl('SSL', '-tls1_2', '-cipher', 'NULL:aNULL:@SECLEVEL=0'), /alert/)
  await t.rejects(openssl('MTLS', '-tls1_2'), /alert handshake failure/)
})

t.test('the commands that a refusal names make stores that the broker takes', async (t) => {
  const location = write('server.jks', jksStore)
  const start = (config: Record<string, string>) =>
    Broker.start({ ephemeral: true, config: { listeners: 'SSL://127.0.0.1:0', ...config } })
  const commandFor = async (config: Record<string, string>) => {
    const refusal = await start(config).then(
      () => '',
      (error: Error) => error.message,
    )
    return /(keytool .*?)(?:, then|$)/.exec(refusal)![1]!
  }
  const key = await commandFor({ 'ssl.keystore.location': location })
  const password = `-srcstorepass ${STORE_PASSWORD} -deststorepass ${STORE_PASSWORD}`
  await run('sh', ['-c', `${key} ${password}`])
  const converted = {
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.location': `${location}.p12`,
    'ssl.keystore.password': STORE_PASSWORD,
  }
  await using store = await start(converted)
  t.match(
    (await run('sh', ['-c', `openssl s_client -connect ${store.bootstrap} -brief 2>&1 || true`]))
      .stdout,
    /CN = store/,
  )
  const trust = { ...stores, 'ssl.client.auth': 'required', 'ssl.truststore.location': location }
  const list = await commandFor(trust)
  await run('sh', ['-c', list.replace('-list', `-list -storepass ${STORE_PASSWORD}`)])
  await using trusting = await start({ ...trust, 'ssl.truststore.location': `${location}.pem` })
  t.ok(trusting.bootstrap)
})
