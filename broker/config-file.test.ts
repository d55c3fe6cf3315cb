// The file of `--config`, made for Apache Kafka: its properties, config providers, what is noted and what is refused.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from '../protocol/testing/tap.ts'
import { systemClock } from '../storage/clock.ts'
import { Broker } from './broker.ts'
import { readSettings, type ConfigSource, type Settings } from './config.ts'
import { fileSource, type Environment } from './config-file.ts'
import { kafkaConfigs } from './kafka-configs.ts'
import { ProcessLog } from './process-log.ts'

/** The properties that the server.properties of Apache Kafka 4.3 sets. */
const SHIPPED = `
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
#log.flush.interval.messages=10000
log.retention.hours=168
#log.retention.bytes=1073741824
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
`

const scratch = mkdtempSync(join(tmpdir(), 'millrace-config-file-test-'))
t.teardown(() => rmSync(scratch, { recursive: true, force: true }))

async function source(
  text: string,
  environment: Environment = {},
  name = 'server.properties',
): Promise<ConfigSource> {
  const path = join(scratch, name)
  writeFileSync(path, text, 'latin1')
  return fileSource(path, environment)
}

async function settings(text: string, environment?: Environment): Promise<Settings> {
  return readSettings([await source(text, environment)])
}

async function valueOf(text: string, name: string, environment?: Environment) {
  return (await settings(text, environment)).given.get(name)?.text
}

t.test("Apache Kafka's own file starts a broker, on another port and directory", async (t) => {
  const flags = {
    'log.dir': join(scratch, 'data'),
    listeners: 'PLAINTEXT://:0,CONTROLLER://:9093',
    'advertised.listeners': '',
    'http.port': '-1',
  }
  const flagged = { origin: 'flag', properties: flags }
  const lines: string[] = []
  const log = new ProcessLog('warn', systemClock, { write: (line) => lines.push(line) })
  await using broker = await Broker.open({
    settings: readSettings([flagged, await source(SHIPPED)]),
    ephemeral: false,
    writer: 'inline',
    onFatal: (error) => t.error(error),
    clock: systemClock,
    log,
  })
  t.match(broker.bootstrap, /^127\.0\.0\.1:\d+$/)
  t.match(
    lines.map((line) => (JSON.parse(line) as { message: string }).message),
    [
      /^listeners=CONTROLLER:\/\/:9093 is passed over/,
      /^these properties have no effect: process\.roles, .*num\.network\.threads/,
    ],
  )
})

t.test('it means what it means there', async (t) => {
  const { broker, listeners, topicDefaults, notes } = await settings(SHIPPED)
  t.match(broker, { 'node.id': 1, 'log.dir': '/tmp/kraft-combined-logs', 'num.partitions': 1 })
  t.match(topicDefaults, { 'retention.ms': `${168 * 3_600_000}`, 'segment.bytes': '1073741824' })
  t.match(listeners, [
    { name: 'PLAINTEXT', port: 9092, advertised: { host: 'localhost', port: 9092 } },
  ])
  t.match(notes, [/CONTROLLER/])
  t.equal(notes.length, 1)
})

t.test('every property of Apache Kafka is accepted with its default', async (t) => {
  const lines = Object.entries(kafkaConfigs)
    .filter(([name]) => name !== 'config.providers')
    .map(([name, spec]) => `${name}=${spec.default || 1}`)
  t.ok(lines.length > 200)
  t.strictSame((await settings(lines.join('\n'))).notes, [])
})

t.test(
  'flags and the environment win over the file, and its last line over the others',
  async (t) => {
    const file = await source('num.partitions=2\nlog.dirs=/a\nnum.partitions 3\nlog.dirs : /b\n')
    const flag = { origin: 'flag', properties: { 'log.dir': '/c' } }
    const { given } = readSettings([flag, file])
    t.match(given.get('num.partitions'), { text: '3', origin: file.origin })
    t.match(given.get('log.dir'), { text: '/c', origin: 'flag' })
  },
)

t.test('the ending of its name says how a file is read, or else its first line', async (t) => {
  const read = async (name: string, text: string) => (await source(text, {}, name)).properties
  const two = { 'num.partitions': '2' }
  t.strictSame(await read('a.properties', 'num.partitions: 2'), two)
  t.strictSame(await read('A.PROPERTIES', 'num.partitions 2'), two)
  t.strictSame(await read('a.yaml', 'num.partitions: 2'), two)
  t.strictSame(await read('a.conf', '# made for Kafka\n\n! so\n num.partitions = 2'), two)
  t.strictSame(await read('a.conf', 'num.partitions: 2 # a=b'), two)
  t.strictSame(await read('a', 'num.partitions=2\nhost: a'), { ...two, host: 'a' })
  t.strictSame(await read('a', ''), {})
  await t.rejects(read('a.yml', 'num.partitions=2'), /a\.yml: want lines of the form/)
  await t.rejects(read('a.properties', 'a=\\u1'), /a\.properties: line 1: \\u wants/)
})

