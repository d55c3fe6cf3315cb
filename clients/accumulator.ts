// Accumulator: puts records into batches, one open batch per partition, bounded in bytes.
// A send that finds no room, or a topic not yet known, waits in its topic's line, so that order is kept.

import type { NewRecord } from '../protocol/batch/build.ts'
import { KafkaError } from '../protocol/errors.ts'
import { Batch, TopicQueue, type PartitionQueue, type Send } from './batch.ts'
import type { Clock, Timer } from './clock.ts'
import type { TopicMetadata } from './cluster.ts'
import type { Partitioner } from './partitioner.ts'
import type { Serde } from './serde.ts'
import { partitionText, type HeadersInput, type ProducerRecord, type Topic } from './topic.ts'

/** More than the lengths and deltas of a record take. */
const RECORD_OVERHEAD_BYTES = 32

export interface AccumulatorOptions {
  readonly lingerMs: number
  readonly batchBytes: number
  readonly maxBufferedBytes: number
  readonly partitioner: Partitioner
  readonly clock: Clock
  /** What is known of a topic. */
  readonly metadataOf: (topic: string) => TopicMetadata | undefined
  /** Sends wait for the topic: `fill` it when it is known. Told once until then. */
  readonly onMissing: (queue: TopicQueue) => void
  /** The partition has a batch that is full or due. */
  readonly onReady: (queue: PartitionQueue) => void
}

export class Accumulator {
  readonly #options: AccumulatorOptions
  readonly #topics = new Map<string, TopicQueue>()
  /** Those with sends that wait for room. */
  #crowded = new Set<TopicQueue>()
  /** Open batches whose linger is not over, oldest first. */
  readonly #lingering = new Set<Batch>()
  /** Batches without an outcome. */
  readonly #live = new Set<Batch>()
  /** Flushes under way. */
  #flushCount = 0
  #lingerTimer: Timer | undefined
  #bytesUsed = 0

  constructor(options: AccumulatorOptions) {
    this.#options = options
  }

  add(send: Send): void {
    const { name } = send.topic
    let queue = this.#topics.get(name)
    if (queue === undefined)
      this.#topics.set(name, (queue = new TopicQueue(name, this.#options.batchBytes)))
    if (queue.waiting.length > 0 || !this.#take(queue, send)) queue.waiting.push(send)
  }

  /** Takes what waits, as far as there is room. */
  fill(queue: TopicQueue): void {
    for (let send = queue.waiting.peek(); send !== undefined; send = queue.waiting.peek()) {
      if (!this.#take(queue, send)) return
      queue.waiting.shift()
      send.onTaken?.()
    }
  }

  /** Fails what waits. */
  failWaiting(queue: TopicQueue, error: KafkaError): void {
    for (let send = queue.waiting.shift(); send !== undefined; send = queue.waiting.shift())
      send.failRest(error)
  }

  /** The batch is acknowledged or has failed: its room is free. */
  release(batch: Batch): void {
    this.#bytesUsed -= batch.bytesReserved
    this.#live.delete(batch)
    batch.onDone?.()
    if (this.#crowded.size === 0 || this.#isFull) return
    const crowded = this.#crowded
    this.#crowded = new Set()
    for (const queue of crowded) this.fill(queue)
  }

  /** The batch goes on as two. */
  replace(batch: Batch, halves: readonly Batch[]): void {
    this.#live.delete(batch)
    for (const half of halves) this.#live.add(half)
    batch.onDone?.()
  }

  /** Nothing lingers until all that has been added by now is acknowledged or has failed. */
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

  /** The next batch of a partition that was never sent and may be now. */
  peekNext({ closed, open }: PartitionQueue): Batch | undefined {
    return closed.peek() ?? (open?.isDue ? open : undefined)
  }

  /** The same, taken out, and closed. */
  takeNext(queue: PartitionQueue): Batch | undefined {
    if (queue.closed.length === 0 && queue.open?.isDue) this.#close(queue.open)
    return queue.closed.shift()
  }

  /** Empties a partition of what was never sent. */
  *drain(queue: PartitionQueue): Iterable<Batch> {
    if (queue.open !== undefined) this.#close(queue.open)
    for (let batch = queue.closed.shift(); batch !== undefined; batch = queue.closed.shift())
      yield batch
  }

  /** Every partition that has had records. */
  *queues(): Iterable<PartitionQueue> {
    for (const { partitions } of this.#topics.values()) yield* Object.values(partitions)
  }

  topics(): Iterable<TopicQueue> {
    return this.#topics.values()
  }

  stop(): void {
    this.#lingerTimer?.cancel()
  }

  get #isFull(): boolean {
    return this.#bytesUsed >= this.#options.maxBufferedBytes
  }

  /** @returns false when some of it must wait */
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
        return false
      }
      this.#append(queue, metadata, send, send.next++, now)
    }
    return true
  }

