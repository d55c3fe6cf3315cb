// EndTxn: commits or aborts a transaction. The decision is durable and the markers are written when the answer goes out, so
// that the next transaction can begin at once.
// Versions: 0-5
// Behaviour: version 5 gives the producer a new epoch at the end of every transaction (KIP-890).

import { endTxn } from '../../protocol/api/26_end_txn.ts'
import { errorCode } from '../../protocol/errors.ts'
import { fencedError } from '../fenced.ts'
import type { Handler } from '../handler.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'

const FENCED_VERSION_MIN = 2
const BUMP_VERSION_MIN = 5

export function endTxnHandler({
  transactions,
}: {
  readonly transactions: TransactionCoordinator
}): Handler<typeof endTxn> {
  return {
    api: endTxn,
    async handle({ committed: isCommit, ...request }, context) {
      const { version } = context
      context.require('Write', 'TransactionalId', request.transactionalId)
      const bumpsEpoch = version >= BUMP_VERSION_MIN
      const answer = await transactions.end({ ...request, isCommit, bumpsEpoch })
      if (typeof answer !== 'string') return { errorCode: 0, ...answer }
      return { errorCode: errorCode(fencedError(version, FENCED_VERSION_MIN, answer)) }
    },
    refuse: (_request, code) => ({ errorCode: code }),
  }
}
