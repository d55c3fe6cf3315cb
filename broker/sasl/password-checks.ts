// PasswordChecks: compares passwords with credentials. Each check takes milliseconds of a pool thread, which the broker's reads
// of files need, too: so few run at the same time, and the others wait. Network thread.

import { timingSafeEqual } from 'node:crypto'
import { scramKeys } from '../../protocol/sasl/scram.ts'
import type { ScramCredential, ScramMechanism } from '../auth/credentials.ts'

/** Node's pool has four threads. */
const RUNNING_MAX = 2

export class PasswordChecks {
  readonly #derive: typeof scramKeys
  #runningCount = 0
  /** One for each connection at most. */
  #waiting: (() => void)[] = []

  constructor(derive: typeof scramKeys = scramKeys) {
    this.#derive = derive
  }

  /** @param gone a check whose client has gone before its turn is left out */
  async isRight(
    mechanism: ScramMechanism,
    password: string,
    credential: ScramCredential,
    gone: AbortSignal,
  ): Promise<boolean> {
    if (this.#runningCount < RUNNING_MAX) this.#runningCount++
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      if (gone.aborted) return false
      const { storedKey } = await this.#derive(mechanism, password, credential)
      return timingSafeEqual(storedKey, credential.storedKey)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#runningCount--
      else next() // runs in place of this one, so that no other can begin in between
    }
  }
}
