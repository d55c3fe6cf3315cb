// The same raw questions to our broker and to Apache Kafka, before, during and after a login: orders of requests, codes, texts,
// versions of the handshake, and renewals. What they answer must be equal; the exceptions are in docs/decisions/0028.

import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { RawClient } from '../../../broker/testing/raw-client.ts'
import { sayBare, writeBare } from '../../../broker/testing/sasl.ts'
import { metadata } from '../../../protocol/api/03_metadata.ts'
import { saslHandshake } from '../../../protocol/api/17_sasl_handshake.ts'
import { apiVersions } from '../../../protocol/api/18_api_versions.ts'
import { saslAuthenticate } from '../../../protocol/api/36_sasl_authenticate.ts'
import { createDelegationToken } from '../../../protocol/api/38_create_delegation_token.ts'
import { errorName } from '../../../protocol/errors.ts'
import { oauthAbort, oauthMessage } from '../../../protocol/sasl/oauthbearer.ts'
import { plainMessage } from '../../../protocol/sasl/plain.ts'
import {
  ScramClient,
  scramHmac,
  scramKeys,
  type ScramMechanism,
} from '../../../protocol/sasl/scram.ts'
import { Client } from '../../index.ts'
import { Authority } from '../certificates.ts'
import {
  PASSWORD,
  SESSION_MS,
  startSecuredKafka,
  USER,
  type SecuredKafka,
} from './secured-kafka.ts'
import { requireKafka } from './tools.ts'

requireKafka()
t.setTimeout(600_000)

const SILENCE_MS = 5_000
const MODULES = 'org.apache.kafka.common.security'

type ListenerName = 'plaintext' | 'sasl' | 'short' | 'saslssl'
type At = Readonly<Record<ListenerName, string>>

/** @returns what can be compared: neither ids nor times nor what is random */
type Step = (client: RawClient) => Promise<unknown>

const versions =
  (version = 3, clientSoftwareName = 'raw'): Step =>
  async (client) => {
    const software = { clientSoftwareName, clientSoftwareVersion: '1' }
    return errorName((await client.send(apiVersions, software, version)).errorCode)
  }

const shake =
  (mechanism: string, version = 1): Step =>
  async (client) => {
    const { errorCode, mechanisms } = await client.send(saslHandshake, { mechanism }, version)
    return [errorName(errorCode), [...mechanisms].sort()]
  }

const say =
  (message: string | Buffer, version = 2): Step =>
  async (client) => {
    const authBytes = Buffer.from(message as Buffer)
    const answer = await client.send(saslAuthenticate, { authBytes }, version)
    const { errorMessage, sessionLifetimeMs } = answer
    return [errorName(answer.errorCode), errorMessage, masked(answer.authBytes), sessionLifetimeMs]
  }

const bare =
  (message: string | Buffer): Step =>
  async (client) =>
    masked(await sayBare(client, message))

/** Salts, nonces and signatures are random. */
function masked(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString()
    .replace(/^r=[^,]*,s=[^,]*,/, 'r=...,s=...,')
    .replace(/^v=.*/, 'v=...')
}

/** A whole exchange of SCRAM. @param nonceOf what the last message has instead of the whole nonce */
const scram =
  (
    mechanism: ScramMechanism,
    password = PASSWORD,
    user = USER,
    how: 'bare' | 'framed' = 'framed',
  ): Step =>
  async (client) => {
    const proof = new ScramClient(mechanism, user, 'nonce-of-the-client')
    const send = async (message: Buffer) => {
      if (how === 'bare') return { outcome: 'passed', bytes: await sayBare(client, message) }
      const answer = await client.send(saslAuthenticate, { authBytes: message })
      const { errorMessage, sessionLifetimeMs } = answer
      const outcome = [errorName(answer.errorCode), errorMessage, sessionLifetimeMs]
      return { outcome, bytes: Buffer.from(answer.authBytes) }
    }
    const first = await send(proof.first())
    if (first.bytes.length === 0) return [first.outcome]
    const final = await proof.final(first.bytes, (asked) => scramKeys(mechanism, password, asked))
    const last = await send(final)
    if (last.bytes.length > 0) proof.check(last.bytes)
    return [first.outcome, last.outcome]
  }

