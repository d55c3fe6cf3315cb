// A request to every API, in its oldest and newest version or in every one, about existing and missing things: for tests that walk
// all handlers, and to compare a broker with Apache Kafka. Tests only.

import { apis } from '../../protocol/apis.ts'
import type { Api } from '../../protocol/schema.ts'
import { batchOf } from './world.ts'

/** The names that exist in the tested broker. */
export const existing = { topic: 'logs', group: 'readers', transactionalId: 'tx' } as const
export const absent = { topic: 'absent', group: 'nobody', transactionalId: 'no-tx' } as const
/** The id of no topic. */
export const absentId = Buffer.alloc(16, 5).toString('base64url')

export interface Question {
  readonly api: Api
  readonly version: number
  /** Differs from those of other requests to the API. */
  readonly what: string
  readonly request: any
}

/** @param version of the request. @param id of the existing topic */
type Ask = (version: number, id: string) => Record<string, unknown>

const topics = [existing.topic, absent.topic]
const groups = [existing.group, absent.group]
const ids = [existing.transactionalId, absent.transactionalId]
const producer = { producerId: 0, producerEpoch: 0 }
const member = { memberId: 'm', generationId: 1 }
const TOPIC = 2
const BROKER = 4

/** A list of both topics, by name, or by id in versions with ids only. */
function both<Partition>(
  field: string,
  version: number,
  idsMin: number,
  id: string,
  more: Partition,
) {
  if (version < idsMin) return topics.map((name) => ({ [field]: name, ...more }))
  return [id, absentId].map((topicId) => ({ topicId, ...more }))
}

function named<More>(field: string, more: More) {
  return topics.map((name) => ({ [field]: name, ...more }))
}

function produced(isTransactional: boolean): Ask {
  return (version, id) => {
    const sender = { producerId: 0, producerEpoch: 0, baseSequence: 0, isTransactional }
    const records = batchOf(['x'], isTransactional ? sender : {})
    return {
      transactionalId: isTransactional ? existing.transactionalId : null,
      acks: -1,
      timeoutMs: 1000,
      topics: both('name', version, 13, id, { partitions: [{ index: 0, records }] }),
    }
  }
}

const commits = named('name', { partitions: [{ partitionIndex: 0, committedOffset: 0 }] })
const acl = {
  resourceType: TOPIC,
  resourceName: 'logs',
  principal: 'User:a',
  host: '*',
  operation: 3,
  permissionType: 3,
}
/** Of every ACL. */
export const aclFilter = {
  resourceTypeFilter: 1,
  resourceNameFilter: null,
  patternTypeFilter: 1,
  principalFilter: null,
  hostFilter: null,
  operation: 1,
  permissionType: 1,
}
const resources = [
  { resourceType: TOPIC, resourceName: existing.topic },
  { resourceType: TOPIC, resourceName: absent.topic },
  { resourceType: BROKER, resourceName: '1' },
  { resourceType: BROKER, resourceName: '' },
]

