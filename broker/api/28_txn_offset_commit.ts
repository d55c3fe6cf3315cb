// TxnOffsetCommit: offsets of a group that count once the transaction commits. They are durable when the answer goes out.
// Versions: 0-5
// Behaviour: up to version 4 AddOffsetsToTxn adds the group to the transaction, from version 5 on this request does (KIP-890). A
// member that names itself is checked (KIP-447). An error of a partition is answered for that partition.

import { txnOffsetCommit } from '../../protocol/api/28_txn_offset_commit.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import { fencedError } from '../fenced.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { Handler } from '../handler.ts'
import { commitsOf, refuseCommits, type OffsetCommitsDeps } from '../offset-commits.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'

const FENCED_VERSION_MIN = 3
const ABORTABLE_VERSION_MIN = 4
const IMPLICIT_VERSION_MIN = 5

interface TxnOffsetCommitDeps extends OffsetCommitsDeps {
  readonly coordinator: GroupCoordinator
  readonly transactions: TransactionCoordinator
}

export function txnOffsetCommitHandler(deps: TxnOffsetCommitDeps): Handler<typeof txnOffsetCommit> {
  return {
    api: txnOffsetCommit,
    async handle(request, context) {
      const { version } = context
      const { groupId, topics } = request
      context.require('Write', 'TransactionalId', request.transactionalId)
      context.require('Read', 'Group', groupId)
      const commits = await commitsOf(deps, topics, null, context)
      const isImplicit = version >= IMPLICIT_VERSION_MIN
      const error = await deps.transactions.commitOffsets(request, isImplicit, () =>
        deps.coordinator.commitPending(request, {
          groupId,
          memberId: request.memberId,
          groupInstanceId: request.groupInstanceId,
          generationId: request.generationIdOrMemberEpoch,
          offsets: commits.offsets,
          unknownGroupError: 'ILLEGAL_GENERATION',
        }),
      )
      return commits.answer(errorIn(version, error))
    },
    refuse: ({ topics }, code) => refuseCommits(topics, code),
  }
}

function errorIn(version: number, error: ErrorName | undefined): ErrorName | undefined {
  return error === 'INVALID_TXN_STATE' && version >= ABORTABLE_VERSION_MIN
    ? 'TRANSACTION_ABORTABLE'
    : fencedError(version, FENCED_VERSION_MIN, error)
}
