// SASL of the client, against a broker in memory that asks for it: what works, what every failure says, and that no secret
// is told. Against Apache Kafka: testing/interop/security.interop.ts

import { execFileSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
import t, { type Test } from '../../../protocol/testing/tap.ts'
import { saslHandshake } from '../../../protocol/api/17_sasl_handshake.ts'
import { saslAuthenticate } from '../../../protocol/api/36_sasl_authenticate.ts'
import { events } from '../../events.ts'
import { Client, type ClientOptions, type SaslOptions } from '../../index.ts'
import { FakeBroker } from '../../testing/fake-broker.ts'
import { FakeSasl, type FakeSaslOptions } from '../../testing/fake-sasl.ts'
import { ca, local, MovedClock, outcome } from '../../testing/secured.ts'

const PASSWORD = 'pencil-7f3a'
const TOKEN = 'eyJhbGciOiJub25lIn0.c2VjcmV0LXRva2Vu.'

async function secured(options: FakeSaslOptions, tls = false) {
  const broker = await FakeBroker.start(tls ? local : undefined)
  const sasl = new FakeSasl(broker, options)
  return { broker, sasl, [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose]() }
}

const logins: [mechanism: string, sasl: SaslOptions][] = [
  ['PLAIN', { mechanism: 'plain', username: 'ann', password: PASSWORD }],
  ['SCRAM-SHA-256', { mechanism: 'scram-sha-256', username: 'a,n=n', password: PASSWORD }],
  ['SCRAM-SHA-512', { mechanism: 'scram-sha-512', username: 'ann', password: 'ö \u00ad´o' }],
  [
    'OAUTHBEARER',
    {
      mechanism: 'oauthbearer',
      token: () => ({
        value: TOKEN,
        expiresAt: Date.now() + 60_000,
        extensions: { logicalCluster: 'lkc-1', identityPoolId: 'pool-2' },
      }),
    },
  ],
]
const users = { ann: PASSWORD, 'a,n=n': PASSWORD }
const tokens = new Set([TOKEN])

t.test('a broker lets in who proves who it is, by every mechanism, and nobody else', async (t) => {
  for (const [mechanism, login] of logins) {
    const known = { ...users, ...(mechanism === 'SCRAM-SHA-512' ? { ann: 'ö \u00ad´o' } : {}) }
    await using world = await secured({ mechanisms: [mechanism], users: known, tokens }, true)
    const { broker, sasl } = world
    broker.createTopic('t')
    await using client = new Client({ brokers: broker.bootstrap, tls: { ca }, sasl: login })
    await using producer = client.producer()
    await producer.send('t', { value: mechanism })
    t.strictSame(broker.values('t'), [mechanism])
    const said = Buffer.concat(sasl.said).toString()
    if (mechanism === 'OAUTHBEARER')
      t.match(said, '\x01logicalCluster=lkc-1\x01identityPoolId=pool-2\x01\x01')
    if (mechanism.startsWith('SCRAM')) t.notMatch(said, PASSWORD, 'a password is never sent')

    const wrong: SaslOptions =
      login.mechanism === 'oauthbearer'
        ? { ...login, token: () => ({ value: 'stolen', expiresAt: Date.now() + 60_000 }) }
        : { ...login, password: 'wrong' }
    const error = await outcome(broker.bootstrap, {
      tls: { ca },
      sasl: wrong,
      bootstrapTimeoutMs: 60_000,
    })
    t.match(error, {
      code: 'SASL_AUTHENTICATION_FAILED',
      retriable: false,
      message: `${broker.bootstrap} refuses this client by ${mechanism}: the broker says: Authentication failed`,
    })
  }
})

t.test('the broker in memory asks kafkajs the same, which passes', async (t) => {
  await using world = await secured({ mechanisms: logins.map(([name]) => name), users, tokens })
  const foreign: SASLOptions[] = [
    { mechanism: 'plain', username: 'ann', password: PASSWORD },
    { mechanism: 'scram-sha-256', username: 'ann', password: PASSWORD },
    { mechanism: 'scram-sha-512', username: 'ann', password: PASSWORD },
    { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: TOKEN }) },
  ]
  const brokers = [world.broker.bootstrap]
  for (const sasl of foreign) {
    const admin = new Kafka({ brokers, sasl, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    t.strictSame(await admin.listTopics(), [], sasl.mechanism)
    await admin.disconnect()
  }
})

t.test('a mechanism that is not offered, or not asked for, is said', async (t) => {
  const [, sasl] = logins[0]!
  await using asking = await secured({ mechanisms: ['SCRAM-SHA-512', 'OAUTHBEARER'], users })
  t.match(await outcome(asking.broker.bootstrap, { sasl, bootstrapTimeoutMs: 60_000 }), {
    code: 'UNSUPPORTED_SASL_MECHANISM',
    message: /the broker offers SCRAM-SHA-512, OAUTHBEARER; PLAIN was asked for/,
  })
  t.match(await outcome(asking.broker.bootstrap), {
    code: 'BROKER_NOT_AVAILABLE',
    message: /closed the connection at the first request: does the listener ask for SASL\?/,
  })
  await using open = await FakeBroker.start()
  open.always(saslHandshake, () => ({ errorCode: 34, mechanisms: [] }))
  t.match(await outcome(open.bootstrap, { sasl }), {
    code: 'ILLEGAL_SASL_STATE',
    message: /asks for no SASL: leave the option sasl out/,
  })
})

t.test('a broker without the password is found out, and one that never ends', async (t) => {
  const [, sasl] = logins[1]!
  const impostors: [tamper: (bytes: Buffer) => Buffer, message: RegExp][] = [
    [(bytes) => Buffer.from(bytes.toString().replace(/^v=./, 'v=x')), /its signature is wrong/],
    [(bytes) => Buffer.from(bytes.toString().replace('i=4096', 'i=1')), /asks for 1 iterations/],
    [() => Buffer.alloc(0), /its first message is none of SCRAM/],
  ]
  for (const [tamper, message] of impostors) {
    await using world = await secured({ mechanisms: ['SCRAM-SHA-256'], users, tamper })
    const error = await outcome(world.broker.bootstrap, { sasl })
    t.match(error, { code: 'SASL_AUTHENTICATION_FAILED', message })
    t.match(error?.message, world.broker.bootstrap)
  }
})

t.test(
  'a session is renewed between requests before it ends, and they keep their order',
  async (t) => {
    await using world = await secured({
      mechanisms: ['SCRAM-SHA-256'],
      users,
      sessionLifetimeMs: 60_000,
    })
    const { broker } = world
    broker.createTopic('t')
    const clock = new MovedClock()
    const [, sasl] = logins[1]!
    await using client = new Client({ brokers: broker.bootstrap, sasl, clock })
    await using producer = client.producer({ lingerMs: 0, maxInFlight: 5 })
    const steps = (): number => broker.seen(saslAuthenticate).length
    await producer.send('t', { value: '0' })
    const before = steps()
    await producer.send('t', { value: '1' })
    t.equal(steps(), before, 'not while the session is young')
    clock.movedMs += 57_000
    const sent = Array.from({ length: 20 }, (_, n) => producer.send('t', { value: `${n + 2}` }))
    await Promise.all(sent)
    t.equal(steps(), before + 2, 'once, on the socket that was used')
    t.strictSame(
      broker.values('t'),
      Array.from({ length: 22 }, (_, n) => `${n}`),
    )
    const names = broker.requests.map(({ api }) => api)
    const at = names.lastIndexOf('SaslHandshake')
    t.strictSame(
      names.slice(at, at + 3),
      ['SaslHandshake', 'SaslAuthenticate', 'SaslAuthenticate'],
      'nothing goes in between',
    )

    clock.movedMs += 57_000
    world.sasl.options.tamper = () => Buffer.alloc(0)
    await t.rejects(producer.send('t', { value: 'late' }), { code: 'SASL_AUTHENTICATION_FAILED' })
  },
)

t.test(
  'a fetch that waits is not disturbed: the session is renewed after its answer',
  async (t) => {
    await using world = await secured({ mechanisms: ['PLAIN'], users, sessionLifetimeMs: 2_000 })
    const { broker } = world
    broker.createTopic('t')
    const clock = new MovedClock()
    const [, sasl] = logins[0]!
    await using client = new Client({ brokers: broker.bootstrap, sasl, clock })
    await using consumer = client.consumer({ topics: ['t'], from: 'earliest' })
    const records = consumer[Symbol.asyncIterator]()
    await using producer = client.producer()
    for (let n = 0; n < 20; n++) {
      await producer.send('t', { value: `${n}` })
      const { value } = await records.next()
      t.equal(String(value.value), `${n}`)
      clock.movedMs += 1_000
    }
    t.ok(broker.seen(saslAuthenticate).length > 10, 'over many sessions')
  },
)

t.test('a token is asked for once, shared, and renewed before it ends', async (t) => {
  await using world = await secured({ mechanisms: ['OAUTHBEARER'], tokens })
  const { broker } = world
  broker.createTopic('t', 3)
  const clock = new MovedClock()
  let asked = 0
  let isDown = false
  const token = async () => {
    asked++
    if (isDown) throw new Error('the identity provider is down')
    return { value: TOKEN, expiresAt: clock.now() + 100_000 }
  }
  const sasl = { mechanism: 'oauthbearer', token } as const
  const list = async () => {
    broker.hangUp()
    await client.admin().listTopics()
  }
  await using client = new Client({ brokers: broker.bootstrap, sasl, clock })
  await Promise.all([client.admin().listTopics(), client.producer().send('t', { value: 'x' })])
  await list()
  t.equal(asked, 1)
  clock.movedMs += 81_000
  isDown = true
  await list()
  t.equal(asked, 2, 'the old one still holds')
  isDown = false
  await list()
  t.equal(asked, 3)
  clock.movedMs += 101_000
  isDown = true
  const admin = client.admin()
  const call = broker.hangUp()
  t.equal(call, undefined)
  await t.rejects(admin.listTopics({ timeoutMs: 200 }), {
    message: /there is no token: the identity provider is down/,
  })
  isDown = false
  await list()
  t.pass('and heals')
})

t.test('a token function that fails, hangs or gives nonsense is named in time', async (t) => {
  await using world = await secured({ mechanisms: ['OAUTHBEARER'], tokens })
  const later = Date.now() + 60_000
  const cases: [token: any, message: RegExp][] = [
    [
      () => {
        throw new Error('no network')
      },
      /there is no token: no network/,
    ],
    [() => new Promise(() => {}), /has given nothing within 100 ms/],
    [() => TOKEN, /sasl\.token\(\): what it gives is a string, expected an object with value, exp/],
    [() => undefined, /what it gives is missing/],
    [
      () => ({ value: `${TOKEN}\x01auth=x`, expiresAt: later }),
      /value is a string, expected a token/,
    ],
    [() => ({ value: TOKEN }), /expiresAt is missing, expected a time in ms/],
    [() => ({ value: TOKEN, expiresAt: 1_900_000 }), /expiresAt is 1900000 \(1970-.*which is over/],
    [() => ({ value: TOKEN, expiresAt: NaN }), /expiresAt is NaN/],
    [() => ({ token: TOKEN, expiresAt: later }), /there is no option .*token; known are value/],
    [
      () => ({ value: TOKEN, expiresAt: later, extensions: { auth: 'x' } }),
      /extensions\.auth: a name is letters, not auth/,
    ],
    [
      () => ({ value: TOKEN, expiresAt: later, extensions: { pool: 'a\x01b' } }),
      /extensions\.pool is .*, expected printable ASCII/,
    ],
  ]
  for (const [token, message] of cases) {
    const sasl = { mechanism: 'oauthbearer', token } as const
    const options = { sasl, connectTimeoutMs: 100, bootstrapTimeoutMs: 60_000 }
    const error = await outcome(world.broker.bootstrap, options)
    t.match(error, { code: 'SASL_AUTHENTICATION_FAILED', message })
    t.notMatch(inspect(error), TOKEN)
  }
})

t.test(
  'options of SASL are checked at the door, and what is wrong with a secret is said without it',
  async (t) => {
    const cases: [sasl: any, message: RegExp][] = [
      [`ann:${PASSWORD}`, /sasl is a string, expected an object/],
      [{ mechanism: 'scram', username: 'a', password: PASSWORD }, /sasl\.mechanism is "scram"/],
      [{ mechanism: 'plain', username: 'a' }, /sasl\.password is missing, plain needs it/],
      [{ mechanism: 'plain', username: 'a', password: '' }, /sasl\.password is empty/],
      [{ mechanism: 'plain', username: 'a', password: 73_577_357 }, /sasl\.password is a number/],
      [
        { mechanism: 'plain', username: 'a', password: `${PASSWORD}\0` },
        /is a string, .*without NUL/,
      ],
      [{ mechanism: 'plain', username: 'a', passwrd: PASSWORD }, /did you mean password\?/],
      [{ mechanism: 'oauthbearer', token: TOKEN }, /sasl\.token is a string, expected a function/],
      [
        { mechanism: 'oauthbearer', username: 'a', token: () => {} },
        /username is not for oauthbearer/,
      ],
    ]
    for (const [sasl, message] of cases) {
      const error = await outcomeOf(() => new Client({ brokers: 'k:1', sasl }))
      t.match(error, { name: 'TypeError', message })
      for (const secret of [PASSWORD, TOKEN, '73577357']) t.notMatch(inspect(error), secret)
    }
    const url = await outcomeOf(() => new Client({ brokers: `ann:${PASSWORD}@k:1` }))
    t.match(url, { message: /user and password go into the option sasl/ })
    t.notMatch(inspect(url), PASSWORD)
  },
)

async function outcomeOf(build: () => unknown): Promise<unknown> {
  try {
    build()
    return undefined
  } catch (error) {
    return error
  }
}

/** Everything that is told on any channel, or logged, until the test is over. */
function everything(t: Test): {
  readonly lines: string[]
  readonly logger: ClientOptions['logger']
} {
  const lines: string[] = []
  const note = (value: unknown): void => {
    lines.push(inspect(value, { depth: 6 }), JSON.stringify(value) ?? '')
  }
  for (const { name } of Object.values(events)) {
    subscribe(name, note)
    t.teardown(() => unsubscribe(name, note))
  }
  const log = (fields: object, text: string): void => note([fields, text])
  return { lines, logger: { debug: log, info: log, warn: log } }
}

t.test(
  'no secret is in an error, an event, a log line, or what inspect and JSON show',
  async (t) => {
    const { lines, logger } = everything(t)
    const key = local.key.split('\n')[1]!
    for (const [mechanism, login] of logins) {
      for (const isWrong of [false, true]) {
        const options: FakeSaslOptions = {
          mechanisms: [mechanism],
          refusal: `no: ${login.mechanism === 'oauthbearer' ? TOKEN : PASSWORD}`,
          ...(isWrong ? {} : { users, tokens }),
        }
        await using world = await secured(options, true)
        world.broker.createTopic('t')
        const sasl = login.mechanism === 'oauthbearer' ? login : { ...login, password: PASSWORD }
        await using client = new Client({
          brokers: world.broker.bootstrap,
          tls: { ca, ...local, passphrase: PASSWORD },
          sasl,
          logger,
          bootstrapTimeoutMs: 0,
        })
        const producer = client.producer()
        const failures = await Promise.allSettled([
          client.admin().listTopics(),
          client.admin().describeTopics(['t']),
          producer.send('t', { value: 'x' }),
        ])
        for (const value of [client, producer, ...failures])
          lines.push(inspect(value, { depth: 12, showHidden: true }), JSON.stringify(value))
        for (const failure of failures)
          if (failure.status === 'rejected') lines.push((failure.reason as Error).stack ?? '')
      }
    }
    t.ok(lines.length > 50, 'there is something to look at')
    t.ok(lines.some((line) => line.includes('refuses this client by PLAIN')))
    for (const secret of [PASSWORD, TOKEN, key])
      t.strictSame(lines.filter((line) => line.includes(secret)).slice(0, 1), [])
  },
)

t.test('who configures neither TLS nor SASL loads neither', async (t) => {
  const script = `
    const { Client } = await import(${JSON.stringify(new URL('../../index.js', import.meta.url).href)})
    const client = new Client({ brokers: '127.0.0.1:1', bootstrapTimeoutMs: 0 })
    await client.admin().listTopics().catch(() => {})
    const secured = new Client({ brokers: '127.0.0.1:1', tls: true })
    console.log(JSON.stringify(process.moduleLoadList))`
  const before = script.replace(/const secured.*\n/, '')
  const loaded = (text: string): string =>
    execFileSync(process.execPath, ['--input-type=module', '-e', text], {
      encoding: 'utf8',
      env: {},
    })
  t.notMatch(loaded(before), /NativeModule (_tls_wrap|tls|internal\/tls\/wrap)"/)
  t.match(loaded(script), /NativeModule (_tls_wrap|tls|internal\/tls\/wrap)"/)
})
