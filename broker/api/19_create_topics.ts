// CreateTopics: new topics, durable and ready for batches when the answer goes out.
// Versions: 2-7
// Behaviour: every topic has its own outcome; validateOnly does all checks and nothing else. Replication factor 1 only.

import {
  createTopics,
  type CreateTopicsRequest,
  type CreateTopicsResponse,
} from '../../protocol/api/19_create_topics.ts'
import { errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import type { Store, TopicSpec } from '../../storage/store.ts'
import { isReservedName } from '../../storage/topic-name.ts'
import type { BrokerConfig } from '../config.ts'
import { duplicatesIn } from '../duplicates.ts'
import type { Handler } from '../net/handler.ts'
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
    async handle({ topics, validateOnly }) {
      const twice = duplicatesIn(topics.map(({ name }) => name))
      const answers: TopicAnswer[] = []
      for (const topic of topics) {
        answers.push(await answerFor(deps, topic, twice.has(topic.name), validateOnly))
      }
      return { topics: answers }
    },
    refuse: ({ topics }, code) => ({
      topics: topics.map(({ name }) => ({ name, errorCode: code, configs: null })),
    }),
  }
}

async function answerFor(
  deps: CreateTopicsDeps,
  topic: NewTopic,
  isDuplicate: boolean,
  validateOnly: boolean,
): Promise<TopicAnswer> {
  const { name } = topic
  try {
    if (isDuplicate) throw new KafkaError('INVALID_REQUEST', 'the topic is named twice')
    const spec = specOf(deps, topic)
    const { topics } = deps.store
    const created = validateOnly ? topics.check(spec) : await topics.create(spec)
    return {
      name,
      topicId: created?.id,
      errorCode: 0,
      numPartitions: spec.partitionCount,
      replicationFactor: REPLICATION_FACTOR,
      configs: describe(deps, spec),
    }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return { name, errorCode: errorCodeOf(error), errorMessage: error.reason, configs: null }
  }
}

/** @throws {KafkaError} whatever speaks against the topic */
function specOf(deps: CreateTopicsDeps, topic: NewTopic): Required<TopicSpec> {
  const { name } = topic
  if (isReservedName(name)) {
    throw new KafkaError('INVALID_TOPIC_EXCEPTION', `topic ${name} is the broker's own`)
  }
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
