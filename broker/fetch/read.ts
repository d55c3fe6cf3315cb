// FetchRead: reads batches of several partitions for one request of a client, in order and within its limits of
// bytes. It waits first while there are too few bytes, and looks up each log once. The first partition with data
// gives its first batch, however large (KIP-74). All reads for clients go through it. Network thread.

import { errorCode, errorCodeOf, KafkaError, type ErrorName } from '../../protocol/errors.ts'
import { UUID_ZERO, type Offset, type Uuid } from '../../protocol/ids.ts'
import type { AbortedTransaction, Log, ReadResult, Store } from '../../storage/store.ts'
import { METADATA_TOPIC } from '../../storage/topic-name.ts'
import type { BrokerConfig } from '../config.ts'
import type { RequestContext } from '../handler.ts'
import { epochRefusal } from '../leader-epoch.ts'
import type { TopicTraffic } from '../metrics/traffic.ts'
import { clientOf, type Purgatory } from './purgatory.ts'

const NO_RECORDS = new Uint8Array(0)
const NONE_ABORTED: readonly AbortedTransaction[] = []

/** A partition to read from. */
export interface ReadPartition {
  /** '' in a request with ids; in one with names the id is zero. */
  readonly topic: string
  readonly topicId: Uuid
  readonly partition: number
  readonly fetchOffset: number
  readonly partitionMaxBytes: number
  /** -1 for no check. */
  readonly currentLeaderEpoch: number
}

export interface ReadLimits {
  readonly maxBytes: number
  readonly minBytes: number
  readonly maxWaitMs: number
  /** Read to the last stable offset only. */
  readonly isCommittedOnly: boolean
}

/** Takes the outcome of each partition, in their order. */
export interface ReadSink<Partition> {
  /** @param records valid until the answer was sent. @param aborted in order of their first offset */
  took(
    partition: Partition,
    log: Log,
    records: Uint8Array,
    aborted: readonly AbortedTransaction[],
  ): void
  refused(partition: Partition, errorCode: number): void
}

interface ReadDeps {
  readonly store: Store
  readonly purgatory: Purgatory
  readonly traffic: TopicTraffic
  readonly config: BrokerConfig
}

/** A partition and its log, or the reason why it cannot be read. */
interface Place<Partition> {
  readonly asked: Partition
  readonly log: Log | ErrorName
  /** Bytes available to read. */
  bytesAvailable: number
}

export class FetchRead<Partition extends ReadPartition> {
  readonly #deps: ReadDeps
  readonly #context: RequestContext
  readonly #limits: ReadLimits
  readonly #sink: ReadSink<Partition>
  #bytesAvailable = 0
  #bytesLeft: number
  #bytesRead = 0
  /** Counted as fetched when the client gets it. */
  readonly #batches: (readonly [topic: string, recordCount: number, byteCount: number])[] = []

  constructor(
    deps: ReadDeps,
    context: RequestContext,
    limits: ReadLimits,
    sink: ReadSink<Partition>,
  ) {
    this.#deps = deps
    this.#context = context
    this.#limits = limits
    this.#sink = sink
    this.#bytesLeft = Math.min(limits.maxBytes, deps.config['fetch.max.bytes'])
  }

  get bytesRead(): number {
    return this.#bytesRead
  }

