// Fetch: batches out of logs, bytes untouched, or a wait until there are some.
// Versions: 4-17
// Behaviour: full answers hold every partition asked for; sessions are real; the first partition with data gives its
// first batch however large (KIP-74); a waiting fetch answers when minBytes are there, after maxWaitMs, or when a
// partition has an error. One that wants any bytes waits no longer than `fetch.max.wait.ms`. Followers are served as
// consumers are. read_committed reads to the last stable offset, and is told which transactions were aborted.

import { fetch, type FetchRequest, type FetchResponse } from '../../protocol/api/01_fetch.ts'
import {
  baseOffsetOf,
  batchSizeBytes,
  lastOffsetDeltaOf,
  recordCountOf,
} from '../../protocol/batch/header.ts'
import { errorCode, errorCodeOf, KafkaError, type ErrorName } from '../../protocol/errors.ts'
import { UUID_ZERO, type Offset } from '../../protocol/ids.ts'
import type { AbortedTransaction, Log, ReadResult, Store, Topic } from '../../storage/store.ts'
import type { BrokerConfig } from '../config.ts'
import {
  askedIn,
  type FetchPartition,
  type FetchScope,
  type FetchSessions,
} from '../fetch/sessions.ts'
import { epochRefusal } from '../leader-epoch.ts'
import type { TopicTraffic } from '../metrics/traffic.ts'
import type { Handler, RequestContext } from '../handler.ts'
import { clientOf, type Purgatory } from '../purgatory.ts'

const READ_COMMITTED = 1
const TOPIC_ID_VERSION_MIN = 13
const NO_RECORDS = new Uint8Array(0)
const NONE_ABORTED: readonly AbortedTransaction[] = []

type TopicAnswer = FetchResponse['responses'][number]
type PartitionAnswer = TopicAnswer['partitions'][number]

/** At a log, for the partition that was asked for. */
interface Look {
  readonly asked: FetchPartition
  /** There were so many to read. */
  bytes: number
}

interface FetchDeps {
  readonly store: Store
  readonly sessions: FetchSessions
  readonly purgatory: Purgatory
  readonly traffic: TopicTraffic
  readonly config: BrokerConfig
}

export function fetchHandler(deps: FetchDeps): Handler<typeof fetch> {
  return {
    api: fetch,
    handle(request, context) {
      const { version, work } = context
      const run = (asked: readonly FetchPartition[]) => {
        const scope = deps.sessions.begin(request, asked, version >= TOPIC_ID_VERSION_MIN)
        return new Fetch(deps, request, context, scope).run()
      }
      const asked = work.run(askedIn(request, work.isDue))
      return asked instanceof Promise ? asked.then(run) : run(asked)
    },
    refuse: (request, code, { version }) => refuseAll(request, code, version),
  }
}

/** Before sessions there is no place for an error but the partitions. */
function refuseAll(request: FetchRequest, code: number, version: number): FetchResponse {
  if (version >= 7) return { errorCode: code, responses: [] }
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
    abortedTransactions: null,
    records: NO_RECORDS,
  }
}

/** One request. */
class Fetch {
  readonly #deps: FetchDeps
  readonly #request: FetchRequest
  readonly #context: RequestContext
  readonly #scope: FetchScope
  readonly #responses: { topic: string; topicId: string; partitions: PartitionAnswer[] }[] = []
  readonly #isCommittedOnly: boolean
  /** Of the logs looked at, while there is not enough. */
  readonly #looks = new Map<Log, Look>()
  #bytesAvailable = 0
  #bytesLeft: number
  #bytesRead = 0

  constructor(deps: FetchDeps, request: FetchRequest, context: RequestContext, scope: FetchScope) {
    this.#deps = deps
    this.#request = request
    this.#context = context
    this.#isCommittedOnly = request.isolationLevel === READ_COMMITTED
    this.#scope = scope
    this.#bytesLeft = Math.min(request.maxBytes, deps.config['fetch.max.bytes'])
  }

