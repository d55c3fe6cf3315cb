// Our frames against those of kafkajs, for every API and version that it has.

import { produce } from './api/00_produce.ts'
import { fetch } from './api/01_fetch.ts'
import { listOffsets } from './api/02_list_offsets.ts'
import { metadata } from './api/03_metadata.ts'
import { offsetCommit } from './api/08_offset_commit.ts'
import { offsetFetch } from './api/09_offset_fetch.ts'
import { findCoordinator } from './api/10_find_coordinator.ts'
import { joinGroup } from './api/11_join_group.ts'
import { heartbeat } from './api/12_heartbeat.ts'
import { leaveGroup } from './api/13_leave_group.ts'
import { syncGroup } from './api/14_sync_group.ts'
import { describeGroups } from './api/15_describe_groups.ts'
import { listGroups } from './api/16_list_groups.ts'
import { apiVersions } from './api/18_api_versions.ts'
import { createTopics } from './api/19_create_topics.ts'
import { deleteTopics } from './api/20_delete_topics.ts'
import { deleteRecords } from './api/21_delete_records.ts'
import { initProducerId } from './api/22_init_producer_id.ts'
import { describeConfigs } from './api/32_describe_configs.ts'
import { createPartitions } from './api/37_create_partitions.ts'
import { deleteGroups } from './api/42_delete_groups.ts'
import { compare } from './testing/kafkajs.ts'

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

compare(offsetCommit, 'offsetCommit', {
  request: {
    groupId: 'g',
    generationIdOrMemberEpoch: 4,
    memberId: 'm',
    retentionTimeMs: 9,
    topics: [
      {
        name: 'logs',
        partitions: [{ partitionIndex: 3, committedOffset: 5, committedMetadata: 'x' }],
      },
    ],
  },
  kafkajsRequest: {
    groupId: 'g',
    groupGenerationId: 4,
    memberId: 'm',
    retentionTime: 9,
    topics: [{ topic: 'logs', partitions: [{ partition: 3, offset: '5', metadata: 'x' }] }],
  },
  response: {
    throttleTimeMs: 9,
    topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, errorCode: 22 }] }],
  },
  found: { responses: [{ topic: 'logs', partitions: [{ partition: 3, errorCode: 22 }] }] },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(offsetFetch, 'offsetFetch', {
  request: { groupId: 'g', topics: [{ name: 'logs', partitionIndexes: [3] }] },
  kafkajsRequest: { groupId: 'g', topics: [{ topic: 'logs', partitions: [{ partition: 3 }] }] },
  response: {
    throttleTimeMs: 9,
    topics: [
      {
        name: 'logs',
        partitions: [{ partitionIndex: 3, committedOffset: 5, metadata: 'x', errorCode: 0 }],
      },
    ],
    errorCode: 16,
  },
  found: {
    responses: [
      { topic: 'logs', partitions: [{ partition: 3, offset: '5', metadata: 'x', errorCode: 0 }] },
    ],
  },
  foundInLast: { errorCode: 16, clientSideThrottleTime: 9 },
})

compare(findCoordinator, 'findCoordinator', {
  request: { key: 'g', keyType: 0 },
  kafkajsRequest: { groupId: 'g' },
  response: {
    throttleTimeMs: 9,
    errorCode: 0,
    errorMessage: 'no',
    nodeId: 1,
    host: 'h',
    port: 9092,
  },
  found: { errorCode: 0, coordinator: { nodeId: 1, host: 'h', port: 9092 } },
  foundInLast: { errorMessage: 'no', clientSideThrottleTime: 9 },
})

