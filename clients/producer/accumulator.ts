// Accumulator: puts records into batches, one open batch per partition, and bounds their bytes.
// A send waits in its topic's line while the buffer is full or the topic is unknown, so that records keep their
// order.

import { KafkaError } from '../../protocol/errors.ts'
import { LINES_WINDOW_BYTES, type Lines } from '../../protocol/batch/build.ts'
import { Batch, TopicQueue, type PartitionQueue, type Send } from './batch.ts'
import type { Clock, Timer } from '../clock.ts'
import type { TopicMetadata } from '../cluster/cluster.ts'
import { BatchMemory } from './batch-memory.ts'
import { OutgoingRecord } from './outgoing.ts'
import { murmur2Partitioner, type Partitioner } from './partitioner.ts'
import { mute, shown, thrownText } from '../shown.ts'
import { partitionText } from '../topic.ts'

/** Bytes by which the next batch of a partition may outgrow the last. */
const SLACK_BYTES = 32

/** A batch takes no record that is younger than its first one by more than this fraction of the delivery timeout. */
const AGES_OF_A_TIMEOUT = 8

export interface AccumulatorOptions {
  readonly lingerMs: number
  readonly batchBytes: number
  readonly maxBufferedBytes: number
  readonly deliveryTimeoutMs: number
  readonly partitioner: Partitioner
  readonly clock: Clock
  /** The topic's metadata, if it is known. */
  readonly metadataOf: (topic: string) => TopicMetadata | undefined
  /** Sends wait for the topic's metadata: call `fill` once it is known. Called once until then. */
  readonly onMissing: (queue: TopicQueue) => void
  /** A send waits for room. Called once until no send does. */
  readonly onFull: (topic: string) => void
  /** The partition has a batch that is full or due. */
  readonly onReady: (queue: PartitionQueue) => void
  /** Batches of the partition may have reached the delivery timeout. */
  readonly onOverdue: (queue: PartitionQueue) => void
}

export class Accumulator {
  readonly #options: AccumulatorOptions
  readonly #topics = new Map<string, TopicQueue>()
  /** Topics with sends that wait for room. */
  #crowded = new Set<TopicQueue>()
  #isFullTold = false
  /** Open batches that linger, oldest first. */
  readonly #lingering = new Set<Batch>()
  /** Batches without an outcome. */
  readonly #live = new Set<Batch>()
  /** Flushes in progress. */
  #flushCount = 0
  #lingerTimer: Timer | undefined
  /** Fires at the deadline of the oldest send or batch without an outcome, or earlier. */
  #deadlineTimer: Timer | undefined
  /** Sends in the lines of all topics. */
  #waitingCount = 0
  #bytesUsed = 0
  readonly #memory = new BatchMemory()
  /** The record object for the next append; undefined while an append uses it. */
  #record: OutgoingRecord | undefined

  constructor(options: AccumulatorOptions) {
    this.#options = options
  }

