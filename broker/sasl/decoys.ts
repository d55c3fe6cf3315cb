// Decoys: credentials of users that do not exist, so that a client cannot tell them from users that do. Nobody knows the
// passwords. A decoy looks like one of the stored credentials: as many iterations, as long a salt. Network thread.

import { createHash } from 'node:crypto'
import type { ScramCredentials } from '../../storage/store.ts'
import type { ScramCredential, ScramMechanism } from '../auth/credentials.ts'
import { SALT_BYTES } from '../../protocol/sasl/new-password.ts'
import { DEFAULT_ITERATIONS } from '../../protocol/sasl/scram-mechanisms.ts'
import { scramHashes } from '../../protocol/sasl/scram.ts'

/** Salts of Kafka's tools are 130 random bits in base 36. */
const KAFKA_SALT = /^[0-9a-z]{24,26}$/
const KAFKA_SALT_BITS = 130
const KAFKA_SALT_BASE = 36
const FRACTION_BYTES = 6

/** What a client sees of a credential before it has proved anything. */
interface Look {
  readonly iterations: number
  readonly saltBytes: number
  readonly isKafkaSalt: boolean
}

/** Looks in an order that does not depend on who has them, each with how many credentials look like it. */
type Looks = readonly { readonly look: Look; readonly count: number }[]

/** While there are no users. */
const ownLook: Look = {
  iterations: DEFAULT_ITERATIONS,
  saltBytes: SALT_BYTES,
  isKafkaSalt: false,
}

type Stored = Pick<ScramCredentials, 'list' | 'revision'>

export class Decoys {
  readonly #secret: Buffer
  readonly #stored: Stored
  #looks = new Map<ScramMechanism, Looks>()
  /** Of the stored credentials, when their looks were counted. */
  #revision: number | undefined

  /** @param secret with another one, all decoys have other salts */
  constructor(secret: Buffer, stored: Stored) {
    this.#secret = secret
    this.#stored = stored
  }

  /** The same for the same user, after a restart too; a change of users changes the looks of few others. */
  find(mechanism: ScramMechanism, user: string): ScramCredential {
    const { bytes } = scramHashes[mechanism]
    const derived = (what: string, outputLength: number) =>
      createHash('shake256', { outputLength })
        .update(this.#secret)
        .update(`${what}\0${mechanism}\0${user}`)
        .digest()
    const fraction = derived('look', FRACTION_BYTES).readUIntBE(0, FRACTION_BYTES)
    const { iterations, saltBytes, isKafkaSalt } = lookAt(
      fraction / 2 ** (8 * FRACTION_BYTES),
      this.#looksOf(mechanism),
    )
    const salt = derived('salt', saltBytes)
    return {
      salt: isKafkaSalt ? kafkaSalt(salt) : salt,
      iterations,
      storedKey: derived('stored key', bytes),
      serverKey: derived('server key', bytes),
    }
  }

  #looksOf(mechanism: ScramMechanism): Looks {
    const { revision } = this.#stored
    if (this.#revision !== revision) {
      this.#looks = counted(this.#stored.list())
      this.#revision = revision
    }
    return this.#looks.get(mechanism) ?? []
  }
}

function counted(credentials: ReturnType<Stored['list']>): Map<ScramMechanism, Looks> {
  const counts = new Map<ScramMechanism, Map<string, { look: Look; count: number }>>()
  for (const { mechanism, credential } of credentials) {
    const look = lookOf(credential)
    const ofMechanism = counts.get(mechanism) ?? new Map()
    const key = JSON.stringify(look)
    const { count } = ofMechanism.get(key) ?? { count: 0 }
    counts.set(mechanism, ofMechanism.set(key, { look, count: count + 1 }))
  }
  return new Map(
    Array.from(counts, ([mechanism, byKey]) => {
      const keys = [...byKey.keys()].sort()
      return [mechanism, keys.map((key) => byKey.get(key)!)]
    }),
  )
}

function lookOf({ salt, iterations }: ScramCredential): Look {
  const isKafkaSalt = KAFKA_SALT.test(salt.toString('latin1'))
  return { iterations, saltBytes: isKafkaSalt ? SALT_BYTES : salt.length, isKafkaSalt }
}

/** @param fraction from 0 up to 1: of all credentials, how many come before */
function lookAt(fraction: number, looks: Looks): Look {
  const total = looks.reduce((sum, { count }) => sum + count, 0)
  let rest = fraction * total
  for (const { look, count } of looks) {
    if (rest < count) return look
    rest -= count
  }
  return ownLook
}

/** @param random {@link SALT_BYTES} */
function kafkaSalt(random: Buffer): Buffer {
  const bits = BigInt.asUintN(KAFKA_SALT_BITS, BigInt(`0x${random.toString('hex')}`))
  return Buffer.from(bits.toString(KAFKA_SALT_BASE))
}