  #append(
    queue: TopicQueue,
    metadata: TopicMetadata,
    send: Send,
    index: number,
    now: number,
  ): void {
    const given = send.recordAt(index)
    let record: NewRecord
    let partition: PartitionQueue
    try {
      record = encoded(send.topic, given, now)
      partition = queue.partition(this.#choose(queue, metadata, given, record.key))
    } catch (error) {
      send.fail(index, error as KafkaError)
      return
    }
    const { open } = partition
    if (open !== undefined && open.sizeBytes + bytesOf(record) > queue.batchBytes) this.#close(open)
    const batch = partition.open ?? this.#open(partition)
    const reserved = batch.bytesReserved
    batch.add(send, index, record)
    partition.recordCount++
    this.#bytesUsed += batch.bytesReserved - reserved
    if (batch.sizeBytes >= queue.batchBytes) this.#close(batch)
  }

  #choose(
    queue: TopicQueue,
    metadata: TopicMetadata,
    given: ProducerRecord,
    key: Uint8Array | null,
  ): number {
    const { name } = queue
    const { length: partitionCount } = metadata.partitions
    const chosen =
      given.partition ?? this.#options.partitioner({ topic: name, key, partitionCount })
    if (chosen === undefined) return this.#sticky(queue, metadata)
    if (Number.isInteger(chosen) && chosen >= 0 && chosen < partitionCount) return chosen
    const where = partitionText({ topic: name, partition: chosen })
    throw new KafkaError(
      'UNKNOWN_TOPIC_OR_PARTITION',
      `${where}: the topic has ${partitionCount} partitions`,
    )
  }

  #sticky(queue: TopicQueue, { partitions }: TopicMetadata): number {
    if (queue.stickyPartition >= 0) return queue.stickyPartition
    const led = partitions.filter(({ leader }) => leader >= 0)
    const candidates = led.length > 0 ? led : partitions
    const index = Math.floor(this.#options.clock.random() * candidates.length)
    return (queue.stickyPartition = candidates[index]!.partition)
  }

  #open(queue: PartitionQueue): Batch {
    const { clock, lingerMs } = this.#options
    const batch = new Batch(queue, clock.monotonic(), queue.recordCount, queue.bytesExpected)
    queue.open = batch
    this.#live.add(batch)
    if (lingerMs <= 0 || this.#flushCount > 0) this.#makeDue(queue)
    else {
      this.#lingering.add(batch)
      if (this.#lingerTimer === undefined) this.#lingerUntil(batch.createdAt + lingerMs)
    }
    return batch
  }

  #close(batch: Batch): void {
    const { queue } = batch
    queue.open = undefined
    queue.closed.push(batch)
    this.#lingering.delete(batch)
    queue.bytesExpected = batch.sizeBytes + RECORD_OVERHEAD_BYTES
    if (queue.topic.stickyPartition === queue.partition) queue.topic.stickyPartition = -1
    this.#options.onReady(queue)
  }

  #makeDue(queue: PartitionQueue): void {
    if (queue.open === undefined) return
    queue.open.isDue = true
    this.#lingering.delete(queue.open)
    this.#options.onReady(queue)
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

/** @throws {KafkaError} INVALID_RECORD when a serde refuses */
function encoded(topic: Topic, record: ProducerRecord, now: number): NewRecord {
  const { timestamp = now, headers } = record
  const key = field(topic.name, 'key', topic.key, record.key)
  const value = field(topic.name, 'value', topic.value, record.value)
  if (headers === undefined) return { timestamp, key, value }
  return { timestamp, key, value, headers: headerEntries(headers) }
}

function field(
  topic: string,
  name: string,
  serde: Serde<unknown, any>,
  value: unknown,
): Uint8Array | null {
  if (value === null || value === undefined) {
    if (serde.nullable) return null
    throw new KafkaError(
      'INVALID_RECORD',
      `${topic}: a record without a ${name}; orNull() in its topic() would allow it`,
    )
  }
  try {
    return serde.serialize(value)
  } catch (error) {
    throw new KafkaError('INVALID_RECORD', `${topic}: ${name}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function headerEntries(
  headers: HeadersInput,
): (readonly [name: string, value: Uint8Array | null])[] {
  const entries = Array.isArray(headers)
    ? (headers as Extract<HeadersInput, readonly unknown[]>)
    : Object.entries(headers as Exclude<HeadersInput, readonly unknown[]>)
  return entries.map(([name, value]) => [
    name,
    typeof value === 'string' ? Buffer.from(value) : value,
  ])
}

/** At least what it will take in a batch, but for headers. */
function bytesOf({ key, value }: NewRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + RECORD_OVERHEAD_BYTES
}