  add(send: Send): void {
    const { name } = send.topic
    let queue = this.#topics.get(name)
    if (queue === undefined)
      this.#topics.set(name, (queue = new TopicQueue(name, this.#options.batchBytes)))
    if (queue.waiting.length === 0 && this.#take(queue, send)) return
    queue.waiting.push(send)
    this.#waitingCount++
    this.#watch(send.since)
  }

  /** Puts waiting sends into batches, as far as there is room. */
  fill(queue: TopicQueue): void {
    for (let send = queue.waiting.peek(); send !== undefined; send = queue.waiting.peek()) {
      if (!this.#take(queue, send)) return
      this.#shift(queue)
      send.onTaken?.()
    }
  }

  /** Fails the waiting sends. */
  failWaiting(queue: TopicQueue, error: KafkaError): void {
    for (let send = this.#shift(queue); send !== undefined; send = this.#shift(queue))
      send.failRest(error)
  }

  /** The records of the batch have an outcome: nobody waits for it any more. */
  settled(batch: Batch): void {
    this.#live.delete(batch)
    this.#clearDeadline()
    batch.onDone?.()
  }

  /** The broker has written the batch, which was sent once only: its memory is free. */
  reuse(batch: Batch): void {
    const memory = batch.takeMemory()
    if (memory !== undefined) this.#memory.giveBack(memory)
  }

  /** The batch has an outcome and will not be sent again: its room is free. */
  release(batch: Batch): void {
    this.#bytesUsed -= batch.bytesReserved
    this.settled(batch)
    if (this.#crowded.size === 0 || this.#isFull) return
    const crowded = this.#crowded
    this.#crowded = new Set()
    for (const queue of crowded) this.fill(queue)
    if (this.#crowded.size === 0) this.#isFullTold = false
  }

  /** Two halves take the batch's place. */
  replace(batch: Batch, halves: readonly Batch[]): void {
    this.#live.delete(batch)
    for (const half of halves) this.#live.add(half)
    batch.onDone?.()
  }

  /** Ends all lingering. Resolves when all records added so far are acknowledged or have failed. */
  async flush(): Promise<void> {
    const waiting = Array.from(this.#topics.values()).flatMap((queue) => [...queue.waiting])
    this.#flushCount++
    try {
      for (const { queue } of this.#live) this.#makeDue(queue)
      await Promise.all(waiting.map(taken))
      const now = this.#options.clock.monotonic()
      for (;;) {
        const batches = Array.from(this.#live).filter(({ createdAt }) => createdAt <= now)
        if (batches.length === 0) return
        await Promise.all(batches.map(done))
      }
    } finally {
      this.#flushCount--
    }
  }

  /** Is any record without an outcome? */
  get isBusy(): boolean {
    return this.#live.size > 0 || this.#waitingCount > 0
  }

  isOverdue({ since }: { readonly since: number }): boolean {
    return this.#options.clock.monotonic() - since >= this.#options.deliveryTimeoutMs
  }

  /** The partition's next batch that may be sent now and never was. */
  peekNext({ closed, open }: PartitionQueue): Batch | undefined {
    return closed.peek() ?? (open?.isDue ? open : undefined)
  }

  /** As `peekNext`; also takes the batch out, and closes it. */
  takeNext(queue: PartitionQueue): Batch | undefined {
    if (queue.closed.length === 0 && queue.open?.isDue) this.#close(queue.open)
    return queue.closed.shift()
  }

  /** Takes out the partition's unsent batches for which `isGone` holds. */
  *drain(queue: PartitionQueue, isGone: (batch: Batch) => boolean = () => true): Iterable<Batch> {
    if (queue.open !== undefined && isGone(queue.open)) this.#close(queue.open)
    for (let batch = queue.closed.peek(); batch && isGone(batch); batch = queue.closed.peek()) {
      queue.closed.shift()
      yield batch
    }
  }

  /** Every partition that ever had records. */
  *queues(): Iterable<PartitionQueue> {
    for (const { partitions } of this.#topics.values()) yield* Object.values(partitions)
  }

  topics(): Iterable<TopicQueue> {
    return this.#topics.values()
  }

  stop(): void {
    this.#lingerTimer?.cancel()
    this.#deadlineTimer?.cancel()
  }

  get #isFull(): boolean {
    return this.#bytesUsed >= this.#options.maxBufferedBytes
  }

  /** @returns false when some records of the send must wait */
  #take(queue: TopicQueue, send: Send): boolean {
    const metadata = this.#options.metadataOf(queue.name)
    if (metadata === undefined) {
      if (!queue.isAskedFor) this.#options.onMissing(queue)
      return false
    }
    const now = this.#options.clock.now()
    while (send.next < send.recordCount) {
      if (this.#isFull) {
        this.#crowded.add(queue)
        if (!this.#isFullTold) this.#options.onFull(queue.name)
        this.#isFullTold = true
        return false
      }
      if (!this.#isPrepared(queue, send)) return false
      if (send.lines !== undefined) this.#appendLines(queue, send, send.lines, now)
      if (send.next < send.recordCount) this.#append(queue, metadata, send, send.next++, now)
    }
    send.forgetRecords()
    return true
  }

  /** Fills the open batch. `#append` takes the first line of each batch, which chooses the partition. */
  #appendLines(queue: TopicQueue, send: Send, lines: Lines, now: number): void {
    queue.memoryBytes = queue.batchBytes + LINES_WINDOW_BYTES
    const batch = queue.partitions[queue.stickyPartition]?.open
    if (batch === undefined || !this.#isOfAge(batch, send.since)) return
    const reserved = batch.bytesReserved
    const count = batch.addLines(send, lines, now)
    send.next += count
    batch.queue.recordCount += count
    this.#bytesUsed += batch.bytesReserved - reserved
  }

  #isOfAge(open: Batch, since: number): boolean {
    return since - open.since <= this.#options.deliveryTimeoutMs / AGES_OF_A_TIMEOUT
  }

  /** @returns false when a serde has to look something up first; `fill` runs once it has */
  #isPrepared(queue: TopicQueue, send: Send): boolean {
    const { preparation, next } = send
    if (preparation === undefined) return true
    const record = () => send.recordAt(next)
    return preparation.isReady(next, record, () => this.fill(queue))
  }

  #append(
    queue: TopicQueue,
    metadata: TopicMetadata,
    send: Send,
    index: number,
    now: number,
  ): void {
    let batch: Batch | undefined
    const record = this.#record ?? new OutgoingRecord()
    this.#record = undefined // a serde or partitioner of the user may call `send`
    try {
      send.preparation?.assertDone()
      record.read(send.topic, send.recordAt(index), now)
      const partition = queue.partition(this.#choose(queue, metadata, record))
      batch = this.#openFor(partition, record, send.since)
      const reserved = batch.bytesReserved
      batch.add(send, index, record)
      partition.recordCount++
      this.#bytesUsed += batch.bytesReserved - reserved
      if (batch.sizeBytes >= queue.batchBytes) this.#close(batch)
    } catch (error) {
      if (batch?.recordCount === 0) this.#discard(batch)
      send.fail(index, refused(send, index, error))
    } finally {
      this.#record = record
    }
  }

  /** The open batch of the partition, or a new one if the record does not fit. */
  #openFor(partition: PartitionQueue, record: OutgoingRecord, since: number): Batch {
    const { open, topic } = partition
    if (open === undefined) return this.#open(partition, since)
    if (this.#isOfAge(open, since) && record.fits(topic.batchBytes - open.sizeBytes)) return open
    this.#close(open)
    return this.#open(partition, since)
  }

  #choose(queue: TopicQueue, metadata: TopicMetadata, record: OutgoingRecord): number {
    const { name } = queue
    const { length: partitionCount } = metadata.partitions
    const { key, partition } = record
    const chosen = partition ?? this.#partitioned(name, key, partitionCount)
    if (chosen === undefined) return this.#sticky(queue, metadata)
    if (chosen >= 0 && chosen < partitionCount) return chosen
    const where = partitionText({ topic: name, partition: chosen })
    throw new KafkaError(
      'UNKNOWN_TOPIC_OR_PARTITION',
      `${where}: the topic has ${partitionCount} partitions`,
    )
  }

  #partitioned(topic: string, key: Uint8Array | null, partitionCount: number): number | undefined {
    const { partitioner } = this.#options
    if (key === null && partitioner === murmur2Partitioner) return undefined
    const chosen: unknown = partitioner({ topic, key, partitionCount })
    if (chosen === undefined || Number.isInteger(chosen)) return chosen as number | undefined
    mute(chosen)
    throw new TypeError(`the partitioner gave ${shown(chosen)}, expected a whole number`)
  }

  #sticky(queue: TopicQueue, { partitions }: TopicMetadata): number {
    if (queue.stickyPartition >= 0) return queue.stickyPartition
    const led = partitions.filter(({ leader }) => leader >= 0)
    const candidates = led.length > 0 ? led : partitions
    const index = Math.floor(this.#options.clock.random() * candidates.length)
    return (queue.stickyPartition = candidates[index]!.partition)
  }

  #open(queue: PartitionQueue, since: number): Batch {
    const { clock, lingerMs } = this.#options
    const times = { createdAt: clock.monotonic(), since }
    const memory = this.#memory.take(queue.topic.memoryBytes ?? queue.bytesExpected)
    const batch = new Batch(queue, times, queue.recordCount, memory)
    queue.open = batch
    this.#live.add(batch)
    this.#watch(since)
    if (lingerMs <= 0 || this.#flushCount > 0) this.#makeDue(queue)
    else {
      this.#lingering.add(batch)
      if (this.#lingerTimer === undefined) this.#lingerUntil(batch.createdAt + lingerMs)
    }
    return batch
  }

  /** Removes a batch that got no record. */
  #discard(batch: Batch): void {
    batch.queue.open = undefined
    this.#lingering.delete(batch)
    this.settled(batch)
  }

  #close(batch: Batch): void {
    const { queue } = batch
    queue.open = undefined
    queue.closed.push(batch)
    this.#lingering.delete(batch)
    queue.bytesExpected = batch.sizeBytes + SLACK_BYTES
    if (queue.topic.stickyPartition === queue.partition) queue.topic.stickyPartition = -1
    this.#options.onReady(queue)
  }

  #makeDue(queue: PartitionQueue): void {
    if (queue.open === undefined) return
    queue.open.isDue = true
    this.#lingering.delete(queue.open)
    this.#options.onReady(queue)
  }

  #shift(queue: TopicQueue): Send | undefined {
    const send = queue.waiting.shift()
    if (send === undefined) return undefined
    this.#waitingCount--
    this.#clearDeadline()
    return send
  }

  /** Sets the deadline timer unless it is set: later records have later deadlines. */
  #watch(since: number): void {
    const { clock, deliveryTimeoutMs } = this.#options
    if (this.#deadlineTimer !== undefined || deliveryTimeoutMs === Infinity) return
    const leftMs = Math.max(0, since + deliveryTimeoutMs - clock.monotonic())
    this.#deadlineTimer = clock.after(leftMs, () => this.#giveUpOverdue())
  }

  /** Cancels the deadline timer once every record has an outcome. */
  #clearDeadline(): void {
    if (this.isBusy) return
    this.#deadlineTimer?.cancel()
    this.#deadlineTimer = undefined
  }

  #giveUpOverdue(): void {
    this.#deadlineTimer = undefined
    for (const queue of this.#topics.values()) {
      const why = this.#whyWaiting(queue)
      for (
        let send = queue.waiting.peek();
        send && this.isOverdue(send);
        send = queue.waiting.peek()
      )
        this.#shift(queue)!.failRest(this.#neverTaken(queue, why))
    }
    for (const queue of this.queues()) this.#options.onOverdue(queue)
    const waiting = Array.from(this.#topics.values()).flatMap((queue) => queue.waiting.peek() ?? [])
    const since = [...this.#live, ...waiting].reduce(
      (min, each) => Math.min(min, each.since),
      Infinity,
    )
    if (since < Infinity) this.#watch(since)
  }

  #neverTaken({ name, lastError }: TopicQueue, why: string): KafkaError {
    const { deliveryTimeoutMs, metadataOf } = this.#options
    const what = `${name}: not acknowledged within ${deliveryTimeoutMs} ms: never sent${why}`
    const cause = metadataOf(name) === undefined ? lastError : undefined
    return new KafkaError('REQUEST_TIMED_OUT', what, { cause })
  }

