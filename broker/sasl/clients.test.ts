// Our client and our command line log in to our broker, with and without TLS, by each mechanism, and sessions are renewed.

import { generateKeyPairSync, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import t from '../../protocol/testing/tap.ts'
import { run } from '../../clients/cli/run.ts'
import { Printed } from '../../clients/cli/testing/printed.ts'
import {
  Client,
  type ClientEvents,
  type ClientOptions,
  type SaslOptions,
} from '../../clients/index.ts'
import { contents } from '../../clients/testing/index.ts'
import { ca, local, MovedClock, outcome } from '../../clients/testing/secured.ts'
import { addUser } from '../testing/sasl.ts'
import { World } from '../testing/world.ts'

const PASSWORD = 'pencil, "7f3a"'
const SESSION_MS = 60_000
/** The client renews after 85 to 95 % of a session; then the session that it had has ended. */
const [RENEWAL_MS, REST_MS] = [58_000, 10_000]
const HOUR_MS = 3_600_000

const listeners = ['SASL_PLAINTEXT', 'SASL_SSL'] as const
const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] as const
type Mechanism = (typeof mechanisms)[number]

const directory = t.testdir({ password: `${PASSWORD}\n`, wrong: 'wrong', 'ca.pem': ca })
const file = (name: string) => join(directory, name)
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = { ...keys.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }
writeFileSync(file('jwks.json'), JSON.stringify({ keys: [jwk] }))

const clock = new MovedClock()

function tokenOf(audience = 'kafka'): string {
  const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const iat = Math.floor(clock.now() / 1000)
  const claims = { sub: 'ann', aud: audience, iat, exp: iat + HOUR_MS / 1000 }
  const text = `${base64({ alg: 'ES256', kid: 'k1' })}.${base64(claims)}`
  const key = { key: keys.privateKey, dsaEncoding: 'ieee-p1363' } as const
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
}

const world = await World.open(t, {
  clock,
  config: {
    listeners: ['PLAINTEXT', ...listeners].map((name) => `${name}://127.0.0.1:0`).join(','),
    'sasl.enabled.mechanisms': mechanisms.join(',').toUpperCase(),
    'sasl.oauthbearer.jwks.endpoint.url': pathToFileURL(file('jwks.json')).href,
    'sasl.oauthbearer.expected.audience': 'kafka',
    'connections.max.reauth.ms': SESSION_MS,
    'connection.failed.authentication.delay.ms': 0,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.key': local.key,
    'ssl.keystore.certificate.chain': local.cert,
  },
})
await addUser(world.local, 'ann', PASSWORD)

function saslOf(mechanism: Mechanism, isRight = true): SaslOptions {
  if (mechanism !== 'oauthbearer')
    return { mechanism, username: 'ann', password: isRight ? PASSWORD : 'wrong' }
  const token = () => ({
    value: tokenOf(isRight ? 'kafka' : 'others'),
    expiresAt: clock.now() + HOUR_MS,
  })
  return { mechanism, token }
}

/** @returns the status, and what was printed */
async function millrace(words: string[]) {
  const [stdout, stderr] = [new Printed(), new Printed()]
  const status = await run(words, {
    stdin: Readable.from([]),
    stdout,
    stderr,
    env: { HOME: directory, PATH: process.env['PATH'] },
    on: () => {},
    exit: (code) => {
      throw new Error(`the process would end here, with ${code}`)
    },
  })
  return { status, stdout: stdout.text, stderr: stderr.text }
}

function flagsOf(mechanism: Mechanism, isRight = true): string[] {
  const token = tokenOf(isRight ? 'kafka' : 'others')
  if (mechanism === 'oauthbearer') return ['--sasl', mechanism, '--token-command', `echo ${token}`]
  return [
    '--sasl',
    mechanism,
    '--user',
    'ann',
    '--password-file',
    file(isRight ? 'password' : 'wrong'),
  ]
}

/** Listens until it is disposed of. @returns what clients tell, by event */
function listen() {
  const connect: ClientEvents['connect'][] = []
  const authenticate: ClientEvents['authenticate'][] = []
  const hears = Object.entries({ connect, authenticate }).map(([name, told]) => {
    const hear = (message: unknown) => told.push(message as never)
    subscribe(`millrace:${name}`, hear)
    return () => unsubscribe(`millrace:${name}`, hear)
  })
  return { connect, authenticate, [Symbol.dispose]: () => hears.forEach((stop) => stop()) }
}

for (const listener of listeners) {
  const brokers = world.broker.listeners[listener]!
  const tls: Partial<ClientOptions> = listener === 'SASL_SSL' ? { tls: { ca } } : {}

  for (const mechanism of mechanisms) {
    const topic = `${listener}-${mechanism}`

    t.test(`the client logs in to ${listener} by ${mechanism}, and again`, async (t) => {
      using told = listen()
      await using client = new Client({ brokers, clock, ...tls, sasl: saslOf(mechanism) })
      await client.admin().createTopics([{ topic, partitions: 1 }])
      await using producer = client.producer()
      const values = ['before', 'renewed', 'after the end of the first session']
      for (const [i, value] of values.entries()) {
        clock.movedMs += [0, RENEWAL_MS, REST_MS][i]!
        await producer.send(topic, { value })
      }
      t.strictSame(
        (await contents(client, topic)).map(({ value }) => String(value)),
        values,
      )
      const failed = told.authenticate.filter(({ error }) => error !== undefined)
      t.strictSame(failed, [])
      t.ok(told.authenticate.length > told.connect.length, 'sockets have logged in again')
    })

    t.test(
      `the client is refused by ${listener} with a wrong secret of ${mechanism}`,
      async (t) => {
        const error = await outcome(brokers, { ...tls, clock, sasl: saslOf(mechanism, false) })
        t.match(error, { code: 'SASL_AUTHENTICATION_FAILED', message: /refuses this client by/ })
      },
    )

    t.test(`the command line logs in to ${listener} by ${mechanism}`, async (t) => {
      const at = ['-b', brokers, ...(listener === 'SASL_SSL' ? ['--ca', file('ca.pem')] : [])]
      const listed = await millrace(['topic', 'ls', ...at, ...flagsOf(mechanism)])
      t.match(listed, { status: 0, stdout: new RegExp(topic) }, listed.stderr)
      const refused = await millrace(['topic', 'ls', ...at, ...flagsOf(mechanism, false)])
      t.not(refused.status, 0)
      t.match(refused.stderr, /refuses this client by/)
      t.notMatch(refused.stderr + refused.stdout, PASSWORD)
    })
  }
}
