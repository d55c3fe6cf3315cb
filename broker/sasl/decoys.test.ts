// Users that do not exist: what a client sees of them is what it sees of users that do, and stays the same.

import t from '../../protocol/testing/tap.ts'
import { ScramClient, scramMechanisms, type ScramMechanism } from '../../protocol/sasl/scram.ts'
import type { StoredCredential } from '../../storage/store.ts'
import { Broker } from '../broker.ts'
import { RawClient } from '../testing/raw-client.ts'
import { SASL, saslProperties, say, shakeHands } from '../testing/sasl.ts'
import { Decoys } from './decoys.ts'

const SECRET = Buffer.alloc(32, 1)
const NAMES = Array.from({ length: 2_000 }, (_, i) => `user${i}`)
const OWN_SALT = Buffer.alloc(32, 0xff)
/** As of kafka-configs. */
const KAFKA_SALT = Buffer.from('1b3gtk5w6z0f0mf5z9rv0r0c3q')
/** As of librdkafka. */
const LONG_SALT = Buffer.alloc(64, 0xff)

function many(
  count: number,
  mechanism: ScramMechanism,
  iterations: number,
  salt: Buffer,
): StoredCredential[] {
  const credential = { salt, iterations, storedKey: OWN_SALT, serverKey: OWN_SALT }
  return Array.from({ length: count }, (_, i) => ({ mechanism, user: `${i}`, credential }))
}

const some = [
  ...many(70, 'SCRAM-SHA-256', 4_096, OWN_SALT),
  ...many(20, 'SCRAM-SHA-256', 8_192, KAFKA_SALT),
  ...many(10, 'SCRAM-SHA-256', 16_384, LONG_SALT),
  ...many(1, 'SCRAM-SHA-512', 12_000, LONG_SALT),
]

/** Credentials that a test changes. */
function storedOf(credentials: StoredCredential[]) {
  let revision = 0
  return {
    get revision() {
      return revision
    },
    list: () => credentials,
    add(more: StoredCredential[]) {
      credentials = [...credentials, ...more]
      revision++
    },
  }
}

t.test('decoys look like the stored credentials, in the same shares', async (t) => {
  const decoys = new Decoys(SECRET, storedOf(some))
  const counts = new Map<string, number>()
  for (const name of NAMES) {
    const { iterations, salt } = decoys.find('SCRAM-SHA-256', name)
    const kind = /^[0-9a-z]{24,26}$/.test(salt.toString('latin1')) ? 'Kafka' : salt.length
    const look = `${iterations} ${kind}`
    counts.set(look, (counts.get(look) ?? 0) + 1)
    t.match(decoys.find('SCRAM-SHA-512', name), { iterations: 12_000 })
  }
  const shares = { '4096 32': 0.7, '8192 Kafka': 0.2, '16384 64': 0.1 }
  t.strictSame([...counts.keys()].sort(), Object.keys(shares).sort(), 'no other look')
  for (const [look, share] of Object.entries(shares)) {
    const found = counts.get(look)! / NAMES.length
    t.ok(Math.abs(found - share) < 0.04, `${look}: ${found}`)
  }
})

t.test('a decoy is always the same, and nobody can foresee it', async (t) => {
  const decoys = new Decoys(SECRET, storedOf([]))
  const salts = new Set<string>()
  for (const mechanism of scramMechanisms) {
    for (const name of NAMES) {
      const decoy = decoys.find(mechanism, name)
      salts.add(decoy.salt.toString('base64'))
      if (salts.size > 100) continue
      t.strictSame(new Decoys(SECRET, storedOf([])).find(mechanism, name), decoy)
      t.equal(decoy.storedKey.length, mechanism === 'SCRAM-SHA-256' ? 32 : 64)
      t.match(decoy, { iterations: 4_096 })
    }
  }
  t.equal(salts.size, 2 * NAMES.length, 'each has its own salt')
  const other = new Decoys(Buffer.alloc(32, 2), storedOf([])).find('SCRAM-SHA-256', 'user0')
  t.notOk(salts.has(other.salt.toString('base64')))
})

t.test('a change of users changes few decoys', async (t) => {
  const stored = storedOf(some)
  const decoys = new Decoys(SECRET, stored)
  const before = NAMES.map((name) => decoys.find('SCRAM-SHA-256', name))
  const changed = () =>
    NAMES.filter((name, i) => !decoys.find('SCRAM-SHA-256', name).salt.equals(before[i]!.salt))
  stored.add(many(1, 'SCRAM-SHA-512', 4_096, OWN_SALT))
  t.equal(changed().length, 0, 'of another mechanism')
  stored.add(many(1, 'SCRAM-SHA-256', 4_096, OWN_SALT))
  t.ok(changed().length < 0.02 * NAMES.length, `${changed().length}`)
  stored.add(many(1, 'SCRAM-SHA-256', 5_000, LONG_SALT))
  t.ok(changed().length < 0.04 * NAMES.length, `${changed().length}`)
})

t.test('a restart changes no decoy', async (t) => {
  const options = { dataDir: t.testdir(), config: saslProperties, port: 0 }
  const salts: string[] = []
  for (let i = 0; i < 2; i++) {
    const broker = await Broker.start(options)
    const client = await RawClient.connect(broker.listeners[SASL]!)
    await shakeHands(client, 'SCRAM-SHA-256')
    const { told } = await say(client, new ScramClient('SCRAM-SHA-256', 'nobody', 'nonce').first())
    salts.push(/s=([^,]+),i=4096$/.exec(told.toString())![1]!)
    await client.close()
    await broker.close()
  }
  t.equal(salts[0], salts[1])
})
