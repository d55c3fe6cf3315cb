// Fetcher: fetches ahead of the reader, from all leaders at once, until enough bytes are buffered.
// An answer, a timer or a reader that has made room starts the next fetches. The fetcher never waits for user code.

import { fetch } from '../../protocol/api/01_fetch.ts'
import { errorName, KafkaError, type ErrorName } from '../../protocol/errors.ts'
import { UUID_ZERO, type Uuid } from '../../protocol/ids.ts'
import type { RequestInput, ResponseOf } from '../../protocol/schema.ts'
import type { RecordView } from '../../protocol/batch/record.ts'
import { Alarm } from '../alarm.ts'
import { AskedPartitions, topicIdOf } from '../cluster/asked-partitions.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { tell, tellRetry } from '../events.ts'
import { Fifo } from '../fifo.ts'
import {
  askOffsets,
  EARLIEST,
  isolationLevels,
  LATEST,
  type Isolation,
} from '../cluster/offsets.ts'
import type { Reading } from './reading.ts'
import type { Lane } from '../net/lane.ts'
import { partitionText, type TopicPartition } from '../topic.ts'

/** How long a broker may not know a new partition before that counts as an error. */
const MISSING_PATIENCE_MS = 1_000

export interface FetcherOptions {
  readonly prefetchBytes: number
  readonly partitionBytesMax: number
  readonly fetchBytesMin: number
  readonly fetchWaitMs: number
  readonly isolation: Isolation
  readonly outOfRange: 'nearest' | 'earliest' | 'latest' | 'error'
  /** There are new records, there is an error, or the end has come nearer. */
  readonly onChange: () => void
  /** The metadata of the topic is out of date. */
  readonly onStale: (topic: string) => void
  /** The topic was deleted and recreated: the partition's position has changed. */
  readonly onMoved: (reading: Reading) => void
  /** The topic no longer exists. @returns false if `next` throws the error */
  readonly isGone: (reading: Reading) => boolean
}

/** A partition is asked for what follows its position; a seek meanwhile makes the answer void. */
interface Question {
  readonly reading: Reading
  readonly generation: number
}

/** A record and its partition. */
export interface Fetched {
  readonly reading: Reading
  readonly view: StoredRecord
}

/** The record as it lies in its batch. */
export type StoredRecord = Pick<RecordView, 'offset' | 'timestamp' | 'key' | 'value' | 'headers'>

/** Errors that a retry cures once metadata is refreshed or the broker has settled. */
const PASSING: ReadonlySet<ErrorName> = new Set([
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_OR_FOLLOWER',
  'REPLICA_NOT_AVAILABLE',
  'KAFKA_STORAGE_ERROR',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'OFFSET_NOT_AVAILABLE',
  'THROTTLING_QUOTA_EXCEEDED',
  'FETCH_SESSION_TOPIC_ID_ERROR',
  'REQUEST_TIMED_OUT',
  'NETWORK_EXCEPTION',
])

/** Errors that a retry cures if the topic is being created, or was recreated. */
const MISSING: ReadonlySet<ErrorName> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'INCONSISTENT_TOPIC_ID',
])

export class Fetcher {
  readonly #cluster: Cluster
  readonly #options: FetcherOptions
  readonly #lane: Lane
  readonly #readings: Reading[] = []
  /** Partitions with fetched bytes, in order of arrival. */
  readonly #line = new Fifo<Reading>()
  /** The partition whose bytes are being read. */
  #current: Reading | undefined
  /** Partitions with an error that `next` throws. */
  readonly #failed: Reading[] = []
  /** Leaders with a fetch in flight. */
  readonly #leadersAsked = new Set<number>()
  /** The fetched bytes of all partitions that are not held or paused. */
  #bytesBuffered = 0
  #isRunning = false
  #isStopped = false
  readonly #alarm: Alarm

  constructor(cluster: Cluster, options: FetcherOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#lane = cluster.newLane()
    this.#alarm = new Alarm(cluster.clock, () => this.#pump())
  }

  get readings(): readonly Reading[] {
    return this.#readings
  }

  add(reading: Reading): void {
    this.#readings.push(reading)
    this.#pump()
  }

  remove(reading: Reading): void {
    const at = this.#readings.indexOf(reading)
    if (at >= 0) this.#readings.splice(at, 1)
    const failedAt = this.#failed.indexOf(reading)
    if (failedAt >= 0) this.#failed.splice(failedAt, 1)
    this.seek(reading, reading.position)
  }

