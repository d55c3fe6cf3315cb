// FetchSessions (KIP-227): a consumer of many partitions sends only changes of what it fetches, and gets only partitions with
// news. Owns the cached partitions of every session, in a bounded number of slots. Network thread.

import { randomInt } from 'node:crypto'
import type { FetchRequest } from '../../protocol/api/01_fetch.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { UUID_ZERO, type Uuid } from '../../protocol/ids.ts'
import type { Clock } from '../../storage/clock.ts'

/** A session unused for this long gives up its slot to a new one. */
const UNUSED_MS_MIN = 120_000
/** The most partitions in all sessions together: about 200 bytes each. */
const PARTITIONS_MAX = 1_000_000
const INT32_MAX = 0x7fff_ffff

const NO_SESSION = 0
/** Epochs with a meaning of their own. */
const FIRST_EPOCH = 0
const FINAL_EPOCH = -1

/** A partition that a client fetches. In a session the object stays from request to request. */
export interface FetchPartition {
  /** '' in a request with ids; in one with names the id is zero. */
  readonly topic: string
  readonly topicId: Uuid
  readonly partition: number
  fetchOffset: number
  partitionMaxBytes: number
  currentLeaderEpoch: number
  /** The values in the last answer; -1 before the first. */
  highWatermark: number
  logStartOffset: number
}

/** The partitions that one request fetches, and how to answer it. */
export interface FetchScope {
  readonly partitions: readonly FetchPartition[]
  /** The id in the answer; 0 for no session. */
  readonly sessionId: number
  /** Only partitions with news are answered. */
  readonly isIncremental: boolean
  /** Moves a partition that gave data behind the others, so that each partition gets its turn. */
  moveToEnd(partition: FetchPartition): void
  /** The request gets an empty answer: a session that it has begun ends with it. */
  end(): void
}

interface Session {
  readonly id: number
  readonly usesTopicIds: boolean
  readonly partitions: Map<string, FetchPartition>
  /** The epoch that the next request must have. */
  epoch: number
  /** Monotonic ms. */
  usedAt: number
}

export class FetchSessions {
  readonly #slotsMax: number
  readonly #partitionsMax: number
  readonly #clock: Clock
  /** Least recently used first. */
  readonly #sessions = new Map<number, Session>()
  #partitionCount = 0

  constructor(slotsMax: number, clock: Clock, partitionsMax = PARTITIONS_MAX) {
    this.#slotsMax = slotsMax
    this.#clock = clock
    this.#partitionsMax = partitionsMax
  }

  get count(): number {
    return this.#sessions.size
  }

  /**
   * The scope of a request, with the state of its session (KIP-227).
   *
   * @param asked the result of `askedIn` for the request
   * @param usesTopicIds true from version 13 on
   * @throws {KafkaError} FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR
   */
  begin(
    request: FetchRequest,
    asked: readonly FetchPartition[],
    usesTopicIds: boolean,
  ): FetchScope {
    const { sessionId, sessionEpoch } = request
    if (sessionEpoch === FINAL_EPOCH) {
      this.#drop(sessionId)
      return full(asked)
    }
    if (sessionEpoch === FIRST_EPOCH) {
      this.#drop(sessionId)
      return this.#create(asked, usesTopicIds)
    }
    const session = this.#continue(sessionId, sessionEpoch, usesTopicIds)
    const sizeBefore = session.partitions.size
    update(session.partitions, request, asked)
    this.#partitionCount += session.partitions.size - sizeBefore
    if (this.#partitionCount > this.#partitionsMax) {
      this.#drop(sessionId)
      throw new KafkaError('FETCH_SESSION_ID_NOT_FOUND', `fetch session ${sessionId} is too large`)
    }
    return scopeOf(session, true)
  }

