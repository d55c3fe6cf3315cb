// Decoys: credentials of users that do not exist, so that a client cannot tell them from users that do. Nobody knows the
// passwords. They look like what kafka-configs stores.

import { createHmac } from 'node:crypto'
import type { Credentials, ScramCredential, ScramMechanism } from '../auth/credentials.ts'
import { ITERATIONS_MIN, scramHashes } from '../../protocol/sasl/scram.ts'

/** Kafka's salts are 130 random bits in base 36. */
const SALT_BITS = 130
const SALT_BASE = 36

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
    const saltNumber = BigInt.asUintN(SALT_BITS, BigInt(`0x${derived('salt').toString('hex')}`))
    return {
      salt: Buffer.from(saltNumber.toString(SALT_BASE)),
      iterations: ITERATIONS_MIN,
      storedKey: derived('stored key').subarray(0, bytes),
      serverKey: derived('server key').subarray(0, bytes),
    }
  }
}
