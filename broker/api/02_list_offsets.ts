// ListOffsets: the offset of a time, or of an end of the log.
// Versions: 1-10
// Behaviour: the answer to a time is a record's offset, also inside a batch. It lies below the high watermark, or with
// read_committed below the last stable offset. A partition that the request names twice is refused.

import {
  listOffsets,
  type ListOffsetsRequest,
  type ListOffsetsResponse,
} from '../../protocol/api/02_list_offsets.ts'
import { errorCode, errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import type { Log, OffsetAndTimestamp, Reader, Store } from '../../storage/store.ts'
import { epochRefusal } from '../leader-epoch.ts'
import type { Handler } from '../handler.ts'

/** Timestamps with a meaning of their own, and the versions that know them: KIP-734, KIP-405, KIP-1005. */
const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
const LATEST_TIERED = -5
const versionMins = new Map([
  [LATEST, 1],
  [EARLIEST, 1],
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
])
const READ_COMMITTED = 1

type PartitionAnswer = ListOffsetsResponse['topics'][number]['partitions'][number]
type RequestPartition = ListOffsetsRequest['topics'][number]['partitions'][number]
type Found = Pick<PartitionAnswer, 'offset' | 'timestamp'>

export function listOffsetsHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof listOffsets> {
  return {
    api: listOffsets,
    async handle(request, context) {
      const { version, work } = context
      const twice = await work.duplicatesIn(keysOf(request))
      const topics = await work.each(request.topics, async ({ name, partitions }) => {
        const isAllowed = context.allows('Describe', 'Topic', name)
        return {
          name,
          partitions: await work.each(partitions, (asked) => {
            if (!isAllowed) return failed(asked, errorCode('TOPIC_AUTHORIZATION_FAILED'))
            const isDuplicate = twice.has(keyOf(name, asked.partitionIndex))
            if (isDuplicate) return failed(asked, errorCode('INVALID_REQUEST'))
            const log = store.logs.get(name, asked.partitionIndex)
            return answerFor(store.reader, log, asked, request, version)
          }),
        }
      })
      return { topics }
    },
    refuse: ({ topics }, code) => ({
      topics: topics.map(({ name, partitions }) => {
        return { name, partitions: partitions.map((asked) => failed(asked, code)) }
      }),
    }),
  }
}

function failed({ partitionIndex }: RequestPartition, code: number): PartitionAnswer {
  return { partitionIndex, errorCode: code }
}

async function answerFor(
  reader: Reader,
  log: Log | undefined,
  asked: RequestPartition,
  request: ListOffsetsRequest,
  version: number,
): Promise<PartitionAnswer> {
  if (log === undefined) return failed(asked, errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  const refusal = epochRefusal(log, asked.currentLeaderEpoch)
  if (refusal !== undefined) return failed(asked, errorCode(refusal))
  if (asked.timestamp < 0 && version < (versionMins.get(asked.timestamp) ?? Infinity)) {
    return failed(asked, errorCode('UNSUPPORTED_VERSION'))
  }
  try {
    const isCommittedOnly = request.isolationLevel === READ_COMMITTED
    const found = await lookUp(reader, log, asked.timestamp, isCommittedOnly)
    const leaderEpoch = found.offset === -1 ? -1 : log.leaderEpoch
    return { partitionIndex: asked.partitionIndex, errorCode: 0, ...found, leaderEpoch }
  } catch (error) {
    if (error instanceof KafkaError) return failed(asked, errorCodeOf(error))
    throw error
  }
}

async function lookUp(
  reader: Reader,
  log: Log,
  timestamp: number,
  isCommittedOnly: boolean,
): Promise<Found> {
  const endOffset = isCommittedOnly ? log.lastStableOffset : log.highWatermark
  switch (timestamp) {
    case LATEST:
      return { offset: endOffset, timestamp: -1 }
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { offset: log.logStartOffset, timestamp: -1 }
    case LATEST_TIERED:
      return NOTHING
    case MAX_TIMESTAMP:
      return before(endOffset, await reader.offsetForMaxTimestamp(log))
    default:
      return before(endOffset, await reader.offsetForTimestamp(log, timestamp))
  }
}

function before(endOffset: number, found: OffsetAndTimestamp | undefined): Found {
  return found === undefined || found.offset >= endOffset ? NOTHING : found
}

const NOTHING: Found = { offset: -1, timestamp: -1 }

function* keysOf({ topics }: ListOffsetsRequest): Iterable<string> {
  for (const { name, partitions } of topics) {
    for (const { partitionIndex } of partitions) yield keyOf(name, partitionIndex)
  }
}

function keyOf(name: string, partition: number): string {
  return `${name}/${partition}`
}
