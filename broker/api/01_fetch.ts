// Fetch: batches out of logs, bytes untouched, or a wait until there are some.
// Versions: 4-17
// Behaviour: a full answer holds every partition of the request, an incremental one those with news (KIP-227). How batches are
// read, and for how long a fetch waits: fetch/read.ts. Followers are served as consumers are. A read_committed answer lists
// aborted transactions (KIP-98).

import { fetch, type FetchRequest, type FetchResponse } from '../../protocol/api/01_fetch.ts'
import type { AbortedTransaction, Log, Store } from '../../storage/store.ts'
import type { BrokerConfig } from '../config.ts'
import type { Purgatory } from '../fetch/purgatory.ts'
import { FetchRead, type ReadLimits, type ReadSink } from '../fetch/read.ts'
import {
  askedIn,
  type FetchPartition,
  type FetchScope,
  type FetchSessions,
} from '../fetch/sessions.ts'
import type { Handler, RequestContext } from '../handler.ts'
import type { TopicTraffic } from '../metrics/traffic.ts'
import type { Throttling } from '../quota/throttling.ts'

const READ_COMMITTED = 1
const ERROR_VERSION_MIN = 7
const TOPIC_ID_VERSION_MIN = 13
const NO_RECORDS = new Uint8Array(0)

type TopicAnswer = FetchResponse['responses'][number]
type PartitionAnswer = TopicAnswer['partitions'][number]

interface FetchDeps {
  readonly store: Store
  readonly sessions: FetchSessions
  readonly purgatory: Purgatory
  readonly traffic: TopicTraffic
  readonly throttling: Throttling
  readonly config: BrokerConfig
}

export function fetchHandler(deps: FetchDeps): Handler<typeof fetch> {
  return {
    api: fetch,
    handle(request, context) {
      const { version, work } = context
      const run = (asked: readonly FetchPartition[]) => {
        const scope = deps.sessions.begin(request, asked, version >= TOPIC_ID_VERSION_MIN)
        return answerFor(deps, request, context, scope)
      }
      const asked = work.run(askedIn(request, work.isDue))
      return asked instanceof Promise ? asked.then(run) : run(asked)
    },
    refuse: (request, code, { version }) => refuseAll(request, code, version),
  }
}

async function answerFor(
  deps: FetchDeps,
  request: FetchRequest,
  context: RequestContext,
  scope: FetchScope,
): Promise<FetchResponse> {
  const { throttling } = deps
  const bytesMax = throttling.isIdle ? Infinity : throttling.fetchBytesMax(context)
  const limits = limitsOf(request, scope, bytesMax)
  const answers = new Answers(scope, limits.isCommittedOnly)
  const read = new FetchRead(deps, context, limits, answers)
  await read.run(scope.partitions)
  if (!throttling.isIdle && !throttling.fetched(context, read.bytesRead)) return answers.none()
  read.countTraffic()
  return { sessionId: scope.sessionId, responses: answers.responses }
}

function limitsOf(
  { maxBytes, minBytes, maxWaitMs, isolationLevel }: FetchRequest,
  { partitions, isIncremental }: FetchScope,
  bytesMax: number,
): ReadLimits {
  const isOfNothing = partitions.length === 0 && !isIncremental
  return {
    maxBytes: Math.min(maxBytes, bytesMax),
    minBytes: Math.min(minBytes, bytesMax),
    maxWaitMs: isOfNothing ? 0 : maxWaitMs,
    isCommittedOnly: isolationLevel === READ_COMMITTED,
  }
}

/** The answers to one request, by topic. */
class Answers implements ReadSink<FetchPartition> {
  readonly responses: { topic: string; topicId: string; partitions: PartitionAnswer[] }[] = []
  readonly #scope: FetchScope
  readonly #answered: FetchPartition[] = []
  readonly #isCommittedOnly: boolean

  constructor(scope: FetchScope, isCommittedOnly: boolean) {
    this.#scope = scope
    this.#isCommittedOnly = isCommittedOnly
  }

  took(
    asked: FetchPartition,
    { highWatermark, lastStableOffset, logStartOffset }: Log,
    records: Uint8Array,
    aborted: readonly AbortedTransaction[],
  ): void {
    if (records.length > 0) this.#scope.moveToEnd(asked)
    const isNews =
      records.length > 0 ||
      asked.highWatermark !== highWatermark ||
      asked.logStartOffset !== logStartOffset
    asked.highWatermark = highWatermark
    asked.logStartOffset = logStartOffset
    if (this.#scope.isIncremental && !isNews) return
    this.#push(asked, {
      partitionIndex: asked.partition,
      errorCode: 0,
      highWatermark,
      lastStableOffset,
      logStartOffset,
      abortedTransactions: this.#isCommittedOnly ? aborted : null,
      records,
    })
  }

  /** The client has read more than its quota, and gets nothing for now: the next answer tells it all. */
  none(): FetchResponse {
    for (const asked of this.#answered) asked.highWatermark = -1
    this.#scope.end()
    return { sessionId: this.#scope.isIncremental ? this.#scope.sessionId : 0, responses: [] }
  }

  refused(asked: FetchPartition, code: number): void {
    asked.highWatermark = -1
    this.#push(asked, failed(asked.partition, code))
  }

  #push(asked: FetchPartition, answer: PartitionAnswer): void {
    const { topic, topicId } = asked
    this.#answered.push(asked)
    const last = this.responses.at(-1)
    if (last?.topic === topic && last.topicId === topicId) last.partitions.push(answer)
    else this.responses.push({ topic, topicId, partitions: [answer] })
  }
}

/** Versions before sessions (KIP-227) have no place for an error but the partitions. */
function refuseAll(request: FetchRequest, code: number, version: number): FetchResponse {
  if (version >= ERROR_VERSION_MIN) return { errorCode: code, responses: [] }
  const responses = request.topics.map(({ topic, topicId, partitions }) => {
    return {
      topic,
      topicId,
      partitions: partitions.map(({ partition }) => failed(partition, code)),
    }
  })
  return { responses }
}

function failed(partition: number, code: number): PartitionAnswer {
  return {
    partitionIndex: partition,
    errorCode: code,
    highWatermark: -1,
    abortedTransactions: [],
    records: NO_RECORDS,
  }
}
