// Byte vectors of produce, fetch, offsets and the negotiation: every version of every message.

import { produce } from './api/00_produce.ts'
import { fetch } from './api/01_fetch.ts'
import { listOffsets } from './api/02_list_offsets.ts'
import { metadata } from './api/03_metadata.ts'
import { apiVersions } from './api/18_api_versions.ts'
import { initProducerId } from './api/22_init_producer_id.ts'
import { offsetForLeaderEpoch } from './api/23_offset_for_leader_epoch.ts'
import { ID, vector } from './testing/vectors.ts'

vector(
  produce.request,
  {
    transactionalId: 'tx',
    acks: -1,
    timeoutMs: 1500,
    topics: [
      {
        name: 'logs',
        topicId: ID,
        partitions: [
          { index: 3, records: Buffer.from('batch') },
          { index: 4, records: null },
        ],
      },
    ],
  },
  `
    -8    0002 'tx'              -- transactionalId
    9+    03 'tx'
    *     ffff 000005dc          -- acks, timeoutMs
    -8    00000001               -- one topic
    9+    02
    -8    0004 'logs'
    9-12  05 'logs'
    13+   ID
    -8    00000002               -- two partitions
    9+    03
    *     00000003
    -8    00000005 'batch'       -- records
    9+    06 'batch'
    9+    00                     -- tags of the partition
    *     00000004
    -8    ffffffff               -- null records
    9+    00
    9+    00                     -- tags of the partition
    9+    00                     -- tags of the topic
    9+    00                     -- tags of the request
  `,
)

vector(
  produce.response,
  {
    topics: [
      {
        name: 'logs',
        topicId: ID,
        partitions: [
          {
            index: 3,
            errorCode: 6,
            baseOffset: 0x1_0000_0002,
            logAppendTimeMs: -1,
            logStartOffset: 7,
            recordErrors: [{ batchIndex: 9, message: 'bad' }, { batchIndex: 10 }],
            errorMessage: 'no',
            currentLeader: { leaderId: 1, leaderEpoch: 2 },
          },
        ],
      },
    ],
    throttleTimeMs: 100,
    nodeEndpoints: [{ nodeId: 1, host: 'h', port: 9092, rack: null }],
  },
  `
    -8    00000001
    9+    02
    -8    0004 'logs'
    9-12  05 'logs'
    13+   ID
    -8    00000001
    9+    02
    *     00000003 0006 0000000100000002 ffffffffffffffff -- index, errorCode, baseOffset, logAppendTimeMs
    5+    0000000000000007       -- logStartOffset
    8     00000002               -- two recordErrors
    9+    03
    8+    00000009
    8     0003 'bad'
    9+    04 'bad'
    9+    00                     -- tags of the first error
    8+    0000000a
    8     ffff
    9+    00
    9+    00                     -- tags of the second error
    8     0002 'no'              -- errorMessage
    9+    03 'no'
    9     00                     -- tags of the partition: none yet
    10+   01 00 09 00000001 00000002 00 -- one: tag 0 of 9 bytes, currentLeader with its own tags
    9+    00                     -- tags of the topic
    *     00000064               -- throttleTimeMs
    9     00                     -- tags of the response
    10+   01 00 0d 02 00000001 02 'h' 00002384 00 00 -- tag 0 of 13 bytes: one endpoint, null rack, its tags
  `,
)

vector(
  fetch.request,
  {
    clusterId: 'c',
    replicaId: -1,
    replicaState: { replicaId: 2, replicaEpoch: 3 },
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 0x7fffffff,
    isolationLevel: 1,
    sessionId: 11,
    sessionEpoch: 12,
    topics: [
      {
        topic: 'logs',
        topicId: ID,
        partitions: [
          {
            partition: 3,
            currentLeaderEpoch: 4,
            fetchOffset: 5,
            lastFetchedEpoch: 6,
            logStartOffset: 7,
            partitionMaxBytes: 1_048_576,
            replicaDirectoryId: ID,
          },
        ],
      },
    ],
    forgottenTopicsData: [{ topic: 'old', topicId: ID, partitions: [1, 2] }],
    rackId: 'r',
  },
  `
    -14   ffffffff               -- replicaId
    *     000001f4 00000001 7fffffff 01 -- maxWaitMs, minBytes, maxBytes, isolationLevel
    7+    0000000b 0000000c      -- session
    -11   00000001
    12+   02
    -11   0004 'logs'
    12    05 'logs'
    13+   ID
    -11   00000001
    12+   02
    *     00000003
    9+    00000004               -- currentLeaderEpoch
    *     0000000000000005       -- fetchOffset
    12+   00000006               -- lastFetchedEpoch
    5+    0000000000000007       -- logStartOffset
    *     00100000               -- partitionMaxBytes
    12-16 00                     -- tags of the partition
    17+   01 00 10 ID            -- tag 0: replicaDirectoryId
    12+   00                     -- tags of the topic
    7-11  00000001               -- forgottenTopicsData
    12+   02
    7-11  0003 'old'
    12    04 'old'
    13+   ID
    7-11  00000002
    12+   03
    7+    00000001 00000002
    12+   00                     -- tags of the forgotten topic
    11    0001 'r'               -- rackId
    12+   02 'r'
    12-14 01 00 02 02 'c'        -- tag 0: clusterId
    15+   02 00 02 02 'c'
    15+   01 0d 00000002 0000000000000003 00 -- tag 1: replicaState
  `,
)

