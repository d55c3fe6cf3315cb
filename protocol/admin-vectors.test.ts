// Byte vectors of the administration APIs, and of nulls that have a meaning of their own.

import t from './testing/tap.ts'
import { metadata } from './api/03_metadata.ts'
import { createTopics } from './api/19_create_topics.ts'
import { deleteTopics } from './api/20_delete_topics.ts'
import { deleteRecords } from './api/21_delete_records.ts'
import { describeConfigs } from './api/32_describe_configs.ts'
import { alterConfigs } from './api/33_alter_configs.ts'
import { createPartitions } from './api/37_create_partitions.ts'
import { incrementalAlterConfigs } from './api/44_incremental_alter_configs.ts'
import { describeCluster } from './api/60_describe_cluster.ts'
import { encodedHex, ID, vector } from './testing/vectors.ts'

vector(
  createTopics.request,
  {
    topics: [
      {
        name: 'logs',
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [{ partitionIndex: 0, brokerIds: [1] }],
        configs: [
          { name: 'k', value: 'v' },
          { name: 'n', value: null },
        ],
      },
    ],
    timeoutMs: 30_000,
    validateOnly: true,
  },
  `
    -4    00000001 0004 'logs'
    5+    02 05 'logs'
    *     ffffffff ffff          -- numPartitions, replicationFactor
    -4    00000001 00000000 00000001 00000001 -- assignments
    5+    02 00000000 02 00000001 00
    -4    00000002 0001 'k' 0001 'v' 0001 'n' ffff -- configs
    5+    03 02 'k' 02 'v' 00 02 'n' 00 00
    5+    00                     -- tags of the topic
    *     00007530 01            -- timeoutMs, validateOnly
    5+    00
  `,
)

vector(
  createTopics.response,
  {
    throttleTimeMs: 1,
    topics: [
      {
        name: 'logs',
        topicId: ID,
        errorCode: 36,
        errorMessage: 'is there',
        topicConfigErrorCode: 29,
        numPartitions: 3,
        replicationFactor: 1,
        configs: [{ name: 'k', value: 'v', readOnly: true, configSource: 5, isSensitive: false }],
      },
      { name: 'b', errorCode: 0, configs: null },
    ],
  },
  `
    *     00000001
    -4    00000002
    5+    03
    -4    0004 'logs'
    5+    05 'logs'
    7+    ID
    *     0024
    -4    0008 'is' 20 'there'   -- errorMessage
    5+    09 'is' 20 'there'
    5+    00000003 0001          -- numPartitions, replicationFactor
    5+    02 02 'k' 02 'v' 01 05 00 00 -- configs: name, value, readOnly, configSource, isSensitive, tags
    5+    01 00 02 001d          -- tag 0: topicConfigErrorCode
    -4    0001 'b'
    5+    02 'b'
    7+    00000000000000000000000000000000
    *     0000
    -4    ffff                   -- null errorMessage
    5+    00
    5+    ffffffff ffff 00 00    -- counts unknown, null configs, tags
    5+    00
  `,
)

vector(
  deleteTopics.request,
  {
    topics: [{ name: 'logs' }, { name: null, topicId: ID }],
    topicNames: ['logs', 'b'],
    timeoutMs: 1000,
  },
  `
    -3    00000002 0004 'logs' 0001 'b' -- topicNames
    4-5   03 05 'logs' 02 'b'
    6+    03                     -- topics
    6+    05 'logs' 00000000000000000000000000000000 00
    6+    00 ID 00               -- null name, topicId, tags
    *     000003e8
    4+    00
  `,
)

vector(
  deleteTopics.response,
  {
    throttleTimeMs: 1,
    responses: [{ name: 'logs', topicId: ID, errorCode: 73, errorMessage: 'off' }],
  },
  `
    *     00000001
    -3    00000001 0004 'logs'
    4+    02 05 'logs'
    6+    ID
    *     0049
    5+    04 'off'               -- errorMessage
    4+    00 00
  `,
)

