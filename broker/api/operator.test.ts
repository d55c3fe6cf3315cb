// Operators' requests: log directories, elections, reassignments, the quorum, features, brokers, lists of resources,
// topics by page. Through a real socket.

import { statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import t from '../../protocol/testing/tap.ts'
import { alterReplicaLogDirs } from '../../protocol/api/34_alter_replica_log_dirs.ts'
import { describeLogDirs } from '../../protocol/api/35_describe_log_dirs.ts'
import { electLeaders } from '../../protocol/api/43_elect_leaders.ts'
import { alterPartitionReassignments } from '../../protocol/api/45_alter_partition_reassignments.ts'
import { listPartitionReassignments } from '../../protocol/api/46_list_partition_reassignments.ts'
import { describeQuorum } from '../../protocol/api/55_describe_quorum.ts'
import { updateFeatures } from '../../protocol/api/57_update_features.ts'
import { unregisterBroker } from '../../protocol/api/64_unregister_broker.ts'
import { listConfigResources } from '../../protocol/api/74_list_config_resources.ts'
import { describeTopicPartitions } from '../../protocol/api/75_describe_topic_partitions.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import type { RequestInput } from '../../protocol/schema.ts'
import { batchOf, produceTo, World } from '../testing/world.ts'

const NODE_ID = 1
const world = await World.open(t)
const { client } = await world.topic('alpha', 3)
await world.topic('beta', 2)
await world.topic('gamma')
await produceTo(client, 'alpha', 1, batchOf(['x'.repeat(500)]))

t.test('log directories tell the bytes of each partition and of the disk', async (t) => {
  for (const version of [1, 2, 3, 4]) {
    const answer = await client.send(describeLogDirs, { topics: null }, version)
    t.equal(answer.errorCode, 0)
    const [dir] = answer.results
    t.ok(isAbsolute(dir!.logDir))
    t.same(
      dir!.topics.map(({ name, partitions }) => [name, partitions.length]),
      [
        ['alpha', 3],
        ['beta', 2],
        ['gamma', 1],
      ],
    )
    const written = statSync(join(dir!.logDir, 'alpha-1', '00000000000000000000.log')).size
    t.same(dir!.topics[0]!.partitions, [
      { partitionIndex: 0, partitionSize: 0, offsetLag: 0, isFutureKey: false },
      { partitionIndex: 1, partitionSize: written, offsetLag: 0, isFutureKey: false },
      { partitionIndex: 2, partitionSize: 0, offsetLag: 0, isFutureKey: false },
    ])
    if (version >= 4) t.ok(dir!.totalBytes > dir!.usableBytes && dir!.usableBytes > 0)
    else t.equal(dir!.totalBytes, -1)
  }
  const topics = [
    { topic: 'alpha', partitions: [1, 7] },
    { topic: 'nowhere', partitions: [0] },
    { topic: '__millrace_metadata', partitions: [0] },
  ]
  const { results } = await client.send(describeLogDirs, { topics })
  t.match(results[0]!.topics, [
    { name: 'alpha', partitions: [{ partitionIndex: 1 }] },
    { name: '__millrace_metadata', partitions: [{ partitionIndex: 0 }] },
  ])
  t.equal(results[0]!.topics.length, 2)
})

t.test('no election is needed on one node', async (t) => {
  const topicPartitions = [
    { topic: 'alpha', partitions: [0, 9] },
    { topic: 'nowhere', partitions: [0] },
  ]
  for (const version of [0, 1, 2]) {
    const answer = await client.send(electLeaders, { topicPartitions }, version)
    t.equal(answer.errorCode, 0)
    t.same(
      answer.replicaElectionResults.map(({ topic, partitionResult }) => [
        topic,
        partitionResult.map(({ partitionId, errorCode: code }) => [partitionId, code]),
      ]),
      [
        [
          'alpha',
          [
            [0, errorCode('ELECTION_NOT_NEEDED')],
            [9, errorCode('UNKNOWN_TOPIC_OR_PARTITION')],
          ],
        ],
        ['nowhere', [[0, errorCode('UNKNOWN_TOPIC_OR_PARTITION')]]],
      ],
    )
  }
  const all = await client.send(electLeaders, { electionType: 1, topicPartitions: null })
  t.match(all, { errorCode: 0, replicaElectionResults: [] })
  const strange = await client.send(electLeaders, { electionType: 2, topicPartitions: null })
  t.equal(strange.errorCode, errorCode('INVALID_REQUEST'))
})

t.test('partitions may be assigned to where they are, and nowhere else', async (t) => {
  const cases: [string, number, number[] | null, ErrorName | undefined][] = [
    ['alpha', 0, [NODE_ID], undefined],
    ['alpha', 0, [2], 'INVALID_REPLICA_ASSIGNMENT'],
    ['alpha', 0, [NODE_ID, 2], 'INVALID_REPLICA_ASSIGNMENT'],
    ['alpha', 0, [], 'INVALID_REPLICA_ASSIGNMENT'],
    ['alpha', 0, null, 'NO_REASSIGNMENT_IN_PROGRESS'],
    ['alpha', 9, [NODE_ID], 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['nowhere', 0, [NODE_ID], 'UNKNOWN_TOPIC_OR_PARTITION'],
  ]
  for (const version of [0, 1]) {
    for (const [name, partitionIndex, replicas, error] of cases) {
      const topics = [{ name, partitions: [{ partitionIndex, replicas }] }]
      const answer = await client.send(alterPartitionReassignments, { topics }, version)
      t.equal(answer.errorCode, 0)
      t.match(answer.responses, [
        { name, partitions: [{ partitionIndex, errorCode: errorCode(error) }] },
      ])
    }
  }
  const listed = await client.send(listPartitionReassignments, {})
  t.match(listed, { errorCode: 0, topics: [] })
})

t.test('a replica may move to the directory where it is, and to no other', async (t) => {
  const { results: dirs } = await client.send(describeLogDirs, { topics: null })
  const here = dirs[0]!.logDir
  const move = async (
    version: number,
    ...moves: [path: string, topic: string, partition: number][]
  ) => {
    const asked = moves.map(([path, name, partition]) => {
      return { path, topics: [{ name, partitions: [partition] }] }
    })
    const { results } = await client.send(alterReplicaLogDirs, { dirs: asked }, version)
    return results.map(({ topicName, partitions }) => [
      topicName,
      ...partitions.map((each) => [each.partitionIndex, each.errorCode]),
    ])
  }
  const [elsewhere, unknown] = [errorCode('LOG_DIR_NOT_FOUND'), 3]
  for (const version of [1, 2]) {
    t.same(await move(version, [here, 'alpha', 0], [here, 'alpha', 9], [here, 'nowhere', 0]), [
      ['alpha', [0, 0], [9, unknown]],
      ['nowhere', [0, unknown]],
    ])
    t.same(await move(version, ['/nowhere', 'alpha', 0], ['', 'nowhere', 0]), [
      ['alpha', [0, elsewhere]],
      ['nowhere', [0, elsewhere]],
    ])
    const twice = await move(version, ['/nowhere', 'alpha', 0], [here, 'alpha', 0])
    t.same(twice, [['alpha', [0, 0]]], 'the last directory counts')
    t.same(await move(version), [])
  }
})

t.test('the quorum is this node alone, with the offsets of its metadata', async (t) => {
  const ask = (version: number, ...partitions: [topicName: string, partitionIndex: number][]) => {
    const topics = partitions.map(([topicName, partitionIndex]) => {
      return { topicName, partitions: [{ partitionIndex }] }
    })
    return client.send(describeQuorum, { topics }, version)
  }
  for (const version of [0, 1, 2]) {
    const { topics, nodes, errorCode: code } = await ask(version, ['__cluster_metadata', 0])
    t.equal(code, 0)
    const [{ partitions }] = topics as [(typeof topics)[number]]
    t.match(partitions, [{ errorCode: 0, leaderId: NODE_ID, observers: [] }])
    const [{ highWatermark, currentVoters }] = partitions as [(typeof partitions)[number]]
    t.ok(highWatermark >= 3, 'three topics are in it')
    t.match(currentVoters, [{ replicaId: NODE_ID }])
    t.ok(currentVoters[0]!.logEndOffset >= highWatermark)
    t.equal(currentVoters[0]!.lastCaughtUpTimestamp > 0, version >= 1)
    const [host, port] = world.broker.bootstrap.split(':')
    const listeners = [{ name: 'PLAINTEXT', host, port: Number(port) }]
    t.strictSame(nodes, version >= 2 ? [{ nodeId: NODE_ID, listeners }] : [])
  }
  for (const others of [
    [['alpha', 0]],
    [['__cluster_metadata', 1]],
    [
      ['__cluster_metadata', 0],
      ['__cluster_metadata', 0],
    ],
  ] satisfies [string, number][][]) {
    const { topics } = await ask(2, ...others)
    t.strictSame(
      topics.map(({ topicName, partitions }) => [topicName, partitions[0]!.errorCode]),
      others.map(([topic]) => [topic, 3]),
    )
  }
})

t.test('a feature keeps its level', async (t) => {
  const update = (
    version: number,
    ...levels: [feature: string, level: number, type?: number][]
  ) => {
    const featureUpdates = levels.map(([feature, maxVersionLevel, upgradeType = 1]) => {
      return { feature, maxVersionLevel, upgradeType }
    })
    return client.send(updateFeatures, { featureUpdates }, version)
  }
  const same = { errorCode: 0, errorMessage: null }
  for (const version of [0, 1, 2]) {
    const answer = await update(version, ['transaction.version', 2])
    t.match(answer, same)
    const results = answer.results.map((each) => [each.feature, each.errorCode, each.errorMessage])
    t.strictSame(results, version < 2 ? [['transaction.version', 0, 'NONE']] : [])
    t.match(await update(version), same)
  }
  t.match(await update(2, ['transaction.version', 2, 3]), same)
  for (const refused of [
    ['transaction.version', 1, 2],
    ['transaction.version', 3],
    ['transaction.version', -1],
    ['transaction.version', 2, 9],
    ['nonsense', 0],
    ['nonsense', 1],
  ] satisfies [string, number, number?][]) {
    const answer = await update(1, ['transaction.version', 2], refused)
    t.match(answer, { errorCode: errorCode('INVALID_UPDATE_VERSION'), results: [] })
    t.match(answer.errorMessage, refused[0])
  }
})

t.test('no broker can be unregistered: others are unknown, and this one is running', async (t) => {
  const unregister = (brokerId: number) => client.send(unregisterBroker, { brokerId })
  t.match(await unregister(2), { errorCode: errorCode('BROKER_ID_NOT_REGISTERED') })
  t.match(await unregister(-1), { errorCode: errorCode('BROKER_ID_NOT_REGISTERED') })
  t.match(await unregister(NODE_ID), {
    errorCode: errorCode('INVALID_REQUEST'),
    errorMessage: 'broker 1 is running: stop it instead',
  })
})

t.test('what has a configuration is listed by kind', async (t) => {
  const list = async (resourceTypes: number[], version = 1) => {
    const answer = await client.send(listConfigResources, { resourceTypes }, version)
    if (answer.errorCode !== 0) return answer.errorCode
    return answer.configResources.map((each) => `${each.resourceType} ${each.resourceName}`)
  }
  t.same(await list([]), ['2 alpha', '2 beta', '2 gamma', '4 1'])
  t.same(await list([4]), ['4 1'])
  t.same(await list([16, 32, 8]), [])
  t.equal(await list([2, 5]), errorCode('UNSUPPORTED_VERSION'))
  t.same(await list([], 0), [], 'version 0 asks for client metrics')
})

t.test('topics come page by page, and the last page has no cursor', async (t) => {
  type Request = RequestInput<typeof describeTopicPartitions>
  const page = (request: Request) => client.send(describeTopicPartitions, request)
  /** Every page, as topic-partition names, with the cursor after it. */
  async function pages(topics: string[], responsePartitionLimit: number) {
    const seen: string[][] = []
    let cursor: Request['cursor'] = null
    do {
      const wanted = topics.map((name) => ({ name }))
      const answer = await page({ topics: wanted, responsePartitionLimit, cursor })
      seen.push(
        answer.topics.flatMap(({ name, partitions }) =>
          partitions.map(({ partitionIndex }) => `${name}-${partitionIndex}`),
        ),
      )
      cursor = answer.nextCursor
    } while (cursor !== null)
    return seen
  }
  t.same(await pages([], 2), [
    ['alpha-0', 'alpha-1'],
    ['alpha-2', 'beta-0'],
    ['beta-1', 'gamma-0'],
  ])
  t.same(await pages([], 3), [
    ['alpha-0', 'alpha-1', 'alpha-2'],
    ['beta-0', 'beta-1', 'gamma-0'],
  ])
  t.same(await pages(['gamma', 'beta', 'gamma'], 0), [['beta-0'], ['beta-1'], ['gamma-0']])
})

t.test('a cursor names a topic that is asked for, and then a partition of it', async (t) => {
  const ask = async (names: string[], topicName: string, partitionIndex = 0) => {
    const topics = names.map((name) => ({ name }))
    const cursor = { topicName, partitionIndex }
    const answer = await client.send(describeTopicPartitions, { topics, cursor })
    return answer.topics.map((topic) => [topic.name, topic.errorCode, topic.partitions.length])
  }
  const refused = errorCode('INVALID_REQUEST')
  t.same(await ask(['beta'], 'beta', 1), [['beta', 0, 1]])
  t.same(await ask(['beta'], 'beta', 99), [['beta', 0, 0]])
  t.same(await ask(['nowhere', 'beta'], 'nowhere'), [['nowhere', 3, 0]])
  for (const other of ['alpha', 'delta', 'zeta', ''])
    t.same(await ask(['gamma', 'beta'], other), [
      ['gamma', refused, 0],
      ['beta', refused, 0],
    ])
  t.same(await ask(['beta'], 'beta', -1), [['beta', refused, 0]])
  t.same(await ask([], 'delta'), [['gamma', 0, 1]], 'asked for all, any place will do')
})

t.test('a page tells what Metadata tells, and what is wrong with each name', async (t) => {
  const ask = (names: string[], cursor: { topicName: string; partitionIndex: number } | null) =>
    client.send(describeTopicPartitions, { topics: names.map((name) => ({ name })), cursor })
  const { topics, nextCursor } = await ask(['beta', 'nowhere', 'a b', '__millrace_metadata'], null)
  t.match(topics, [
    { name: '__millrace_metadata', errorCode: 0, isInternal: true },
    { name: 'a b', errorCode: errorCode('INVALID_TOPIC_EXCEPTION'), partitions: [] },
    {
      name: 'beta',
      errorCode: 0,
      topicId: /^[\w-]{22}$/,
      isInternal: false,
      partitions: [
        {
          errorCode: 0,
          partitionIndex: 0,
          leaderId: NODE_ID,
          leaderEpoch: 0,
          replicaNodes: [NODE_ID],
          isrNodes: [NODE_ID],
          eligibleLeaderReplicas: [],
          lastKnownElr: [],
          offlineReplicas: [],
        },
        { partitionIndex: 1 },
      ],
      topicAuthorizedOperations: 0b1101_1111_1000,
    },
    {
      name: 'nowhere',
      errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
      partitions: [],
      topicAuthorizedOperations: 0b1101_1111_1000,
    },
  ])
  t.equal(nextCursor, null)
  const beyond = await ask(['beta'], { topicName: 'beta', partitionIndex: 9 })
  t.match(beyond, { topics: [{ name: 'beta', partitions: [] }], nextCursor: null })
  const gone = await ask([], { topicName: 'between', partitionIndex: 1 })
  t.equal(gone.topics[0]!.name, 'gamma', 'a topic that was deleted between pages is passed over')
  const bad = await ask(['beta'], { topicName: 'beta', partitionIndex: -1 })
  t.match(bad.topics, [{ name: 'beta', errorCode: errorCode('INVALID_REQUEST') }])
})
