// What `start --secure` makes: certificates that live, are renewed and are refused; a first user; files that only their owner
// reads; the properties of the listeners.

import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import t from '../../protocol/testing/tap.ts'
import { scramKeys } from '../../protocol/sasl/scram.ts'
import { openStore } from '../../storage/open-store.ts'
import { readSettings } from '../config.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { Authority } from './authority.ts'
import { keepCertificates } from './certificates.ts'
import { PrivateFiles } from './private-files.ts'
import { secure, type SecureFlags } from './secure.ts'
import { time } from './der.ts'

const DAY_MS = 86_400_000
const START_MS = Date.parse('2026-01-01T00:00:00Z')
const HOSTS = ['localhost', '127.0.0.1', '::1', 'kafka.example.com', '192.0.2.1', '2001:db8::1:0']

function files(t: Test): PrivateFiles {
  return new PrivateFiles(join(t.testdir(), 'secure'))
}

function read(from: PrivateFiles, name: string): X509Certificate {
  return new X509Certificate(from.read(name)!)
}

t.test('a certificate is for its hosts, signed by the CA, and has a lifetime', async (t) => {
  const own = files(t)
  const { endsAtMs, isCaNew } = keepCertificates(own, HOSTS, START_MS)
  t.ok(isCaNew)
  const [ca, server] = [read(own, 'ca.pem'), read(own, 'server.pem')]
  t.ok(ca.ca && ca.checkIssued(ca) && ca.verify(ca.publicKey))
  t.ok(!server.ca && server.checkIssued(ca) && server.verify(ca.publicKey))
  for (const host of HOSTS)
    t.ok(/^[\d.:a-f]+$/.test(host) ? server.checkIP(host) : server.checkHost(host), host)
  t.notOk(server.checkHost('example.com') ?? server.checkIP('192.0.2.2'))
  t.equal(endsAtMs, START_MS + 397 * DAY_MS)
  t.equal(Date.parse(server.validTo), endsAtMs)
  t.equal(Date.parse(server.validFrom), START_MS - DAY_MS)
  t.equal(Date.parse(ca.validTo), START_MS + 3650 * DAY_MS)
  t.strictSame(server.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
})

t.test(
  'certificates are renewed before their end, for a new host, and when they broke',
  async (t) => {
    const own = files(t)
    const keep = (days: number, hosts = HOSTS) =>
      keepCertificates(own, hosts, START_MS + days * DAY_MS)
    const serial = (name = 'server.pem') => read(own, name).serialNumber
    keep(0)
    const [first, ca] = [serial(), serial('ca.pem')]
    keep(300)
    keep(306, HOSTS.slice(1))
    t.equal(serial(), first, 'it is good enough')
    t.notOk(keep(308).isCaNew)
    const second = serial()
    t.not(second, first, 'fewer than 90 days are left')
    keep(308, [...HOSTS, 'new.example.com'])
    const third = serial()
    t.not(third, second)
    own.write('server.pem', 'half a certif')
    keep(308)
    t.not(serial(), third)
    own.write('ca.pem', '')
    keep(308)
    t.equal(serial('ca.pem'), ca, 'the copy for clients is made again')
    t.equal(keep(3300).endsAtMs, START_MS + 3650 * DAY_MS, 'none outlives the CA')
    t.ok(keep(3400).isCaNew, 'the CA ends too soon')
    t.not(serial('ca.pem'), ca)
    t.ok(read(own, 'server.pem').verify(read(own, 'ca.pem').publicKey))
  },
)

t.test('a CA that cannot be used stops the start, and says what to do', async (t) => {
  const own = files(t)
  keepCertificates(own, HOSTS, START_MS)
  const whole = own.read('ca-key.pem')!
  const other = Authority.create('other', {
    notBefore: new Date(START_MS),
    notAfter: new Date(START_MS + DAY_MS),
  })
  const [key = ''] = /-----BEGIN PRIVATE[^]*END PRIVATE KEY-----\n/.exec(whole) ?? []
  const broken = ['', 'no PEM', key, whole.replace(key, ''), whole.replace(key, other.identity.key)]
  for (const text of [...broken, own.read('server.pem')!]) {
    own.write('ca-key.pem', text)
    t.throws(
      () => keepCertificates(own, HOSTS, START_MS),
      /ca-key\.pem cannot be used.*put it back/,
    )
  }
  own.write('ca-key.pem', whole)
  t.notOk(keepCertificates(own, HOSTS, START_MS).isCaNew)
})

t.test('times from 2050 on have four digits of the year', async (t) => {
  const text = (date: string) => time(new Date(date)).subarray(2).toString()
  t.equal(text('2049-12-31T23:59:59Z'), '491231235959Z')
  t.equal(text('2050-01-01T00:00:00Z'), '20500101000000Z')
})

const source = (properties: Record<string, string>) => [{ origin: 'test', properties }]

t.test('the first start makes a user and files for clients; the next one keeps them', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  const clock = new VirtualClock()
  const given = source({ 'log.dir': dataDir, port: '19092', 'node.id': '7' })
  const first = await secure(given, {}, clock)
  const listeners = { PLAINTEXT: '127.0.0.1:19092', SASL_SSL: '0.0.0.0:9094' }
  const facts = first.report.facts(listeners) as { password: string; directory: string }
  const { password, directory } = facts
  t.match(password, /^[a-zA-Z2-9]{24}$/)
  t.match(facts, { user: 'admin', isCaNew: true, plaintext: ['127.0.0.1:19092'] })
  t.ok(first.report.banner(listeners).includes(password))
  const own = ['ca-key.pem', 'ca.pem', 'done.json', 'java.properties', 'kafkajs.mjs']
  t.strictSame(readdirSync(directory).sort(), [...own, 'librdkafka.conf', 'server.pem'])
  if (process.platform !== 'win32') {
    t.equal(statSync(directory).mode & 0o777, 0o700)
    for (const name of readdirSync(directory))
      t.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name)
  }
  for (const name of ['java.properties', 'kafkajs.mjs', 'librdkafka.conf'])
    t.match(
      readFileSync(join(directory, name), 'utf8'),
      new RegExp(`localhost:9094[^]*${password}`),
    )
  const again = await secure(given, {}, clock)
  const later = again.report.banner({ SASL_SSL: '0.0.0.0:9094' })
  t.notOk(later.includes(password))
  t.match(later, /no listener is without TLS/)
  await using store = await openStore({ dataDir, writer: 'inline', clock })
  t.equal(store.nodeId, 7)
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
    const kept = store.scramCredentials.find(mechanism, 'admin')!
    t.strictSame((await scramKeys(mechanism, password, kept)).storedKey, kept.storedKey)
  }
})

