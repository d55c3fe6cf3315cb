// Requests that a broker without security, with one node or in a state of its own must answer as Apache Kafka does,
// with the same codes and shape. Both brokers get them in the same order; messages and ids are not compared.

import { setTimeout } from 'node:timers/promises'
import type { Test } from 'tap'
import { comparable } from '../../../broker/testing/comparable.ts'
import { RawClient } from '../../../broker/testing/raw-client.ts'
import { findCoordinator } from '../../../protocol/api/10_find_coordinator.ts'
import { describeGroups } from '../../../protocol/api/15_describe_groups.ts'
import { saslHandshake } from '../../../protocol/api/17_sasl_handshake.ts'
import { apiVersions } from '../../../protocol/api/18_api_versions.ts'
import { createTopics } from '../../../protocol/api/19_create_topics.ts'
import { describeAcls } from '../../../protocol/api/29_describe_acls.ts'
import { createAcls } from '../../../protocol/api/30_create_acls.ts'
import { deleteAcls } from '../../../protocol/api/31_delete_acls.ts'
import { describeConfigs } from '../../../protocol/api/32_describe_configs.ts'
import { alterConfigs } from '../../../protocol/api/33_alter_configs.ts'
import { alterReplicaLogDirs } from '../../../protocol/api/34_alter_replica_log_dirs.ts'
import { describeLogDirs } from '../../../protocol/api/35_describe_log_dirs.ts'
import { saslAuthenticate } from '../../../protocol/api/36_sasl_authenticate.ts'
import { createDelegationToken } from '../../../protocol/api/38_create_delegation_token.ts'
import { renewDelegationToken } from '../../../protocol/api/39_renew_delegation_token.ts'
import { expireDelegationToken } from '../../../protocol/api/40_expire_delegation_token.ts'
import { describeDelegationToken } from '../../../protocol/api/41_describe_delegation_token.ts'
import { incrementalAlterConfigs } from '../../../protocol/api/44_incremental_alter_configs.ts'
import { describeUserScramCredentials } from '../../../protocol/api/50_describe_user_scram_credentials.ts'
import { alterUserScramCredentials } from '../../../protocol/api/51_alter_user_scram_credentials.ts'
import { describeQuorum } from '../../../protocol/api/55_describe_quorum.ts'
import { updateFeatures } from '../../../protocol/api/57_update_features.ts'
import { unregisterBroker } from '../../../protocol/api/64_unregister_broker.ts'
import { describeTopicPartitions } from '../../../protocol/api/75_describe_topic_partitions.ts'
import type { ResponseOf } from '../../../protocol/schema.ts'
import { everyVersion, question, type Question } from './odd-question.ts'
import { ofQuotaChanges, ofQuotas } from './odd-quotas.ts'

const TOPIC = 2
const BROKER = 4
const THIS_BROKER = '1'
const ALL_BROKERS = ''
const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3
/** In Apache Kafka a change takes effect some time after its answer. */
const TRIES_MAX = 40
const BETWEEN_TRIES_MS = 100

/** Asks both brokers; each has a topic `odd` of two partitions. */
export async function askBoth(t: Test, theirs: string, ours: string): Promise<void> {
  const [kafka, millrace] = [await RawClient.connect(theirs), await RawClient.connect(ours)]
  t.teardown(() => Promise.all([kafka.close(), millrace.close()]))
  for (const client of [kafka, millrace]) await prepare(client)
  for (const { what, ask } of questions()) {
    const answer = comparable(await ask(millrace), OF_EACH_BROKER)
    let their = comparable(await ask(kafka), OF_EACH_BROKER)
    for (let tries = 0; tries < TRIES_MAX && differ(their, answer); tries++) {
      await setTimeout(BETWEEN_TRIES_MS)
      their = comparable(await ask(kafka), OF_EACH_BROKER)
    }
    t.strictSame(answer, their, what)
  }
}

function differ(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) !== JSON.stringify(b)
}

async function prepare(client: RawClient): Promise<void> {
  const topics = [{ name: 'odd', numPartitions: 2, replicationFactor: 1 }]
  await client.send(createTopics, { topics, timeoutMs: 10_000 })
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const { coordinators } = await client.send(findCoordinator, { coordinatorKeys: ['nobody'] })
    const { groups } = await client.send(describeGroups, { groups: ['nobody'] }, 0)
    if (coordinators[0]!.errorCode === 0 && groups[0]!.errorCode === 0) return
    await setTimeout(BETWEEN_TRIES_MS)
  }
}

