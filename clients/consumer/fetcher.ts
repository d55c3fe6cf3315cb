// Fetcher: fetches ahead of the reader, from every leader at once, until enough is buffered.
// It runs when something happens: an answer, a timer, a reader that has made room. It never waits on user code.

import { fetch } from '../../protocol/api/01_fetch.ts'
import { errorName, KafkaError, type ErrorName } from '../../protocol/errors.ts'
import { UUID_ZERO, type Uuid } from '../../protocol/ids.ts'
import type { RequestInput, ResponseOf } from '../../protocol/schema.ts'
import type { RecordView } from '../../protocol/batch/record.ts'
import { Alarm } from '../alarm.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { tell, tellRetry } from '../events.ts'
import { Fifo } from '../fifo.ts'
import { groupBy } from '../group-by.ts'
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

/** From this version on topics go by id, which only brokers have that also tell them. */
const TOPIC_ID_VERSION = 13

/** How long a partition that the broker does not know may still be on its way to it. */
const MISSING_PATIENCE_MS = 1_000

export interface FetcherOptions {
  readonly prefetchBytes: number
  readonly partitionBytesMax: number
  readonly fetchBytesMin: number
  readonly fetchWaitMs: number
  readonly isolation: Isolation
  readonly outOfRange: 'nearest' | 'earliest' | 'latest' | 'error'
  /** There are records, or an error, or the end came nearer. */
  readonly onChange: () => void
  /** The metadata of a topic is old. */
  readonly onStale: (topic: string) => void
  /** The topic was deleted and made anew: the partition is read from another place now. */
  readonly onMoved: (reading: Reading) => void
  /** The topic does not exist any more. @returns false when the reader has to hear of it */
  readonly isGone: (reading: Reading) => boolean
}

/** A record and the partition it is from. */
export interface Fetched {
  readonly reading: Reading
  readonly view: StoredRecord
}

/** As it lies in its batch. */
export type StoredRecord = Pick<RecordView, 'offset' | 'timestamp' | 'key' | 'value' | 'headers'>

/** Errors that pass once the metadata is asked for again, or the broker has settled. */
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

