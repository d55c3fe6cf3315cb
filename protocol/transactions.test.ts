// Transactions: byte vectors of every version, and our frames against those of kafkajs.

import { addPartitionsToTxn } from './api/24_add_partitions_to_txn.ts'
import { addOffsetsToTxn } from './api/25_add_offsets_to_txn.ts'
import { endTxn } from './api/26_end_txn.ts'
import { writeTxnMarkers } from './api/27_write_txn_markers.ts'
import { txnOffsetCommit } from './api/28_txn_offset_commit.ts'
import { describeProducers } from './api/61_describe_producers.ts'
import { describeTransactions } from './api/65_describe_transactions.ts'
import { listTransactions } from './api/66_list_transactions.ts'
import { compare } from './testing/kafkajs.ts'
import { vector } from './testing/vectors.ts'

const producer = { transactionalId: 't', producerId: 7, producerEpoch: 2 }

vector(
  addPartitionsToTxn.request,
  { ...producer, topics: [{ name: 'logs', partitions: [3, 4] }] },
  `
    -2    0001 't' 0000000000000007 0002
    3+    02 't' 0000000000000007 0002
    -2    00000001 0004 'logs' 00000002 00000003 00000004
    3+    02 05 'logs' 03 00000003 00000004 00 00
  `,
)

vector(
  addPartitionsToTxn.response,
  {
    throttleTimeMs: 1,
    topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, errorCode: 55 }] }],
  },
  `
    *     00000001
    -2    00000001 0004 'logs' 00000001 00000003 0037
    3+    02 05 'logs' 02 00000003 0037 00 00 00
  `,
)

vector(
  addOffsetsToTxn.request,
  { ...producer, groupId: 'g' },
  `
    -2    0001 't' 0000000000000007 0002 0001 'g'
    3+    02 't' 0000000000000007 0002 02 'g' 00
  `,
)

vector(
  addOffsetsToTxn.response,
  { throttleTimeMs: 1, errorCode: 49 },
  `
    *     00000001 0031
    3+    00
  `,
)

vector(
  endTxn.request,
  { ...producer, committed: true },
  `
    -2    0001 't' 0000000000000007 0002 01
    3+    02 't' 0000000000000007 0002 01 00
  `,
)

vector(
  endTxn.response,
  { throttleTimeMs: 1, errorCode: 0, producerId: 7, producerEpoch: 3 },
  `
    *     00000001 0000
    5+    0000000000000007 0003  -- what to go on with
    3+    00
  `,
)

vector(
  writeTxnMarkers.request,
  {
    markers: [
      {
        producerId: 7,
        producerEpoch: 2,
        transactionResult: true,
        topics: [{ name: 'logs', partitionIndexes: [3, 4] }],
        coordinatorEpoch: 5,
        transactionVersion: 2,
      },
    ],
  },
  `
    1+    02 0000000000000007 0002 01
    1+    02 05 'logs' 03 00000003 00000004 00
    1+    00000005               -- coordinatorEpoch
    2+    02                     -- transactionVersion
    1+    00 00                  -- tags of the marker, the request
  `,
)

vector(
  writeTxnMarkers.response,
  {
    markers: [
      {
        producerId: 7,
        topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, errorCode: 47 }] }],
      },
    ],
  },
  `
    1+    02 0000000000000007
    1+    02 05 'logs' 02 00000003 002f 00 00 00 00
  `,
)

vector(
  txnOffsetCommit.request,
  {
    transactionalId: 't',
    groupId: 'g',
    producerId: 7,
    producerEpoch: 2,
    generationIdOrMemberEpoch: 4,
    memberId: 'm',
    groupInstanceId: null,
    topics: [
      {
        name: 'logs',
        partitions: [
          {
            partitionIndex: 3,
            committedOffset: 5,
            committedLeaderEpoch: 6,
            committedMetadata: 'x',
          },
          { partitionIndex: 4, committedOffset: 7, committedMetadata: null },
        ],
      },
    ],
  },
  `
    -2    0001 't' 0001 'g'
    3+    02 't' 02 'g'
    *     0000000000000007 0002
    3+    00000004 02 'm' 00     -- generation, member, no instance
    -2    00000001 0004 'logs' 00000002
    3+    02 05 'logs' 03
    *     00000003 0000000000000005
    2+    00000006               -- committedLeaderEpoch
    -2    0001 'x'
    3+    02 'x' 00
    *     00000004 0000000000000007
    2+    ffffffff
    -2    ffff                   -- null metadata
    3+    00 00
    3+    00 00                  -- tags of the topic, the request
  `,
)

