// NaiveProducers: a log's producers, derived from all of its batches in the plainest way. Tests only.

import { strict as assert } from 'node:assert'
import { readEndMarker } from '../../protocol/batch/control.ts'
import { readBatchHeader } from '../../protocol/batch/header.ts'
import type { TxnEntry } from '../segment/txn-index.ts'

interface NaiveProducer {
  epoch: number
  lastSequence: number
  coordinatorEpoch: number
  txnFirstOffset: number
}

export class NaiveProducers {
  readonly producers = new Map<number, NaiveProducer>()
  readonly aborted: TxnEntry[] = []
  /** Every sequence of every producer and epoch, once. */
  readonly sequences = new Set<string>()

  constructor(batches: Iterable<{ readonly bytes: Uint8Array }>) {
    for (const { bytes } of batches) this.#add(bytes)
  }

  /** @param end of the log */
  lastStableOffset(end: number): number {
    const open = [...this.producers.values()].filter(({ txnFirstOffset }) => txnFirstOffset >= 0)
    return Math.min(end, ...open.map(({ txnFirstOffset }) => txnFirstOffset))
  }

  /** All producers, in the order of ids. */
  get described(): object[] {
    return [...this.producers]
      .sort(([a], [b]) => a - b)
      .map(([producerId, { epoch, lastSequence, coordinatorEpoch, txnFirstOffset }]) => ({
        producerId,
        producerEpoch: epoch,
        lastSequence,
        coordinatorEpoch,
        currentTxnStartOffset: txnFirstOffset,
      }))
  }

  /** @throws {AssertionError} when a sequence comes twice, or one is missing before it */
  #add(bytes: Uint8Array): void {
    const header = readBatchHeader(bytes)
    const { producerId: id, producerEpoch: epoch, baseOffset } = header
    if (id < 0) return
    const known = this.producers.get(id)
    const fresh = { epoch, lastSequence: -1, coordinatorEpoch: -1, txnFirstOffset: -1 }
    const producer = known ?? fresh
    this.producers.set(id, producer)
    if (producer.epoch !== epoch) producer.lastSequence = -1
    producer.epoch = epoch
    if (header.isControl) {
      const marker = readEndMarker(bytes, 0, header)!
      const firstOffset = producer.txnFirstOffset
      producer.coordinatorEpoch = marker.coordinatorEpoch
      producer.txnFirstOffset = -1
      if (firstOffset < 0 || marker.kind === 'commit') return
      const lastStableOffset = this.lastStableOffset(baseOffset + 1)
      this.aborted.push({ producerId: id, firstOffset, lastOffset: baseOffset, lastStableOffset })
      return
    }
    for (let i = 0; i < header.recordCount; i++) {
      const sequence = header.baseSequence + i
      const name = `${id} ${epoch} ${sequence}`
      assert(!this.sequences.has(name), `sequence ${name} is there once`)
      this.sequences.add(name)
      const isFirst = producer.lastSequence < 0 && known === undefined
      assert(isFirst || sequence === producer.lastSequence + 1, `${name} follows`)
      producer.lastSequence = sequence
    }
    if (header.isTransactional && producer.txnFirstOffset < 0) producer.txnFirstOffset = baseOffset
  }
}