/** As librdkafka before 2.6.1: the last message has the client's nonce before the whole one, and a right proof. */
const doubledNonce: Step = async (client) => {
  const clientFirst = `n=${USER.replace('=', '=3D')},r=abc`
  const mechanism = 'SCRAM-SHA-256'
  const { authBytes } = await client.send(saslAuthenticate, {
    authBytes: Buffer.from(`n,,${clientFirst}`),
  })
  const serverFirst = Buffer.from(authBytes).toString()
  const [, nonce = '', salt = '', iterations] = /^r=(.*),s=(.*),i=(.*)$/.exec(serverFirst)!
  const kept = { salt: Buffer.from(salt, 'base64'), iterations: Number(iterations) }
  const { clientKey, storedKey } = await scramKeys(mechanism, PASSWORD, kept)
  const withoutProof = `c=biws,r=abc${nonce}`
  const signed = [clientFirst, serverFirst, withoutProof].join(',')
  const signature = scramHmac(mechanism, storedKey, signed)
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!))
  return say(`${withoutProof},p=${proof.toString('base64')}`)(client)
}

const ask: Step = async (client) =>
  (await client.send(metadata, { topics: [] })).brokers.length === 1 ? 'answered' : 'no broker'

const askForToken: Step = async (client) => {
  const owner = { ownerPrincipalType: null, ownerPrincipalName: null }
  const request = { ...owner, renewers: [], maxLifetimeMs: 1 }
  return errorName((await client.send(createDelegationToken, request)).errorCode)
}

/** An API that no broker has. */
const askUnknown: Step = async (client) => {
  writeBare(client, Buffer.from('03e70000000000010000', 'hex'))
  await client.nextFrame()
}

const wait =
  (ms: number): Step =>
  () =>
    sleep(ms)

const ann = plainMessage('ann', PASSWORD)
const plain = [shake('PLAIN'), say(ann)]
const first = 'n,,n=ann=3Db,r=abc'
const barePlain = [shake('PLAIN', 0), bare(ann)]

/** Each is a connection of its own. */
const sasl: Record<string, Step[]> = {
  'versions, handshake, message': [versions(), ...plain],
  'handshake, message': plain,
  'versions 0, handshake, message': [versions(0), ...plain],
  'unknown versions of ApiVersions, then known': [versions(0, ''), versions(), ...plain],
  'a bad name, then a good one': [versions(3, '-'), versions(), ...plain],
  'versions twice': [versions(), versions()],
  'a message first': [say(ann)],
  'versions, message': [versions(), say(ann)],
  'a request first': [ask],
  'versions, request': [versions(), ask],
  'handshake, request': [shake('PLAIN'), ask],
  'handshake twice': [shake('PLAIN'), shake('PLAIN')],
  'handshake, versions': [shake('PLAIN'), versions()],
  'half of SCRAM, request': [shake('SCRAM-SHA-256'), say(first), ask],
  'half of SCRAM, handshake': [shake('SCRAM-SHA-256'), say(first), shake('PLAIN')],
  'half of SCRAM, versions': [shake('SCRAM-SHA-256'), say(first), versions()],
  'an API that does not exist': [askUnknown],
  'handshake, an API that does not exist': [shake('PLAIN'), askUnknown],
  'handshake GSSAPI': [shake('GSSAPI')],
  'handshake 0 GSSAPI': [shake('GSSAPI', 0)],
  'handshake in lower case': [shake('plain')],
  'handshake without a name': [shake('')],
  'messages 0': [shake('PLAIN'), say(ann, 0)],
  'messages 1': [shake('PLAIN'), say(ann, 1)],
  'PLAIN: wrong password': [shake('PLAIN'), say(plainMessage('ann', 'wrong'))],
  'PLAIN: unknown user': [shake('PLAIN'), say(plainMessage('nobody', 'wrong'))],
  'PLAIN: no user': [shake('PLAIN'), say(plainMessage('', 'x'))],
  'PLAIN: no password': [shake('PLAIN'), say(plainMessage('ann', ''))],
  'PLAIN: another identity': [shake('PLAIN'), say(Buffer.concat([Buffer.from('root'), ann]))],
  'PLAIN: its own identity': [shake('PLAIN'), say(Buffer.concat([Buffer.from('ann'), ann]))],
  'PLAIN: two parts': [shake('PLAIN'), say('ann\0p')],
  'PLAIN: five parts': [shake('PLAIN'), say('\0ann\0p\0q\0r')],
  'PLAIN: nothing': [shake('PLAIN'), say('')],
  'SCRAM-SHA-256': [shake('SCRAM-SHA-256'), scram('SCRAM-SHA-256')],
  'SCRAM-SHA-512': [shake('SCRAM-SHA-512'), scram('SCRAM-SHA-512')],
  'SCRAM: wrong password': [shake('SCRAM-SHA-256'), scram('SCRAM-SHA-256', 'wrong')],
  'SCRAM: unknown user': [shake('SCRAM-SHA-256'), scram('SCRAM-SHA-256', PASSWORD, 'nobody')],
  'SCRAM: no first message': [shake('SCRAM-SHA-256'), say('x')],
  'SCRAM: another identity': [shake('SCRAM-SHA-256'), say(`n,a=root,${first.slice(3)}`)],
  'SCRAM: no last message': [shake('SCRAM-SHA-256'), say(first), say('x')],
  'SCRAM: another nonce': [shake('SCRAM-SHA-256'), say(first), say('c=biws,r=abc,p=AAAA')],
  'SCRAM: the nonce of librdkafka before 2.6.1': [shake('SCRAM-SHA-256'), doubledNonce],
  'after the login: handshake': [...plain, shake('PLAIN'), ask],
  'after the login: message': [...plain, say(ann), ask],
  'after the login: versions': [...plain, versions(), ask],
  'after the login: delegation token': [...plain, askForToken, ask],
  'bare PLAIN': barePlain,
  'bare SCRAM-SHA-256': [shake('SCRAM-SHA-256', 0), scram('SCRAM-SHA-256', PASSWORD, USER, 'bare')],
  'bare SCRAM-SHA-512': [shake('SCRAM-SHA-512', 0), scram('SCRAM-SHA-512', PASSWORD, USER, 'bare')],
  'bare after versions': [versions(), ...barePlain],
  'bare PLAIN: wrong password': [shake('PLAIN', 0), bare(plainMessage('ann', 'wrong'))],
  'bare PLAIN: two parts': [shake('PLAIN', 0), bare('ann\0p')],
  'bare PLAIN: nothing': [shake('PLAIN', 0), bare('')],
  'bare SCRAM: wrong password': [
    shake('SCRAM-SHA-256', 0),
    scram('SCRAM-SHA-256', 'wrong', USER, 'bare'),
  ],
  'bare SCRAM: no first message': [shake('SCRAM-SHA-256', 0), bare('x')],
  'handshake 0, then a framed message': [shake('PLAIN', 0), say(ann)],
  'handshake 0, then versions': [shake('PLAIN', 0), versions()],
  'handshake 0, then a handshake': [shake('PLAIN', 0), shake('PLAIN')],
  'handshake 0, then a request': [shake('PLAIN', 0), ask],
  'handshake 1, then a bare message': [shake('PLAIN'), bare(ann)],
  'after a bare login: handshake 0': [...barePlain, shake('PLAIN', 0), ask],
  'after a bare login: handshake 1': [...barePlain, shake('PLAIN'), ask],
}

