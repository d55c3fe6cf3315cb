// The change from one record of a transactional id to the next: which request is allowed in which state, and the
// epoch that results. Pure. Source: KIP-98, KIP-360, KIP-588, KIP-890.

import type { ErrorName } from '../../protocol/errors.ts'
import type {
  EndRequest,
  InitRequest,
  ProducerIdentity,
  TopicPartitions,
  TransactionRecord,
} from './messages.ts'

/** The last epoch for a producer; one more is left for fencing it. */
const EPOCH_MAX = 0x7fff - 1

const NOTHING_OPEN = { partitions: [], startMs: null, nextProducerId: null } as const

/** A transactional id before its first producer has an epoch. */
export function newRecord(producerId: number, nowMs: number): TransactionRecord {
  return {
    producerId,
    producerEpoch: -1,
    previous: null,
    timeoutMs: 0,
    state: 'Empty',
    updateMs: nowMs,
    ...NOTHING_OPEN,
  }
}

export function isExhausted({ producerEpoch }: ProducerIdentity): boolean {
  return producerEpoch >= EPOCH_MAX
}

export function isSame(one: ProducerIdentity | null, other: ProducerIdentity | null): boolean {
  return one?.producerId === other?.producerId && one?.producerEpoch === other?.producerEpoch
}

/** A transaction whose end is decided, but not yet known everywhere. */
export function isEnding({ state }: TransactionRecord): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort'
}

/** The answer to an earlier such request was lost: it is repeated, and nothing changes (KIP-360). */
export function isInitRepeated(record: TransactionRecord, { current }: InitRequest): boolean {
  return record.state !== 'Ongoing' && current !== null && isSame(record.previous, current)
}

/** A producer whose transactional id has expired may still carry the id and epoch that it had. KIP-360 */
export function refusalOfInit(
  record: TransactionRecord,
  { current }: InitRequest,
): ErrorName | undefined {
  const isUnknown = record.producerEpoch === -1
  return current === null || isUnknown || isSame(record, current) ? undefined : 'PRODUCER_FENCED'
}

/** @param nextProducerId for an epoch that is exhausted */
export function initialised(
  record: TransactionRecord,
  { timeoutMs, current }: InitRequest,
  nextProducerId: number | null,
  nowMs: number,
): TransactionRecord {
  return {
    ...bumped(record, nextProducerId),
    previous: current,
    timeoutMs,
    state: 'Empty',
    updateMs: nowMs,
    ...NOTHING_OPEN,
  }
}

/** @returns undefined for the producer that has the transactional id now */
export function refusalOfProducer(
  record: TransactionRecord,
  { producerId, producerEpoch }: ProducerIdentity,
): ErrorName | undefined {
  if (producerId !== record.producerId) return 'INVALID_PRODUCER_ID_MAPPING'
  return producerEpoch === record.producerEpoch ? undefined : 'PRODUCER_FENCED'
}

/** For an administrator who knows only that the open transaction's epoch has passed (KIP-1228). */
export function refusalOfOlder(
  record: TransactionRecord,
  { producerEpoch }: ProducerIdentity,
): ErrorName | undefined {
  return record.producerEpoch < producerEpoch ? undefined : 'INVALID_PRODUCER_EPOCH'
}

/** Begins a transaction unless one is open. @returns the same record when all partitions belong to it already */
export function added(
  record: TransactionRecord,
  partitions: readonly TopicPartitions[],
  nowMs: number,
): TransactionRecord {
  const isOpen = record.state === 'Ongoing'
  const merged = merge(record.partitions, partitions)
  if (isOpen && merged === record.partitions) return record
  return {
    ...record,
    state: 'Ongoing',
    previous: null,
    partitions: merged,
    startMs: isOpen ? record.startMs : nowMs,
    updateMs: nowMs,
  }
}