vector(
  fetch.response,
  {
    throttleTimeMs: 1,
    errorCode: 70,
    sessionId: 11,
    responses: [
      {
        topic: 'logs',
        topicId: ID,
        partitions: [
          {
            partitionIndex: 3,
            errorCode: 6,
            highWatermark: 100,
            lastStableOffset: 99,
            logStartOffset: 7,
            divergingEpoch: { epoch: 1, endOffset: 2 },
            currentLeader: { leaderId: 3, leaderEpoch: 4 },
            snapshotId: { endOffset: 5, epoch: 6 },
            abortedTransactions: [{ producerId: 8, firstOffset: 9 }],
            preferredReadReplica: -1,
            records: Buffer.from('batch'),
          },
          {
            partitionIndex: 4,
            errorCode: 0,
            highWatermark: 0,
            abortedTransactions: null,
            records: Buffer.alloc(0),
          },
        ],
      },
    ],
    nodeEndpoints: [{ nodeId: 3, host: 'h', port: 9092, rack: 'r' }],
  },
  `
    *     00000001               -- throttleTimeMs
    7+    0046 0000000b          -- errorCode, sessionId
    -11   00000001
    12+   02
    -11   0004 'logs'
    12    05 'logs'
    13+   ID
    -11   00000002
    12+   03
    *     00000003 0006 0000000000000064 0000000000000063 -- index, error, highWatermark, lastStableOffset
    5+    0000000000000007       -- logStartOffset
    -11   00000001               -- abortedTransactions
    12+   02
    *     0000000000000008 0000000000000009
    12+   00                     -- tags of the transaction
    11+   ffffffff               -- preferredReadReplica
    -11   00000005 'batch'
    12+   06 'batch'
    12+   03                     -- three tagged fields
    12+   00 0d 00000001 0000000000000002 00 -- divergingEpoch
    12+   01 09 00000003 00000004 00 -- currentLeader
    12+   02 0d 0000000000000005 00000006 00 -- snapshotId
    *     00000004 0000 0000000000000000 ffffffffffffffff
    5+    ffffffffffffffff
    -11   ffffffff               -- null abortedTransactions: read uncommitted
    12+   00
    11+   ffffffff
    -11   00000000               -- records of length 0, not null
    12+   01
    12+   00                     -- tags of the second partition
    12+   00                     -- tags of the topic
    12-15 00                     -- tags of the response
    16+   01 00 0e 02 00000003 02 'h' 00002384 02 'r' 00 -- tag 0: nodeEndpoints
  `,
)

vector(
  listOffsets.request,
  {
    replicaId: -1,
    isolationLevel: 1,
    topics: [
      { name: 'logs', partitions: [{ partitionIndex: 3, currentLeaderEpoch: 4, timestamp: -2 }] },
    ],
    timeoutMs: 10,
  },
  `
    *     ffffffff               -- replicaId
    2+    01                     -- isolationLevel
    -5    00000001 0004 'logs' 00000001
    6+    02 05 'logs' 02
    *     00000003
    4+    00000004               -- currentLeaderEpoch
    *     fffffffffffffffe       -- timestamp: earliest
    6+    00 00                  -- tags of the partition, the topic
    10+   0000000a               -- timeoutMs
    6+    00
  `,
)

vector(
  listOffsets.response,
  {
    throttleTimeMs: 1,
    topics: [
      {
        name: 'logs',
        partitions: [
          {
            partitionIndex: 3,
            errorCode: 0,
            timestamp: 1_700_000_000_000,
            offset: 5,
            leaderEpoch: 4,
          },
        ],
      },
    ],
  },
  `
    2+    00000001               -- throttleTimeMs
    -5    00000001 0004 'logs' 00000001
    6+    02 05 'logs' 02
    *     00000003 0000 0000018bcfe56800 0000000000000005
    4+    00000004               -- leaderEpoch
    6+    00 00 00               -- tags of the partition, the topic, the response
  `,
)

vector(
  metadata.request,
  {
    topics: [{ topicId: ID, name: 'logs' }],
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: true,
    includeTopicAuthorizedOperations: true,
  },
  `
    -8    00000001
    9+    02
    10+   ID
    -8    0004 'logs'
    9+    05 'logs'
    9+    00                     -- tags of the topic
    4+    00                     -- allowAutoTopicCreation
    8-10  01                     -- includeClusterAuthorizedOperations
    8+    01                     -- includeTopicAuthorizedOperations
    9+    00
  `,
)

