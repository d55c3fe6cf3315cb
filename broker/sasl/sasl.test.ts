// SASL listeners through real sockets: who gets in, what the others are told, and what comes before the login.

import t from '../../protocol/testing/tap.ts'
import { apiVersions } from '../../protocol/api/18_api_versions.ts'
import { createDelegationToken } from '../../protocol/api/38_create_delegation_token.ts'
import { describeDelegationToken } from '../../protocol/api/41_describe_delegation_token.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { saslAuthenticate } from '../../protocol/api/36_sasl_authenticate.ts'
import { saslHandshake } from '../../protocol/api/17_sasl_handshake.ts'
import { errorName } from '../../protocol/errors.ts'
import { plainMessage } from '../../protocol/sasl/plain.ts'
import {
  addUser,
  logInByPlain,
  logInByScram,
  SASL,
  saslProperties,
  say,
  sayVersions,
  shakeHands,
} from '../testing/sasl.ts'
import type { RawClient } from '../testing/raw-client.ts'
import { World } from '../testing/world.ts'

const jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_bob="b=b";'
const world = await World.open(t, {
  config: { ...saslProperties, 'listener.name.sasl_plaintext.plain.sasl.jaas.config': jaas },
})
await addUser(world.local, 'ann', 'p=ä ss')
await addUser(world.local, 'only512', 'x', ['SCRAM-SHA-512'])

const NOBODY = { topics: [] }
const isIn = async (client: RawClient) => (await client.send(metadata, NOBODY)).brokers.length === 1
const isClosed = async (client: RawClient) => client.closed.then(() => true)

t.test('each mechanism lets a user in, whose requests are answered then', async (t) => {
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
    const client = await world.connect(SASL)
    t.match(await logInByScram(client, mechanism, 'ann', 'p=ä ss'), { error: undefined })
    t.ok(await isIn(client))
  }
  const users = { ann: 'p=ä ss', only512: 'x', bob: 'b=b' }
  for (const [user, password] of Object.entries(users)) {
    const client = await world.connect(SASL)
    t.match(await logInByPlain(client, user, password), { error: undefined, sessionLifetimeMs: 0 })
    t.ok(await isIn(client))
  }
  for (const version of [0, 1, 2]) {
    const client = await world.connect(SASL)
    await sayVersions(client)
    await shakeHands(client, 'PLAIN')
    const answer = await say(client, plainMessage('ann', 'p=ä ss'), version)
    t.match(answer, { error: undefined, errorMessage: '' })
  }
})

t.test(
  'a login that fails is answered alike for every user, then the connection ends',
  async (t) => {
    const denied = 'SASL_AUTHENTICATION_FAILED'
    const byPlain = [
      ['ann', 'wrong'],
      ['nobody', 'p=ä ss'],
      ['bob', 'p=ä ss'],
      ['only512', 'y'],
      ['ann', 'P=ä ss'],
    ] as const
    for (const [user, password] of byPlain) {
      const client = await world.connect(SASL)
      const answer = await logInByPlain(client, user, password)
      const errorMessage = 'Authentication failed: Invalid username or password'
      t.match(answer, { error: denied, errorMessage, told: Buffer.alloc(0) }, user)
      t.ok(await isClosed(client))
    }
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
      for (const [user, password] of [...byPlain, ['bob', 'b=b']] as const) {
        const client = await world.connect(SASL)
        const answer = await logInByScram(client, mechanism, user, password)
        const errorMessage = `Authentication failed during authentication due to invalid credentials with SASL mechanism ${mechanism}`
        t.match(answer, { error: denied, errorMessage, told: Buffer.alloc(0) }, user)
        t.ok(await isClosed(client))
      }
    }
  },
)

t.test('what PLAIN cannot mean is refused in the words of Apache Kafka', async (t) => {
  const tokens = (count: number) => `Invalid SASL/PLAIN response: expected 3 tokens, got ${count}`
  const other = 'Client requested an authorization id that is different from username'
  const cases = {
    [plainMessage('', 'x').toString()]: 'Authentication failed: username not specified',
    [plainMessage('ann', '').toString()]: 'Authentication failed: password not specified',
    'root\0ann\0p=ä ss': `Authentication failed: ${other}`,
    'root\0ann\0wrong': 'Authentication failed: Invalid username or password',
    'ann\0p': tokens(2),
    '\0ann\0p\0q\0r': tokens(4),
    '': tokens(1),
  }
  for (const [message, errorMessage] of Object.entries(cases)) {
    const client = await world.connect(SASL)
    await shakeHands(client, 'PLAIN')
    t.match(await say(client, message), { error: 'SASL_AUTHENTICATION_FAILED', errorMessage })
    t.ok(await isClosed(client))
  }
  const own = await world.connect(SASL)
  await shakeHands(own, 'PLAIN')
  t.match(await say(own, 'ann\0ann\0p=ä ss'), { error: undefined })
})

