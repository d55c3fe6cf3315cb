// Byte vectors of the operators' APIs: log directories, elections, reassignments, the quorum, features, brokers, lists of
// resources, topics by page.

import { alterReplicaLogDirs } from './api/34_alter_replica_log_dirs.ts'
import { describeLogDirs } from './api/35_describe_log_dirs.ts'
import { electLeaders } from './api/43_elect_leaders.ts'
import { alterPartitionReassignments } from './api/45_alter_partition_reassignments.ts'
import { listPartitionReassignments } from './api/46_list_partition_reassignments.ts'
import { describeQuorum } from './api/55_describe_quorum.ts'
import { updateFeatures } from './api/57_update_features.ts'
import { unregisterBroker } from './api/64_unregister_broker.ts'
import { listConfigResources } from './api/74_list_config_resources.ts'
import { describeTopicPartitions } from './api/75_describe_topic_partitions.ts'
import { ID, vector } from './testing/vectors.ts'

vector(
  describeLogDirs.request,
  { topics: [{ topic: 'logs', partitions: [0, 3] }] },
  `
    -1    00000001 0004 'logs' 00000002 00000000 00000003
    2+    02 05 'logs' 03 00000000 00000003 00 00
  `,
)

vector(
  describeLogDirs.request,
  { topics: null },
  `
    -1    ffffffff               -- null: all topics
    2+    00 00
  `,
)

vector(
  describeLogDirs.response,
  {
    throttleTimeMs: 1,
    errorCode: 56,
    results: [
      {
        errorCode: 57,
        logDir: '/d',
        topics: [
          {
            name: 'logs',
            partitions: [
              { partitionIndex: 3, partitionSize: 258, offsetLag: 1, isFutureKey: true },
            ],
          },
        ],
        totalBytes: 1024,
        usableBytes: 512,
      },
    ],
  },
  `
    *     00000001
    3+    0038                   -- errorCode
    -1    00000001 0039 0002 '/d' 00000001 0004 'logs' 00000001
    2+    02 0039 03 '/d' 02 05 'logs' 02
    *     00000003 0000000000000102 0000000000000001 01 -- index, size, lag, isFutureKey
    2+    00 00                  -- tags of partition and topic
    4+    0000000000000400 0000000000000200 -- totalBytes, usableBytes
    2+    00 00
  `,
)

vector(
  electLeaders.request,
  {
    electionType: 1,
    topicPartitions: [{ topic: 'logs', partitions: [3] }],
    timeoutMs: 1000,
  },
  `
    1+    01                     -- electionType
    -1    00000001 0004 'logs' 00000001 00000003
    2+    02 05 'logs' 02 00000003 00
    *     000003e8
    2+    00
  `,
)

vector(
  electLeaders.request,
  { topicPartitions: null },
  `
    1+    00                     -- the preferred leader, unless told
    -1    ffffffff
    2+    00
    *     0000ea60
    2+    00
  `,
)

vector(
  electLeaders.response,
  {
    throttleTimeMs: 1,
    errorCode: 41,
    replicaElectionResults: [
      {
        topic: 'logs',
        partitionResult: [
          { partitionId: 3, errorCode: 84, errorMessage: 'no' },
          { partitionId: 4, errorCode: 0, errorMessage: null },
        ],
      },
    ],
  },
  `
    *     00000001
    1+    0029                   -- errorCode
    -1    00000001 0004 'logs' 00000002 00000003 0054 0002 'no' 00000004 0000 ffff
    2+    02 05 'logs' 03 00000003 0054 03 'no' 00 00000004 0000 00 00
    2+    00 00
  `,
)

vector(
  alterPartitionReassignments.request,
  {
    timeoutMs: 1000,
    allowReplicationFactorChange: false,
    topics: [
      {
        name: 'logs',
        partitions: [
          { partitionIndex: 3, replicas: [1, 2] },
          { partitionIndex: 4, replicas: null },
        ],
      },
    ],
  },
  `
    *     000003e8
    1+    00                     -- allowReplicationFactorChange
    *     02 05 'logs' 03
    *     00000003 03 00000001 00000002 00
    *     00000004 00 00         -- null: cancel
    *     00 00
  `,
)

vector(
  alterPartitionReassignments.response,
  {
    throttleTimeMs: 1,
    allowReplicationFactorChange: true,
    errorCode: 41,
    errorMessage: 'top',
    responses: [
      { name: 'logs', partitions: [{ partitionIndex: 3, errorCode: 85, errorMessage: 'no' }] },
    ],
  },
  `
    *     00000001
    1+    01                     -- allowReplicationFactorChange
    *     0029 04 'top'
    *     02 05 'logs' 02 00000003 0055 03 'no' 00 00 00
  `,
)

vector(
  listPartitionReassignments.request,
  { timeoutMs: 1000, topics: [{ name: 'logs', partitionIndexes: [3] }] },
  `
    *     000003e8 02 05 'logs' 02 00000003 00 00
  `,
)

vector(
  listPartitionReassignments.request,
  {},
  `
    *     0000ea60 00 00         -- null: all
  `,
)

vector(
  listPartitionReassignments.response,
  {
    throttleTimeMs: 1,
    errorCode: 41,
    errorMessage: 'top',
    topics: [
      {
        name: 'logs',
        partitions: [
          { partitionIndex: 3, replicas: [1, 2], addingReplicas: [2], removingReplicas: [1] },
        ],
      },
    ],
  },
  `
    *     00000001 0029 04 'top' 02 05 'logs' 02
    *     00000003 03 00000001 00000002 02 00000002 02 00000001
    *     00 00 00
  `,
)

