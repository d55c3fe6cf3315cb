// The HTTP server with TLS, users and ACLs, through real sockets: who sees what, and what the others are told.

import { generateKeyPairSync, sign } from 'node:crypto'
import { get, type IncomingHttpHeaders } from 'node:http'
import { get as getSecurely, type RequestOptions } from 'node:https'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { writeFileSync } from 'node:fs'
import t from '../../protocol/testing/tap.ts'
import { createAcls } from '../../protocol/api/30_create_acls.ts'
import { alterUserScramCredentials } from '../../protocol/api/51_alter_user_scram_credentials.ts'
import { scramMechanismCodes, scramMechanisms } from '../../protocol/sasl/scram.ts'
import { STANDARD_AUTHORIZER } from '../auth/configs.ts'
import { readSettings } from '../config.ts'
import { addUser } from '../testing/sasl.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { World } from '../testing/world.ts'
import { authority, StoreDirectory } from '../tls/testing/certified.ts'
import { KnownLogins } from './known-logins.ts'

const withLogin = {
  'http.port': 0,
  'http.security.protocol': 'SASL_PLAINTEXT',
  'connection.failed.authentication.delay.ms': 0,
} as const
const withAcls = { 'authorizer.class.name': STANDARD_AUTHORIZER, 'super.users': 'User:ANONYMOUS' }

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

function ask(url: string, path: string, options: RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const how = url.startsWith('https:') ? getSecurely : get
    const own = { agent: false, ca: authority.cert, ...options }
    how(`${url}${path}`, own, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const { statusCode: status = 0, headers } = answer
        resolve({ status, headers, text: Buffer.concat(chunks).toString() })
      })
    }).on('error', reject)
  })
}

const basic = (user: string, password: string) => ({
  headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
})

async function countOf(world: World, metric: string, ...login: [string, string]): Promise<number> {
  const { text } = await ask(world.broker.httpUrl!, '/metrics', basic(...login))
  const [, count = '0'] = new RegExp(`^millrace_${metric} (\\d+)$`, 'm').exec(text) ?? []
  return Number(count)
}

t.test('a user of the broker reads the metrics with its password, nobody else does', async (t) => {
  const world = await World.open(t, { config: withLogin })
  const url = world.broker.httpUrl!
  await addUser(world.local, 'ann', 'p:ä ss')
  await addUser(world.local, 'only512', 'x', ['SCRAM-SHA-512'])
  const challenge = 'Basic realm="millrace", charset="UTF-8"'
  for (const path of ['/metrics', '/']) {
    const asked = await ask(url, path)
    t.match(asked, { status: 401, headers: { 'www-authenticate': challenge } })
    t.match(asked.text, /^log in with a user of the broker/)
    t.equal((await ask(url, path, basic('ann', 'p:ä ss'))).status, 200)
    t.equal((await ask(url, path, basic('only512', 'x'))).status, 200)
    t.equal((await ask(url, path, { method: 'HEAD', ...basic('ann', 'no') })).status, 401)
    t.equal((await ask(url, path, { method: 'HEAD', ...basic('ann', 'p:ä ss') })).status, 200)
  }
  const wrong = [
    basic('ann', 'secret-one'),
    basic('nobody', 'secret-one'),
    basic('', 'p'),
    basic('ann', ''),
  ]
  const others = [
    'Basic',
    'Basic !',
    'Bearer abc',
    'Digest x',
    'Basic YQBiOmM=',
    `Basic ${Buffer.of(0xff, 58, 0xff).toString('base64')}`,
  ]
  const texts = new Set<string>()
  for (const options of [
    ...wrong,
    ...others.map((authorization) => ({ headers: { authorization } })),
  ]) {
    const { status, headers, text } = await ask(url, '/metrics', options)
    t.match(
      { status, headers },
      { status: 401, headers: { connection: 'close', 'www-authenticate': challenge } },
    )
    texts.add(text)
  }
  t.same([...texts], ['the user name, the password or the token is wrong\n'])
  const labels = (mechanism: string) =>
    `authentication_failures_total{listener="http",mechanism="${mechanism}"}`
  t.equal(await countOf(world, labels('PLAIN').replace('{', '\\{'), 'ann', 'p:ä ss'), 9)
  t.equal(await countOf(world, labels('other').replace('{', '\\{'), 'ann', 'p:ä ss'), 3)
  const failures = world.logged.filter(({ message }) => message === 'authentication failed')
  t.match(failures[0], { listener: 'http', remote: '127.0.0.1', mechanism: 'PLAIN' })
  t.notMatch(JSON.stringify(world.logged), /secret-one/)
})

