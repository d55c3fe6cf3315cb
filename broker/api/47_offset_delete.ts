// OffsetDelete: forgets offsets of partitions that no member of the group is subscribed to.
// Versions: 0
// Behaviour: every partition has its own outcome; durable when answered.

import { offsetDelete, type OffsetDeleteRequest } from '../../protocol/api/47_offset_delete.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { Handler } from '../net/handler.ts'

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
    async handle(request) {
      const isKnown = (topic: string, partition: number) =>
        store.log(topic, partition) !== undefined
      const asked = partitionsOf(request).filter(({ topic, partition }) =>
        isKnown(topic, partition),
      )
      const refused = await coordinator.deleteOffsets(request.groupId, asked)
      if (typeof refused === 'string') throw new KafkaError(refused, request.groupId.slice(0, 256))
      const topics = request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => {
          const error = isKnown(name, partitionIndex)
            ? refused.get(name)
            : 'UNKNOWN_TOPIC_OR_PARTITION'
          return { partitionIndex, errorCode: errorCode(error) }
        }),
      }))
      return { errorCode: 0, topics }
    },
    refuse: (_request, code) => ({ errorCode: code, topics: [] }),
  }
}

function partitionsOf({ topics }: OffsetDeleteRequest) {
  return topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
  )
}
