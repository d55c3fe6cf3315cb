// ProducerIdBlocks: gives out ids that no run gave out before. Network thread.
// It reserves ids in blocks, one durable record per block; ids of a block that a crash leaves are never used.

import type { ProducerIds } from '../store.ts'
import { PRODUCER_IDS_KEY, type MetadataTable, type ProducerIdsRecord } from './metadata.ts'

const BLOCK_IDS = 1000

export class ProducerIdBlocks implements ProducerIds {
  readonly #table: MetadataTable
  #next = 0
  /** Ids from here on are not reserved. */
  #end = 0
  /** The reservation of the next block. */
  #refill: Promise<void> | undefined

  /** Ids below this may be in use, whatever the table says. */
  #floor: number

  constructor(table: MetadataTable) {
    this.#table = table
    this.#floor = table.lostOffset * BLOCK_IDS // each lost record reserved one block at most
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
