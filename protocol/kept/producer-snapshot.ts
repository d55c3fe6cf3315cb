// `<offset>.snapshot`: the state of a partition's producers. Apache Kafka's entries come first, our additions after them.
// Before both: int16 version, uint32 CRC-32C of all that follows. Kafka reads its entries and ignores the rest.
// Any thread. Format: docs/formats/producer-state.md

import { array, int16, int32, int64, message } from '../schema.ts'

export const PRODUCER_SNAPSHOT_VERSION = 1

/** lastSequence and lastOffset are -1 without a batch in the epoch, currentTxnFirstOffset without an open transaction. */
export const producerSnapshot = message({
  name: 'ProducerSnapshot',
  versions: '1',
  flexible: 'none',
  fields: {
    producerEntries: array({
      producerId: int64,
      epoch: int16,
      lastSequence: int32,
      lastOffset: int64,
      offsetDelta: int32,
      timestamp: int64,
      coordinatorEpoch: int32,
      currentTxnFirstOffset: int64,
    }),
  },
})

/** Our additions: the position where a start resumes, all of the last batches, and the time of each producer's last write. */
export const producerSnapshotRest = message({
  name: 'ProducerSnapshotRest',
  versions: '1',
  flexible: 'none',
  fields: {
    offset: int64,
    segmentBaseOffset: int64,
    position: int64,
    /** In the order of the entries. */
    producers: array({
      seenMs: int64,
      batches: array({
        firstSequence: int32,
        lastSequence: int32,
        baseOffset: int64,
        lastOffset: int64,
        timestampMs: int64,
      }),
    }),
  },
})