vector(
  deleteRecords.request,
  { topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, offset: -1 }] }], timeoutMs: 1000 },
  `
    -1    00000001 0004 'logs' 00000001
    2+    02 05 'logs' 02
    *     00000003 ffffffffffffffff
    2+    00 00
    *     000003e8
    2+    00
  `,
)

vector(
  deleteRecords.response,
  {
    throttleTimeMs: 1,
    topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, lowWatermark: 7, errorCode: 1 }] }],
  },
  `
    *     00000001
    -1    00000001 0004 'logs' 00000001
    2+    02 05 'logs' 02
    *     00000003 0000000000000007 0001
    2+    00 00 00
  `,
)

vector(
  describeConfigs.request,
  {
    resources: [
      { resourceType: 2, resourceName: 'logs', configurationKeys: ['k'] },
      { resourceType: 4, resourceName: '1', configurationKeys: null },
    ],
    includeSynonyms: true,
    includeDocumentation: true,
  },
  `
    -3    00000002 02 0004 'logs' 00000001 0001 'k'
    4+    03 02 05 'logs' 02 02 'k' 00
    -3    04 0001 '1' ffffffff   -- null: all keys
    4+    04 02 '1' 00 00
    *     01
    3+    01                     -- includeDocumentation
    4+    00
  `,
)

vector(
  describeConfigs.response,
  {
    throttleTimeMs: 1,
    results: [
      {
        errorCode: 0,
        errorMessage: null,
        resourceType: 2,
        resourceName: 'logs',
        configs: [
          {
            name: 'k',
            value: 'v',
            readOnly: true,
            configSource: 1,
            isSensitive: true,
            synonyms: [{ name: 's', value: null, source: 5 }],
            configType: 3,
            documentation: 'd',
          },
        ],
      },
    ],
  },
  `
    *     00000001
    -3    00000001
    4+    02
    *     0000
    -3    ffff                   -- null errorMessage
    4+    00
    *     02
    -3    0004 'logs' 00000001 0001 'k' 0001 'v'
    4+    05 'logs' 02 02 'k' 02 'v'
    *     01 01 01               -- readOnly, configSource, isSensitive
    -3    00000001 0001 's' ffff 05 -- synonyms
    4+    02 02 's' 00 05 00
    3+    03                     -- configType
    3     0001 'd'               -- documentation
    4+    02 'd'
    4+    00 00 00               -- tags of the config, the result, the response
  `,
)

vector(
  alterConfigs.request,
  {
    resources: [
      {
        resourceType: 2,
        resourceName: 'logs',
        configs: [
          { name: 'k', value: 'v' },
          { name: 'n', value: null },
        ],
      },
    ],
    validateOnly: true,
  },
  `
    -1    00000001 02 0004 'logs' 00000002 0001 'k' 0001 'v' 0001 'n' ffff
    2+    02 02 05 'logs' 03 02 'k' 02 'v' 00 02 'n' 00 00 -- a null value; tags of each config
    2+    00                     -- tags of the resource
    *     01
    2+    00
  `,
)

vector(
  alterConfigs.response,
  {
    throttleTimeMs: 1,
    responses: [
      { errorCode: 40, errorMessage: 'no', resourceType: 2, resourceName: 'logs' },
      { errorCode: 0, errorMessage: null, resourceType: 4, resourceName: '' },
    ],
  },
  `
    *     00000001
    -1    00000002 0028 0002 'no' 02 0004 'logs'
    2+    03 0028 03 'no' 02 05 'logs' 00
    -1    0000 ffff 04 0000
    2+    0000 00 04 01 00       -- no message, all brokers, tags
    2+    00
  `,
)

vector(
  createPartitions.request,
  {
    topics: [
      { name: 'logs', count: 6, assignments: [{ brokerIds: [1] }] },
      { name: 'b', count: 2, assignments: null },
    ],
    timeoutMs: 1000,
    validateOnly: true,
  },
  `
    -1    00000002 0004 'logs' 00000006 00000001 00000001 00000001
    2+    03 05 'logs' 00000006 02 02 00000001 00 00
    -1    0001 'b' 00000002 ffffffff
    2+    02 'b' 00000002 00 00
    *     000003e8 01
    2+    00
  `,
)