  /** The client gets what was read. */
  countTraffic(): void {
    for (const batches of this.#batches) this.#deps.traffic.fetched(...batches)
  }

  async run(partitions: readonly Partition[]): Promise<void> {
    const { work } = this.#context
    const places: Place<Partition>[] = []
    const waitMs = this.#waitMs()
    if (waitMs > 0 && !this.#isReady(partitions, places)) await this.#wait(places, waitMs)
    for (const [i, asked] of partitions.entries()) {
      const reading = this.#readPlace(places[i] ?? this.#placeOf(asked))
      if (reading instanceof Promise) await reading
      if (work.isDue()) await work.nextTurn()
    }
  }

  /**
   * A fetch for many bytes waits as long as it likes; one for any bytes learns that there are none within
   * `fetch.max.wait.ms`.
   */
  #waitMs(): number {
    const { maxWaitMs, minBytes } = this.#limits
    return minBytes > 1 ? maxWaitMs : Math.min(maxWaitMs, this.#deps.config['fetch.max.wait.ms'])
  }

  /** Are there enough bytes, or is there an error to answer? @param places gets the partitions looked at, in order */
  #isReady(partitions: readonly Partition[], places: Place<Partition>[]): boolean {
    for (const asked of partitions) {
      const place = this.#placeOf(asked)
      places.push(place)
      if (this.#hasError(place) || (this.#hasEnough && this.#bytesAvailable > 0)) return true
    }
    return this.#hasEnough
  }

  async #wait(places: readonly Place<Partition>[], waitMs: number): Promise<void> {
    const { purgatory } = this.#deps
    const placeByLog = new Map(places.map((place) => [place.log as Log, place]))
    this.#context.work.leave()
    await purgatory.wait({
      logs: [...placeByLog.keys()],
      isReady: (changed) => this.#hasError(placeByLog.get(changed)!) || this.#hasEnough,
      waitMs,
      gone: this.#context.session.gone,
      client: clientOf(this.#context),
    })
  }

  #placeOf(asked: Partition): Place<Partition> {
    return { asked, log: this.#logOf(asked), bytesAvailable: 0 }
  }

  /**
   * Without the permission the client does not learn whether a name exists. No client reads the keys of users'
   * passwords.
   */
  #logOf({ topic: name, topicId, partition }: Partition): Log | ErrorName {
    const { store } = this.#deps
    const isNamed = topicId === UUID_ZERO
    const topicName = isNamed ? name : store.topics.getById(topicId)?.name
    if (topicName === undefined) return 'UNKNOWN_TOPIC_ID'
    if (!this.#context.allows('Read', 'Topic', topicName)) return 'TOPIC_AUTHORIZATION_FAILED'
    if (topicName === METADATA_TOPIC) return 'TOPIC_AUTHORIZATION_FAILED'
    return store.logs.get(topicName, partition) ?? 'UNKNOWN_TOPIC_OR_PARTITION'
  }

  /** Also counts the bytes available to read. */
  #hasError(place: Place<Partition>): boolean {
    const { asked, log } = place
    if (typeof log === 'string' || refusalOfRead(log, asked) !== undefined) return true
    const isAny = asked.fetchOffset < this.#endOf(log)
    const bytesAvailable = isAny ? log.bytesAvailable(asked.fetchOffset as Offset) : 0
    this.#bytesAvailable += bytesAvailable - place.bytesAvailable
    place.bytesAvailable = bytesAvailable
    return false
  }

  get #hasEnough(): boolean {
    return this.#bytesAvailable >= this.#limits.minBytes
  }