t.test(
  'a login is checked once a minute, and at once after a change of the password',
  async (t) => {
    const world = await World.open(t, { config: withLogin })
    const done = 'authentications_total\\{listener="http",mechanism="PLAIN"\\}'
    await addUser(world.local, 'ann', 'one')
    for (let i = 0; i < 5; i++) t.equal(await countOf(world, done, 'ann', 'one'), 1)
    await addUser(world.local, 'ann', 'two')
    const statusFor = async (password: string) =>
      (await ask(world.broker.httpUrl!, '/metrics', basic('ann', password))).status
    t.equal(await statusFor('one'), 401)
    t.equal(await statusFor('two'), 200)
    for (const mechanism of scramMechanisms) {
      const deletion = { name: 'ann', mechanism: scramMechanismCodes[mechanism] }
      await world.local.perform(alterUserScramCredentials, {
        deletions: [deletion],
        upsertions: [],
      })
    }
    t.equal(await statusFor('two'), 401)
  },
)

t.test(
  'a known login ends with its minute, with its token, or when others push it out',
  async (t) => {
    const clock = new VirtualClock(1_700_000_000_000)
    const known = new KnownLogins(Buffer.from('secret'), clock)
    const ann = { type: 'User', name: 'ann' }
    known.keep('a', ann, () => true)
    known.keep('token', ann, () => true, clock.now() + 1000)
    await clock.advance(999)
    t.same([known.find('a'), known.find('token'), known.find('b')], [ann, ann, undefined])
    await clock.advance(1)
    t.same([known.find('a'), known.find('token')], [ann, undefined])
    await clock.advance(59_000)
    t.equal(known.find('a'), undefined)
    for (let i = 0; i < 100; i++) known.keep(`${i}`, ann, () => true)
    const kept = Array.from({ length: 100 }, (_, i) => known.find(`${i}`)).filter(Boolean)
    t.equal(kept.length, 64)
  },
)

t.test('a failed login is answered after the delay', async (t) => {
  const config = { ...withLogin, 'connection.failed.authentication.delay.ms': 50 }
  const world = await World.open(t, { config })
  const startedAt = performance.now()
  t.equal((await ask(world.broker.httpUrl!, '/metrics', basic('ann', 'x'))).status, 401)
  t.ok(performance.now() - startedAt >= 49)
})

t.test('with an authorizer the metrics need Describe on the cluster', async (t) => {
  const world = await World.open(t, { config: { ...withLogin, ...withAcls } })
  const url = world.broker.httpUrl!
  await addUser(world.local, 'ann', 'x')
  await addUser(world.local, 'ben', 'x')
  const creation = {
    resourceType: 4,
    resourceName: 'kafka-cluster',
    resourcePatternType: 3,
    principal: 'User:ann',
    host: '*',
    operation: 8,
    permissionType: 3,
  }
  const { results } = await world.local.perform(createAcls, { creations: [creation] })
  t.equal(results[0]!.errorCode, 0)
  t.equal((await ask(url, '/metrics', basic('ann', 'x'))).status, 200)
  const denied = await ask(url, '/metrics', basic('ben', 'x'))
  t.match(denied, { status: 403, text: 'User:ben needs the permission Describe on the cluster\n' })
  const lines = world.logged.filter(({ message }) => message === 'access denied')
  t.match(lines, [
    { principal: 'User:ben', operation: 'Describe', resource: 'kafka-cluster', api: 'HTTP' },
  ])
})

t.test('without a login the client of loopback is ANONYMOUS, for ACLs too', async (t) => {
  const config = { 'http.port': 0, 'authorizer.class.name': STANDARD_AUTHORIZER }
  const denied = await World.open(t, { config })
  t.equal((await ask(denied.broker.httpUrl!, '/metrics')).status, 403)
  t.equal((await ask(denied.broker.httpUrl!, '/readyz')).status, 200)
  const allowed = await World.open(t, { config: { ...config, ...withAcls } })
  t.equal((await ask(allowed.broker.httpUrl!, '/metrics')).status, 200)
})

t.test('health is open to all, its reasons only to this machine and to users', async (t) => {
  const world = await World.open(t, { config: withLogin })
  const url = world.broker.httpUrl!
  t.equal((await ask(url, '/healthz')).status, 200)
  const { status, text } = await ask(url, '/readyz')
  t.equal(status, 200)
  t.same(JSON.parse(text), { status: 'ready', reasons: [], warnings: [] }, 'from loopback')
  t.equal((await ask(url, '/readyz', basic('ann', 'x'))).status, 401, 'no way around the count')
})

