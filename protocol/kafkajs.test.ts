// Our frames against kafkajs, which encodes and decodes by hand: an implementation that shares nothing with the tables.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import t from 'tap'
import { produce } from './api/00_produce.ts'
import { fetch } from './api/01_fetch.ts'
import { listOffsets } from './api/02_list_offsets.ts'
import { metadata } from './api/03_metadata.ts'
import { apiVersions } from './api/18_api_versions.ts'
import { createTopics } from './api/19_create_topics.ts'
import { deleteTopics } from './api/20_delete_topics.ts'
import { deleteRecords } from './api/21_delete_records.ts'
import { initProducerId } from './api/22_init_producer_id.ts'
import { describeConfigs } from './api/32_describe_configs.ts'
import { createPartitions } from './api/37_create_partitions.ts'
import { decode } from './compile.ts'
import {
  encodeRequestFrame,
  encodeResponseFrame,
  readRequestHeader,
  skipHeaderTags,
} from './frame.ts'
import { includes, type Api, type RequestInput, type ResponseInput } from './schema.ts'
import { Reader } from './wire.ts'

const require = createRequire(import.meta.url)
const kafkajsFrame = require('kafkajs/src/protocol/request')

interface Case<A extends Api<any, any>> {
  /** Left out where kafkajs adds what the test cannot know: the header of a record batch. */
  readonly request?: RequestInput<A>
  /** The same in kafkajs' words. */
  readonly kafkajsRequest: object
  readonly response: ResponseInput<A>
  /** What kafkajs must find in every version, and in its last one. */
  readonly found: object
  readonly foundInLast?: object
}

function compare<A extends Api<any, any>>(api: A, folder: string, one: Case<A>): void {
  const kafkajs = require(`kafkajs/src/protocol/requests/${folder}`)
  const versions = (kafkajs.versions as string[])
    .map(Number)
    .filter((version) => includes(api.versions, version))
  const last = versions.at(-1)
  t.test(`${api.name} ${versions[0]} to ${last} is what kafkajs writes and reads`, async (t) => {
    t.ok(versions.length > 0)
    for (const version of versions) {
      const { request, response } = kafkajs.protocol({ version })(one.kafkajsRequest)
      const frame = await kafkajsFrame({ correlationId: 77, clientId: 'me', request })
      const theirs: Buffer = frame.buffer
      t.equal(
        hex(encodeRequestFrame(api, version, 77, 'me', one.request ?? decoded(theirs))),
        hex([theirs]),
      )
      t.equal(hex(encodeRequestFrame(api, version, 77, 'me', decoded(theirs))), hex([theirs]))

      const answer = Buffer.concat(encodeResponseFrame(api, version, 77, one.response))
      t.same([answer.readInt32BE(0), answer.readInt32BE(4)], [answer.length - 4, 77])
      const found = await response.decode(answer.subarray(8))
      t.match(found, one.found, `response ${version}`)
      if (version === last) t.match(found, one.foundInLast ?? {}, `response ${version}`)
    }
  })

  function decoded(frame: Buffer): RequestInput<A> {
    const reader = new Reader(frame.subarray(4))
    const { apiVersion } = readRequestHeader(reader)
    skipHeaderTags(reader, api, apiVersion)
    const request = decode(api.request, apiVersion, reader)
    assert.equal(reader.remaining, 0)
    return request as RequestInput<A>
  }
}

function hex(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString('hex')
}

compare(produce, 'produce', {
  kafkajsRequest: {
    acks: -1,
    timeout: 1500,
    transactionalId: null,
    topicData: [
      {
        topic: 'logs',
        partitions: [{ partition: 3, messages: [{ key: 'k', value: 'v', timestamp: 1 }] }],
      },
    ],
  },
  response: {
    topics: [
      {
        name: 'logs',
        partitions: [
          { index: 3, errorCode: 0, baseOffset: 5, logAppendTimeMs: 6, logStartOffset: 7 },
        ],
      },
    ],
    throttleTimeMs: 9,
  },
  found: {
    topics: [
      {
        topicName: 'logs',
        partitions: [{ partition: 3, errorCode: 0, baseOffset: '5', logAppendTime: '6' }],
      },
    ],
  },
  foundInLast: { topics: [{ partitions: [{ logStartOffset: '7' }] }], clientSideThrottleTime: 9 },
})

