// Control batches: the marker that a transaction's coordinator writes into each of the transaction's partitions. One record,
// never compressed. Any thread. Format: docs/formats/record-batch.md

import { KafkaError } from '../errors.ts'
import { BatchBuilder } from './build.ts'
import type { BatchHeader } from './header.ts'
import { recordsOf } from './record.ts'

/** The two kinds that end a transaction, of those that Kafka has (0 to 6). */
const markerIds = { abort: 0, commit: 1 } as const
export type MarkerKind = keyof typeof markerIds

export interface EndMarker {
  readonly kind: MarkerKind
  readonly coordinatorEpoch: number
}

export interface NewEndMarker extends EndMarker {
  readonly producerId: number
  readonly producerEpoch: number
  /** ms since the epoch. */
  readonly timestamp: number
}

/** @returns a whole batch */
export function buildEndMarker(marker: NewEndMarker): Uint8Array {
  const key = Buffer.alloc(4) // version 0, kind
  key.writeInt16BE(markerIds[marker.kind], 2)
  const value = Buffer.alloc(6) // version 0, coordinator epoch
  value.writeInt32BE(marker.coordinatorEpoch, 2)
  const builder = new BatchBuilder({ bytesExpected: 96 })
  builder.append({ timestamp: marker.timestamp, key, value })
  const { producerId, producerEpoch } = marker
  return builder.finish({ producerId, producerEpoch, isTransactional: true, isControl: true })
}

/**
 * @param header of the control batch at `at`
 * @returns undefined for a control batch that ends no transaction, for example one without its record after compaction
 * @throws {KafkaError} CORRUPT_MESSAGE
 */
export function readEndMarker(
  bytes: Uint8Array,
  at: number,
  header: BatchHeader,
): EndMarker | undefined {
  if (header.recordCount === 0) return undefined
  const [record] = recordsOf(bytes, at, header, { decompressedBytesMax: 0 })
  const key = record?.key
  if (!key || key.length < 4)
    throw new KafkaError('CORRUPT_MESSAGE', 'a control batch without a key')
  const id = key.readInt16BE(2)
  if (id !== markerIds.abort && id !== markerIds.commit) return undefined
  const value = record.value
  if (!value || value.length < 6)
    throw new KafkaError('CORRUPT_MESSAGE', 'an end marker without a coordinator epoch')
  return {
    kind: id === markerIds.commit ? 'commit' : 'abort',
    coordinatorEpoch: value.readInt32BE(2),
  }
}
