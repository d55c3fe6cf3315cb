// Clients of SaslHandshake 0, byte by byte: who gets in, what ends the connection, and what their messages cannot do.

import t from '../protocol/testing/tap.ts'
import { apiVersions } from '../protocol/api/18_api_versions.ts'
import { metadata } from '../protocol/api/03_metadata.ts'
import { saslHandshake } from '../protocol/api/17_sasl_handshake.ts'
import { errorName } from '../protocol/errors.ts'
import { plainMessage } from '../protocol/sasl/plain.ts'
import { ScramClient, scramKeys, scramMechanisms } from '../protocol/sasl/scram.ts'
import type { RawClient } from './testing/raw-client.ts'
import {
  addUser,
  SASL,
  saslProperties,
  say,
  sayBare,
  sayVersions,
  shakeHands,
  writeBare,
} from './testing/sasl.ts'
import { World } from './testing/world.ts'

const world = await World.open(t, { config: saslProperties })
await addUser(world.local, 'ann', 'secret')

const NOBODY = { topics: [] }
const isIn = async (client: RawClient) => (await client.send(metadata, NOBODY)).brokers.length === 1

/** A client whose next message is bare. */
async function shaken(mechanism: string): Promise<RawClient> {
  const client = await world.connect(SASL)
  if ((await shakeHands(client, mechanism, 0)) !== undefined)
    throw new Error('the hand is not taken')
  return client
}

t.test('the bytes of a login by PLAIN are those of Apache Kafka', async (t) => {
  const client = await world.connect(SASL)
  client.socket.write(Buffer.from('00000011001100000000000700000005504c41494e', 'hex'))
  const answer = await client.nextFrame()
  t.equal(
    answer.subarray(0, 10).toString('hex'),
    '00000007000000000003',
    'id 7, no error, 3 mechanisms',
  )
  client.socket.write(Buffer.from('0000000b00616e6e00736563726574', 'hex'))
  t.strictSame(await client.nextFrame(), Buffer.alloc(0), 'a size of 0 and nothing more')
  t.ok(await isIn(client))
})

t.test('SCRAM goes by bare messages, too', async (t) => {
  for (const mechanism of scramMechanisms) {
    const client = await shaken(mechanism)
    const scram = new ScramClient(mechanism, 'ann', 'nonce')
    const keysOf = (first: Parameters<typeof scramKeys>[2]) => scramKeys(mechanism, 'secret', first)
    const final = await scram.final(await sayBare(client, scram.first()), keysOf)
    scram.check(await sayBare(client, final))
    t.ok(await isIn(client), mechanism)
  }
})

t.test('requests that come with the last message wait for it', async (t) => {
  const client = await shaken('PLAIN')
  client.socket.cork()
  writeBare(client, plainMessage('ann', 'secret'))
  client.write(metadata, NOBODY)
  client.socket.uncork()
  t.equal((await client.nextFrame()).length, 0)
  t.equal((await client.answerTo(metadata, metadata.versions.to)).brokers.length, 1)
})

t.test('a login that fails ends the connection without a word', async (t) => {
  const messages: Record<string, [mechanism: string, message: string | Buffer]> = {
    'a wrong password': ['PLAIN', plainMessage('ann', 'wrong')],
    'no such user': ['PLAIN', plainMessage('nobody', 'secret')],
    'no parts': ['PLAIN', 'ann'],
    nothing: ['PLAIN', ''],
    'no first message': ['SCRAM-SHA-256', 'n,,x=1'],
    'a thousand bytes of garbage': ['SCRAM-SHA-512', Buffer.alloc(1_000, 0xff)],
  }
  for (const [what, [mechanism, message]] of Object.entries(messages)) {
    const client = await shaken(mechanism)
    writeBare(client, message)
    writeBare(client, plainMessage('ann', 'secret'))
    await client.closed
    t.equal(client.frameCount, 0, what)
    t.match(world.logged.at(-1), { message: 'authentication failed', mechanism }, what)
  }
})

t.test('for SCRAM an unknown user differs from a wrong password in nothing', async (t) => {
  for (const user of ['ann', 'nobody']) {
    const client = await shaken('SCRAM-SHA-256')
    const scram = new ScramClient('SCRAM-SHA-256', user, 'nonce')
    const told = await sayBare(client, scram.first())
    t.match(told.toString(), /^r=nonce[\w-]{32},s=[\w+/]+=*,i=4096$/)
    const final = await scram.final(told, (first) => scramKeys('SCRAM-SHA-256', 'wrong', first))
    await t.rejects(sayBare(client, final), /closed/, user)
  }
})

t.test('a request in place of a message is a message that is wrong', async (t) => {
  const requests: Record<string, (client: RawClient) => Promise<unknown>> = {
    ApiVersions: (client) => sayVersions(client),
    SaslHandshake: (client) => shakeHands(client, 'PLAIN', 0),
    SaslAuthenticate: (client) => say(client, plainMessage('ann', 'secret')),
    Metadata: (client) => client.send(metadata, NOBODY),
  }
  for (const [what, send] of Object.entries(requests)) {
    await t.rejects(shaken('PLAIN').then(send), /closed/, what)
    t.match(world.logged.at(-1), { message: 'authentication failed' }, what)
  }
})

t.test('a message that begins like a Produce request takes its turn like any other', async (t) => {
  const client = await shaken('PLAIN')
  const message = plainMessage('', 'x') // its first bytes are Produce's key
  for (let i = 0; i < 3; i++) writeBare(client, message)
  await client.closed
  t.equal(client.frameCount, 0)
  const failures = world.logged.filter(({ reason }) => reason === 'there is no user name')
  t.equal(failures.length, 1)
})

t.test('version 0 is bounded and gated like version 1', async (t) => {
  const large = await shaken('PLAIN')
  const size = Buffer.alloc(4)
  size.writeInt32BE(524_289)
  large.socket.write(size)
  await large.closed
  t.match(world.logged.at(-1), { reason: /a frame of 524289 bytes/ })

  const unknown = await world.connect(SASL)
  const { errorCode } = await unknown.send(saslHandshake, { mechanism: 'GSSAPI' }, 0)
  t.equal(errorName(errorCode), 'UNSUPPORTED_SASL_MECHANISM')
  await unknown.closed

  const done = await shaken('PLAIN')
  await sayBare(done, plainMessage('ann', 'secret'))
  t.equal(await shakeHands(done, 'PLAIN', 0), 'ILLEGAL_SASL_STATE', 'no second login')
  t.ok(
    (await done.send(apiVersions, { clientSoftwareName: 'a', clientSoftwareVersion: '1' })).apiKeys,
  )

  const plaintext = await world.connect('PLAINTEXT')
  t.equal(await shakeHands(plaintext, 'PLAIN', 0), 'ILLEGAL_SASL_STATE')
  t.ok(await isIn(plaintext))
})
