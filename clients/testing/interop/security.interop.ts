// The client against Apache Kafka with TLS, mTLS and every SASL mechanism: success, the message of each refusal, and
// expiring sessions.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Client, type ClientEvents, type ClientOptions, type SaslOptions } from '../../index.ts'
import { Authority } from '../certificates.ts'
import { contents } from '../index.ts'
import { outcome } from '../secured.ts'
import {
  PASSWORD,
  SESSION_MS,
  startSecuredKafka,
  unsecuredToken,
  USER,
  type ListenerName,
  type SecuredKafka,
} from './secured-kafka.ts'
import { sharingProperties } from './shared-properties.ts'
import { run, requireKafka } from './tools.ts'

requireKafka()

t.test(
  'a client of ours and a secured Apache Kafka',

  async (t) => {
    t.setTimeout(300_000)
    await using kafka = await startSecuredKafka()
    await certifying(t, kafka)
    await connecting(t, kafka)
    await refusing(t, kafka)
    await sharingProperties(t, kafka)
    await renewing(t, kafka)
  },
)

async function certifying(t: Test, { directory, ca, client }: SecuredKafka): Promise<void> {
  await t.test('OpenSSL finds nothing wrong with the certificates of these tests', async (t) => {
    const [authority, certificate] = [join(directory, 'a.pem'), join(directory, 'c.pem')]
    writeFileSync(authority, ca)
    writeFileSync(certificate, client.cert)
    const { stdout } = await run('openssl', [
      'verify',
      '-x509_strict',
      '-CAfile',
      authority,
      certificate,
    ])
    t.match(stdout.toString(), /: OK/)
  })
}

const inAnHour = (): number => Date.now() + 3_600_000

function logins(kafka: SecuredKafka, isSigned: boolean): SaslOptions[] {
  const value = isSigned ? kafka.token() : unsecuredToken()
  return [
    { mechanism: 'plain', username: 'ann', password: PASSWORD },
    { mechanism: 'scram-sha-256', username: USER, password: PASSWORD },
    { mechanism: 'scram-sha-512', username: USER, password: PASSWORD },
    { mechanism: 'oauthbearer', token: () => ({ value, expiresAt: inAnHour() }) },
  ]
}

async function connecting(t: Test, kafka: SecuredKafka): Promise<void> {
  const { tls, client: identity } = kafka
  const ways: [listener: ListenerName, options: Partial<ClientOptions>][] = [
    ['ssl', { tls }],
    ['mtls', { tls: { ...tls, ...identity } }],
    ...logins(kafka, false).map((sasl) => ['sasl', { sasl }] as [ListenerName, object]),
    ...logins(kafka, true).map((sasl) => ['saslssl', { tls, sasl }] as [ListenerName, object]),
  ]
  for (const [listener, options] of ways) {
    const by = options.sasl?.mechanism ?? 'no SASL'
    await t.test(
      `records, groups and transactions go through ${listener} with ${by}`,
      async (t) => {
        await using client = new Client({ brokers: kafka.at[listener], ...options })
        await everything(t, client, `${listener}-${by.replace(' ', '-')}`)
      },
    )
  }
}

async function everything(t: Test, client: Client, name: string): Promise<void> {
  const admin = client.admin()
  await admin.createTopics([{ topic: name, partitions: 2 }])
  await using producer = client.producer()
  const values = Array.from({ length: 50 }, (_, n) => `${n}`.padEnd(5_000, '.'))
  await producer.send(
    name,
    values.map((value) => ({ value })),
  )
  await using transactional = client.producer({ transactionalId: name })
  await transactional.transaction((tx) => tx.send(name, { value: 'committed' }))
  // Apache Kafka answers EndTxn before readers see the records.
  while ((await admin.transactions.describe([name]))[0]!.state !== 'CompleteCommit') await sleep(20)
  await using consumer = client.consumer({
    topics: [name],
    group: name,
    from: 'earliest',
    until: 'end',
    isolation: 'committed',
  })
  const seen: string[] = []
  for await (const { value } of consumer) seen.push(String(value))
  await consumer.close()
  t.strictSame(seen.sort(), [...values, 'committed'].sort())
  t.equal((await admin.groups.lag(name)).total, 0)
  t.equal((await contents(client, name)).length, 51)
}