/** By API name: the requests, and their versions if the caller has no choice of them. */
const asks: Record<string, Record<string, Ask | readonly [versions: readonly number[], Ask]>> = {
  Produce: { records: produced(false), 'records in a transaction': produced(true) },
  Fetch: {
    'both topics': (version, id) => ({
      maxWaitMs: 0,
      minBytes: 1,
      topics: both('topic', version, 13, id, {
        partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }],
      }),
    }),
  },
  ListOffsets: {
    'both topics': () => ({
      replicaId: -1,
      topics: named('name', { partitions: [{ partitionIndex: 0, timestamp: -1 }] }),
    }),
  },
  Metadata: {
    'all topics': (version) => ({ topics: version === 0 ? [] : null, ...operations }),
    'both topics': () => ({
      topics: named('name', {}),
      allowAutoTopicCreation: false,
      ...operations,
    }),
    'both topics, to be created': () => ({
      topics: named('name', {}),
      allowAutoTopicCreation: true,
    }),
    'no topic, with operations on the cluster': [[8, 10], () => ({ topics: [], ...operations })],
    'both ids': [
      [12, 13],
      (_, id) => ({ topics: [id, absentId].map((topicId) => ({ topicId, name: null })) }),
    ],
  },
  OffsetCommit: {
    'both topics': () => ({
      groupId: existing.group,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: commits,
    }),
  },
  OffsetFetch: {
    'both topics': (version) => {
      const asked = named('name', { partitionIndexes: [0] })
      if (version < 8) return { groupId: existing.group, topics: asked }
      return { groups: groups.map((groupId) => ({ groupId, topics: asked })) }
    },
    'all topics': [
      [2, 7, 9],
      (version) =>
        version < 8
          ? { groupId: existing.group, topics: null }
          : { groups: groups.map((groupId) => ({ groupId, topics: null })) },
    ],
  },
  FindCoordinator: {
    'of a group': (version) =>
      version < 4 ? { key: existing.group } : { coordinatorKeys: groups },
    'of a transaction': [
      [1, 6],
      (version) => ({
        keyType: 1,
        ...(version < 4 ? { key: existing.transactionalId } : { coordinatorKeys: ids }),
      }),
    ],
  },
  JoinGroup: {
    'a group': () => ({
      groupId: existing.group,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
    }),
  },
  Heartbeat: { 'a group': () => ({ groupId: existing.group, ...member }) },
  LeaveGroup: {
    'a group': () => ({ groupId: existing.group, memberId: 'm', members: [{ memberId: 'm' }] }),
  },
  SyncGroup: {
    'a group': () => ({
      groupId: existing.group,
      ...member,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [],
    }),
  },
  DescribeGroups: { 'both groups': () => ({ groups, includeAuthorizedOperations: true }) },
  ListGroups: { all: () => ({}) },
  CreateTopics: {
    'two topics': () => ({
      topics: topics.map((name) => ({ name, numPartitions: 1, replicationFactor: 1 })),
      timeoutMs: 1000,
    }),
  },
  DeleteTopics: {
    'both topics': (version) =>
      version < 6
        ? { topicNames: topics, timeoutMs: 1000 }
        : { topics: topics.map((name) => ({ name })), timeoutMs: 1000 },
    'both ids': [
      [6],
      (_, id) => ({
        topics: [id, absentId].map((topicId) => ({ name: null, topicId })),
        timeoutMs: 1000,
      }),
    ],
  },
  DeleteRecords: {
    'both topics': () => ({
      topics: named('name', { partitions: [{ partitionIndex: 0, offset: -1 }] }),
      timeoutMs: 1000,
    }),
  },
  InitProducerId: {
    'an idempotent one': () => ({ transactionalId: null, transactionTimeoutMs: 1000 }),
    'a transactional one': () => ({ ...transaction, transactionTimeoutMs: 1000 }),
  },
  OffsetForLeaderEpoch: {
    'both topics': () => ({
      replicaId: -2,
      topics: named('topic', {
        partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }],
      }),
    }),
  },
  AddPartitionsToTxn: {
    'both topics': () => ({ ...transaction, topics: named('name', { partitions: [0] }) }),
  },
  AddOffsetsToTxn: { 'a group': () => ({ ...transaction, groupId: existing.group }) },
  EndTxn: { 'a commit': () => ({ ...transaction, committed: true }) },
  WriteTxnMarkers: {
    'both topics': () => ({
      markers: [
        {
          producerId: 4711, // of no transactional id
          producerEpoch: 0,
          transactionResult: false,
          coordinatorEpoch: 0,
          topics: named('name', { partitionIndexes: [0] }),
        },
      ],
    }),
  },
  TxnOffsetCommit: {
    'both topics': () => ({ ...transaction, groupId: existing.group, topics: commits }),
  },
  DescribeAcls: { 'of nobody': () => ({ ...aclFilter, principalFilter: 'User:nobody' }) },
  CreateAcls: { one: () => ({ creations: [acl] }) },
  DeleteAcls: {
    'of nobody': () => ({ filters: [{ ...aclFilter, principalFilter: 'User:nobody' }] }),
  },
  DescribeConfigs: {
    'topics and brokers': () => ({
      resources: resources.map((each) => ({ ...each, configurationKeys: null })),
    }),
  },
  AlterConfigs: {
    'topics and brokers': () => ({
      resources: resources.map((each) => ({ ...each, configs: [] })),
      validateOnly: true,
    }),
  },
  AlterReplicaLogDirs: {
    'both topics': () => ({
      dirs: [{ path: '/nowhere', topics: named('name', { partitions: [0] }) }],
    }),
  },
  DescribeLogDirs: { all: () => ({ topics: null }) },
  CreatePartitions: {
    'both topics': () => ({
      topics: named('name', { count: 5, assignments: null }),
      timeoutMs: 1000,
      validateOnly: true,
    }),
  },
  DeleteGroups: { 'both groups': () => ({ groupsNames: groups }) },
  ElectLeaders: { 'both topics': () => ({ topicPartitions: named('topic', { partitions: [0] }) }) },
  IncrementalAlterConfigs: {
    'topics and brokers': () => ({
      resources: resources.map((each) => ({ ...each, configs: [] })),
      validateOnly: true,
    }),
  },
  AlterPartitionReassignments: {
    'both topics': () => ({
      topics: named('name', { partitions: [{ partitionIndex: 0, replicas: [1] }] }),
    }),
  },
  ListPartitionReassignments: { all: () => ({ topics: null }) },
  OffsetDelete: {
    'both topics': () => ({
      groupId: existing.group,
      topics: named('name', { partitions: [{ partitionIndex: 0 }] }),
    }),
  },
  DescribeClientQuotas: { all: () => ({ components: [], strict: false }) },
  AlterClientQuotas: {
    'a removal': () => ({
      entries: [
        {
          entity: [{ entityType: 'user', entityName: 'alice' }],
          ops: [{ key: 'producer_byte_rate', value: 0, remove: true }],
        },
      ],
      validateOnly: false,
    }),
  },
  DescribeUserScramCredentials: { one: () => ({ users: [{ name: 'alice' }] }) },
  AlterUserScramCredentials: {
    'a deletion': () => ({ deletions: [{ name: 'alice', mechanism: 1 }], upsertions: [] }),
  },
  DescribeQuorum: {
    'of a topic': () => ({
      topics: [{ topicName: existing.topic, partitions: [{ partitionIndex: 0 }] }],
    }),
  },
  UpdateFeatures: {
    'to a level that there is not': () => ({
      featureUpdates: [{ feature: 'transaction.version', maxVersionLevel: 99 }],
    }),
  },
  DescribeCluster: { 'with operations': () => ({ includeClusterAuthorizedOperations: true }) },
  DescribeProducers: {
    'both topics': () => ({ topics: named('name', { partitionIndexes: [0] }) }),
  },
  UnregisterBroker: { 'an absent one': () => ({ brokerId: 99 }) },
  DescribeTransactions: { 'both ids': () => ({ transactionalIds: ids }) },
  ListTransactions: { all: () => ({ stateFilters: [], producerIdFilters: [] }) },
  SaslHandshake: { PLAIN: () => ({ mechanism: 'PLAIN' }) },
  ApiVersions: { named: () => ({ clientSoftwareName: 'test', clientSoftwareVersion: '1' }) },
  SaslAuthenticate: { nothing: () => ({ authBytes: Buffer.alloc(0) }) },
  CreateDelegationToken: { 'of its own': () => ({ renewers: [], maxLifetimeMs: -1 }) },
  RenewDelegationToken: { one: () => ({ hmac: Buffer.from('hmac'), renewPeriodMs: 1 }) },
  ExpireDelegationToken: { one: () => ({ hmac: Buffer.from('hmac'), expiryTimePeriodMs: 1 }) },
  DescribeDelegationToken: { all: () => ({ owners: null }) },
  ListConfigResources: { all: () => ({}) },
  DescribeTopicPartitions: {
    'both topics': () => ({ topics: named('name', {}) }),
    'all topics': () => ({ topics: [] }),
  },
}

const operations = {
  includeClusterAuthorizedOperations: true,
  includeTopicAuthorizedOperations: true,
}
const transaction = { transactionalId: existing.transactionalId, ...producer }

function versionsOf({ versions: { from, to } }: Api, isEvery: boolean): Iterable<number> {
  if (!isEvery) return new Set([from, to])
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

/**
 * @param topicId of the existing topic
 * @param isEvery in every version, else the oldest and the newest
 */
export function* questions(topicId: string, isEvery = false): Generator<Question> {
  for (const api of apis) {
    for (const [what, given] of Object.entries(asks[api.name] ?? {})) {
      const [versions, ask] =
        typeof given === 'function' ? [versionsOf(api, isEvery), given] : given
      for (const version of versions) yield { api, version, what, request: ask(version, topicId) }
    }
  }
}