const AFTER_THE_END_MS = SESSION_MS + 500

const short: Record<string, Step[]> = {
  'a session has its time': plain,
  'SCRAM, too': [shake('SCRAM-SHA-256'), scram('SCRAM-SHA-256')],
  'a renewal at once': [...plain, ...plain, ask],
  'a second renewal at once': [...plain, ...plain, shake('PLAIN'), ask],
  'a second renewal later': [...plain, ...plain, wait(1_100), ...plain, ask],
  'a request after the end': [...plain, wait(AFTER_THE_END_MS), ask],
  'a renewal after the end': [...plain, wait(AFTER_THE_END_MS), ...plain, ask],
  'versions after the end': [...plain, wait(AFTER_THE_END_MS), versions()],
  'a renewal by another mechanism': [...plain, shake('SCRAM-SHA-256'), say(first)],
  'a renewal by another user': [...plain, shake('PLAIN'), say(plainMessage('bob', PASSWORD))],
  'a renewal with a wrong password': [...plain, shake('PLAIN'), say(plainMessage('ann', 'x'))],
  'a renewal by a mechanism that is not offered': [...plain, shake('GSSAPI')],
  'a request within a renewal': [...plain, shake('PLAIN'), ask],
  'versions within a renewal': [...plain, shake('PLAIN'), versions()],
  'a bare session': [...barePlain, ask],
  'a bare session after its end': [...barePlain, wait(AFTER_THE_END_MS), ask],
  'a bare renewal': [...barePlain, ...barePlain, ask],
  'a bare renewal of a framed login': [...plain, ...barePlain, ask],
  'a framed renewal of a bare login': [...barePlain, ...plain, ask],
  'a bare renewal by another user': [
    ...barePlain,
    shake('PLAIN', 0),
    bare(plainMessage('bob', PASSWORD)),
  ],
}

const plaintext: Record<string, Step[]> = {
  'no SASL: handshake': [shake('PLAIN'), ask],
  'no SASL: handshake 0': [shake('PLAIN', 0), ask],
  'no SASL: message': [say(ann), ask],
  'no SASL: delegation token': [askForToken, ask],
}

function signed(kafka: SecuredKafka): Record<string, Step[]> {
  const by = (version: number) => shake('OAUTHBEARER', version)
  const [good, bad] = [oauthMessage(kafka.token(), {}), oauthMessage('a.b.c', {})]
  const soon = oauthMessage(kafka.token({ aud: 'others' }), {})
  return {
    'a bad token': [by(1), say(bad), say(oauthAbort)],
    'a token for others': [by(1), say(soon), say(oauthAbort)],
    'no token': [by(1), say('x')],
    'a bare token': [by(0), bare(good), ask],
    'a bad bare token': [by(0), bare(bad), bare(oauthAbort)],
  }
}