function merge(
  known: readonly TopicPartitions[],
  more: readonly TopicPartitions[],
): readonly TopicPartitions[] {
  const byTopic = new Map(known.map(({ topic, partitions }) => [topic, new Set(partitions)]))
  let isChanged = false
  for (const { topic, partitions } of more) {
    const ofTopic = byTopic.get(topic) ?? new Set()
    byTopic.set(topic, ofTopic)
    for (const partition of partitions) {
      isChanged ||= !ofTopic.has(partition)
      ofTopic.add(partition)
    }
  }
  if (!isChanged) return known
  return Array.from(byTopic, ([topic, partitions]) => ({ topic, partitions: [...partitions] }))
}

/** The outcome of an EndTxn: an end, a repeated answer, or a refusal (KIP-890). */
export function decideEnd(
  record: TransactionRecord,
  request: EndRequest,
): 'end' | 'repeat' | ErrorName {
  if (request.bumpsEpoch && isSame(record.previous, request))
    return decideRepeatedEnd(record, request)
  const refusal = refusalOfProducer(record, request)
  if (refusal !== undefined) return refusal
  const { isCommit, bumpsEpoch } = request
  switch (record.state) {
    case 'Ongoing':
      return 'end'
    case 'PrepareCommit':
    case 'PrepareAbort':
      return bumpsEpoch || isCommit === (record.state === 'PrepareCommit')
        ? 'CONCURRENT_TRANSACTIONS'
        : 'INVALID_TXN_STATE'
    case 'Empty':
      return bumpsEpoch && !isCommit ? 'end' : 'INVALID_TXN_STATE'
    case 'CompleteCommit':
    case 'CompleteAbort':
      if (bumpsEpoch) return isCommit ? 'INVALID_TXN_STATE' : 'end'
      return isCommit === (record.state === 'CompleteCommit') ? 'repeat' : 'INVALID_TXN_STATE'
  }
}

/** The producer retries an end whose answer was lost: it still carries the epoch before the bump. KIP-890 */
function decideRepeatedEnd(
  { state }: TransactionRecord,
  { isCommit }: EndRequest,
): 'repeat' | ErrorName {
  switch (state) {
    case 'CompleteCommit':
    case 'CompleteAbort':
      return isCommit === (state === 'CompleteCommit') ? 'repeat' : 'INVALID_TXN_STATE'
    case 'PrepareCommit':
    case 'PrepareAbort':
      return isCommit === (state === 'PrepareCommit')
        ? 'CONCURRENT_TRANSACTIONS'
        : 'INVALID_TXN_STATE'
    case 'Empty':
    case 'Ongoing':
      return 'PRODUCER_FENCED'
  }
}

/**
 * Decides the end. Markers carry the epoch of this record.
 *
 * @param epoch 'kept': as it is. 'bumped': the producer goes on with the next one, and may ask for it with this one.
 *   'fenced': no producer gets the next one, so that requests with this one are refused from now on
 * @param nextProducerId the id to go on with if 'bumped' finds no epoch left
 */
export function prepared(
  record: TransactionRecord,
  isCommit: boolean,
  epoch: 'kept' | 'bumped' | 'fenced',
  nextProducerId: number | null,
  nowMs: number,
): TransactionRecord {
  const { producerId, producerEpoch } = record
  return {
    ...record,
    state: isCommit ? 'PrepareCommit' : 'PrepareAbort',
    producerEpoch: epoch === 'kept' ? producerEpoch : producerEpoch + 1,
    previous: epoch === 'bumped' ? { producerId, producerEpoch } : null,
    nextProducerId,
    updateMs: nowMs,
  }
}

/** All markers are written. */
export function completed(record: TransactionRecord, nowMs: number): TransactionRecord {
  const { nextProducerId } = record
  return {
    ...record,
    ...(nextProducerId === null ? undefined : { producerId: nextProducerId, producerEpoch: 0 }),
    state: record.state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort',
    updateMs: nowMs,
    ...NOTHING_OPEN,
  }
}

function bumped(record: TransactionRecord, nextProducerId: number | null): TransactionRecord {
  if (nextProducerId !== null) return { ...record, producerId: nextProducerId, producerEpoch: 0 }
  return { ...record, producerEpoch: record.producerEpoch + 1 }
}