t.test('a mechanism that is not offered is answered with the list of those that are', async (t) => {
  for (const mechanism of ['GSSAPI', 'OAUTHBEARER', 'plain', '', 'x'.repeat(10_000)]) {
    const client = await world.connect(SASL)
    const answer = await client.send(saslHandshake, { mechanism })
    t.equal(errorName(answer.errorCode), 'UNSUPPORTED_SASL_MECHANISM')
    t.strictSame(answer.mechanisms, ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
    t.ok(await isClosed(client))
  }
})

t.test(
  'before the login there are one ApiVersions, one SaslHandshake and its messages',
  async (t) => {
    const says: Record<string, (client: RawClient) => Promise<unknown>> = {
      V: (client) => sayVersions(client),
      v: (client) => sayVersions(client, 0),
      u: (client) => client.send(apiVersions, {}, 0),
      H: (client) => shakeHands(client, 'SCRAM-SHA-256'),
      A: (client) => say(client, 'n,,n=ann,r=abc').then(({ error }) => error),
      M: (client) => client.send(metadata, NOBODY).then(() => 'answered'),
      D: (client) => client.send(describeDelegationToken, { owners: [] }).then(() => 'answered'),
    }
    /** Each letter a request; what comes of the last one. */
    const orders: Record<string, string | undefined> = {
      'V H A': undefined,
      'H A': undefined,
      'v H A': undefined,
      'V V': 'closed',
      'V v': 'closed',
      A: 'closed',
      'V A': 'closed',
      M: 'closed',
      D: 'closed',
      'V M': 'closed',
      'H M': 'closed',
      'H A M': 'closed',
      'H H': 'ILLEGAL_SASL_STATE',
      'H V': 'ILLEGAL_SASL_STATE',
      'H A H': 'ILLEGAL_SASL_STATE',
    }
    for (const [order, wanted] of Object.entries(orders)) {
      const client = await world.connect(SASL)
      const letters = order.split(' ')
      for (const letter of letters.slice(0, -1))
        t.equal(await says[letter]!(client), undefined, order)
      const outcome = await says[letters.at(-1)!]!(client).catch(() => 'closed')
      t.equal(outcome, wanted, order)
      if (wanted !== undefined) t.ok(await isClosed(client), order)
    }
  },
)

t.test('an ApiVersions that fails can be sent again in another version', async (t) => {
  const client = await world.connect(SASL)
  const bad = { clientSoftwareName: '-', clientSoftwareVersion: '1' }
  t.equal(errorName((await client.send(apiVersions, bad)).errorCode), 'INVALID_REQUEST')
  t.equal(await sayVersions(client), undefined)
  t.match(await logInByPlain(client, 'ann', 'p=ä ss'), { error: undefined })
})

t.test('after the login SASL is over, and there are no delegation tokens', async (t) => {
  const client = await world.connect(SASL)
  await logInByPlain(client, 'ann', 'p=ä ss')
  t.equal(await shakeHands(client, 'PLAIN'), 'ILLEGAL_SASL_STATE')
  t.match(await say(client, 'x'), {
    error: 'ILLEGAL_SASL_STATE',
    errorMessage: 'SaslAuthenticate request received after successful authentication',
  })
  const token = {
    ownerPrincipalType: null,
    ownerPrincipalName: null,
    renewers: [],
    maxLifetimeMs: 1,
  }
  const answer = await client.send(createDelegationToken, token)
  t.match(answer, { principalType: 'User', principalName: 'ann' })
  t.equal(errorName(answer.errorCode), 'DELEGATION_TOKEN_AUTH_DISABLED')
  t.ok(await isIn(client))
})

t.test('on a plaintext listener there is no SASL, and the connection goes on', async (t) => {
  const client = await world.connect('PLAINTEXT')
  t.equal(await shakeHands(client, 'PLAIN'), 'ILLEGAL_SASL_STATE')
  t.match(await say(client, 'x'), { error: 'ILLEGAL_SASL_STATE' })
  t.ok(await isIn(client))
})

t.test('requests that come with the last message wait for it', async (t) => {
  const client = await world.connect(SASL)
  await shakeHands(client, 'PLAIN')
  client.write(saslAuthenticate, { authBytes: plainMessage('ann', 'p=ä ss') })
  client.write(metadata, NOBODY)
  t.equal((await client.answerTo(saslAuthenticate, 2)).errorCode, 0)
  t.equal((await client.answerTo(metadata, metadata.versions.to)).brokers.length, 1)
  const wrong = await world.connect(SASL)
  await shakeHands(wrong, 'PLAIN')
  wrong.write(saslAuthenticate, { authBytes: plainMessage('ann', 'wrong') })
  wrong.write(metadata, NOBODY)
  t.equal(
    errorName((await wrong.answerTo(saslAuthenticate, 2)).errorCode),
    'SASL_AUTHENTICATION_FAILED',
  )
  t.ok(await isClosed(wrong))
  t.equal(wrong.frameCount, 0)
})
