// Decoys: credentials of users that do not exist, so that a client cannot tell them from users that do. Nobody knows the
// passwords. Half of them have salts like those of this package, half like those of Kafka's tools. Network thread.

import { createHmac } from 'node:crypto'
import type { Credentials, ScramCredential, ScramMechanism } from '../auth/credentials.ts'
import { ITERATIONS_MIN, scramHashes } from '../../protocol/sasl/scram.ts'

const OWN_SALT_BYTES = 32
/** Salts of Kafka's tools are 130 random bits in base 36. */
const KAFKA_SALT_BITS = 130
const KAFKA_SALT_BASE = 36

export class Decoys implements Credentials {
  readonly #secret: Buffer

  /** @param secret with another one, all decoys have other salts */
  constructor(secret: Buffer) {
    this.#secret = secret
  }

  /** The same for the same user, always. */
  find(mechanism: ScramMechanism, user: string): ScramCredential {
    const { bytes } = scramHashes[mechanism]
    const derived = (what: string) =>
      createHmac('sha512', this.#secret).update(`${what}\0${mechanism}\0${user}`).digest()
    return {
      salt: saltOf(derived('salt')),
      iterations: ITERATIONS_MIN,
      storedKey: derived('stored key').subarray(0, bytes),
      serverKey: derived('server key').subarray(0, bytes),
    }
  }
}

/** @param random 64 bytes */
function saltOf(random: Buffer): Buffer {
  if (random[0]! % 2 === 0) return random.subarray(-OWN_SALT_BYTES)
  const bits = BigInt.asUintN(KAFKA_SALT_BITS, BigInt(`0x${random.toString('hex')}`))
  return Buffer.from(bits.toString(KAFKA_SALT_BASE))
}