  /** The end of what the client may read. */
  #endOf(log: Log): Offset {
    return this.#limits.isCommittedOnly ? log.lastStableOffset : log.highWatermark
  }

  #readPlace({ asked, log }: Place<Partition>): void | Promise<void> {
    if (typeof log === 'string') return this.#sink.refused(asked, errorCode(log))
    const refusal = refusalOfRead(log, asked)
    if (refusal === undefined) return this.#read(asked, log)
    if (asked.fetchOffset < log.logStartOffset) this.#deps.traffic.overtaken(log.topic.name)
    this.#sink.refused(asked, errorCode(refusal))
  }

  #read(asked: Partition, log: Log): void | Promise<void> {
    const bytesMax = Math.min(asked.partitionMaxBytes, this.#bytesLeft)
    const isFirst = this.#bytesRead === 0
    if (asked.fetchOffset >= this.#endOf(log) || (bytesMax <= 0 && !isFirst))
      return this.#sink.took(asked, log, NO_RECORDS, NONE_ABORTED)
    const { room } = this.#context
    const wanted = Math.min(bytesMax, log.bytesAvailable(asked.fetchOffset as Offset))
    const reserved = room.reserve(Math.max(0, wanted))
    if (!isFirst || !room.isFull) return this.#readWithin(asked, log, reserved, isFirst)
    return this.#readWithin(asked, log, reserved, false, () => this.#readLater(asked, log))
  }

  /** The first batch needs more room than is free: it waits for its turn. */
  async #readLater(asked: Partition, log: Log): Promise<void> {
    const reserved = await this.#context.room.reserveLater()
    await this.#readWithin(asked, log, reserved, reserved > 0)
  }

  /** @param ifNone called when no batch fits */
  #readWithin(
    asked: Partition,
    log: Log,
    bytesMax: number,
    isFirst: boolean,
    ifNone?: () => Promise<void>,
  ): void | Promise<void> {
    const { room } = this.#context
    const took = (read: ReadResult) => {
      room.settle(bytesMax, read.bytes.length === 0 ? 0 : read.bytes.buffer.byteLength)
      return ifNone && read.bytes.length === 0 ? ifNone() : this.#took(asked, log, read)
    }
    const failed = (error: unknown) => {
      room.settle(bytesMax, 0)
      this.#readFailed(asked, error)
    }
    try {
      const limits = { bytesMax, atLeastOne: isFirst, endOffset: this.#endOf(log) }
      const read = this.#deps.store.reader.read(log, asked.fetchOffset as Offset, limits)
      return read instanceof Promise ? read.then(took, failed) : took(read)
    } catch (error) {
      return failed(error)
    }
  }

  #readFailed(asked: Partition, error: unknown): void {
    if (!(error instanceof KafkaError)) throw error
    this.#sink.refused(asked, errorCodeOf(error))
  }

  #took(asked: Partition, log: Log, read: ReadResult): void | Promise<void> {
    const { bytes, recordCount } = read
    this.#context.whenSent(() => read.release())
    this.#bytesRead += bytes.length
    this.#bytesLeft -= bytes.length
    if (bytes.length > 0) this.#batches.push([log.topic.name, recordCount, bytes.length])
    const aborted = this.#limits.isCommittedOnly ? this.#abortedIn(asked, log, read) : NONE_ABORTED
    if (!(aborted instanceof Promise)) return this.#sink.took(asked, log, bytes, aborted)
    return aborted.then(
      (late) => this.#sink.took(asked, log, bytes, late),
      (error: unknown) => this.#readFailed(asked, error),
    )
  }

  /** The aborted transactions with records among these, by their first offset, as consumers walk them. */
  #abortedIn(
    { fetchOffset }: Partition,
    log: Log,
    { nextOffset }: ReadResult,
  ): readonly AbortedTransaction[] | Promise<readonly AbortedTransaction[]> {
    if (nextOffset <= fetchOffset) return NONE_ABORTED
    const { reader } = this.#deps.store
    const aborted = reader.abortedTransactions(log, fetchOffset as Offset, nextOffset)
    return aborted instanceof Promise ? aborted.then(inOrder) : inOrder(aborted)
  }
}

function refusalOfRead(
  log: Log,
  { topicId, currentLeaderEpoch, fetchOffset }: ReadPartition,
): ErrorName | undefined {
  if (log.isRemoved)
    return topicId === UUID_ZERO ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'UNKNOWN_TOPIC_ID'
  const refusal = epochRefusal(log, currentLeaderEpoch)
  if (refusal !== undefined) return refusal
  return fetchOffset < log.logStartOffset || fetchOffset > log.logEndOffset
    ? 'OFFSET_OUT_OF_RANGE'
    : undefined
}

function inOrder(aborted: readonly AbortedTransaction[]): readonly AbortedTransaction[] {
  return aborted.length < 2
    ? aborted
    : [...aborted].sort((one, other) => one.firstOffset - other.firstOffset)
}