t.test('a user whose files are lost keeps its password, which nobody knows', async (t) => {
  const dataDir = t.testdir()
  const clock = new VirtualClock()
  const given = source({ 'log.dir': dataDir })
  await secure(given, {}, clock)
  rmSync(join(dataDir, 'secure'), { recursive: true })
  const { report } = await secure(given, {}, clock)
  t.match(report.facts({}), { password: undefined, isCaNew: true, files: [] })
  t.match(report.banner({}), /lost: millrace user passwd[^]*clients  ca\.pem in/)
})

t.test('the listeners come from --secure, with the host and ports that are given', async (t) => {
  const dataDir = t.testdir()
  const clock = new VirtualClock()
  const advertised = 'SASL_SSL://kafka.example.com:9094'
  const given = source({
    'log.dirs': dataDir,
    host: '::',
    port: '1234',
    'advertised.listeners': advertised,
  })
  const first = await secure(given, { securePort: '4321' }, clock)
  const [own, rest] = first.sources
  t.match(own!.properties, {
    listeners: 'PLAINTEXT://:1234,SASL_SSL://[::]:4321',
    'listener.name.sasl_ssl.ssl.keystore.location': join(dataDir, 'secure', 'server.pem'),
  })
  t.strictSame(rest!.properties, { 'log.dirs': dataDir, 'advertised.listeners': advertised })
  t.match(first.report.facts({}), { hosts: ['localhost', '127.0.0.1', '::1'] })
  t.match(first.report.banner({}), /kafka\.example\.com/)
  const only = await secure(given, { plaintext: false }, clock)
  t.equal(only.sources[0]!.properties['listeners'], 'SASL_SSL://[::]:9094')
})

t.test('HTTP for other machines has the certificate and the users of --secure', async (t) => {
  const dataDir = t.testdir()
  const clock = new VirtualClock()
  const httpOf = async (properties: Record<string, string>, flags: SecureFlags = {}) => {
    const { sources } = await secure(source({ 'log.dir': dataDir, ...properties }), flags, clock)
    return readSettings(sources).http
  }
  const server = join(dataDir, 'secure', 'server.pem')
  const reached = await httpOf({ 'http.host': '0.0.0.0' })
  t.match(reached, { securityProtocol: 'SASL_SSL', sasl: { mechanisms: ['PLAIN'] } })
  t.equal(reached.tls!.values['ssl.keystore.location'], server)
  t.match(await httpOf({}), { securityProtocol: 'PLAINTEXT', tls: undefined, sasl: undefined })
  t.match(await httpOf({}, { plaintext: false }), { securityProtocol: 'SASL_SSL' })
  const own = { 'http.security.protocol': 'SSL', 'http.ssl.keystore.location': '/own.pem' }
  const required = { 'http.ssl.client.auth': 'required' }
  const decided = await httpOf({ 'http.host': '0.0.0.0', ...own, ...required })
  t.match(decided, { securityProtocol: 'SSL', sasl: undefined })
  t.equal(decided.tls!.values['ssl.keystore.location'], '/own.pem')
})

t.test('what contradicts --secure is refused before anything is made', async (t) => {
  const dataDir = t.testdir()
  const clock = new VirtualClock()
  const refused = (properties: Record<string, string>, securePort?: string) =>
    secure(source({ 'log.dir': dataDir, ...properties }), { securePort }, clock)
  await t.rejects(refused({ listeners: 'PLAINTEXT://:1' }), /listeners and --secure/)
  await t.rejects(refused({ host: 'a,b' }), /with --secure one address/)
  for (const port of ['0', '-1', 'x', '']) await t.rejects(refused({}, port), /--secure-port/)
  t.strictSame(readdirSync(dataDir), [])
  writeFileSync(join(dataDir, 'stranger'), '')
  await t.rejects(refused({}), /no millrace data directory/)
  t.strictSame(readdirSync(dataDir), ['stranger'])
})
