// CreateTopics: new topics, durable and ready for batches when the answer goes out.
// Versions: 2-7
// Behaviour: every topic has its own outcome; validateOnly does all checks and nothing else. Replication factor 1 only. All are
// created at the same time; as in Apache Kafka, one request creates 10,000 partitions at most.

import {
  createTopics,
  type CreateTopicsRequest,
  type CreateTopicsResponse,
} from '../../protocol/api/19_create_topics.ts'
import { errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import type { Store, Topic, TopicSpec } from '../../storage/store.ts'
import { checkTopicName } from '../../storage/topic-name.ts'
import type { BrokerConfig } from '../config.ts'
import { refuseInternal } from '../internal-topics.ts'
import { partitionClaims } from '../partition-claims.ts'
import type { Handler } from '../handler.ts'
import type { TopicConfigs } from '../topic-configs.ts'

type NewTopic = CreateTopicsRequest['topics'][number]
type TopicAnswer = CreateTopicsResponse['topics'][number]

const BROKER_DEFAULT = -1
const REPLICATION_FACTOR = 1

interface CreateTopicsDeps {
  readonly store: Store
  readonly config: BrokerConfig
  readonly topicConfigs: TopicConfigs
}

export function createTopicsHandler(deps: CreateTopicsDeps): Handler<typeof createTopics> {
  return {
    api: createTopics,
    async handle({ topics, validateOnly }, { work }) {
      const twice = await work.duplicatesIn(namesOf(topics))
      const claim = partitionClaims()
      const answers = await work.each(topics, (topic) => {
        const check = (partitionCount: number) => {
          if (twice.has(topic.name))
            throw new KafkaError('INVALID_REQUEST', 'the topic is named twice')
          claim(partitionCount)
        }
        return answerFor(deps, topic, check, validateOnly)
      })
      return { topics: answers }
    },
    refuse: ({ topics }, code) => ({
      topics: topics.map(({ name }) => ({ name, errorCode: code, configs: null })),
    }),
  }
}

function* namesOf(topics: readonly NewTopic[]): Iterable<string> {
  for (const { name } of topics) yield name
}

/** A promise only for a topic that is being created. */
function answerFor(
  deps: CreateTopicsDeps,
  topic: NewTopic,
  check: (partitionCount: number) => void,
  validateOnly: boolean,
): TopicAnswer | Promise<TopicAnswer> {
  try {
    const spec = specOf(deps, topic)
    check(spec.partitionCount)
    const created = (made?: Topic): TopicAnswer => ({
      name: spec.name,
      topicId: made?.id,
      errorCode: 0,
      numPartitions: spec.partitionCount,
      replicationFactor: REPLICATION_FACTOR,
      configs: describe(deps, spec),
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

/** @throws what is no refusal */
function refused({ name }: NewTopic, error: unknown): TopicAnswer {
  if (!(error instanceof KafkaError)) throw error
  return { name, errorCode: errorCodeOf(error), errorMessage: error.reason, configs: null }
}

/** @throws {KafkaError} whatever speaks against the topic */
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

/** Every partition from 0 on, each on this node alone. */
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

function describe(
  { topicConfigs }: CreateTopicsDeps,
  spec: Required<TopicSpec>,
): TopicAnswer['configs'] {
  return topicConfigs.describe(spec.config, null).map(({ name, value, source }) => {
    return { name, value, readOnly: false, configSource: source, isSensitive: false }
  })
}