vector(
  listConfigResources.request,
  { resourceTypes: [2, 32] },
  `
    1+    03 02 20               -- resourceTypes
    *     00
  `,
)

vector(
  listConfigResources.response,
  {
    throttleTimeMs: 1,
    errorCode: 35,
    configResources: [{ resourceName: 'logs', resourceType: 2 }],
  },
  `
    *     00000001 0023 02 05 'logs'
    1+    02                     -- resourceType
    *     00 00
  `,
)

vector(
  describeTopicPartitions.request,
  {
    topics: [{ name: 'logs' }],
    responsePartitionLimit: 7,
    cursor: { topicName: 'logs', partitionIndex: 3 },
  },
  `
    *     02 05 'logs' 00 00000007
    *     01 05 'logs' 00000003 00 -- a cursor is there
    *     00
  `,
)

vector(
  describeTopicPartitions.request,
  { topics: [] },
  `
    *     01 000007d0 ff 00      -- 2000 partitions unless told, no cursor
  `,
)

vector(
  describeTopicPartitions.response,
  {
    throttleTimeMs: 1,
    topics: [
      {
        errorCode: 0,
        name: 'logs',
        topicId: ID,
        isInternal: true,
        partitions: [
          {
            errorCode: 5,
            partitionIndex: 3,
            leaderId: 1,
            leaderEpoch: 9,
            replicaNodes: [1],
            isrNodes: [],
            eligibleLeaderReplicas: [],
            lastKnownElr: null,
            offlineReplicas: [2],
          },
        ],
        topicAuthorizedOperations: 3,
      },
      { errorCode: 3, name: null, partitions: [] },
    ],
    nextCursor: { topicName: 'm', partitionIndex: 0 },
  },
  `
    *     00000001 03
    *     0000 05 'logs' ID 01 02
    *     0005 00000003 00000001 00000009 02 00000001 01 -- error, index, leader, epoch, replicas, in sync
    *     01 00 02 00000002 00   -- eligible, last known (null), offline, tags
    *     00000003 00            -- authorized operations
    *     0003 00 00000000000000000000000000000000 00 01 80000000 00
    *     01 02 'm' 00000000 00
    *     00
  `,
)

vector(
  alterReplicaLogDirs.request,
  { dirs: [{ path: '/d', topics: [{ name: 'logs', partitions: [3] }] }] },
  `
    -1    00000001 0002 '/d' 00000001 0004 'logs' 00000001 00000003
    2+    02 03 '/d' 02 05 'logs' 02 00000003 00 00 00
  `,
)

vector(
  alterReplicaLogDirs.response,
  {
    throttleTimeMs: 1,
    results: [{ topicName: 'logs', partitions: [{ partitionIndex: 3, errorCode: 57 }] }],
  },
  `
    *     00000001
    -1    00000001 0004 'logs' 00000001 00000003 0039
    2+    02 05 'logs' 02 00000003 0039 00 00 00
  `,
)

vector(
  describeQuorum.request,
  { topics: [{ topicName: 'logs', partitions: [{ partitionIndex: 3 }] }] },
  `
    *     02 05 'logs' 02 00000003 00 00 00
  `,
)

vector(
  describeQuorum.response,
  {
    errorCode: 0,
    errorMessage: null,
    topics: [
      {
        topicName: 'logs',
        partitions: [
          {
            partitionIndex: 3,
            errorCode: 0,
            errorMessage: 'no',
            leaderId: 1,
            leaderEpoch: 9,
            highWatermark: 258,
            currentVoters: [
              {
                replicaId: 1,
                replicaDirectoryId: ID,
                logEndOffset: 259,
                lastFetchTimestamp: -1,
                lastCaughtUpTimestamp: 2,
              },
            ],
            observers: [],
          },
        ],
      },
    ],
    nodes: [{ nodeId: 1, listeners: [{ name: 'A', host: 'h', port: 65_535 }] }],
  },
  `
    *     0000
    2+    00                     -- errorMessage
    *     02 05 'logs' 02 00000003 0000
    2+    03 'no'                -- errorMessage
    *     00000001 00000009 0000000000000102
    *     02 00000001            -- voters
    2+    ID
    *     0000000000000103
    1+    ffffffffffffffff 0000000000000002 -- last fetch, last caught up
    *     00 01 00 00            -- tags, observers
    2+    02 00000001 02 02 'A' 02 'h' ffff 00 00
    *     00
  `,
)

vector(
  updateFeatures.request,
  {
    timeoutMs: 1000,
    featureUpdates: [{ feature: 'f', maxVersionLevel: 2, allowDowngrade: true, upgradeType: 3 }],
    validateOnly: true,
  },
  `
    *     000003e8 02 02 'f' 0002
    0     01                     -- allowDowngrade
    1+    03                     -- upgradeType
    *     00
    1+    01                     -- validateOnly
    *     00
  `,
)

vector(
  updateFeatures.response,
  {
    throttleTimeMs: 1,
    errorCode: 95,
    errorMessage: 'no',
    results: [{ feature: 'f', errorCode: 95, errorMessage: null }],
  },
  `
    *     00000001 005f 03 'no'
    -1    02 02 'f' 005f 00 00
    *     00
  `,
)

vector(unregisterBroker.request, { brokerId: 258 }, `*     00000102 00`)

vector(
  unregisterBroker.response,
  { throttleTimeMs: 1, errorCode: 102, errorMessage: 'no' },
  `
    *     00000001 0066 03 'no' 00
  `,
)
