// Users and their SCRAM credentials: through a real socket, and over a restart.

import t from '../../protocol/testing/tap.ts'
import { describeUserScramCredentials } from '../../protocol/api/50_describe_user_scram_credentials.ts'
import { alterUserScramCredentials } from '../../protocol/api/51_alter_user_scram_credentials.ts'
import { errorName } from '../../protocol/errors.ts'
import {
  saltedPassword,
  scramKeys,
  scramMechanismCodes,
  scramMechanisms,
} from '../../protocol/sasl/scram.ts'
import type { RequestInput } from '../../protocol/schema.ts'
import { systemClock } from '../../storage/clock.ts'
import { openStore } from '../../storage/open-store.ts'
import { Broker } from '../broker.ts'
import { RawClient } from '../testing/raw-client.ts'
import { World } from '../testing/world.ts'

const world = await World.open(t)
const client = await world.connect()

type Changes = Partial<RequestInput<typeof alterUserScramCredentials>>

const SHA_256 = 1
const SHA_512 = 2
const salted = Buffer.alloc(32, 3)

function set(name: string, more: object = {}) {
  const salt = Buffer.from('salt')
  return { name, mechanism: SHA_256, iterations: 4096, salt, saltedPassword: salted, ...more }
}

function without(name: string, mechanism = SHA_256) {
  return { name, mechanism }
}

/** @returns what went wrong, by user; undefined is nothing */
async function alter(
  ...[{ deletions = [], upsertions = [] }]: [Changes]
): Promise<Record<string, string | undefined>> {
  const { results } = await client.send(alterUserScramCredentials, { deletions, upsertions })
  return Object.fromEntries(results.map(({ user, errorCode }) => [user, errorName(errorCode)]))
}

/** @returns the error, or iterations by mechanism, of each user */
async function described(...names: string[]): Promise<Record<string, unknown>> {
  const users = names.map((name) => ({ name }))
  const { results } = await client.send(describeUserScramCredentials, { users })
  return Object.fromEntries(
    results.map(({ user, errorCode, credentialInfos }) => {
      const infos = credentialInfos.map(({ mechanism, iterations }) => [mechanism, iterations])
      return [user, errorName(errorCode) ?? Object.fromEntries(infos)]
    }),
  )
}

t.test('before there are users the list is empty, and a named one is not found', async (t) => {
  for (const users of [null, []]) {
    const answer = await client.send(describeUserScramCredentials, { users })
    t.match(answer, { errorCode: 0, results: [] })
  }
  t.strictSame(await described('alice', 'bob', 'alice'), {
    alice: 'DUPLICATE_RESOURCE',
    bob: 'RESOURCE_NOT_FOUND',
  })
})

t.test('a password is kept for each mechanism until it is deleted', async (t) => {
  t.strictSame(await alter({ upsertions: [set('ann'), set('bob')] }), {
    ann: undefined,
    bob: undefined,
  })
  await alter({ upsertions: [set('ann', { mechanism: SHA_512, iterations: 8192 })] })
  const ann = { [SHA_256]: 4096, [SHA_512]: 8192 }
  t.strictSame(await described('ann'), { ann })
  t.strictSame(await described(), { ann, bob: { [SHA_256]: 4096 } })
  await alter({ upsertions: [set('ann', { iterations: 16_384 })], deletions: [without('bob')] })
  t.strictSame(await described(), { ann: { ...ann, [SHA_256]: 16_384 } })
  await alter({ deletions: [without('ann')] })
  await alter({ deletions: [without('ann', SHA_512)] })
  t.strictSame(await described('ann'), { ann: 'RESOURCE_NOT_FOUND' })
})