t.test('TLS and certificates', async (t) => {
  const stores = new StoreDirectory(t)
  const alice = authority.issue({ name: 'alice' })
  const own = Object.entries(stores.properties()).map(([name, value]) => [`http.${name}`, value])
  const config = { ...Object.fromEntries(own), 'http.port': 0, 'http.security.protocol': 'SSL' }
  const open = await World.open(t, { config })
  t.match(open.broker.httpUrl, /^https:/)
  t.equal((await ask(open.broker.httpUrl!, '/metrics')).status, 200)
  await t.rejects(ask(open.broker.httpUrl!.replace('https', 'http'), '/metrics'))
  await t.rejects(ask(open.broker.httpUrl!, '/metrics', { ca: [] }), /certificate/)

  const more = { 'http.ssl.client.auth': 'required', 'authorizer.class.name': STANDARD_AUTHORIZER }
  const users = { 'super.users': 'User:CN=alice' }
  const closed = await World.open(t, { config: { ...config, ...more, ...users } })
  t.equal((await ask(closed.broker.httpUrl!, '/metrics', alice)).status, 200)
  const bob = authority.issue({ name: 'bob' })
  t.match(await ask(closed.broker.httpUrl!, '/metrics', bob), {
    status: 403,
    text: /^User:CN=bob /,
  })
  await t.rejects(ask(closed.broker.httpUrl!, '/metrics'))
  const { text } = await ask(closed.broker.httpUrl!, '/metrics', alice)
  t.match(text, /^millrace_tls_handshakes_total\{listener="http"\} 3$/m)
})

t.test('a bearer token is checked as OAUTHBEARER is', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const file = join(t.testdir(), 'jwks.json')
  writeFileSync(
    file,
    JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] }),
  )
  const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const tokenOf = (seconds: number) => {
    const claims = { sub: 'svc', iat: now, exp: now + seconds }
    const text = `${base64({ alg: 'RS256', kid: 'k' })}.${base64(claims)}`
    return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`
  }
  const url = 'http.sasl.oauthbearer.jwks.endpoint.url'
  const world = await World.open(t, { config: { ...withLogin, [url]: pathToFileURL(file).href } })
  const bearing = (token: string) =>
    ask(world.broker.httpUrl!, '/metrics', { headers: { authorization: `Bearer ${token}` } })
  t.equal((await bearing(tokenOf(60))).status, 200)
  t.match((await bearing(tokenOf(-600))).status, 401)
  const { status, headers } = await bearing(`${tokenOf(60)}x`)
  t.equal(status, 401)
  t.match(headers['www-authenticate'], /Basic .*, Bearer realm="millrace"$/)
})

t.test('HTTP that other machines reach needs TLS and a login, or the long flag', async (t) => {
  const open = { 'i.accept.unauthenticated.network': 'true' }
  const settings = (properties: Record<string, string>) =>
    readSettings([{ origin: 'test', properties: { 'http.host': '10.0.0.1', ...properties } }])
  const of = (protocol: string) => ({ 'http.security.protocol': protocol })
  const risk =
    /http\.host=10\.0\.0\.1 can be reached .*: use http\.security\.protocol=SASL_SSL, or 127/
  for (const protocol of ['PLAINTEXT', 'SSL']) {
    t.throws(() => settings(of(protocol)), { code: 'INVALID_CONFIG', message: risk })
    t.equal(settings({ ...of(protocol), ...open }).http.host, '10.0.0.1')
  }
  t.throws(() => settings({ ...of('SSL'), 'http.ssl.client.auth': 'requested' }), risk)
  t.equal(settings({ ...of('SSL'), 'http.ssl.client.auth': 'required' }).http.isOn, true)
  t.equal(settings(of('SASL_SSL')).http.isOn, true)
  for (const more of [{}, open])
    t.throws(() => settings({ ...of('SASL_PLAINTEXT'), ...more }), /could read passwords: use http/)
  const misspelt = { ...of('SASL_SSL'), 'http.ssl.keystore.locaton': '/x' }
  t.throws(() => settings(misspelt), /did you mean http\.ssl\.keystore\.location\?/)
  t.throws(
    () => settings({ ...of('SASL_SSL'), 'http.sasl.enabled.mechanisms': 'PLAIN' }),
    /unknown/,
  )
})
