// BrokerHealth: what speaks against sending clients to this broker. Network thread.

import type { Store } from '../storage/store.ts'

/** Below this, the disk counts as full. */
const DISK_FREE_BYTES_MIN = 16 * 1024 * 1024

export class BrokerHealth {
  readonly #store: Pick<Store, 'diskSpace'>
  #failure: Error | undefined
  #isStopping = false

  constructor(store: Pick<Store, 'diskSpace'>) {
    this.#store = store
  }

  fail(error: Error): void {
    this.#failure = error
  }

  stop(): void {
    this.#isStopping = true
  }

  async reasonsNotReady(): Promise<string[]> {
    const reasons: string[] = []
    if (this.#isStopping) reasons.push('the broker is stopping')
    if (this.#failure !== undefined) reasons.push(`the disk failed: ${this.#failure.message}`)
    const { freeBytes } = await this.#store.diskSpace()
    if (freeBytes < DISK_FREE_BYTES_MIN)
      reasons.push(`the disk is full: ${freeBytes} bytes are free`)
    return reasons
  }
}