async function refusing(t: Test, kafka: SecuredKafka): Promise<void> {
  const { tls, at, client: identity } = kafka
  const patience = { bootstrapTimeoutMs: 20_000, timeoutMs: 25_000 }
  const of = (mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', password = PASSWORD) =>
    ({ mechanism, username: mechanism === 'plain' ? 'ann' : USER, password }) as const
  const token = (value: string) =>
    ({ mechanism: 'oauthbearer', token: () => ({ value, expiresAt: inAnHour() }) }) as const
  const stranger = new Authority('another').issue({ name: 'client' })
  const failed = 'TLS_FAILED'
  const denied = 'SASL_AUTHENTICATION_FAILED'
  const cases: [string, ListenerName, Partial<ClientOptions>, code: string | RegExp, RegExp][] = [
    ['a CA that nobody knows', 'ssl', { tls: true }, failed, /CA that is not trusted here/],
    [
      'a wrong CA',
      'ssl',
      { tls: { ca: new Authority('x').cert } },
      failed,
      /CA that is not trusted/,
    ],
    ['an expired certificate', 'expired', { tls }, failed, /has expired/],
    ['a wrong host name', 'elsewhere', { tls }, failed, /another host \(DNS:kafka\.example\.com\)/],
    ['no client certificate', 'mtls', { tls }, failed, /certificate/],
    ['a stranger', 'mtls', { tls: { ...tls, ...stranger } }, failed, /client's certificate/],
    ['plaintext to TLS', 'ssl', {}, /TLS_FAILED|BROKER_NOT_AVAILABLE/, /TLS/],
    ['TLS to plaintext', 'plaintext', { tls }, /TLS_FAILED|BROKER_NOT_AVAILABLE/, /TLS/],
    ['no SASL', 'sasl', {}, 'BROKER_NOT_AVAILABLE', /does the listener ask for SASL/],
    ['SASL to none', 'plaintext', { sasl: of('plain') }, 'ILLEGAL_SASL_STATE', /asks for no SASL/],
    [
      'SASL to mTLS',
      'mtls',
      { tls: { ...tls, ...identity }, sasl: of('plain') },
      'ILLEGAL_SASL_STATE',
      /asks for no SASL/,
    ],
    [
      'a missing mechanism',
      'scramonly',
      { tls, sasl: of('plain') },
      'UNSUPPORTED_SASL_MECHANISM',
      /the broker offers SCRAM-SHA-512; PLAIN was asked for/,
    ],
    ...(['plain', 'scram-sha-256', 'scram-sha-512'] as const).flatMap((mechanism): typeof cases =>
      (['sasl', 'saslssl'] as const).map((listener) => [
        `a wrong password by ${mechanism}`,
        listener,
        { ...(listener === 'sasl' ? {} : { tls }), sasl: of(mechanism, 'wrong') },
        denied,
        /refuses this client by .*: the broker says: Authentication failed/,
      ]),
    ),
    [
      'an unknown user',
      'sasl',
      { sasl: { ...of('scram-sha-256'), username: 'bob' } },
      denied,
      /refuses/,
    ],
    [
      'a token of another key',
      'saslssl',
      { tls, sasl: token(unsecuredToken()) },
      denied,
      /invalid_token/,
    ],
    [
      'a token for others',
      'saslssl',
      { tls, sasl: token(kafka.token({ aud: 'x' })) },
      denied,
      /invalid_token/,
    ],
    [
      'an old token',
      'saslssl',
      { tls, sasl: token(kafka.token({ exp: 1 })) },
      denied,
      /invalid_token/,
    ],
  ]
  await t.test('every refusal says why, and what a retry does not heal ends at once', async (t) => {
    for (const [what, listener, options, code, message] of cases) {
      const isQuick = code !== 'BROKER_NOT_AVAILABLE' && typeof code === 'string'
      const error = await outcome(at[listener], {
        bootstrapTimeoutMs: 500,
        ...(isQuick ? patience : {}),
        ...options,
      })
      t.match(error, { code, message }, what)
      t.equal(error?.retriable, false, what)
      t.notMatch(String(error?.stack), PASSWORD, what)
      t.comment(`${what}: ${error?.message}`)
    }
  })
}

async function renewing(t: Test, kafka: SecuredKafka): Promise<void> {
  await t.test('sessions are renewed while records flow, and after a pause', async (t) => {
    const authentications: ClientEvents['authenticate'][] = []
    const losses: ClientEvents['disconnect'][] = []
    const authenticated = (message: unknown) => void authentications.push(message as never)
    const lost = (message: unknown) => void losses.push(message as never)
    subscribe('millrace:authenticate', authenticated)
    subscribe('millrace:disconnect', lost)
    t.teardown(() => unsubscribe('millrace:authenticate', authenticated))
    t.teardown(() => unsubscribe('millrace:disconnect', lost))
    const clients = logins(kafka, false).map(
      (sasl) => [sasl.mechanism, new Client({ brokers: kafka.at.short, sasl })] as const,
    )
    const orders = await Promise.all(clients.map(([name, client]) => flowing(client, name)))
    for (const [i, [name]] of clients.entries()) {
      const { sent, seen } = orders[i]!
      t.strictSame(seen, sent, name)
      const count = authentications.filter(
        ({ mechanism }) => mechanism === name.toUpperCase(),
      ).length
      t.ok(count >= 8, `${count} authentications by ${name}`)
    }
    t.strictSame(
      losses.filter(({ error }) => error !== undefined),
      [],
      'Kafka has closed no connection',
    )
    t.strictSame(
      authentications.filter(({ error }) => error !== undefined),
      [],
    )
    for (const [, client] of clients) await client.close()
  })
}

/** Sends and reads for several sessions, pauses for two sessions, and sends again. */
async function flowing(client: Client, mechanism: string) {
  const name = `renewed-${mechanism}`
  await client.admin().createTopics([name])
  await using consumer = client.consumer({ topics: [name], group: name, from: 'earliest' })
  await using producer = client.producer({ lingerMs: 0 })
  const records = consumer[Symbol.asyncIterator]()
  const endsAt = Date.now() + 3 * SESSION_MS
  const sent: string[] = []
  const seen: string[] = []
  const read = async (): Promise<void> => void seen.push(String((await records.next()).value.value))
  while (Date.now() < endsAt) {
    const values = [`${sent.length}`, `${sent.length + 1}`]
    sent.push(...values)
    await Promise.all(values.map((value) => producer.send(name, { value })))
    await read()
    await read()
    await sleep(50)
  }
  await sleep(2 * SESSION_MS)
  sent.push('late')
  await producer.send(name, { value: 'late' })
  await read()
  return { sent, seen }
}
