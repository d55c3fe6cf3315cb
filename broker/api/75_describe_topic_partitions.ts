// DescribeTopicPartitions: topics and their partitions, page by page (KIP-966).
// Versions: 0
// Behaviour: topics are in order of name, whatever their order in the request. A page ends after a number of partitions, also in
// the middle of a topic, and its cursor says where the next page begins. A request for all leaves the metadata topic out.

import {
  describeTopicPartitions,
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponse,
} from '../../protocol/api/75_describe_topic_partitions.ts'
import { errorCode, errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import type { Store, Topic } from '../../storage/store.ts'
import { checkTopicName, METADATA_TOPIC } from '../../storage/topic-name.ts'
import type { Handler, RequestContext } from '../handler.ts'

type TopicAnswer = DescribeTopicPartitionsResponse['topics'][number]

/** Kafka's `max.request.partition.size.limit`. */
const PAGE_PARTITIONS_MAX = 2000
/** Names that one request may sort; a client that wants more asks for all, page by page. */
const NAMES_MAX = 10_000

export function describeTopicPartitionsHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof describeTopicPartitions> {
  return {
    api: describeTopicPartitions,
    handle: async (request, context) => {
      const asked = await context.work.distinct(namesIn(request))
      return pageOf(store, request, asked, context)
    },
    refuse: ({ topics }, code) => ({
      topics: topics.map(({ name }) => refused(name, code)),
    }),
  }
}

/** @throws {KafkaError} INVALID_REQUEST */
function pageOf(
  store: Store,
  { responsePartitionLimit, cursor }: DescribeTopicPartitionsRequest,
  asked: ReadonlySet<string>,
  context: RequestContext,
): DescribeTopicPartitionsResponse {
  if (cursor !== null) checkCursor(cursor, asked)
  const names = namesOf(store, asked).filter((name) => name >= (cursor?.topicName ?? ''))
  const isAllowed = (name: string) =>
    asked.size > 0
      ? context.allows('Describe', 'Topic', name)
      : context.allowsSilently('Describe', 'Topic', name)
  const topics: TopicAnswer[] = []
  let left = Math.min(Math.max(responsePartitionLimit, 1), PAGE_PARTITIONS_MAX)
  for (const topicName of names) {
    const from = topicName === cursor?.topicName ? cursor.partitionIndex : 0
    if (left === 0) return { topics, nextCursor: { topicName, partitionIndex: from } }
    if (!isAllowed(topicName)) {
      if (asked.size > 0) topics.push(refused(topicName, errorCode('TOPIC_AUTHORIZATION_FAILED')))
      continue
    }
    const topicAuthorizedOperations = context.mask(true, 'Topic', topicName)
    const topic = store.topics.get(topicName)
    if (topic === undefined) {
      const errorCode = codeOfMissing(topicName)
      topics.push({ errorCode, name: topicName, partitions: [], topicAuthorizedOperations })
      continue
    }
    const to = Math.min(from + left, topic.partitionCount)
    topics.push({ ...described(store, topic, from, to), topicAuthorizedOperations })
    if (to < topic.partitionCount) return { topics, nextCursor: { topicName, partitionIndex: to } }
    left -= Math.max(to - from, 0)
  }
  return { topics }
}

/** @throws {KafkaError} INVALID_REQUEST for a cursor where no page can begin */
function checkCursor(
  { topicName, partitionIndex }: NonNullable<DescribeTopicPartitionsRequest['cursor']>,
  asked: ReadonlySet<string>,
): void {
  if (partitionIndex < 0)
    throw new KafkaError('INVALID_REQUEST', `partition ${partitionIndex} in the cursor`)
  if (asked.size > 0 && !asked.has(topicName))
    throw new KafkaError('INVALID_REQUEST', 'the topic of the cursor is not asked for')
}

function* namesIn({ topics }: DescribeTopicPartitionsRequest): Iterable<string> {
  for (const { name } of topics) yield name
}

/** Each name once, sorted. @throws {KafkaError} INVALID_REQUEST for too many */
function namesOf(store: Store, asked: ReadonlySet<string>): string[] {
  if (asked.size > NAMES_MAX)
    throw new KafkaError('INVALID_REQUEST', `${asked.size} topics, ${NAMES_MAX} can be asked for`)
  if (asked.size > 0) return [...asked].sort()
  const all = Array.from(store.topics.list(), ({ name }) => name)
  return all.filter((name) => name !== METADATA_TOPIC)
}

function described(store: Store, topic: Topic, from: number, to: number): TopicAnswer {
  const nodes = [store.nodeId]
  const partitions = Array.from({ length: Math.max(to - from, 0) }, (_, i) => ({
    errorCode: 0,
    partitionIndex: from + i,
    leaderId: store.nodeId,
    leaderEpoch: store.logs.get(topic.name, from + i)?.leaderEpoch ?? -1,
    replicaNodes: nodes,
    isrNodes: nodes,
    eligibleLeaderReplicas: [],
    lastKnownElr: [],
  }))
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.isInternal,
    partitions,
  }
}

function refused(name: string, code: number): TopicAnswer {
  return { errorCode: code, name, partitions: [] }
}

function codeOfMissing(name: string): number {
  try {
    checkTopicName(name)
    return errorCode('UNKNOWN_TOPIC_OR_PARTITION')
  } catch (error) {
    if (error instanceof KafkaError) return errorCodeOf(error)
    throw error
  }
}
