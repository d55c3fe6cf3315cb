// OffsetDelete: deletes committed offsets of topics that no member of the group is subscribed to (KIP-496).
// Versions: 0
// Behaviour: every partition has its own outcome; it is durable when the answer goes out.

import { offsetDelete, type OffsetDeleteRequest } from '../../protocol/api/47_offset_delete.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import { doneAmong } from '../auth/audit.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { Handler } from '../handler.ts'

interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

interface OffsetDeleteDeps {
  readonly store: Store
  readonly coordinator: GroupCoordinator
}

export function offsetDeleteHandler({
  store,
  coordinator,
}: OffsetDeleteDeps): Handler<typeof offsetDelete> {
  return {
    api: offsetDelete,
    async handle(request, context) {
      const { work } = context
      context.require('Delete', 'Group', request.groupId)
      const known = new Map<string, TopicPartition>()
      const denied = await context.deniedAmong('Read', 'Topic', topicsIn(request))
      await work.forEach(partitionsOf(request), (asked) => {
        const { topic, partition } = asked
        if (denied.has(topic)) return
        if (store.logs.get(topic, partition) !== undefined)
          known.set(keyOf(topic, partition), asked)
      })
      const refused = await coordinator.deleteOffsets(request.groupId, [...known.values()])
      if (typeof refused === 'string') throw new KafkaError(refused, request.groupId.slice(0, 256))
      const topics = await work.each(request.topics, async ({ name, partitions }) => ({
        name,
        partitions: await work.each(partitions, ({ partitionIndex }) => {
          const error = known.has(keyOf(name, partitionIndex))
            ? refused.get(name)
            : denied.has(name)
              ? 'TOPIC_AUTHORIZATION_FAILED'
              : 'UNKNOWN_TOPIC_OR_PARTITION'
          return { partitionIndex, errorCode: errorCode(error) }
        }),
      }))
      const done = topics.flatMap(({ name, partitions }) =>
        doneAmong(
          partitions,
          ({ partitionIndex }) => `${request.groupId}: ${name}-${partitionIndex}`,
        ),
      )
      context.changed('offsets deleted', done)
      return { errorCode: 0, topics }
    },
    refuse: (_request, code) => ({ errorCode: code, topics: [] }),
  }
}

function* topicsIn({ topics }: OffsetDeleteRequest): Iterable<string> {
  for (const { name } of topics) yield name
}

function* partitionsOf({ topics }: OffsetDeleteRequest): Iterable<TopicPartition> {
  for (const { name, partitions } of topics) {
    for (const { partitionIndex } of partitions) yield { topic: name, partition: partitionIndex }
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`
}