vector(
  createPartitions.response,
  { throttleTimeMs: 1, results: [{ name: 'logs', errorCode: 37, errorMessage: 'no' }] },
  `
    *     00000001
    -1    00000001 0004 'logs' 0025 0002 'no'
    2+    02 05 'logs' 0025 03 'no' 00 00
  `,
)

vector(
  incrementalAlterConfigs.request,
  {
    resources: [
      {
        resourceType: 4,
        resourceName: '',
        configs: [
          { name: 'k', configOperation: 2, value: 'v' },
          { name: 'n', configOperation: 1, value: null },
        ],
      },
    ],
    validateOnly: true,
  },
  `
    -0    00000001 04 0000 00000002 0001 'k' 02 0001 'v' 0001 'n' 01 ffff
    1+    02 04 01 03 02 'k' 02 02 'v' 00 02 'n' 01 00 00 -- operation between name and value
    1+    00                     -- tags of the resource
    *     01
    1+    00
  `,
)

vector(
  incrementalAlterConfigs.response,
  {
    throttleTimeMs: 1,
    responses: [{ errorCode: 42, errorMessage: 'no', resourceType: 4, resourceName: '1' }],
  },
  `
    *     00000001
    -0    00000001 002a 0002 'no' 04 0001 '1'
    1+    02 002a 03 'no' 04 02 '1' 00 00
  `,
)

vector(
  describeCluster.request,
  { includeClusterAuthorizedOperations: true, endpointType: 2, includeFencedBrokers: true },
  `
    *     01
    1+    02                     -- endpointType
    2+    01                     -- includeFencedBrokers
    *     00
  `,
)

vector(
  describeCluster.response,
  {
    throttleTimeMs: 1,
    errorCode: 114,
    errorMessage: 'no',
    endpointType: 2,
    clusterId: 'cl',
    controllerId: 1,
    brokers: [{ brokerId: 1, host: 'h', port: 9092, rack: null, isFenced: true }],
  },
  `
    *     00000001 0072 03 'no'
    1+    02                     -- endpointType
    *     03 'cl' 00000001       -- clusterId, controllerId
    *     02 00000001 02 'h' 00002384 00 -- one broker, null rack
    2+    01                     -- isFenced
    *     00
    *     80000000               -- authorized operations: nobody asked
    *     00
  `,
)

t.test('null topics of a Metadata request are all topics, from version 1 on', async (t) => {
  t.equal(encodedHex(metadata.request, 1, { topics: null }), 'ffffffff')
  t.equal(encodedHex(metadata.request, 4, { topics: null }), 'ffffffff' + '01')
  t.equal(encodedHex(metadata.request, 9, { topics: null }), '00' + '01' + '00' + '00' + '00')
  t.equal(encodedHex(metadata.request, 12, { topics: [] }), '01' + '01' + '00' + '00')
  t.throws(() => encodedHex(metadata.request, 0, { topics: null }), { code: 'UNSUPPORTED_VERSION' })
})

t.test('a Metadata answer names no topic that only has an id, from version 12 on', async (t) => {
  const response = {
    brokers: [],
    topics: [{ errorCode: 100, name: null, topicId: ID, partitions: [] }],
  }
  const id = '000102030405060708090a0b0c0d0e0f'
  const unasked = '80000000'
  t.equal(
    encodedHex(metadata.response, 12, response),
    // throttle, no brokers, null cluster, no controller; one topic: error, null name, id, not internal, no partitions
    '00000000' +
      '01' +
      '00' +
      'ffffffff' +
      '02' +
      '0064' +
      '00' +
      id +
      '00' +
      '01' +
      unasked +
      '00' +
      '00',
  )
  t.throws(() => encodedHex(metadata.response, 11, response), { code: 'UNSUPPORTED_VERSION' })
})