t.test("a plug-in's property is noted, a slip is refused", async (t) => {
  const text = 'confluent.support.metrics.enable=false\nmy.own=1\nnum.partitions=2\n'
  const { notes, broker } = await settings(text)
  t.match(notes, [
    /^these properties are unknown to Apache Kafka \(.*server\.properties\): confluent\.support\.metrics\.enable, my\.own$/,
  ])
  t.equal(broker['num.partitions'], 2)
  for (const [slip, meant] of [
    ['num.partition=2', 'num.partitions'],
    ['log.retention.hour=1', 'log.retention.hours'],
    ['listener.name.a.ssl.client.aut=required', 'listener.name.a.ssl.client.auth'],
  ] as const)
    await t.rejects(settings(slip), { message: `did you mean ${meant}?` })
  t.throws(
    () => readSettings([{ origin: 'flag', properties: { 'my.own': '1' } }]),
    /unknown property my\.own \(flag\)/,
    'no other source may name it',
  )
})

t.test('what this broker does not have is refused, with what to do', async (t) => {
  for (const [text, says] of [
    ['log.dirs=/a,/b', /log\.dir=\/a,\/b \(.*server\.properties\): want one directory/],
    ['log.dir=/a\nlog.dirs=/b', /log\.dir is set under two names/],
    ['process.roles=controller\nlisteners=CONTROLLER://:9093', /none for clients: add PLAINTEXT/],
    ['num.partitions=many', /num\.partitions=many \(.*server\.properties\): want 1 to/],
  ] as const)
    await t.rejects(settings(text), { code: 'INVALID_CONFIG', message: says })
})

const PROVIDERS = `config.providers=env,file,dir
config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider
config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider
config.providers.dir.class=org.apache.kafka.common.config.provider.DirectoryConfigProvider
`

t.test(
  "values come from the environment and from files, by Kafka's config providers",
  async (t) => {
    const home = scratch.replaceAll('\\', '/')
    writeFileSync(join(scratch, 'some.properties'), 'parts = 3\nname=\u00e4')
    writeFileSync(join(scratch, 'parts'), '4')
    const environment = { PARTS: '2', EMPTY: '', HOME: '/h' }
    const read = (value: string, name = 'num.partitions') =>
      valueOf(`${name}=${value}\n${PROVIDERS}`, name, environment)
    t.equal(await read('${env:PARTS}'), '2')
    t.equal(await read('${env:PARTS}${env:EMPTY}0'), '20')
    t.equal(await read('${env:HOME}/data', 'log.dir'), '/h/data')
    t.equal(await read(`\${file:${home}/some.properties:parts}`), '3')
    t.equal(await read(`\${file:${home}/some.properties:name}`, 'broker.rack'), '\u00e4', 'UTF-8')
    t.equal(await read(`\${dir:${home}:parts}`), '4')
    t.equal(await read('$1 ${x} $${', 'broker.rack'), '$1 ${x} $${', 'no variables')
    t.equal(await read('\\${env\\:PARTS}'), '2', 'after the escapes of the file')
  },
)

t.test('a variable without a value is refused, and no message shows a value', async (t) => {
  const home = scratch.replaceAll('\\', '/')
  writeFileSync(join(scratch, 'secret.properties'), 'pw=s3cret')
  const file = `\${file:${home}/secret.properties`
  const limits = `${PROVIDERS}config.providers.env.param.allowlist.pattern=A.*
config.providers.file.param.allowed.paths=${home}/other
`
  const class_ = 'config.providers.env.class'
  for (const [value, providers, says] of [
    ['${env:NONE}', PROVIDERS, /num\.partitions: \$\{env:NONE\}: the environment has no NONE/],
    ['${env:/a:HOME}', PROVIDERS, /has no path/],
    ['${vault:a:b}', PROVIDERS, /\$\{vault:a:b\}: config\.providers does not name vault/],
    ['${env:HOME}', '', /config\.providers does not name env/],
    ['${file:pw}', PROVIDERS, /want a path before the name/],
    [`${file}:other}`, PROVIDERS, /secret\.properties has no other/],
    [`\${file:${home}/none:a}`, PROVIDERS, /none cannot be read \(ENOENT\)/],
    [`\${dir:${home}/none:a}`, PROVIDERS, /a cannot be read \(ENOENT\)/],
    [`\${dir:${home}:../a}`, PROVIDERS, /want the name of a file/],
    [`\${dir:${home}:}`, PROVIDERS, /want the name of a file/],
    [`${file}:pw}`, PROVIDERS, /num\.partitions=\.\.\. \(.*\): want 1 to/],
    [`${file}:pw}`, limits, /allowed\.paths does not allow/],
    ['${env:HOME}', limits, /allowlist\.pattern does not allow HOME/],
    ['2', 'config.providers=env', new RegExp(`${class_} is missing`)],
    ['2', `config.providers=env\n${class_}=com.acme.Vault`, /Vault: there are no classes of Java/],
    ['2', `${limits}config.providers.env.param.allowlist.pattern=(`, /no regular expression/],
  ] as const) {
    const text = `num.partitions=${value}\n${providers}`
    const error = await settings(text, { HOME: 's3cret' }).catch((thrown: unknown) => thrown)
    t.match(error, { code: 'INVALID_CONFIG', message: says }, value)
    t.match(error, { message: 'server.properties' })
    t.notMatch((error as Error).message, /s3cret/)
  }
  const allowed = await settings(`broker.rack=\${env:AB}\n${limits}`, { AB: 'r1' })
  t.equal(allowed.given.get('broker.rack')?.text, 'r1')
  t.strictSame(allowed.notes, [])
})