/** Errors that pass if the topic is just being created, or was created anew. */
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
  /** Partitions with fetched bytes, in the order in which these came. */
  readonly #line = new Fifo<Reading>()
  /** The partition whose chunk is being read. */
  #current: Reading | undefined
  /** Partitions with an error that the reader has to hear. */
  readonly #failed: Reading[] = []
  /** Those with a fetch under way. */
  readonly #leadersAsked = new Set<number>()
  /** Of partitions that are not still. */
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

  /** Fetches from now on. */
  run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#pump()
  }

  /** Begins no further fetch: nobody reads. */
  rest(): void {
    this.#isRunning = false
    this.#alarm.cancel()
  }

  stop(): void {
    this.rest()
    this.#isStopped = true
    this.#cluster.closeLane(this.#lane)
  }

  /**
   * Steps to the next record that is at hand.
   *
   * @returns its partition, whose `cursor` stands at it
   * @throws {KafkaError} of a partition; it is then asked for again
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

  /** As the reader says. One that wants to hear of a topic that was made anew says so when it has heard. */
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

  /** A pause that is not the reader's. */
  hold(reading: Reading): void {
    this.#setStill(reading, () => reading.heldCount++)
  }

  letGo(reading: Reading): void {
    this.#setStill(reading, () => reading.heldCount--)
  }

  /** What was fetched is kept for later, and does not hold the fetching of others back. */
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

  /** Something the reader has to hear. */
  report(reading: Reading, error: KafkaError): void {
    reading.error = error
    this.#failed.push(reading)
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

  /** The same, of the partition that gave the last. @returns false when another has its turn. @throws as `next` */
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
        if (!reading.hasChunks) void this.#reset(reading) // what was fetched before is good: it is read first
      } else {
        const leader = this.#leaderOf(reading)
        if (leader === undefined || this.#leadersAsked.has(leader)) continue
        const readings = byLeader.get(leader)
        if (readings === undefined) byLeader.set(leader, [reading])
        else readings.push(reading)
      }
    }
    for (const [leader, readings] of byLeader) {
      if (this.#leadersAsked.has(leader)) continue // a reading that was removed meanwhile has had others fetched
      // Those that gave records last time go last: the broker fills its answer from the front.
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
    const asked = readings.map((reading) => ({ reading, generation: reading.generation }))
    try {
      const connection = await this.#cluster.connection(leader, this.#lane, this.#cluster.call({}))
      const hasIds = readings.every((reading) => this.#topicId(reading) !== UUID_ZERO)
      const version = connection.version(fetch, hasIds ? Infinity : TOPIC_ID_VERSION - 1)
      const byId = version >= TOPIC_ID_VERSION
      const byKey = new Map(
        asked.map((each) => {
          const topic = byId ? this.#topicId(each.reading) : each.reading.topic.name
          return [answerKey(topic, each.reading.partition), each]
        }),
      )
      const response = await connection.request(fetch, version, this.#requestOf(readings))
      if (response.errorCode !== 0) throw new KafkaError(errorName(response.errorCode)!, 'Fetch')
      const isEmpty = response.throttleTimeMs === 0 && hasNoRecords(response)
      for (const { topic, topicId, partitions } of response.responses) {
        for (const answer of partitions) {
          const question = byKey.get(answerKey(byId ? topicId : topic, answer.partitionIndex))
          if (question === undefined) continue
          const { reading, generation } = question
          if (reading.generation !== generation) continue
          this.#settle(reading, answer)
          if (isEmpty && answer.errorCode === 0) reading.stepOverHole()
        }
      }
    } catch (error) {
      if (this.#isStopped) return
      for (const { reading, generation } of asked) {
        if (reading.generation === generation) this.#fail(reading, error as KafkaError)
      }
    } finally {
      this.#leadersAsked.delete(leader)
      this.#options.onChange()
      this.#pump()
    }
  }

  #topicId(reading: Reading): Uuid {
    return this.#cluster.topic(reading.topic.name)?.id ?? UUID_ZERO
  }

  #requestOf(readings: readonly Reading[]): RequestInput<typeof fetch> {
    const { fetchWaitMs, fetchBytesMin, prefetchBytes, partitionBytesMax, isolation } =
      this.#options
    const topics = [...groupBy(readings, (reading) => reading.topic.name)].map(([name, group]) => ({
      topic: name,
      topicId: this.#topicId(group[0]!),
      partitions: group.map(({ partition, fetchOffset }) => ({
        partition,
        fetchOffset,
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

  /** Waits and asks again where that may help; else it is the reader's to hear. */
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

  /** Nothing is fetched meanwhile: by name it might be of another topic. What fails is asked again after the next failure. */
  async #refresh(reading: Reading): Promise<void> {
    reading.isRefreshing = true
    await this.#cluster.refresh(reading.topic.name).catch(() => {})
    reading.isRefreshing = false
    this.#pump()
  }

  /** What was fetched of the topic as it was is dropped. */
  #leaveFormer(reading: Reading): void {
    this.#count(reading, -reading.seek(reading.position))
    if (this.#current === reading) this.#current = undefined
    if (this.#options.outOfRange !== 'error') reading.isOutOfRange = true
    else {
      const what = `the topic was deleted and made anew: ${reading.position} is an offset of the former one, seek() to go on`
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
      const reason = isFormer ? 'topic made anew' : 'out of range'
      const why = isFormer
        ? 'the topic was deleted and made anew'
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

  /** A topic that is made anew has new partitions, which are read from their start; an end in the former one is reached. */
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

/** Nothing in it was left out because others have filled it. */
function hasNoRecords({ responses }: ResponseOf<typeof fetch>): boolean {
  return responses.every(({ partitions }) =>
    partitions.every(({ records }) => records === null || records.length === 0),
  )
}

function answerKey(topic: string, partition: number): string {
  return `${topic} ${partition}`
}