const OF_EACH_BROKER = new Set(['errorMessage', 'topicId', 'throttleTimeMs', 'documentation'])
const OF_EACH_QUORUM = new Set([
  'leaderEpoch',
  'highWatermark',
  'logEndOffset',
  'lastFetchTimestamp',
  'lastCaughtUpTimestamp',
  'listeners',
])

function questions(): Question[] {
  return [
    ...ofSecurity(),
    ...ofQuotas(),
    ...ofQuotaChanges(),
    ...ofUsers(),
    ...ofGroupsAndPages(),
    ...ofPolicies(),
    ...ofSynonyms(),
    ...ofBrokerProperties(),
    ...ofOneNode(),
  ]
}

const hmac = Buffer.from('hmac')

function ofSecurity(): Question[] {
  const filter = {
    resourceTypeFilter: 1,
    resourceNameFilter: null,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  }
  const acl = {
    resourceType: TOPIC,
    resourceName: 'odd',
    principal: 'User:a',
    host: '*',
    operation: 3,
    permissionType: 3,
  }
  const owner = { ownerPrincipalType: 'User', ownerPrincipalName: 'b' }
  return [
    ...everyVersion(saslHandshake, { mechanism: 'PLAIN' }),
    ...everyVersion(saslAuthenticate, { authBytes: hmac }, 'on plaintext'),
    ...everyVersion(describeAcls, filter),
    question(describeAcls, { ...filter, patternTypeFilter: 1 }),
    ...everyVersion(createAcls, { creations: [acl, acl] }),
    question(createAcls, { creations: [] }),
    question(createAcls, { creations: [{ ...acl, principal: 'nobody' }] }),
    ...everyVersion(deleteAcls, { filters: [filter, filter] }),
    question(deleteAcls, { filters: [] }),
    ...everyVersion(createDelegationToken, { renewers: [], maxLifetimeMs: -1 }),
    question(createDelegationToken, { ...owner, renewers: [], maxLifetimeMs: 1 }),
    ...everyVersion(renewDelegationToken, { hmac, renewPeriodMs: 1 }, 'on plaintext'),
    ...everyVersion(expireDelegationToken, { hmac, expiryTimePeriodMs: 1 }, 'on plaintext'),
    ...everyVersion(describeDelegationToken, { owners: null }),
    ...everyVersion(describeDelegationToken, { owners: [] }),
  ]
}

const SHA_256 = 1
const SHA_512 = 2

/** A change of a password: its user, and what is unlike 4096 iterations of SCRAM-SHA-256. */
type Upsertion = readonly [name: string, more?: object]
type Deletion = readonly [name: string, mechanism?: number]

function alterUsers(deletions: readonly Deletion[], upsertions: readonly Upsertion[]): Question {
  const [salt, saltedPassword] = [Buffer.alloc(16, 1), Buffer.alloc(32, 2)]
  const usual = { mechanism: SHA_256, iterations: 4096, salt, saltedPassword }
  const request = {
    deletions: deletions.map(([name, mechanism = SHA_256]) => ({ name, mechanism })),
    upsertions: upsertions.map(([name, more]) => ({ name, ...usual, ...more })),
  }
  return question(alterUserScramCredentials, request, JSON.stringify([deletions, upsertions]))
}

/** Each request changes nothing when it is sent a second time, or is refused the same way. */
function ofUsers(): Question[] {
  const users = (...names: string[]) => {
    return question(describeUserScramCredentials, { users: names.map((name) => ({ name })) })
  }
  const all = question(describeUserScramCredentials, { users: null })
  const by512 = { mechanism: SHA_512, iterations: 8192, saltedPassword: Buffer.alloc(64, 2) }
  const iterations = (count: number, more: object = {}) => ({ iterations: count, ...more })
  return [
    all,
    users(),
    users('alice', 'bob'),
    users('alice', 'bob', 'alice'),
    users(''),
    alterUsers([], []),
    alterUsers([['x'], ['', SHA_256], ['y', 0], ['z', 9], ['w', -1]], []),
    alterUsers([], [['alice'], [' ', { salt: Buffer.of() }], ['a\nb'], ['', iterations(1)]]),
    users('alice', ' ', 'a\nb', 'bob'),
    alterUsers([], [['alice', by512]]),
    users('alice'),
    alterUsers(
      [],
      [4095, 16_384, 16_385, -1].map((count) => [`${count}`, iterations(count)]),
    ),
    alterUsers([], [['bob', { ...by512, iterations: 4096 }]]),
    alterUsers(
      [],
      [0, 3, -128].map((mechanism) => [`m${mechanism}`, { mechanism }]),
    ),
    alterUsers([], [['carl', iterations(1, { mechanism: 3 })]]),
    alterUsers([], [['carl', { saltedPassword: Buffer.of(1) }]]),
    alterUsers([], [['carl', { saltedPassword: by512.saltedPassword }]]),
    alterUsers([], [['dora'], ['dora']]),
    alterUsers([], [['dora'], ['dora', by512]]),
    alterUsers([], [['dora'], ['dora', iterations(1, by512)]]),
    alterUsers([], [['dora', iterations(1)], ['dora'], ['emil']]),
    alterUsers([['alice']], [['alice']]),
    alterUsers([['alice', SHA_512]], [['alice']]),
    alterUsers([['alice'], ['alice']], []),
    alterUsers([['alice'], ['alice', SHA_512]], []),
    alterUsers([['nobody']], [['nobody']]),
    alterUsers([['nobody']], [['nobody', by512]]),
    alterUsers([['nobody']], [['nobody', iterations(1)]]),
    alterUsers([['nobody', 7]], [['nobody', { mechanism: 7 }]]),
    users('alice', 'dora', 'emil', 'nobody', 'alice'),
    all,
  ]
}

