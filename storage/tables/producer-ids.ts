// ProducerIdBlocks: hands out ids that were never handed out before, over all starts. Network thread.
// Ids are set aside in blocks, one durable record for a block; what a crash leaves of a block is never used.

import type { ProducerIds } from '../store.ts'
import { PRODUCER_IDS_KEY, type MetadataTable, type ProducerIdsRecord } from './metadata.ts'

const BLOCK_IDS = 1000

export class ProducerIdBlocks implements ProducerIds {
  readonly #table: MetadataTable
  #next = 0
  /** Ids from here on are not ours to give yet. */
  #end = 0
  /** The next block is being set aside. */
  #refill: Promise<void> | undefined

  /** Ids below are somebody's, whatever the table says. */
  #floor: number

  constructor(table: MetadataTable) {
    this.#table = table
    this.#floor = table.lostOffset * BLOCK_IDS // records that are lost set a block aside each, at most
  }

  skipTo(id: number): void {
    this.#floor = Math.max(this.#floor, id)
    if (this.#next < id) this.#next = this.#end
  }

  async next(): Promise<number> {
    while (this.#next === this.#end) {
      this.#refill ??= this.#setAsideBlock().finally(() => {
        this.#refill = undefined
      })
      await this.#refill
    }
    return this.#next++
  }

  async #setAsideBlock(): Promise<void> {
    const record = this.#table.get(PRODUCER_IDS_KEY) as ProducerIdsRecord | undefined
    const start = Math.max(record?.nextProducerId ?? 0, this.#floor)
    await this.#table.put(PRODUCER_IDS_KEY, { nextProducerId: start + BLOCK_IDS })
    this.#next = start
    this.#end = start + BLOCK_IDS
  }
}