/** Kafka decodes any request during a login, to answer it with an error; our broker closes the connection. */
const closes = (theirs: readonly unknown[]) => [
  ...theirs.slice(0, theirs.indexOf('no broker')),
  'closed',
]

const all = ['OAUTHBEARER', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']
const refused = [
  'SASL_AUTHENTICATION_FAILED',
  'Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256',
  0,
]

/** By name: what our broker answers instead of what Kafka answers. Reasons: docs/decisions/0028-logging-in-to-the-broker.md */
const differences: Record<string, (theirs: readonly unknown[]) => unknown[]> = {
  'handshake, request': closes,
  'half of SCRAM, request': closes,
  'a request within a renewal': closes,
  // Kafka closes the connection without a word, but only here
  'a renewal by a mechanism that is not offered': (theirs) => [
    ...theirs.slice(0, -1),
    ['UNSUPPORTED_SASL_MECHANISM', all],
    'closed',
  ],
  'SCRAM: the nonce of librdkafka before 2.6.1': (theirs) => [
    theirs[0],
    [undefined, '', 'v=...', 0],
    'answered',
  ],
  // Kafka refuses an unknown user one message before a known one
  'SCRAM: unknown user': (theirs) => [theirs[0], [[undefined, '', 0], refused], 'closed'],
}

async function startOurs(kafka: SecuredKafka) {
  const { cert, key } = new Authority('ours').issue({ name: 'broker', hosts: ['127.0.0.1'] })
  const users = ['ann', 'bob'].map((user) => `user_${user}="${PASSWORD}"`).join(' ')
  const broker = await Broker.start({
    ephemeral: true,
    config: {
      listeners: ['PLAINTEXT', 'SASL', 'SHORT', 'SASLSSL']
        .map((name) => `${name}://127.0.0.1:0`)
        .join(','),
      'listener.security.protocol.map':
        'PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,SHORT:SASL_PLAINTEXT,SASLSSL:SASL_SSL',
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
      'sasl.jaas.config': `${MODULES}.plain.PlainLoginModule required ${users};`,
      'sasl.oauthbearer.jwks.endpoint.url': pathToFileURL(join(kafka.directory, 'jwks.json')).href,
      'sasl.oauthbearer.expected.audience': 'kafka',
      'listener.name.short.connections.max.reauth.ms': SESSION_MS,
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.key': key,
      'ssl.keystore.certificate.chain': cert,
    },
  })
  await using client = new Client({ brokers: broker.listeners['PLAINTEXT']! })
  await client.admin().users.upsert([{ user: USER, password: PASSWORD }])
  const at = Object.entries(broker.listeners).map(([name, address]) => [
    name.toLowerCase(),
    address,
  ])
  return { at: Object.fromEntries(at) as At, [Symbol.asyncDispose]: () => broker.close() }
}

async function connect(at: At, listener: ListenerName): Promise<RawClient> {
  if (listener !== 'saslssl') return RawClient.connect(at[listener])
  const [host, port] = at[listener].split(':')
  const socket = connectTls({ host: host!, port: Number(port), rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  return new RawClient(socket)
}

/** Plays the steps, and a request after them. @returns what came of each */
async function outcomes(at: At, listener: ListenerName, steps: readonly Step[]) {
  const client = await connect(at, listener)
  const outcomes: unknown[] = []
  for (const step of [...steps, ask]) {
    const silence = sleep(SILENCE_MS + SESSION_MS, 'no answer', { ref: false })
    outcomes.push(await Promise.race([step(client).catch(() => 'closed'), silence]))
    if (outcomes.at(-1) === 'closed') break
  }
  await client.close()
  return outcomes
}

t.test('our broker and Apache Kafka answer alike', async (t) => {
  await using kafka = await startSecuredKafka()
  await using ours = await startOurs(kafka)
  const scriptsBy = { plaintext, sasl, short, saslssl: signed(kafka) }
  for (const [listener, scripts] of Object.entries(scriptsBy) as [ListenerName, typeof sasl][]) {
    for (const [name, steps] of Object.entries(scripts)) {
      await t.test(`${listener}: ${name}`, async (t) => {
        const [theirs, own] = await Promise.all([
          outcomes(kafka.at, listener, steps),
          outcomes(ours.at, listener, steps),
        ])
        const wanted = differences[name]?.(theirs)
        if (wanted !== undefined) t.notSame(own, theirs, 'a difference is still one')
        t.strictSame(own, wanted ?? theirs)
      })
    }
  }
})
