// The facts in a batch about the producer that wrote it, if it has an id: its sequence, or the transaction that a
// marker ends.
// Any thread; bytes are borrowed. Format: docs/formats/record-batch.md

import { type EndMarker, readEndMarker } from '../../protocol/batch/control.ts'
import {
  attributesOf,
  type BatchHeader,
  baseOffsetOf,
  baseSequenceOf,
  lastOffsetDeltaOf,
  maxTimestampOf,
  producerEpochOf,
  producerIdOf,
  readBatchHeader,
  TRANSACTIONAL_BIT,
} from '../../protocol/batch/header.ts'
import { NO_SEQUENCE, sequenceAfter } from '../../protocol/batch/sequence.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { TxnMarker } from '../log-facts.ts'

/** A batch of a producer with an id, by its header. */
export interface SequencedBatch {
  readonly producerId: number
  readonly producerEpoch: number
  readonly firstSequence: number
  readonly lastSequence: number
  readonly isTransactional: boolean
  readonly baseOffset: number
  readonly lastOffset: number
  readonly timestampMs: number
}

/** @returns undefined for a batch without a producer id. @param bytes a data batch with its base offset */
export function sequencedBatchOf(bytes: Uint8Array): SequencedBatch | undefined {
  const producerId = producerIdOf(bytes)
  if (producerId < 0) return undefined
  const baseOffset = baseOffsetOf(bytes)
  const lastOffsetDelta = lastOffsetDeltaOf(bytes)
  const firstSequence = baseSequenceOf(bytes)
  return {
    producerId,
    producerEpoch: producerEpochOf(bytes),
    firstSequence,
    lastSequence:
      firstSequence === NO_SEQUENCE ? NO_SEQUENCE : sequenceAfter(firstSequence, lastOffsetDelta),
    isTransactional: (attributesOf(bytes) & TRANSACTIONAL_BIT) !== 0,
    baseOffset,
    lastOffset: baseOffset + lastOffsetDelta,
    timestampMs: maxTimestampOf(bytes),
  }
}

/** A marker at its place in a log. */
export interface PlacedMarker extends TxnMarker {
  readonly offset: number
  readonly timestampMs: number
}

/** @returns undefined for a control batch that ends no transaction. @param bytes one with its base offset */
export function placedMarkerOf(bytes: Uint8Array): PlacedMarker | undefined {
  const header = readBatchHeader(bytes)
  if (header.producerId < 0) return undefined
  const marker = endMarkerIn(bytes, header)
  return (
    marker && {
      producerId: header.producerId,
      producerEpoch: header.producerEpoch,
      isCommit: marker.kind === 'commit',
      coordinatorEpoch: marker.coordinatorEpoch,
      offset: header.baseOffset,
      timestampMs: header.maxTimestamp,
    }
  )
}

function endMarkerIn(bytes: Uint8Array, header: BatchHeader): EndMarker | undefined {
  // If a transaction has no batch left, compaction may keep only the marker's header, for the producer's epoch.
  if (header.recordCount === 0) return { kind: 'commit', coordinatorEpoch: -1 }
  try {
    return readEndMarker(bytes, 0, header)
  } catch (error) {
    if (error instanceof KafkaError) return undefined // the CRC is right: another program's record, and no reason not to start
    throw error
  }
}

/** The facts of a batch of the log; both are undefined for a batch without a producer id. */
export interface Replayed {
  readonly sequenced: SequencedBatch | undefined
  readonly marker: PlacedMarker | undefined
}
