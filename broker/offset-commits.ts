// The common part of OffsetCommit and TxnOffsetCommit: some partitions are refused one by one, all others have one
// outcome. Network thread.

import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { Clock } from '../storage/clock.ts'
import type { Store } from '../storage/store.ts'
import type { BrokerConfig } from './config.ts'
import type { RequestContext } from './handler.ts'
import type { PartitionOffset } from './group/committed-offsets.ts'

export interface OffsetCommitsDeps {
  readonly store: Store
  readonly config: BrokerConfig
  readonly clock: Clock
}

interface PartitionCommit {
  readonly partitionIndex: number
  readonly committedOffset: number
  readonly committedLeaderEpoch: number
  readonly committedMetadata: string | null
}

interface TopicCommit {
  readonly name: string
  readonly partitions: readonly PartitionCommit[]
}

interface Commits {
  /** The offsets that are not refused; of a partition named twice the last one counts. */
  readonly offsets: readonly PartitionOffset[]
  /** @param error the outcome of `offsets`; undefined: committed */
  answer(error: ErrorName | undefined): Promise<CommitsAnswer>
}

type CommitsAnswer = ReturnType<typeof refuseCommits>

/** @param retentionMs null: the broker's */
export async function commitsOf(
  deps: OffsetCommitsDeps,
  topics: readonly TopicCommit[],
  retentionMs: number | null,
  context: RequestContext,
): Promise<Commits> {
  const { work } = context
  const committedMs = deps.clock.now()
  const expiresMs = retentionMs === null ? null : committedMs + retentionMs
  const offsets = new Map<string, PartitionOffset>()
  const refused = new Map<PartitionCommit, ErrorName>()
  await work.forEach(partitionsOf(topics, context), ([topic, commit, isAllowed]) => {
    const refusal = isAllowed ? refusalOfCommit(deps, topic, commit) : 'TOPIC_AUTHORIZATION_FAILED'
    if (refusal !== undefined) {
      refused.set(commit, refusal)
      return
    }
    const { partitionIndex: partition, committedOffset, committedLeaderEpoch } = commit
    const committed = {
      offset: committedOffset,
      leaderEpoch: committedLeaderEpoch,
      metadata: commit.committedMetadata ?? '',
      committedMs,
      expiresMs,
    }
    offsets.set(`${topic}/${partition}`, { topic, partition, committed })
  })
  return {
    offsets: [...offsets.values()],
    async answer(error) {
      const answers = await work.each(topics, async ({ name, partitions }) => ({
        name,
        partitions: await work.each(partitions, (commit) => {
          const { partitionIndex } = commit
          return { partitionIndex, errorCode: errorCode(refused.get(commit) ?? error) }
        }),
      }))
      return { topics: answers }
    },
  }
}

function refusalOfCommit(
  { store, config }: OffsetCommitsDeps,
  topic: string,
  { partitionIndex, committedMetadata }: PartitionCommit,
): ErrorName | undefined {
  if (store.logs.get(topic, partitionIndex) === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
  const metadataBytes = Buffer.byteLength(committedMetadata ?? '')
  return metadataBytes > config['offset.metadata.max.bytes']
    ? 'OFFSET_METADATA_TOO_LARGE'
    : undefined
}

function* partitionsOf(
  topics: readonly TopicCommit[],
  context: RequestContext,
): Iterable<[topic: string, commit: PartitionCommit, isAllowed: boolean]> {
  for (const { name, partitions } of topics) {
    const isAllowed = context.allows('Read', 'Topic', name)
    for (const commit of partitions) yield [name, commit, isAllowed]
  }
}

export function refuseCommits(topics: readonly TopicCommit[], code: number) {
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code })),
    })),
  }
}