function ofGroupsAndPages(): Question[] {
  const software = ['', 'a', 'a b', '-a', 'a-', 'a_b', 'a.b-c', '.', 'a\n', '\u00e9']
  const page = (names: string[], topicName: string, partitionIndex = 0) =>
    question(describeTopicPartitions, {
      topics: names.map((name) => ({ name })),
      cursor: { topicName, partitionIndex },
    })
  return [
    ...software.flatMap((name) =>
      [name, '1'].flatMap((clientSoftwareName) =>
        [3, 4].map((version) => {
          const clientSoftwareVersion = clientSoftwareName === name ? '1' : name
          const request = { clientSoftwareName, clientSoftwareVersion }
          const code = ({ errorCode, apiKeys }: ResponseOf<typeof apiVersions>) => [
            errorCode,
            apiKeys.length > 0,
          ]
          return question(apiVersions, request, '', code, version)
        }),
      ),
    ),
    ...[true, false].flatMap((includeAuthorizedOperations) =>
      everyVersion(describeGroups, { groups: ['nobody', ''], includeAuthorizedOperations }),
    ),
    page(['odd'], 'odd', 1),
    page(['odd'], 'odd', 99),
    page(['odd'], 'odd', -1),
    page(['odd'], 'aaa'),
    page(['odd', 'a'], 'zzz'),
    page(['odd'], ''),
    page(['nowhere', 'odd', 'a b'], 'nowhere'),
    page([], 'zzz'),
    question(describeTopicPartitions, { topics: [{ name: 'a b' }, { name: 'nowhere' }] }),
  ]
}

type Change = readonly [name: string, operation: number, value?: string]

function change(type: number, resourceName: string, ...changes: readonly Change[]): Question {
  const configs = changes.map(([name, configOperation, value = null]) => {
    return { name, configOperation, value }
  })
  const resources = [{ resourceType: type, resourceName, configs }]
  return question(incrementalAlterConfigs, { resources, validateOnly: false })
}

function describe(type: number, resourceName: string, ...configurationKeys: string[]): Question {
  const resources = [{ resourceType: type, resourceName, configurationKeys }]
  return question(describeConfigs, { resources, includeSynonyms: true })
}

function ofPolicies(): Question[] {
  const policy = 'cleanup.policy'
  const changes: Change[] = [
    [policy, SET, ''],
    [policy, APPEND, 'compact'],
    [policy, SUBTRACT, 'compact'],
    [policy, SET, 'delete,delete'],
    [policy, APPEND, 'delete'],
    [policy, SUBTRACT, 'delete'],
    [policy, SUBTRACT, 'delete'],
    [policy, SET, ' '],
    [policy, SET, ','],
    [policy, SET, 'delete,'],
    [policy, SET, 'delete , compact'],
    [policy, SET, 'Delete'],
    [policy, SUBTRACT, 'shrink'],
    [policy, APPEND, 'shrink'],
    [policy, APPEND, ''],
    [policy, SUBTRACT, ''],
    [policy, DELETE],
    [policy, SUBTRACT, 'delete'],
    [policy, DELETE],
    [policy, APPEND, 'compact'],
    [policy, DELETE],
    ['retention.ms', DELETE],
    ['leader.replication.throttled.replicas', SET, '0:1,0:1'],
    ['leader.replication.throttled.replicas', APPEND, '1:1'],
    ['leader.replication.throttled.replicas', DELETE],
    ['nonsense', SET, '1'],
    ['retention.ms', APPEND, '1'],
  ]
  return [
    describe(TOPIC, 'odd', policy),
    ...changes.flatMap((each) => [
      change(TOPIC, 'odd', each),
      describe(TOPIC, 'odd', policy, 'leader.replication.throttled.replicas'),
    ]),
    change(BROKER, THIS_BROKER, ['log.cleanup.policy', SET, '']),
    describe(TOPIC, 'odd', policy),
    change(BROKER, THIS_BROKER, ['log.cleanup.policy', DELETE]),
  ]
}