compare(fetch, 'fetch', {
  request: {
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 1000,
    isolationLevel: 1,
    topics: [
      { topic: 'logs', partitions: [{ partition: 3, fetchOffset: 5, partitionMaxBytes: 100 }] },
    ],
  },
  kafkajsRequest: {
    maxWaitTime: 500,
    minBytes: 1,
    maxBytes: 1000,
    isolationLevel: 1,
    topics: [{ topic: 'logs', partitions: [{ partition: 3, fetchOffset: '5', maxBytes: 100 }] }],
  },
  response: {
    throttleTimeMs: 0,
    errorCode: 70,
    sessionId: 8,
    responses: [
      {
        topic: 'logs',
        partitions: [
          {
            partitionIndex: 3,
            errorCode: 1,
            highWatermark: 9,
            lastStableOffset: 8,
            logStartOffset: 7,
            abortedTransactions: [{ producerId: 1, firstOffset: 2 }],
            preferredReadReplica: 4,
            records: Buffer.alloc(0),
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
  },
  found: {
    responses: [
      {
        topicName: 'logs',
        partitions: [
          {
            partition: 3,
            errorCode: 1,
            highWatermark: '9',
            lastStableOffset: '8',
            abortedTransactions: [{ producerId: '1', firstOffset: '2' }],
            messages: [],
          },
          { partition: 4, errorCode: 0, abortedTransactions: [], messages: [] },
        ],
      },
    ],
  },
  foundInLast: {
    errorCode: 70,
    sessionId: 8,
    responses: [
      { partitions: [{ lastStartOffset: '7', preferredReadReplica: 4 }, { partition: 4 }] },
    ],
  },
})

compare(listOffsets, 'listOffsets', {
  request: {
    isolationLevel: 1,
    topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, timestamp: -1 }] }],
  },
  kafkajsRequest: {
    isolationLevel: 1,
    topics: [{ topic: 'logs', partitions: [{ partition: 3, timestamp: -1 }] }],
  },
  response: {
    throttleTimeMs: 9,
    topics: [
      { name: 'logs', partitions: [{ partitionIndex: 3, errorCode: 0, timestamp: -1, offset: 5 }] },
    ],
  },
  found: {
    responses: [
      { topic: 'logs', partitions: [{ partition: 3, errorCode: 0, timestamp: '-1', offset: '5' }] },
    ],
  },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(metadata, 'metadata', {
  request: { topics: [{ name: 'logs' }, { name: 'b' }], allowAutoTopicCreation: true },
  kafkajsRequest: { topics: ['logs', 'b'], allowAutoTopicCreation: true },
  response: {
    throttleTimeMs: 9,
    brokers: [{ nodeId: 1, host: 'h', port: 9092, rack: 'r' }],
    clusterId: 'cl',
    controllerId: 1,
    topics: [
      {
        errorCode: 0,
        name: 'logs',
        isInternal: true,
        partitions: [
          {
            errorCode: 0,
            partitionIndex: 3,
            leaderId: 1,
            replicaNodes: [1],
            isrNodes: [1],
            offlineReplicas: [2],
          },
        ],
      },
    ],
  },
  found: {
    brokers: [{ nodeId: 1, host: 'h', port: 9092 }],
    topicMetadata: [
      {
        topicErrorCode: 0,
        topic: 'logs',
        partitionMetadata: [
          { partitionErrorCode: 0, partitionId: 3, leader: 1, replicas: [1], isr: [1] },
        ],
      },
    ],
  },
  foundInLast: {
    brokers: [{ rack: 'r' }],
    clusterId: 'cl',
    controllerId: 1,
    clientSideThrottleTime: 9,
    topicMetadata: [{ isInternal: true, partitionMetadata: [{ offlineReplicas: [2] }] }],
  },
})

compare(apiVersions, 'apiVersions', {
  request: {},
  kafkajsRequest: {},
  response: {
    errorCode: 0,
    apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }],
    throttleTimeMs: 9,
  },
  found: { errorCode: 0, apiVersions: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }] },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(createTopics, 'createTopics', {
  request: {
    topics: [
      {
        name: 'logs',
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [{ partitionIndex: 0, brokerIds: [1, 2] }],
        configs: [{ name: 'k', value: 'v' }],
      },
    ],
    timeoutMs: 1000,
    validateOnly: true,
  },
  kafkajsRequest: {
    topics: [
      {
        topic: 'logs',
        numPartitions: -1,
        replicationFactor: -1,
        replicaAssignment: [{ partition: 0, replicas: [1, 2] }],
        configEntries: [{ name: 'k', value: 'v' }],
      },
    ],
    timeout: 1000,
    validateOnly: true,
  },
  response: {
    throttleTimeMs: 9,
    topics: [{ name: 'logs', errorCode: 36, errorMessage: 'is there' }],
  },
  found: { topicErrors: [{ topic: 'logs', errorCode: 36, errorMessage: 'is there' }] },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(deleteTopics, 'deleteTopics', {
  request: { topicNames: ['logs', 'b'], timeoutMs: 1000 },
  kafkajsRequest: { topics: ['logs', 'b'], timeout: 1000 },
  response: { throttleTimeMs: 9, responses: [{ name: 'logs', errorCode: 3 }] },
  found: { topicErrors: [{ topic: 'logs', errorCode: 3 }], clientSideThrottleTime: 9 },
})

compare(deleteRecords, 'deleteRecords', {
  request: {
    topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, offset: 5 }] }],
    timeoutMs: 1000,
  },
  kafkajsRequest: {
    topics: [{ topic: 'logs', partitions: [{ partition: 3, offset: '5' }] }],
    timeout: 1000,
  },
  response: {
    throttleTimeMs: 9,
    topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, lowWatermark: 5, errorCode: 0 }] }],
  },
  found: {
    topics: [{ topic: 'logs', partitions: [{ partition: 3, lowWatermark: 5n, errorCode: 0 }] }],
  },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(initProducerId, 'initProducerId', {
  request: { transactionalId: 'tx', transactionTimeoutMs: 5000 },
  kafkajsRequest: { transactionalId: 'tx', transactionTimeout: 5000 },
  response: { throttleTimeMs: 9, errorCode: 0, producerId: 7, producerEpoch: 8 },
  found: { errorCode: 0, producerId: '7', producerEpoch: 8 },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(describeConfigs, 'describeConfigs', {
  request: {
    resources: [{ resourceType: 2, resourceName: 'logs', configurationKeys: ['k'] }],
    includeSynonyms: true,
  },
  kafkajsRequest: {
    resources: [{ type: 2, name: 'logs', configNames: ['k'] }],
    includeSynonyms: true,
  },
  response: {
    throttleTimeMs: 9,
    results: [
      {
        errorCode: 0,
        resourceType: 2,
        resourceName: 'logs',
        configs: [
          {
            name: 'k',
            value: 'v',
            readOnly: true,
            configSource: 1,
            isSensitive: true,
            synonyms: [{ name: 's', value: 'w', source: 5 }],
          },
        ],
      },
    ],
  },
  found: {
    resources: [
      {
        errorCode: 0,
        errorMessage: null,
        resourceType: 2,
        resourceName: 'logs',
        configEntries: [
          {
            configName: 'k',
            configValue: 'v',
            readOnly: true,
            configSource: 1,
            isSensitive: true,
            configSynonyms: [{ configName: 's', configValue: 'w', configSource: 5 }],
          },
        ],
      },
    ],
  },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(createPartitions, 'createPartitions', {
  request: {
    topics: [
      { name: 'logs', count: 6, assignments: [{ brokerIds: [1] }] },
      { name: 'b', count: 2, assignments: null },
    ],
    timeoutMs: 1000,
    validateOnly: true,
  },
  kafkajsRequest: {
    topicPartitions: [
      { topic: 'logs', count: 6, assignments: [[1]] },
      { topic: 'b', count: 2 },
    ],
    timeout: 1000,
    validateOnly: true,
  },
  response: { throttleTimeMs: 9, results: [{ name: 'logs', errorCode: 37, errorMessage: 'no' }] },
  found: { topicErrors: [{ topic: 'logs', errorCode: 37, errorMessage: 'no' }] },
  foundInLast: { clientSideThrottleTime: 9 },
})