t.test('each user has one outcome, and a refusal leaves the others alone', async (t) => {
  const unacceptable = 'UNACCEPTABLE_CREDENTIAL'
  const unknown = 'UNSUPPORTED_SASL_MECHANISM'
  const upsertions = [
    set('good'),
    set('few', { iterations: 4095 }),
    set('many', { iterations: 16_385 }),
    set('none', { saltedPassword: Buffer.of() }),
    set('long', { saltedPassword: Buffer.alloc(1025) }),
    set('salty', { salt: Buffer.alloc(1025) }),
    set('mystery', { mechanism: 3 }),
    set(''),
    set('n'.repeat(1025)),
    set('twice'),
    set('twice', { mechanism: SHA_512 }),
    set('changed'),
    set('late'),
    set('late', { iterations: 1 }),
    set('early', { iterations: 1 }),
    set('early'),
    set('gone'),
  ]
  const deletions = [without('gone'), without('changed', 0), without('')]
  t.strictSame(await alter({ deletions, upsertions }), {
    gone: 'RESOURCE_NOT_FOUND',
    changed: unknown,
    good: undefined,
    few: unacceptable,
    many: unacceptable,
    none: unacceptable,
    long: unacceptable,
    salty: unacceptable,
    mystery: unknown,
    '': unacceptable,
    ['n'.repeat(1025)]: unacceptable,
    twice: 'DUPLICATE_RESOURCE',
    late: 'DUPLICATE_RESOURCE',
    early: unacceptable,
  })
  t.strictSame(Object.keys(await described()), ['good'])
  const both = { deletions: [without('good')], upsertions: [set('good')] }
  t.strictSame(await alter(both), { good: 'DUPLICATE_RESOURCE' })
  t.strictSame(await alter({ deletions: [without('good')] }), { good: undefined })
})

t.test('requests at the same time have their turns: only one deletes', async (t) => {
  await alter({ upsertions: [set('shared')] })
  const others = await Promise.all([world.connect(), world.connect()])
  const answers = await Promise.all(
    others.map((other) =>
      other.send(alterUserScramCredentials, { deletions: [without('shared')], upsertions: [] }),
    ),
  )
  const codes = answers.map(({ results }) => errorName(results[0]!.errorCode))
  t.strictSame(new Set(codes), new Set(['RESOURCE_NOT_FOUND', undefined]))
})

t.test('a request that changes too much is refused as a whole', async (t) => {
  const upsertions = Array.from({ length: 10_001 }, (_, n) => set(`user ${n}`))
  const outcomes = await alter({ upsertions })
  t.strictSame(new Set(Object.values(outcomes)), new Set(['POLICY_VIOLATION']))
  t.strictSame(await described(), {})
})

t.test('users outlive the broker, and what it keeps of a password checks that', async (t) => {
  const dataDir = t.testdir()
  const first = { salt: Buffer.from('pepper'), iterations: 4096 }
  const upsertions = await Promise.all(
    scramMechanisms.map(async (mechanism) => {
      const password = await saltedPassword(mechanism, 'secret', first)
      const code = scramMechanismCodes[mechanism]
      return set(`eve ${code}`, { ...first, mechanism: code, saltedPassword: password })
    }),
  )
  const many = Array.from({ length: 600 }, (_, n) => set(`user ${n}`))
  await using broker = await Broker.start({ dataDir })
  const user = await RawClient.connect(broker.bootstrap)
  const request = { deletions: [], upsertions: [...upsertions, ...many] }
  const { results } = await user.send(alterUserScramCredentials, request)
  t.ok(results.every(({ errorCode }) => errorCode === 0))
  await user.close()
  await broker.close()
  await using store = await openStore({ dataDir, writer: 'inline', clock: systemClock })
  const { scramCredentials } = store
  t.equal([...scramCredentials.list()].length, 602, 'more than fit in a batch')
  for (const mechanism of scramMechanisms) {
    const { storedKey, serverKey } = await scramKeys(mechanism, 'secret', first)
    const user = `eve ${scramMechanismCodes[mechanism]}`
    t.strictSame(scramCredentials.find(mechanism, user), { ...first, storedKey, serverKey })
    t.equal(scramCredentials.find(mechanism, 'user'), undefined)
  }
})