  async run(): Promise<FetchResponse> {
    const { work } = this.#context
    const waitMs = this.#waitMs()
    if (waitMs > 0 && !this.#isReady()) {
      const { purgatory } = this.#deps
      work.leave()
      await purgatory.wait({
        logs: [...this.#looks.keys()],
        isReady: (changed) => this.#isReadyWith(changed),
        waitMs,
        gone: this.#context.session.gone,
        client: clientOf(this.#context),
      })
    }
    for (const asked of this.#scope.partitions) {
      const reading = this.#readPartition(asked)
      if (reading instanceof Promise) await reading
      if (work.isDue()) await work.nextTurn()
    }
    return { sessionId: this.#scope.sessionId, responses: this.#responses }
  }

  /** Who wants many bytes at once may wait as long as it likes; who wants any hears of none before that. */
  #waitMs(): number {
    const { maxWaitMs, minBytes } = this.#request
    return minBytes > 1 ? maxWaitMs : Math.min(maxWaitMs, this.#deps.config['fetch.max.wait.ms'])
  }

  /** Are there bytes enough, or is there an error to tell? */
  #isReady(): boolean {
    const { partitions } = this.#scope
    if (partitions.length === 0) return !this.#scope.isIncremental
    for (const asked of partitions) {
      const log = this.#logOf(asked)
      if (typeof log === 'string') return true
      const look = { asked, bytes: 0 }
      this.#looks.set(log, look)
      if (this.#hasNews(log, look) || (this.#hasEnough && this.#bytesAvailable > 0)) return true
    }
    return this.#hasEnough
  }

  /** Only one log has changed since the last look at all of them. */
  #isReadyWith(log: Log): boolean {
    const look = this.#looks.get(log)!
    return this.#logOf(look.asked) !== log || this.#hasNews(log, look) || this.#hasEnough
  }

  /** Notes what is there to read. @returns whether there is an error to tell */
  #hasNews(log: Log, look: Look): boolean {
    const { asked } = look
    if (refusalOf(log, asked) !== undefined) return true
    const isAny = asked.fetchOffset < this.#endOf(log)
    const bytes = isAny ? log.bytesAvailable(asked.fetchOffset as Offset) : 0
    this.#bytesAvailable += bytes - look.bytes
    look.bytes = bytes
    return false
  }

  get #hasEnough(): boolean {
    return this.#bytesAvailable >= this.#request.minBytes
  }

  /** Up to here the client may read. */
  #endOf(log: Log): Offset {
    return this.#isCommittedOnly ? log.lastStableOffset : log.highWatermark
  }

  #logOf({ topic: name, topicId, partition }: FetchPartition): Log | ErrorName {
    const { store } = this.#deps
    let topic: Topic | undefined
    if (topicId === UUID_ZERO) topic = store.topics.get(name)
    else {
      topic = store.topics.getById(topicId)
      if (topic === undefined) return 'UNKNOWN_TOPIC_ID'
    }
    const log = topic === undefined ? undefined : store.log(topic.name, partition)
    return log ?? 'UNKNOWN_TOPIC_OR_PARTITION'
  }

  #readPartition(asked: FetchPartition): void | Promise<void> {
    const log = this.#logOf(asked)
    const refusal = typeof log === 'string' ? log : refusalOf(log, asked)
    if (typeof log !== 'string' && asked.fetchOffset < log.logStartOffset)
      this.#deps.traffic.overtaken(log.topic.name)
    if (refusal !== undefined) return this.#answerError(asked, errorCode(refusal))
    return this.#read(asked, log as Log)
  }

  #read(asked: FetchPartition, log: Log): void | Promise<void> {
    const bytesMax = Math.min(asked.partitionMaxBytes, this.#bytesLeft)
    const isFirst = this.#bytesRead === 0
    if (asked.fetchOffset >= this.#endOf(log) || (bytesMax <= 0 && !isFirst)) {
      return this.#answer(asked, log, NO_RECORDS, NONE_ABORTED)
    }
    const { room } = this.#context
    const wanted = Math.min(bytesMax, log.bytesAvailable(asked.fetchOffset as Offset))
    const reserved = room.reserve(Math.max(0, wanted))
    if (!isFirst || !room.isFull) return this.#readWithin(asked, log, reserved, isFirst)
    return this.#readWithin(asked, log, reserved, false, () => this.#readLater(asked, log))
  }

  /** The first batch needs more room than there was: it waits for its turn. */
  async #readLater(asked: FetchPartition, log: Log): Promise<void> {
    const reserved = await this.#context.room.reserveLater()
    await this.#readWithin(asked, log, reserved, reserved > 0)
  }

  /** @param ifNone what to do when no batch fits */
  #readWithin(
    asked: FetchPartition,
    log: Log,
    bytesMax: number,
    isFirst: boolean,
    ifNone?: () => Promise<void>,
  ): void | Promise<void> {
    const took = (read: ReadResult) => {
      this.#context.room.settle(
        bytesMax,
        read.bytes.length === 0 ? 0 : read.bytes.buffer.byteLength,
      )
      return ifNone && read.bytes.length === 0 ? ifNone() : this.#took(asked, log, read)
    }
    const failed = (error: unknown) => {
      this.#context.room.settle(bytesMax, 0)
      this.#readFailed(asked, error)
    }
    try {
      const read = log.read(asked.fetchOffset as Offset, bytesMax, isFirst, this.#endOf(log))
      return read instanceof Promise ? read.then(took, failed) : took(read)
    } catch (error) {
      return failed(error)
    }
  }

  #readFailed(asked: FetchPartition, error: unknown): void {
    if (!(error instanceof KafkaError)) throw error
    this.#answerError(asked, errorCodeOf(error))
  }

  #took(asked: FetchPartition, log: Log, read: ReadResult): void | Promise<void> {
    const { bytes } = read
    this.#context.whenSent(() => read.release())
    this.#bytesRead += bytes.length
    this.#bytesLeft -= bytes.length
    if (bytes.length > 0) {
      this.#deps.traffic.fetched(log.topic.name, recordCountIn(bytes), bytes.length)
      this.#scope.moveToEnd(asked)
    }
    const aborted = this.#isCommittedOnly ? abortedIn(asked, log, bytes) : NONE_ABORTED
    if (!(aborted instanceof Promise)) return this.#answer(asked, log, bytes, aborted)
    return aborted.then(
      (late) => this.#answer(asked, log, bytes, late),
      (error: unknown) => this.#readFailed(asked, error),
    )
  }

  #answer(
    asked: FetchPartition,
    log: Log,
    records: Uint8Array,
    aborted: readonly AbortedTransaction[],
  ): void {
    const { highWatermark, lastStableOffset, logStartOffset } = log
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

  #answerError(asked: FetchPartition, code: number): void {
    asked.highWatermark = -1
    this.#push(asked, failed(asked.partition, code))
  }

  #push({ topic, topicId }: FetchPartition, answer: PartitionAnswer): void {
    const last = this.#responses.at(-1)
    if (last?.topic === topic && last.topicId === topicId) last.partitions.push(answer)
    else this.#responses.push({ topic, topicId, partitions: [answer] })
  }
}