compare(joinGroup, 'joinGroup', {
  request: {
    groupId: 'g',
    sessionTimeoutMs: 10,
    rebalanceTimeoutMs: 20,
    memberId: 'm',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.of(0xab) }],
  },
  kafkajsRequest: {
    groupId: 'g',
    sessionTimeout: 10,
    rebalanceTimeout: 20,
    memberId: 'm',
    protocolType: 'consumer',
    groupProtocols: [{ name: 'range', metadata: Buffer.of(0xab) }],
  },
  response: {
    throttleTimeMs: 9,
    errorCode: 0,
    generationId: 4,
    protocolName: 'range',
    leader: 'm',
    memberId: 'n',
    members: [{ memberId: 'm', groupInstanceId: 'i', metadata: Buffer.of(0xab) }],
  },
  found: {
    errorCode: 0,
    generationId: 4,
    groupProtocol: 'range',
    leaderId: 'm',
    memberId: 'n',
    members: [{ memberId: 'm', memberMetadata: Buffer.of(0xab) }],
  },
  foundInLast: { members: [{ groupInstanceId: 'i' }], clientSideThrottleTime: 9 },
})

compare(heartbeat, 'heartbeat', {
  request: { groupId: 'g', generationId: 4, memberId: 'm', groupInstanceId: 'i' },
  kafkajsRequest: { groupId: 'g', groupGenerationId: 4, memberId: 'm', groupInstanceId: 'i' },
  response: { throttleTimeMs: 9, errorCode: 27 },
  found: { errorCode: 27 },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(leaveGroup, 'leaveGroup', {
  request: { groupId: 'g', memberId: 'm', members: [{ memberId: 'm', groupInstanceId: 'i' }] },
  kafkajsRequest: { groupId: 'g', memberId: 'm', groupInstanceId: 'i' },
  response: {
    throttleTimeMs: 9,
    errorCode: 0,
    members: [{ memberId: 'm', groupInstanceId: 'i', errorCode: 25 }],
  },
  found: { errorCode: 0 },
  foundInLast: {
    members: [{ memberId: 'm', groupInstanceId: 'i', errorCode: 25 }],
    clientSideThrottleTime: 9,
  },
})

compare(syncGroup, 'syncGroup', {
  request: {
    groupId: 'g',
    generationId: 4,
    memberId: 'm',
    assignments: [{ memberId: 'm', assignment: Buffer.of(0xcd) }],
  },
  kafkajsRequest: {
    groupId: 'g',
    generationId: 4,
    memberId: 'm',
    groupAssignment: [{ memberId: 'm', memberAssignment: Buffer.of(0xcd) }],
  },
  response: { throttleTimeMs: 9, errorCode: 0, assignment: Buffer.of(0xcd) },
  found: { errorCode: 0, memberAssignment: Buffer.of(0xcd) },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(describeGroups, 'describeGroups', {
  request: { groups: ['g'] },
  kafkajsRequest: { groupIds: ['g'] },
  response: {
    throttleTimeMs: 9,
    groups: [
      {
        errorCode: 0,
        groupId: 'g',
        groupState: 'Stable',
        protocolType: 'consumer',
        protocolData: 'range',
        members: [
          {
            memberId: 'm',
            clientId: 'c',
            clientHost: '/h',
            memberMetadata: Buffer.of(0xab),
            memberAssignment: Buffer.of(0xcd),
          },
        ],
      },
    ],
  },
  found: {
    groups: [
      {
        errorCode: 0,
        groupId: 'g',
        state: 'Stable',
        protocolType: 'consumer',
        protocol: 'range',
        members: [
          { memberId: 'm', clientId: 'c', clientHost: '/h', memberAssignment: Buffer.of(0xcd) },
        ],
      },
    ],
  },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(listGroups, 'listGroups', {
  request: {},
  kafkajsRequest: {},
  response: {
    throttleTimeMs: 9,
    errorCode: 0,
    groups: [{ groupId: 'g', protocolType: 'consumer' }],
  },
  found: { errorCode: 0, groups: [{ groupId: 'g', protocolType: 'consumer' }] },
  foundInLast: { clientSideThrottleTime: 9 },
})

compare(deleteGroups, 'deleteGroups', {
  request: { groupsNames: ['g', 'h'] },
  kafkajsRequest: ['g', 'h'],
  response: { throttleTimeMs: 9, results: [{ groupId: 'g', errorCode: 68 }] },
  found: { results: [{ groupId: 'g', errorCode: 68 }], throttleTimeMs: 9 },
})