vector(
  txnOffsetCommit.response,
  {
    throttleTimeMs: 1,
    topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, errorCode: 22 }] }],
  },
  `
    *     00000001
    -2    00000001 0004 'logs' 00000001 00000003 0016
    3+    02 05 'logs' 02 00000003 0016 00 00 00
  `,
)

vector(
  describeProducers.request,
  { topics: [{ name: 'logs', partitionIndexes: [3] }] },
  `
    *     02 05 'logs' 02 00000003 00 00
  `,
)

vector(
  describeProducers.response,
  {
    throttleTimeMs: 1,
    topics: [
      {
        name: 'logs',
        partitions: [
          {
            partitionIndex: 3,
            errorCode: 0,
            activeProducers: [
              {
                producerId: 7,
                producerEpoch: 2,
                lastSequence: 9,
                lastTimestamp: 10,
                coordinatorEpoch: 5,
                currentTxnStartOffset: 6,
              },
            ],
          },
          { partitionIndex: 4, errorCode: 3, errorMessage: 'no', activeProducers: [] },
        ],
      },
    ],
  },
  `
    *     00000001 02 05 'logs' 03
    *     00000003 0000 00       -- a null message
    *     02 0000000000000007 00000002 00000009 000000000000000a 00000005 0000000000000006 00
    *     00                     -- tags of the partition
    *     00000004 0003 03 'no' 01 00
    *     00 00                  -- tags of the topic, the response
  `,
)

vector(
  describeTransactions.request,
  { transactionalIds: ['t', 'u'] },
  `
    *     03 02 't' 02 'u' 00
  `,
)

vector(
  describeTransactions.response,
  {
    throttleTimeMs: 1,
    transactionStates: [
      {
        errorCode: 0,
        transactionalId: 't',
        transactionState: 'Ongoing',
        transactionTimeoutMs: 5000,
        transactionStartTimeMs: 10,
        producerId: 7,
        producerEpoch: 2,
        topics: [{ topic: 'logs', partitions: [3, 4] }],
      },
    ],
  },
  `
    *     00000001 02 0000 02 't' 08 'Ongoing'
    *     00001388 000000000000000a 0000000000000007 0002
    *     02 05 'logs' 03 00000003 00000004 00
    *     00 00
  `,
)

vector(
  listTransactions.request,
  {
    stateFilters: ['Ongoing'],
    producerIdFilters: [7],
    durationFilter: 10,
    transactionalIdPattern: 't.*',
  },
  `
    *     02 08 'Ongoing' 02 0000000000000007
    1+    000000000000000a       -- durationFilter
    2+    04 't.*'
    *     00
  `,
)

vector(
  listTransactions.response,
  {
    throttleTimeMs: 1,
    errorCode: 0,
    unknownStateFilters: ['x'],
    transactionStates: [{ transactionalId: 't', producerId: 7, transactionState: 'Ongoing' }],
  },
  `
    *     00000001 0000 02 02 'x'
    *     02 02 't' 0000000000000007 08 'Ongoing' 00
    *     00
  `,
)

const kafkajsProducer = { transactionalId: 't', producerId: '7', producerEpoch: 2 }

compare(addPartitionsToTxn, 'addPartitionsToTxn', {
  request: { ...producer, topics: [{ name: 'logs', partitions: [3] }] },
  kafkajsRequest: { ...kafkajsProducer, topics: [{ topic: 'logs', partitions: [3] }] },
  response: { topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, errorCode: 55 }] }] },
  found: { errors: [{ topic: 'logs', partitionErrors: [{ partition: 3, errorCode: 55 }] }] },
})

compare(addOffsetsToTxn, 'addOffsetsToTxn', {
  request: { ...producer, groupId: 'g' },
  kafkajsRequest: { ...kafkajsProducer, groupId: 'g' },
  response: { throttleTimeMs: 9, errorCode: 49 },
  found: { errorCode: 49 },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(endTxn, 'endTxn', {
  request: { ...producer, committed: true },
  kafkajsRequest: { ...kafkajsProducer, transactionResult: true },
  response: { throttleTimeMs: 9, errorCode: 48 },
  found: { errorCode: 48 },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(txnOffsetCommit, 'txnOffsetCommit', {
  request: {
    ...producer,
    groupId: 'g',
    topics: [
      {
        name: 'logs',
        partitions: [{ partitionIndex: 3, committedOffset: 5, committedMetadata: 'x' }],
      },
    ],
  },
  kafkajsRequest: {
    ...kafkajsProducer,
    groupId: 'g',
    topics: [{ topic: 'logs', partitions: [{ partition: 3, offset: '5', metadata: 'x' }] }],
  },
  response: { topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, errorCode: 22 }] }] },
  found: { topics: [{ topic: 'logs', partitions: [{ partition: 3, errorCode: 22 }] }] },
})