function ofSynonyms(): Question[] {
  const keys = ['retention.ms', 'segment.bytes', 'max.message.bytes', 'remote.storage.enable']
  const set = (retentionMs: string, bytes: string): Change[] => [
    ['log.retention.ms', SET, retentionMs],
    ['log.segment.bytes', SET, bytes],
  ]
  const unset: Change[] = [
    ['log.retention.ms', DELETE],
    ['log.segment.bytes', DELETE],
  ]
  return [
    describe(TOPIC, 'odd', ...keys.slice(1)),
    change(BROKER, ALL_BROKERS, ...set('1000000', '20000000')),
    describe(TOPIC, 'odd', ...keys),
    change(BROKER, THIS_BROKER, ...set('2000000', '30000000')),
    describe(TOPIC, 'odd', ...keys),
    change(TOPIC, 'odd', ['retention.ms', SET, '3000000']),
    describe(TOPIC, 'odd', ...keys),
    describe(BROKER, THIS_BROKER, 'log.retention.ms', 'log.segment.bytes'),
    change(TOPIC, 'odd', ['retention.ms', DELETE]),
    change(BROKER, THIS_BROKER, ...unset),
    change(BROKER, ALL_BROKERS, ...unset),
    describe(TOPIC, 'odd', ...keys.slice(1)),
  ]
}

/** Properties without effect in millrace, which it still accepts or refuses as Kafka does. */
function ofBrokerProperties(): Question[] {
  const rate = 'leader.replication.throttled.rate'
  const taken: Change[] = [
    [rate, SET, '100'],
    ['background.threads', SET, '11'],
    ['num.network.threads', SET, '4'],
    ['num.io.threads', SET, '9'],
    ['max.connections.per.ip.overrides', SET, '127.0.0.1:1000'],
  ]
  const refused: Change[] = [
    ['node.id', SET, '5'],
    ['broker.id', SET, '5'],
    ['process.roles', SET, 'broker'],
    ['log.dirs', SET, '/tmp'],
    ['controller.quorum.voters', SET, '1@127.0.0.1:1'],
    ['ssl.keystore.location', SET, '/tmp'],
    ['log.retention.hours', SET, '5'],
  ]
  const unset: Change[] = [...taken, ...refused].map(([name]) => [name, DELETE])
  const hasAll = ({ results }: ResponseOf<typeof describeConfigs>) =>
    results.map(({ errorCode, configs }) => [errorCode, configs.length > 30])
  const all = (type: number, resourceName: string, configurationKeys: string[] | null) => {
    const request = { resources: [{ resourceType: type, resourceName, configurationKeys }] }
    return question(describeConfigs, request, '', hasAll)
  }
  const names = [rate, 'background.threads', 'num.network.threads', 'num.io.threads']
  const replaced = [{ name: 'node.id', value: '1' }]
  return [
    ...[THIS_BROKER, ALL_BROKERS].flatMap((broker) => [
      ...taken.map((each) => change(BROKER, broker, each)),
      describe(BROKER, broker, ...names.slice(1)),
      ...refused.map((each) => change(BROKER, broker, each)),
      change(BROKER, broker, ['num.io.threads', APPEND, '1']),
      question(alterConfigs, {
        resources: [{ resourceType: BROKER, resourceName: broker, configs: replaced }],
        validateOnly: false,
      }),
    ]),
    ...[THIS_BROKER, ALL_BROKERS].flatMap((broker) => [
      ...unset.map((each) => change(BROKER, broker, each)),
      describe(BROKER, broker, 'background.threads'),
    ]),
    ...[null, [], ['retention.ms'], ['nonsense']].map((keys) => all(TOPIC, 'odd', keys)),
    ...[null, [], ['background.threads']].map((keys) => all(BROKER, THIS_BROKER, keys)),
  ]
}

