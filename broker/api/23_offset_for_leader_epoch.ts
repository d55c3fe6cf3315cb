// OffsetForLeaderEpoch: where the records of a leader epoch end; how a consumer notices that a crash cut the log.
// Versions: 2-4
// Behaviour: an epoch that is newer than ours or unknown has end offset -1.

import {
  offsetForLeaderEpoch,
  type OffsetForLeaderEpochRequest,
  type OffsetForLeaderEpochResponse,
} from '../../protocol/api/23_offset_for_leader_epoch.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import { epochRefusal } from '../leader-epoch.ts'
import type { Handler } from '../net/handler.ts'

type PartitionAnswer = OffsetForLeaderEpochResponse['topics'][number]['partitions'][number]
type PartitionAsked = OffsetForLeaderEpochRequest['topics'][number]['partitions'][number]

export function offsetForLeaderEpochHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof offsetForLeaderEpoch> {
  return {
    api: offsetForLeaderEpoch,
    handle: (request) => answerEach(request, (topic, asked) => answerFor(store, topic, asked)),
    refuse: (request, code) => {
      return answerEach(request, (_topic, { partition }) => ({ partition, errorCode: code }))
    },
  }
}

function answerEach(
  { topics }: OffsetForLeaderEpochRequest,
  answer: (topic: string, asked: PartitionAsked) => PartitionAnswer,
): OffsetForLeaderEpochResponse {
  return {
    topics: topics.map(({ topic, partitions }) => {
      return { topic, partitions: partitions.map((asked) => answer(topic, asked)) }
    }),
  }
}

function answerFor(store: Store, topic: string, asked: PartitionAsked): PartitionAnswer {
  const { partition, currentLeaderEpoch, leaderEpoch } = asked
  const log = store.log(topic, partition)
  if (log === undefined) return { partition, errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION') }
  const refusal = epochRefusal(log, currentLeaderEpoch)
  if (refusal !== undefined) return { partition, errorCode: errorCode(refusal) }
  const found = log.endOffsetOfEpoch(leaderEpoch)
  return { partition, errorCode: 0, leaderEpoch: found?.epoch, endOffset: found?.endOffset }
}
