// The states of a transactional id and the changes between them, asserted wherever one record replaces another: a
// wrong change would end a transaction twice or never, so the process dies instead. Source: KIP-98, KIP-890.

import { strict as assert } from 'node:assert'
import type { TransactionRecord, TransactionState } from './messages.ts'

/** An abort of nothing (KIP-890) only bumps the epoch: it leads from a state without a transaction to CompleteAbort. */
const nextStates: Record<TransactionState, readonly TransactionState[]> = {
  Empty: ['Empty', 'Ongoing', 'CompleteAbort'],
  Ongoing: ['Ongoing', 'PrepareCommit', 'PrepareAbort'],
  PrepareCommit: ['PrepareCommit', 'CompleteCommit'],
  PrepareAbort: ['PrepareAbort', 'CompleteAbort'],
  CompleteCommit: ['Empty', 'Ongoing', 'CompleteAbort'],
  CompleteAbort: ['Empty', 'Ongoing', 'CompleteAbort'],
}

export function assertFollows(
  transactionalId: string,
  record: TransactionRecord,
  next: TransactionRecord,
): void {
  const { state, producerId, producerEpoch, partitions } = record
  if (!nextStates[state].includes(next.state))
    fail(transactionalId, `from ${state} to ${next.state}`)
  if (next.producerId === producerId && next.producerEpoch < producerEpoch)
    fail(transactionalId, `epoch ${next.producerEpoch} after ${producerEpoch}`)
  const isPrepared = state === 'PrepareCommit' || state === 'PrepareAbort'
  if (isPrepared && next.partitions.length > partitions.length)
    fail(transactionalId, 'partitions were added to a transaction that is ending')
}

function fail(transactionalId: string, what: string): never {
  assert.fail(`transactional id ${transactionalId}: ${what}`)
}