  /** Starts to fetch, if it does not yet. */
  run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#pump()
  }

  /** Starts no further fetch, because nobody reads. */
  idle(): void {
    this.#isRunning = false
    this.#alarm.cancel()
  }

  stop(): void {
    this.idle()
    this.#isStopped = true
    this.#cluster.closeLane(this.#lane)
  }

  /**
   * Steps to the next buffered record.
   *
   * @returns its partition, whose `cursor` stands at the record
   * @throws {KafkaError} the error of a partition; the next fetch asks for that partition again
   */
  next(): Reading | undefined {
    for (;;) {
      const reading = (this.#current ??= this.#nextInLine())
      if (reading === undefined) return this.#throwError()
      if (this.nextOf(reading)) return reading
      this.#current = undefined
      this.#count(reading, -reading.dropChunk())
      this.#enqueue(reading)
      this.#pump()
    }
  }

  /** Moves the position as the reader asks. If the topic was recreated, the reader thereby accepts the new topic. */
  seekTo(reading: Reading, offset: number): void {
    const id = this.#topicId(reading)
    if (this.#options.outOfRange === 'error' && reading.isOfFormer(id)) this.#move(reading, id)
    this.seek(reading, offset)
  }

  seek(reading: Reading, offset: number): void {
    this.#count(reading, -reading.seek(offset))
    if (this.#current === reading) this.#current = undefined
    this.#options.onChange()
    this.#pump()
  }

  pause(reading: Reading): void {
    this.#setStill(reading, () => (reading.isPaused = true))
  }

  resume(reading: Reading): void {
    this.#setStill(reading, () => (reading.isPaused = false))
  }

  /** Keeps the partition from giving records, for another reason than the reader's pause. */
  hold(reading: Reading): void {
    this.#setStill(reading, () => reading.heldCount++)
  }

  letGo(reading: Reading): void {
    this.#setStill(reading, () => reading.heldCount--)
  }

  /** The partition's fetched bytes stay for later, and do not count against the prefetch limit meanwhile. */
  #setStill(reading: Reading, change: () => void): void {
    const wasStill = reading.isStill
    change()
    if (reading.isStill === wasStill) return
    this.#bytesBuffered += wasStill ? reading.bytesBuffered : -reading.bytesBuffered
    if (wasStill) this.#enqueue(reading)
    else if (this.#current === reading) this.#current = undefined
    this.#options.onChange()
    this.#pump()
  }

  /** Records an error that `next` throws; of several errors of a partition the last. */
  report(reading: Reading, error: KafkaError): void {
    if (reading.error === undefined) this.#failed.push(reading)
    reading.error = error
    this.#options.onChange()
  }

  #count(reading: Reading, bytes: number): void {
    if (!reading.isStill) this.#bytesBuffered += bytes
  }

  #enqueue(reading: Reading): void {
    if (reading.isInLine || !reading.hasChunks) return
    reading.isInLine = true
    this.#line.push(reading)
  }

  #nextInLine(): Reading | undefined {
    for (let reading = this.#line.shift(); reading !== undefined; reading = this.#line.shift()) {
      reading.isInLine = false
      if (!reading.isStill && reading.hasChunks) return reading
    }
    return undefined
  }

  /**
   * As `next`, for the partition of the last record. @returns false when another partition has its turn. @throws as
   * `next`
   */
  nextOf(reading: Reading): boolean {
    try {
      return reading === this.#current && reading.next()
    } catch (error) {
      this.seek(reading, reading.position)
      throw error
    }
  }

  #throwError(): undefined {
    const index = this.#failed.findIndex(({ isPaused }) => !isPaused)
    const [reading] = index < 0 ? [] : this.#failed.splice(index, 1)
    const error = reading?.error
    if (error === undefined) return undefined
    reading!.error = undefined
    this.#pump()
    throw error
  }

  #pump(): void {
    if (!this.#isRunning || this.#isStopped || this.#bytesBuffered >= this.#options.prefetchBytes)
      return
    const now = this.#cluster.clock.monotonic()
    const byLeader = new Map<number, Reading[]>()
    for (const reading of this.#readings) {
      if (reading.isStill || reading.isResetting || reading.error !== undefined) continue
      if (reading.fetchOffset >= reading.stopOffset) continue
      const id = this.#topicId(reading)
      if (reading.isOfFormer(id)) this.#leaveFormer(reading)
      else if (id !== UUID_ZERO) reading.topicId = id
      if (reading.isRefreshing || reading.error !== undefined) continue
      if (reading.blockedUntil > now) this.#alarm.setTo(reading.blockedUntil)
      else if (reading.isOutOfRange) {
        if (!reading.hasChunks) void this.#reset(reading) // the reader first gets the bytes fetched before
      } else {
        const leader = this.#leaderOf(reading)
        if (leader === undefined || this.#leadersAsked.has(leader)) continue
        const readings = byLeader.get(leader)
        if (readings === undefined) byLeader.set(leader, [reading])
        else readings.push(reading)
      }
    }
    for (const [leader, readings] of byLeader) {
      if (this.#leadersAsked.has(leader)) continue // `#leaderOf` may remove a reading, which starts the fetches of others
      // Partitions that gave records last time go last: the broker fills its response in the order of the request.
      readings.sort((a, b) => a.lastGaveAt - b.lastGaveAt)
      void this.#fetch(leader, readings)
    }
  }

  #leaderOf(reading: Reading): number | undefined {
    const { name } = reading.topic
    const metadata = this.#cluster.topic(name)
    if (metadata !== undefined && this.#cluster.isStale(metadata)) this.#options.onStale(name)
    const leader = metadata?.partitions[reading.partition]?.leader
    if (leader !== undefined && leader >= 0) return leader
    const code = leader === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'LEADER_NOT_AVAILABLE'
    const refusal =
      this.#cluster.topicError(name) ?? new KafkaError(code, partitionText(reading.where))
    this.#fail(reading, refusal)
    return undefined
  }

  async #fetch(leader: number, readings: readonly Reading[]): Promise<void> {
    this.#leadersAsked.add(leader)
    const questions = readings.map((reading) => ({ reading, generation: reading.generation }))
    try {
      const connection = await this.#cluster.connection(leader, this.#lane, this.#cluster.call({}))
      const asked = new AskedPartitions(this.#cluster, questions, ({ reading }) => reading.where)
      const version = connection.version(fetch, asked.versionMax)
      const response = await connection.request(fetch, version, this.#requestOf(asked))
      if (response.errorCode !== 0) throw new KafkaError(errorName(response.errorCode)!, 'Fetch')
      const isEmpty = response.throttleTimeMs === 0 && hasNoRecords(response)
      for (const { topic, topicId, partitions } of response.responses) {
        for (const answer of partitions) {
          const question = asked.find(version, topic, topicId, answer.partitionIndex)
          if (question === undefined) continue
          const { reading, generation } = question
          if (reading.generation !== generation) continue
          this.#settle(reading, answer)
          if (isEmpty && answer.errorCode === 0) reading.stepOverHole()
        }
      }
    } catch (error) {
      if (this.#isStopped) return
      for (const { reading, generation } of questions) {
        if (reading.generation === generation) this.#fail(reading, error as KafkaError)
      }
    } finally {
      this.#leadersAsked.delete(leader)
      this.#options.onChange()
      this.#pump()
    }
  }

  #topicId(reading: Reading): Uuid {
    return topicIdOf(this.#cluster, reading.topic.name)
  }

  #requestOf({ topics: asked }: AskedPartitions<Question>): RequestInput<typeof fetch> {
    const { fetchWaitMs, fetchBytesMin, prefetchBytes, partitionBytesMax, isolation } =
      this.#options
    const topics = asked.map(({ name, topicId, partitions }) => ({
      topic: name,
      topicId,
      partitions: Array.from(partitions, ([partition, { reading }]) => ({
        partition,
        fetchOffset: reading.fetchOffset,
        partitionMaxBytes: partitionBytesMax,
      })),
    }))
    const maxBytes = Math.max(1, prefetchBytes - this.#bytesBuffered)
    const isolationLevel = isolationLevels[isolation]
    return { maxWaitMs: fetchWaitMs, minBytes: fetchBytesMin, maxBytes, isolationLevel, topics }
  }

  #settle(reading: Reading, answer: PartitionAnswer): void {
    const error = errorName(answer.errorCode)
    if (error !== undefined)
      return this.#fail(reading, new KafkaError(error, partitionText(reading.where)))
    reading.failures = 0
    reading.heardAt = this.#cluster.clock.monotonic()
    reading.missingSince = undefined
    const isCommitted = this.#options.isolation === 'committed'
    reading.endOffset = isCommitted ? answer.lastStableOffset : answer.highWatermark
    if (answer.records === null || answer.records.length === 0) return
    reading.lastGaveAt = reading.heardAt
    const aborted = answer.abortedTransactions ?? []
    this.#count(reading, reading.push(answer.records as Buffer, aborted))
    if (this.#current !== reading) this.#enqueue(reading)
  }

  /** Schedules a retry if the error can pass; else `next` throws it. */
  #fail(reading: Reading, error: KafkaError): void {
    const now = this.#cluster.clock.monotonic()
    if (error.code === 'OFFSET_OUT_OF_RANGE' && this.#options.outOfRange !== 'error') {
      reading.isOutOfRange = true
    } else if (
      PASSING.has(error.code) ||
      (MISSING.has(error.code) && (this.#mayAppear(reading, now) || this.#options.isGone(reading)))
    ) {
      this.#waitOut(reading, error, now)
    } else this.report(reading, error)
  }

  #waitOut(reading: Reading, error: KafkaError, now: number): void {
    const failures = ++reading.failures
    if (failures === 1) reading.failingSince = now
    const delayMs = this.#cluster.backoffMs(failures)
    reading.blockedUntil = now + delayMs
    this.#alarm.setTo(reading.blockedUntil)
    const forMs = now - reading.failingSince
    const message = { what: 'fetch', error, failures, delayMs, forMs, ...reading.where } as const
    tellRetry(message, this.#cluster.options.logger)
    void this.#refresh(reading)
  }

  /**
   * Fetches nothing meanwhile, because a fetch by name might reach a recreated topic. If the refresh fails, the next
   * failed fetch asks again.
   */
  async #refresh(reading: Reading): Promise<void> {
    reading.isRefreshing = true
    await this.#cluster.refresh(reading.topic.name).catch(() => {})
    reading.isRefreshing = false
    this.#pump()
  }

  /** Drops the bytes of the deleted topic. */
  #leaveFormer(reading: Reading): void {
    this.#count(reading, -reading.seek(reading.position))
    if (this.#current === reading) this.#current = undefined
    if (this.#options.outOfRange !== 'error') reading.isOutOfRange = true
    else {
      const what = `the topic was deleted and recreated: ${reading.position} is an offset of the former one, seek() to go on`
      this.report(
        reading,
        new KafkaError('OFFSET_OUT_OF_RANGE', `${partitionText(reading.where)}: ${what}`),
      )
    }
  }

  #mayAppear(reading: Reading, now: number): boolean {
    reading.missingSince ??= now
    return now - reading.missingSince <= MISSING_PATIENCE_MS
  }

  async #reset(reading: Reading): Promise<void> {
    const { generation, fetchOffset } = reading
    const topicId = this.#topicId(reading)
    const isFormer = reading.isOfFormer(topicId)
    reading.isResetting = true
    try {
      const newOffset = isFormer ? await this.#startOf(reading) : await this.#nearest(reading)
      if (reading.generation !== generation) return
      const reason = isFormer ? 'topic recreated' : 'out of range'
      const why = isFormer
        ? 'the topic was deleted and recreated'
        : 'the position is not in the log'
      const message = { ...reading.where, offset: fetchOffset, newOffset, reason } as const
      tell('reset', message, this.#cluster.options.logger, 'warn', `${why}: going on elsewhere`)
      this.seek(reading, newOffset)
      if (isFormer) this.#move(reading, topicId)
    } catch (error) {
      if (reading.generation === generation) this.#fail(reading, error as KafkaError)
    } finally {
      reading.isResetting = false
      reading.isOutOfRange = false
      this.#options.onChange()
      this.#pump()
    }
  }

  #move(reading: Reading, topicId: Uuid): void {
    reading.moveTo(topicId)
    this.#options.onMoved(reading)
  }

  /**
   * A recreated topic is read from its start, or from its end with outOfRange `latest`. If the partition had an end
   * (`until`), that end counts as reached.
   */
  async #startOf({ where, stopOffset }: Reading): Promise<number> {
    if (stopOffset !== Infinity) return stopOffset
    return await this.#ask(where, this.#options.outOfRange === 'latest' ? LATEST : EARLIEST)
  }

  async #nearest({ where, fetchOffset }: Reading): Promise<number> {
    const { outOfRange } = this.#options
    if (outOfRange !== 'latest') {
      const earliest = await this.#ask(where, EARLIEST)
      if (outOfRange === 'earliest' || fetchOffset < earliest) return earliest
    }
    return await this.#ask(where, LATEST)
  }

  async #ask(where: TopicPartition, timestamp: number): Promise<number> {
    const question = { ...where, timestamp }
    const { isolation } = this.#options
    const call = this.#cluster.call({})
    const [answer] = await askOffsets(this.#cluster, [question], call, isolation)
    if (answer instanceof KafkaError) throw answer
    return answer!.offset
  }
}

type PartitionAnswer = ResponseOf<typeof fetch>['responses'][number]['partitions'][number]

/** An empty response: no partition was left out for lack of room. */
function hasNoRecords({ responses }: ResponseOf<typeof fetch>): boolean {
  return responses.every(({ partitions }) =>
    partitions.every(({ records }) => records === null || records.length === 0),
  )
}