vector(
  metadata.response,
  {
    throttleTimeMs: 1,
    brokers: [{ nodeId: 1, host: 'h', port: 9092, rack: 'r' }],
    clusterId: 'cl',
    controllerId: 1,
    topics: [
      {
        errorCode: 5,
        name: 'logs',
        topicId: ID,
        isInternal: true,
        partitions: [
          {
            errorCode: 0,
            partitionIndex: 3,
            leaderId: 1,
            leaderEpoch: 4,
            replicaNodes: [1],
            isrNodes: [1, 2],
            offlineReplicas: [2],
          },
        ],
        topicAuthorizedOperations: 8,
      },
    ],
    clusterAuthorizedOperations: 16,
    errorCode: 129,
  },
  `
    3+    00000001               -- throttleTimeMs
    -8    00000001 00000001 0001 'h' 00002384 -- one broker
    9+    02 00000001 02 'h' 00002384
    1-8   0001 'r'               -- rack
    9+    02 'r'
    9+    00                     -- tags of the broker
    2-8   0002 'cl'              -- clusterId
    9+    03 'cl'
    1+    00000001               -- controllerId
    -8    00000001
    9+    02
    *     0005                   -- errorCode of the topic
    -8    0004 'logs'
    9+    05 'logs'
    10+   ID
    1+    01                     -- isInternal
    -8    00000001
    9+    02
    *     0000 00000003 00000001 -- errorCode, partitionIndex, leaderId
    7+    00000004               -- leaderEpoch
    -8    00000001 00000001      -- replicaNodes
    9+    02 00000001
    -8    00000002 00000001 00000002 -- isrNodes
    9+    03 00000001 00000002
    5-8   00000001 00000002      -- offlineReplicas
    9+    02 00000002
    9+    00                     -- tags of the partition
    8+    00000008               -- topicAuthorizedOperations
    9+    00                     -- tags of the topic
    8-10  00000010               -- clusterAuthorizedOperations
    13+   0081                   -- errorCode
    9+    00
  `,
)

vector(
  apiVersions.request,
  { clientSoftwareName: 'kc', clientSoftwareVersion: '1' },
  `
    3+    03 'kc' 02 '1' 00
  `,
)

vector(
  apiVersions.response,
  {
    errorCode: 35,
    apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }],
    throttleTimeMs: 256,
    supportedFeatures: [{ name: 'f', minVersion: 1, maxVersion: 2 }],
    finalizedFeaturesEpoch: 5,
    finalizedFeatures: [{ name: 'f', maxVersionLevel: 2, minVersionLevel: 1 }],
    zkMigrationReady: true,
  },
  `
    *     0023                   -- errorCode
    -2    00000001
    3+    02
    *     0012 0000 0004         -- key, minimum, maximum
    3+    00                     -- tags of the key
    1+    00000100               -- throttleTimeMs
    3+    04                     -- four tagged fields
    3+    00 08 02 02 'f' 0001 0002 00 -- supportedFeatures
    3+    01 08 0000000000000005 -- finalizedFeaturesEpoch
    3+    02 08 02 02 'f' 0002 0001 00 -- finalizedFeatures
    3+    03 01 01               -- zkMigrationReady
  `,
)

vector(
  initProducerId.request,
  { transactionalId: null, transactionTimeoutMs: 60_000, producerId: 7, producerEpoch: 8 },
  `
    -1    ffff                   -- null transactionalId
    2+    00
    *     0000ea60               -- transactionTimeoutMs
    3+    0000000000000007 0008  -- producerId, producerEpoch
    2+    00
  `,
)

vector(
  initProducerId.response,
  { throttleTimeMs: 1, errorCode: 51, producerId: 7, producerEpoch: 8 },
  `
    *     00000001 0033 0000000000000007 0008
    2+    00
  `,
)

vector(
  offsetForLeaderEpoch.request,
  {
    replicaId: -1,
    topics: [
      { topic: 'logs', partitions: [{ partition: 3, currentLeaderEpoch: 4, leaderEpoch: 2 }] },
    ],
  },
  `
    3+    ffffffff               -- replicaId
    -3    00000001 0004 'logs' 00000001
    4+    02 05 'logs' 02
    *     00000003 00000004 00000002
    4+    00 00 00               -- tags of the partition, the topic, the request
  `,
)

vector(
  offsetForLeaderEpoch.response,
  {
    throttleTimeMs: 1,
    topics: [
      {
        topic: 'logs',
        partitions: [{ errorCode: 74, partition: 3, leaderEpoch: 2, endOffset: 55 }],
      },
    ],
  },
  `
    *     00000001
    -3    00000001 0004 'logs' 00000001
    4+    02 05 'logs' 02
    *     004a 00000003 00000002 0000000000000037
    4+    00 00 00
  `,
)
