// CreateTopics: creates topics, which are durable and take batches when the answer goes out.
// Versions: 2-7
// Behaviour: every topic has its own outcome; with validateOnly all checks are done and nothing else. The replication factor is
// 1. A request creates its topics at the same time, and as in Apache Kafka 10,000 partitions at most. New partitions count
// for controller_mutation_rate, also with validateOnly.

import {
  createTopics,
  type CreateTopicsRequest,
  type CreateTopicsResponse,
} from '../../protocol/api/19_create_topics.ts'
import { errorCode, errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import type { Store, Topic, TopicSpec } from '../../storage/store.ts'
import { checkTopicName } from '../../storage/topic-name.ts'
import { doneAmong } from '../auth/audit.ts'
import type { BrokerConfig } from '../config.ts'
import { refuseInternal } from '../internal-topics.ts'
import { partitionClaims } from '../partition-claims.ts'
import type { Handler } from '../handler.ts'
import type { Throttling } from '../quota/throttling.ts'
import type { TopicConfigs } from '../topic-configs.ts'

type NewTopic = CreateTopicsRequest['topics'][number]
type TopicAnswer = CreateTopicsResponse['topics'][number]

const BROKER_DEFAULT = -1
const REPLICATION_FACTOR = 1
/** Clients of older versions do not know THROTTLING_QUOTA_EXCEEDED (KIP-599). */
const QUOTA_VERSION_MIN = 6
const NOT_SHOWN = { topicConfigErrorCode: errorCode('TOPIC_AUTHORIZATION_FAILED') }

interface CreateTopicsDeps {
  readonly store: Store
  readonly config: BrokerConfig
  readonly topicConfigs: TopicConfigs
  readonly throttling: Throttling
}

export function createTopicsHandler(deps: CreateTopicsDeps): Handler<typeof createTopics> {
  return {
    api: createTopics,
    async handle({ topics, validateOnly }, context) {
      const { work } = context
      const isAllAllowed = context.allowsOnClusterSilently('Create')
      const twice = await work.duplicatesIn(namesOf(topics))
      const claimPartitions = partitionClaims()
      const claim = (count: number) => {
        claimPartitions(count)
        deps.throttling.mutates(context, count, context.version >= QUOTA_VERSION_MIN)
      }
      const answers = await work.each(topics, (topic) => {
        const check = () => {
          if (twice.has(topic.name))
            throw new KafkaError('INVALID_REQUEST', 'the topic is named twice')
          if (!isAllAllowed) context.require('Create', 'Topic', topic.name)
        }
        const isShown = context.allowsSilently('DescribeConfigs', 'Topic', topic.name)
        return answerFor(deps, topic, { check, claim, isShown }, validateOnly)
      })
      if (!validateOnly)
        context.changed(
          'topics created',
          doneAmong(answers, ({ name }) => name),
        )
      return { topics: answers }
    },
    refuse: ({ topics }, code) => ({
      topics: topics.map(({ name }) => ({ name, errorCode: code })),
    }),
  }
}

function* namesOf(topics: readonly NewTopic[]): Iterable<string> {
  for (const { name } of topics) yield name
}

interface Terms {
  /** @throws {KafkaError} the client may not create the topic */
  readonly check: () => void
  /** @throws {KafkaError} POLICY_VIOLATION, THROTTLING_QUOTA_EXCEEDED */
  readonly claim: (partitionCount: number) => void
  /** May the client see the topic's configuration? */
  readonly isShown: boolean
}

/** @returns a promise only for a topic that is being created */
function answerFor(
  deps: CreateTopicsDeps,
  topic: NewTopic,
  { check, claim, isShown }: Terms,
  validateOnly: boolean,
): TopicAnswer | Promise<TopicAnswer> {
  try {
    check()
    const spec = specOf(deps, topic)
    claim(spec.partitionCount)
    const created = (made?: Topic): TopicAnswer => ({
      name: spec.name,
      topicId: made?.id,
      errorCode: 0,
      ...(isShown ? described(deps, spec) : NOT_SHOWN),
    })
    const { topics } = deps.store
    if (validateOnly) {
      topics.check(spec)
      return created()
    }
    return topics.create(spec).then(created, (error: unknown) => refused(topic, error))
  } catch (error) {
    return refused(topic, error)
  }
}

/** The answer to a topic that was refused. @throws an error that is no refusal */
function refused({ name }: NewTopic, error: unknown): TopicAnswer {
  if (!(error instanceof KafkaError)) throw error
  return { name, errorCode: errorCodeOf(error), errorMessage: error.reason }
}

/** @throws {KafkaError} a name, a number of partitions or an assignment that is not allowed */
function specOf(deps: CreateTopicsDeps, topic: NewTopic): Required<TopicSpec> {
  const { name } = topic
  checkTopicName(name)
  refuseInternal('CreateTopics', name)
  return { name, partitionCount: partitionCountOf(deps, topic), config: overridesOf(topic) }
}

function partitionCountOf({ store, config }: CreateTopicsDeps, topic: NewTopic): number {
  const { numPartitions, replicationFactor, assignments } = topic
  if (assignments.length > 0) return assignedCount(topic, store.nodeId)
  if (replicationFactor !== BROKER_DEFAULT && replicationFactor !== REPLICATION_FACTOR) {
    throw new KafkaError(
      'INVALID_REPLICATION_FACTOR',
      `${replicationFactor} replicas, there is one node`,
    )
  }
  if (numPartitions === BROKER_DEFAULT) return config['num.partitions']
  if (numPartitions <= 0) throw new KafkaError('INVALID_PARTITIONS', `${numPartitions} partitions`)
  return numPartitions
}

/** @throws {KafkaError} INVALID_REPLICA_ASSIGNMENT unless every partition from 0 on is assigned to this node alone */
function assignedCount(
  { numPartitions, replicationFactor, assignments }: NewTopic,
  nodeId: number,
): number {
  if (numPartitions !== BROKER_DEFAULT || replicationFactor !== BROKER_DEFAULT) {
    throw new KafkaError(
      'INVALID_REQUEST',
      'with assignments, partitions and replication factor must be -1',
    )
  }
  const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex))
  const isDense = assignments.every((_, i) => indexes.has(i))
  const isOurs = assignments.every(
    ({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === nodeId,
  )
  if (!isDense || !isOurs) {
    throw new KafkaError(
      'INVALID_REPLICA_ASSIGNMENT',
      `want partitions from 0 on, each on node ${nodeId}`,
    )
  }
  return assignments.length
}

function overridesOf({ configs }: NewTopic): Record<string, string> {
  const overrides = new Map<string, string>()
  for (const { name, value } of configs) {
    if (value === null) throw new KafkaError('INVALID_CONFIG', `${name.slice(0, 256)} has no value`)
    if (overrides.has(name))
      throw new KafkaError('INVALID_CONFIG', `${name.slice(0, 256)} is set twice`)
    overrides.set(name, value)
  }
  return Object.fromEntries(overrides)
}

function described({ topicConfigs }: CreateTopicsDeps, spec: Required<TopicSpec>) {
  const configs = topicConfigs.describe(spec.config, null).map(({ name, value, source }) => {
    return { name, value, readOnly: false, configSource: source, isSensitive: false }
  })
  return {
    numPartitions: spec.partitionCount,
    replicationFactor: REPLICATION_FACTOR,
    configs,
  }
}
