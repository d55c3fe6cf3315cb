// BrokerHealth: the reasons why clients should not be sent to this broker. Network thread.

import type { DiskGuard } from './produce/disk-guard.ts'

export class BrokerHealth {
  readonly #disk: Pick<DiskGuard, 'shortage'>
  #failure: Error | undefined
  #isStopping = false

  constructor(disk: Pick<DiskGuard, 'shortage'>) {
    this.#disk = disk
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
    const shortage = await this.#disk.shortage()
    if (shortage !== undefined) reasons.push(shortage)
    return reasons
  }
}