  #whyWaiting({ name, waiting, lastError }: TopicQueue): string {
    const { maxBufferedBytes, metadataOf } = this.#options
    if (metadataOf(name) === undefined)
      return `, its topic was not found out about${lastError ? `, last: ${lastError.message}` : ''}`
    if (waiting.peek()?.preparation?.isUnderWay)
      return ', a serde has not looked up what it needs (prepareSerialize)'
    return ` for want of room, maxBufferedBytes is ${maxBufferedBytes}`
  }

  #lingerUntil(at: number): void {
    const { clock } = this.#options
    this.#lingerTimer = clock.after(Math.max(0, at - clock.monotonic()), () => this.#lingerIsOver())
  }

  #lingerIsOver(): void {
    const { clock, lingerMs } = this.#options
    this.#lingerTimer = undefined
    const now = clock.monotonic()
    for (const batch of this.#lingering) {
      if (batch.createdAt + lingerMs > now) return this.#lingerUntil(batch.createdAt + lingerMs)
      this.#makeDue(batch.queue)
    }
  }
}

function taken(send: Send): Promise<void> {
  return new Promise((resolve) => {
    const { onTaken } = send
    send.onTaken = () => {
      onTaken?.()
      resolve()
    }
  })
}

function done(batch: Batch): Promise<void> {
  return new Promise((resolve) => {
    const { onDone } = batch
    batch.onDone = () => {
      onDone?.()
      resolve()
    }
  })
}

/** The record's own error, which says what is wrong with it. */
function refused(send: Send, index: number, cause: unknown): KafkaError {
  if (cause instanceof KafkaError) return cause
  const what = `${send.recordText(index)}: ${thrownText(cause)}`
  return new KafkaError('INVALID_RECORD', what, { cause })
}
