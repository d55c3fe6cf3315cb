// AddOffsetsToTxn: adds the offsets of a group to the transaction of a producer, and begins it if none is open (KIP-98).
// Versions: 0-4

import { addOffsetsToTxn } from '../../protocol/api/25_add_offsets_to_txn.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import { fencedError } from '../fenced.ts'
import type { Handler } from '../handler.ts'
import { offsetsPartition } from '../txn/messages.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'

const FENCED_VERSION_MIN = 2

export function addOffsetsToTxnHandler({
  transactions,
}: {
  readonly transactions: TransactionCoordinator
}): Handler<typeof addOffsetsToTxn> {
  return {
    api: addOffsetsToTxn,
    async handle(request, context) {
      context.require('Write', 'TransactionalId', request.transactionalId)
      context.require('Read', 'Group', request.groupId)
      if (request.groupId === '') throw new KafkaError('INVALID_GROUP_ID', 'the group id is empty')
      const error = await transactions.add(request, [offsetsPartition])
      return { errorCode: errorCode(fencedError(context.version, FENCED_VERSION_MIN, error)) }
    },
    refuse: (_request, code) => ({ errorCode: code }),
  }
}