function refusalOf(
  log: Log,
  { currentLeaderEpoch, fetchOffset }: FetchPartition,
): ErrorName | undefined {
  const refusal = epochRefusal(log, currentLeaderEpoch)
  if (refusal !== undefined) return refusal
  return fetchOffset < log.logStartOffset || fetchOffset > log.logEndOffset
    ? 'OFFSET_OUT_OF_RANGE'
    : undefined
}

/** The aborted transactions that have records among these, in order of their first offset: so clients go through them. */
function abortedIn(
  { fetchOffset }: FetchPartition,
  log: Log,
  batches: Uint8Array,
): readonly AbortedTransaction[] | Promise<readonly AbortedTransaction[]> {
  const endOffset = endOffsetOf(batches)
  if (endOffset <= fetchOffset) return NONE_ABORTED
  const aborted = log.abortedTransactions(fetchOffset as Offset, endOffset as Offset)
  return aborted instanceof Promise ? aborted.then(inOrder) : inOrder(aborted)
}

function inOrder(aborted: readonly AbortedTransaction[]): readonly AbortedTransaction[] {
  return aborted.length < 2
    ? aborted
    : [...aborted].sort((one, other) => one.firstOffset - other.firstOffset)
}

/** @returns the offset after the last whole batch, -1 when there is none */
function endOffsetOf(batches: Uint8Array): number {
  let endOffset = -1
  for (let at = 0; ;) {
    const sizeBytes = batchSizeBytes(batches, at)
    if (sizeBytes === undefined || sizeBytes > batches.length - at) return endOffset
    endOffset = baseOffsetOf(batches, at) + lastOffsetDeltaOf(batches, at) + 1
    at += sizeBytes
  }
}

function recordCountIn(batches: Uint8Array): number {
  let recordCount = 0
  for (let at = 0; ;) {
    const sizeBytes = batchSizeBytes(batches, at)
    if (sizeBytes === undefined || sizeBytes > batches.length - at) return recordCount
    recordCount += recordCountOf(batches, at)
    at += sizeBytes
  }
}
