// Users from outside: made, described, changed and deleted on a broker.

import t from '../../protocol/testing/tap.ts'
import { Broker } from '../../broker/broker.ts'
import { alterUserScramCredentials } from '../../protocol/api/51_alter_user_scram_credentials.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { scramKeys, scramKeysOf } from '../../protocol/sasl/scram.ts'
import { Client, PartialError } from '../index.ts'
import { FakeBroker } from '../testing/fake-broker.ts'

const broker = await Broker.start({ ephemeral: true })
const client = new Client({ brokers: broker.bootstrap })
const { users } = client.admin()
t.teardown(async () => {
  await client.close()
  await broker.close()
})

/** @returns the codes of a PartialError, item by item */
async function codesOf(call: Promise<unknown>): Promise<(string | undefined)[]> {
  const error = await call.then(
    () => undefined,
    (each: unknown) => each,
  )
  if (!(error instanceof PartialError)) throw new Error('no PartialError', { cause: error })
  return error.results.map((each) => (each instanceof KafkaError ? each.code : undefined))
}

const of256 = (iterations = 4096) => ({ mechanism: 'scram-sha-256', iterations })
const of512 = (iterations = 4096) => ({ mechanism: 'scram-sha-512', iterations })

t.test('a new user has every mechanism, or the one that is named', async (t) => {
  t.strictSame(await users.list(), [])
  await users.upsert([
    { user: 'bob', password: 'b', mechanism: 'scram-sha-512', iterations: 8192 },
    { user: 'ann', password: 'a' },
  ])
  const [ann, bob] = [
    { user: 'ann', credentials: [of256(), of512()] },
    { user: 'bob', credentials: [of512(8192)] },
  ]
  t.strictSame(await users.list(), [ann, bob])
  t.strictSame(await users.describe(['bob', 'ann']), [bob, ann])
  t.strictSame(await users.describe([]), [])
  await users.upsert([{ user: 'bob', password: 'c', iterations: 16_384 }])
  t.match(await users.describe(['bob']), [{ credentials: [of256(16_384), of512(16_384)] }])
  await users.delete(['ann', { user: 'bob', mechanism: 'scram-sha-256' }])
  t.strictSame(await users.list(), [{ user: 'bob', credentials: [of512(16_384)] }])
  await users.delete(['bob'])
  t.strictSame(await users.list(), [])
})

t.test('items fail alone', async (t) => {
  const [ann, twice] = [
    { user: 'ann', password: 'a' },
    { user: 'twice', password: 'p' },
  ]
  const duplicate = 'DUPLICATE_RESOURCE'
  t.strictSame(await codesOf(users.upsert([twice, ann, twice])), [duplicate, undefined, duplicate])
  const unknown = 'RESOURCE_NOT_FOUND'
  t.strictSame(await codesOf(users.describe(['nobody', 'ann'])), [unknown, undefined])
  await users.upsert([{ user: 'eve', password: 'e', mechanism: 'scram-sha-256' }])
  const gone = users.delete(['nobody', 'ann', { user: 'eve', mechanism: 'scram-sha-512' }])
  t.strictSame(await codesOf(gone), [unknown, undefined, unknown])
  t.match(await users.list(), [{ user: 'eve' }])
  await users.delete(['eve'])
})

t.test('wrong arguments are told without the password', async (t) => {
  const wrong = (given: object) => users.upsert([given as { user: string; password: string }])
  await t.rejects(wrong({ user: '', password: 'p' }), /passwords\[0\].user is ""/)
  await t.rejects(wrong({ user: 'a', password: 'p', iterations: 4095 }), TypeError)
  await t.rejects(wrong({ user: 'a', password: 'p', iterations: 16_385 }), TypeError)
  await t.rejects(wrong({ user: 'a', password: 'p', mechanism: 'plain' }), TypeError)
  const error = await wrong({ user: 'a', password: 4711 }).catch((each: unknown) => each)
  t.match(error, TypeError)
  t.notMatch(String(error), /4711/)
})

t.test('the broker gets what checks the password, with another salt each time', async (t) => {
  await using fake = await FakeBroker.start()
  const seen: { salt: Buffer; saltedPassword: Buffer; iterations: number }[] = []
  fake.always(alterUserScramCredentials, ({ upsertions }) => {
    for (const { salt, saltedPassword, iterations } of upsertions) {
      const kept = { salt: Buffer.from(salt), saltedPassword: Buffer.from(saltedPassword) }
      seen.push({ ...kept, iterations })
    }
    return { results: upsertions.map(({ name }) => ({ user: name, errorCode: 0 })) }
  })
  await using other = new Client({ brokers: fake.bootstrap })
  await other.admin().users.upsert([{ user: 'ann', password: 'secret', iterations: 5000 }])
  t.equal(seen.length, 2)
  for (const [i, mechanism] of (['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const).entries()) {
    const keys = await scramKeys(mechanism, 'secret', seen[i]!)
    t.strictSame(scramKeysOf(mechanism, seen[i]!.saltedPassword), keys)
  }
  t.notSame(seen[0]!.salt, seen[1]!.salt)
})
