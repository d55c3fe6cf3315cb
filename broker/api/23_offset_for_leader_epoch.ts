// OffsetForLeaderEpoch: the end offset of a leader epoch, by which a consumer notices that a crash cut the log (KIP-320).
// Versions: 2-4
// Behaviour: an epoch that is newer than the log's, or unknown, has end offset -1.

import {
  offsetForLeaderEpoch,
  type OffsetForLeaderEpochRequest,
  type OffsetForLeaderEpochResponse,
} from '../../protocol/api/23_offset_for_leader_epoch.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import { epochRefusal } from '../leader-epoch.ts'
import type { Handler } from '../handler.ts'

type PartitionAnswer = OffsetForLeaderEpochResponse['topics'][number]['partitions'][number]
type RequestPartition = OffsetForLeaderEpochRequest['topics'][number]['partitions'][number]

export function offsetForLeaderEpochHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof offsetForLeaderEpoch> {
  return {
    api: offsetForLeaderEpoch,
    async handle(request, context) {
      const { work } = context
      const isReplica = context.allowsOnClusterSilently('ClusterAction')
      const topics = await work.each(request.topics, async ({ topic, partitions }) => {
        const isAllowed = isReplica || context.allows('Describe', 'Topic', topic)
        return {
          topic,
          partitions: await work.each(partitions, (asked) =>
            isAllowed
              ? answerFor(store, topic, asked)
              : failed(asked, errorCode('TOPIC_AUTHORIZATION_FAILED')),
          ),
        }
      })
      return { topics }
    },
    refuse: ({ topics }, code) => ({
      topics: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((asked) => failed(asked, code)),
      })),
    }),
  }
}

function failed({ partition }: RequestPartition, code: number): PartitionAnswer {
  return { partition, errorCode: code }
}

function answerFor(store: Store, topic: string, asked: RequestPartition): PartitionAnswer {
  const { partition, currentLeaderEpoch, leaderEpoch } = asked
  const log = store.logs.get(topic, partition)
  if (log === undefined) return failed(asked, errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  const refusal = epochRefusal(log, currentLeaderEpoch)
  if (refusal !== undefined) return failed(asked, errorCode(refusal))
  const found = log.endOffsetOfEpoch(leaderEpoch)
  return { partition, errorCode: 0, leaderEpoch: found?.epoch, endOffset: found?.endOffset }
}
