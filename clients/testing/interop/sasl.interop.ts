// Foreign clients log in to our broker, over SASL_PLAINTEXT on loopback: kcat, confluent-kafka, kafka-python, kafkajs and Kafka's own.

import { generateKeyPairSync, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { Client } from '../../index.ts'
import { mechanisms, speakers, type Mechanism } from './speaking.ts'
import { requireKafka, requireTools } from './tools.ts'

requireTools()
requireKafka()
t.setTimeout(600_000)

const USER = 'ann'
const PASSWORD = 'p=w,1;x'

const directory = t.testdir()
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const write = (name: string, text: string): string => {
  const path = join(directory, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

const jwk = { ...keys.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }
const jwks = write('jwks.json', JSON.stringify({ keys: [jwk] }))

function tokenOf(): string {
  const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = { sub: USER, aud: 'kafka', iss: 'us', iat: now, exp: now + 3_600 }
  const text = `${base64({ alg: 'RS256', kid: 'k1' })}.${base64(claims)}`
  return `${text}.${sign('sha256', Buffer.from(text), keys.privateKey).toString('base64url')}`
}

const broker = await Broker.start({
  ephemeral: true,
  config: {
    listeners: 'PLAINTEXT://127.0.0.1:0,SASL_PLAINTEXT://127.0.0.1:0',
    'sasl.enabled.mechanisms': mechanisms.join(','),
    'sasl.oauthbearer.jwks.endpoint.url': pathToFileURL(jwks).href,
    'sasl.oauthbearer.expected.audience': 'kafka',
  },
})
t.teardown(() => broker.close())
const bootstrap = broker.listeners['SASL_PLAINTEXT']!

const admin = new Client({ brokers: broker.listeners['PLAINTEXT']! })
t.teardown(() => admin.close())
await admin.admin().users.upsert([{ user: USER, password: PASSWORD }])

/** By SaslHandshake 0, as kafka-python 2.0 logs in, a broker cannot say what is wrong. */
const toldOf: Partial<Record<string, RegExp>> = {
  'kafka-python': /NoBrokersAvailable/,
  'kafka-python, new': /SaslAuthenticationFailed/,
}

for (const [name, speak] of Object.entries(speakers)) {
  const named = (what: string) => `${name}-${what}`.replaceAll(/[^\w-]/g, '-')
  const speakBy = (mechanism: Mechanism, topic: string, password: string) =>
    speak({ bootstrap, mechanism, topic, username: USER, password, token: tokenOf() })

  for (const mechanism of mechanisms) {
    if (name === 'kcat' && mechanism === 'OAUTHBEARER') continue // it has unsigned tokens only
    t.test(`${name} writes and reads by ${mechanism}`, async (t) => {
      const topic = named(mechanism)
      await admin.admin().createTopics([{ topic, partitions: 1 }])
      t.equal(await speakBy(mechanism, topic, PASSWORD), 'written')
    })
  }

  t.test(`${name} does not get in with a wrong password`, async (t) => {
    const told = toldOf[name] ?? /Invalid username or password/
    await t.rejects(speakBy('PLAIN', named('wrong'), 'wrong'), told)
  })
}