  #drop(id: number): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    this.#sessions.delete(id)
    this.#partitionCount -= session.partitions.size
  }

  #continue(id: number, epoch: number, usesTopicIds: boolean): Session {
    const session = this.#sessions.get(id)
    if (session === undefined)
      throw new KafkaError('FETCH_SESSION_ID_NOT_FOUND', `fetch session ${id}`)
    if (epoch !== session.epoch) {
      const message = `fetch session ${id} is at epoch ${session.epoch}, not ${epoch}`
      throw new KafkaError('INVALID_FETCH_SESSION_EPOCH', message)
    }
    if (usesTopicIds !== session.usesTopicIds) {
      throw new KafkaError(
        'FETCH_SESSION_TOPIC_ID_ERROR',
        `fetch session ${id} mixes topic names and ids`,
      )
    }
    session.epoch = epoch === INT32_MAX ? 1 : epoch + 1
    session.usedAt = this.#clock.monotonic()
    this.#sessions.delete(id)
    this.#sessions.set(id, session)
    return session
  }

  #create(partitions: readonly FetchPartition[], usesTopicIds: boolean): FetchScope {
    if (partitions.length === 0 || !this.#makeRoom(partitions.length)) return full(partitions)
    const session: Session = {
      id: this.#freeId(),
      usesTopicIds,
      partitions: new Map(partitions.map((each) => [keyOf(each), each])),
      epoch: 1,
      usedAt: this.#clock.monotonic(),
    }
    this.#sessions.set(session.id, session)
    this.#partitionCount += session.partitions.size
    return { ...scopeOf(session, false), partitions, end: () => this.#drop(session.id) }
  }

  #makeRoom(partitionCount: number): boolean {
    if (this.#partitionCount + partitionCount > this.#partitionsMax) return false
    if (this.#sessions.size < this.#slotsMax) return true
    const [oldest] = this.#sessions.values()
    if (oldest === undefined || this.#clock.monotonic() - oldest.usedAt < UNUSED_MS_MIN)
      return false
    this.#drop(oldest.id)
    return true
  }

  #freeId(): number {
    for (;;) {
      const id = randomInt(1, INT32_MAX)
      if (!this.#sessions.has(id)) return id
    }
  }
}

/** Applies the additions, changes and removals of an incremental request. */
function update(
  partitions: Session['partitions'],
  request: FetchRequest,
  asked: readonly FetchPartition[],
): void {
  for (const { topic, topicId, partitions: forgotten } of request.forgottenTopicsData) {
    for (const partition of forgotten) partitions.delete(keyOf({ topic, topicId, partition }))
  }
  for (const each of asked) {
    const known = partitions.get(keyOf(each))
    if (known === undefined) partitions.set(keyOf(each), each)
    else moveTo(known, each)
  }
}

function scopeOf(session: Session, isIncremental: boolean): FetchScope {
  return {
    partitions: [...session.partitions.values()],
    sessionId: session.id,
    isIncremental,
    moveToEnd(partition) {
      const key = keyOf(partition)
      if (session.partitions.delete(key)) session.partitions.set(key, partition)
    },
    end() {},
  }
}

function full(partitions: readonly FetchPartition[]): FetchScope {
  return { partitions, sessionId: NO_SESSION, isIncremental: false, moveToEnd() {}, end() {} }
}

/**
 * The partitions of a request, each once; of two entries for one partition the last counts, as in Apache Kafka.
 * Pauses where `isDue`.
 */
export function* askedIn(
  { topics }: FetchRequest,
  isDue: () => boolean,
): Generator<void, readonly FetchPartition[]> {
  const asked: FetchPartition[] = []
  const known = new Map<string, Map<number, FetchPartition>>()
  for (const { topic, topicId, partitions } of topics) {
    const key = topicId === UUID_ZERO ? topic : topicId
    const ofTopic = known.get(key) ?? new Map<number, FetchPartition>()
    known.set(key, ofTopic)
    for (const { partition, fetchOffset, partitionMaxBytes, currentLeaderEpoch } of partitions) {
      const limits = { fetchOffset, partitionMaxBytes, currentLeaderEpoch }
      const each = { topic, topicId, partition, ...limits, highWatermark: -1, logStartOffset: -1 }
      const before = ofTopic.get(partition)
      if (before !== undefined) moveTo(before, each)
      else {
        ofTopic.set(partition, each)
        asked.push(each)
      }
      if (isDue()) yield
    }
  }
  return asked
}

function moveTo(partition: FetchPartition, asked: FetchPartition): void {
  partition.fetchOffset = asked.fetchOffset
  partition.partitionMaxBytes = asked.partitionMaxBytes
  partition.currentLeaderEpoch = asked.currentLeaderEpoch
}

function keyOf({
  topic,
  topicId,
  partition,
}: Pick<FetchPartition, 'topic' | 'topicId' | 'partition'>): string {
  return topicId === UUID_ZERO ? `${topic}/${partition}` : `${topicId}/${partition}`
}
