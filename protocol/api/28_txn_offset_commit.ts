// TxnOffsetCommit: v2 leader epoch (KIP-320); v3 flexible, the member of the group (KIP-447); v4 may answer
// TRANSACTION_ABORTABLE; v5 adds the group to the transaction, without AddOffsetsToTxn (KIP-890).

import {
  api,
  array,
  int16,
  int32,
  int64,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const txnOffsetCommit = api({
  key: 28,
  name: 'TxnOffsetCommit',
  versions: '0-5',
  flexible: '3+',
  request: {
    transactionalId: string,
    groupId: string,
    producerId: int64,
    producerEpoch: int16,
    generationIdOrMemberEpoch: int32.in('3+').default(-1),
    memberId: string.in('3+').default(''),
    groupInstanceId: string.orNull().in('3+').default(null),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.in('2+').default(-1),
        committedMetadata: string.orNull().default(null),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    topics: array({
      name: string,
      partitions: array({ partitionIndex: int32, errorCode: int16 }),
    }),
  },
})
export type TxnOffsetCommitRequest = RequestOf<typeof txnOffsetCommit>
export type TxnOffsetCommitResponse = ResponseInput<typeof txnOffsetCommit>