/** There is one log directory, one voter, one broker, and features have the level of this version. */
function ofOneNode(): Question[] {
  const quorum = (...partitions: [topicName: string, ...partitions: number[]][]) => {
    const topics = partitions.map(([topicName, ...indexes]) => {
      return { topicName, partitions: indexes.map((partitionIndex) => ({ partitionIndex })) }
    })
    const part = (answer: unknown) => comparable(answer, OF_EACH_QUORUM)
    return everyVersion(describeQuorum, { topics }, '', part)
  }
  const features = (...levels: [feature: string, level: number, upgradeType?: number][]) =>
    everyVersion(updateFeatures, {
      featureUpdates: levels.map(([feature, maxVersionLevel, upgradeType = 1]) => {
        return { feature, maxVersionLevel, upgradeType }
      }),
      validateOnly: true,
    })
  return [
    ...[HERE, ELSEWHERE].flatMap((where) => [
      moved([where, 'odd', 0, 1]),
      moved([where, 'odd', 2], [where, 'nowhere', 0]),
      moved([HERE, 'odd', 0], [where, 'odd', 0]),
      moved([ELSEWHERE, 'odd', 0, 0], [where, 'odd', 0, 1]),
    ]),
    moved(),
    ...quorum(['__cluster_metadata', 0]),
    ...quorum(['__cluster_metadata', 1]),
    ...quorum(['__cluster_metadata', 0, 0]),
    ...quorum(['__cluster_metadata', 0], ['odd', 0]),
    ...quorum(['odd', 0, 7]),
    ...quorum(),
    ...features(['transaction.version', 2]),
    ...features(['transaction.version', 2, 2], ['transaction.version', 2, 3]),
    ...features(['transaction.version', 99]),
    ...features(['transaction.version', -1]),
    ...features(['transaction.version', 2, 0]),
    ...features(['transaction.version', 2], ['nonsense', 1]),
    ...features(['nonsense', 0]),
    ...features(),
    ...everyVersion(unregisterBroker, { brokerId: 99 }),
    ...everyVersion(unregisterBroker, { brokerId: -1 }),
  ]
}

const HERE = 'here'
const ELSEWHERE = '/elsewhere'

/** @param moves `HERE` stands for the directory of the broker that is asked */
function moved(...moves: [where: string, topic: string, ...partitions: number[]][]): Question {
  const ask = async (client: RawClient) => {
    const { results } = await client.send(describeLogDirs, { topics: null })
    const dirs = moves.map(([where, name, ...partitions]) => {
      const path = where === HERE ? results[0]!.logDir : where
      return { path, topics: [{ name, partitions }] }
    })
    return [
      await client.send(alterReplicaLogDirs, { dirs }, 1),
      await client.send(alterReplicaLogDirs, { dirs }, 2),
    ]
  }
  return { what: `${alterReplicaLogDirs.name} ${JSON.stringify(moves)}`, ask }
}

/** APIs that Apache Kafka advertises and millrace does not: `key` for a whole API, `key version` for one version. */
export async function absent(theirs: string, ours: string): Promise<string[]> {
  const ask = async (bootstrap: string) => {
    const client = await RawClient.connect(bootstrap)
    const { apiKeys } = await client.send(apiVersions, {}, 0)
    await client.close()
    return apiKeys
  }
  const known = new Map((await ask(ours)).map((range) => [range.apiKey, range]))
  return (await ask(theirs)).flatMap(({ apiKey, minVersion, maxVersion }) => {
    const range = known.get(apiKey)
    if (range === undefined) return [`${apiKey}`]
    const versions = Array.from({ length: maxVersion - minVersion + 1 }, (_, i) => minVersion + i)
    const missing = versions.filter((each) => each < range.minVersion || each > range.maxVersion)
    return missing.map((version) => `${apiKey} ${version}`)
  })
}

/** The same list, from the tables of docs/not-implemented.md. */
export function documentedAsAbsent(page: string): string[] {
  const [served = '', without = ''] = page
    .split('## Retention')[0]!
    .split('\nApiVersions does not list')
  return [
    ...rows(served).flatMap(([keys = '', , text = '']) => {
      const versions = /versions? (\d+(?:(?:, | and | to )\d+)*)/.exec(text)?.[1] ?? ''
      return numbers(keys).flatMap((key) => numbers(versions).map((each) => `${key} ${each}`))
    }),
    ...rows(without).flatMap(([keys = '']) => numbers(keys).map(String)),
  ]
}

function rows(table: string): string[][] {
  const lines = table.split('\n').filter((line) => /^\| \d/.test(line))
  return lines.map((line) =>
    line
      .split('|')
      .slice(1)
      .map((cell) => cell.trim()),
  )
}

/** '4 to 7, 52 and 54' -> 4, 5, 6, 7, 52, 54. */
function numbers(text: string): number[] {
  return [...text.matchAll(/(\d+)(?: to (\d+))?/g)].flatMap(([, from, to = from]) =>
    Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => Number(from) + i),
  )
}
