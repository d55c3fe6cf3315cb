// Inbox: the bounded, ordered queue from the network thread to the writer. A ring in shared memory: a batch is copied
// once, into the ring, and written to disk from there. The writer sleeps while the queue is empty, and is woken at
// most once per turn of the network thread's event loop. One thread at each end. Why this form:
// docs/decisions/0005-inbox.md

import { strict as assert } from 'node:assert'
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { Append, Command, TurnResult } from './commands.ts'
import type { WriterInbox } from './port.ts'
import type { LogWriter } from './writer.ts'

/** Shared by both ends; send it to the writer's thread. */
export interface Inbox {
  /** `CONTROL` words, then the ring. */
  readonly memory: SharedArrayBuffer
  /** For commands that are no entry of the ring. */
  readonly side: MessagePort
}

/** Words of the control block, each on a cache line of its own. */
const CONTROL = { head: 0, tail: 16, isAsleep: 32, doneBytes: 48 } as const
const CONTROL_BYTES = 256

/** Entries start at multiples of 8, which aligns the 8-byte id. */
const ALIGN_BYTES = 8
const ENTRY = { kind: 0, sizeBytes: 4, id: 8, slot: 16 } as const
const ENTRY_HEAD_BYTES = 24
const KIND = { wrap: 0, append: 1, side: 2 } as const
/** Bits in the kind of an append. */
const FLAG = { transactionV2: 4, checked: 8 } as const

/** Measured: a tenth of the broker's CPU time with batches of 64 KiB; below 4 KiB `set` is called faster than `fill`. */
const FILL_BYTES_MIN = 4096

/**
 * The most of the ring for one batch: with a larger share the writer could not work while the network thread fills
 * the ring.
 */
const BATCH_SHARE_MAX = 4

/**
 * The ring starts over only if at least this much lies before the head. With less it would fill up before the writer
 * is done again, and a command without room is copied for the garbage collector to clear.
 */
const START_OVER_BYTES_MIN = 4 * 1024 * 1024

/**
 * After this much in one drain more is on its way: a pause before the next drain saves wake-ups, results and syncs.
 * Measured with 64 KiB batches: a quarter of the CPU time without syncs and a tenth with them, and more throughput.
 * After less the writer never pauses.
 */
const GATHER_FROM_BYTES = 60_000
const GATHER_MS = 0.4

/** The most that the ring holds, and the most batches that the writer has: positions and counts are int32. */
const INBOX_BYTES_MAX = 1024 * 1024 * 1024

/** An empty ring has room for its largest entry wherever its head is. */
const RING_BYTES_MIN = 128

/** @param bytesMax size of the ring, a GiB at most; its memory counts only once it has been used */
export function createInboxMemory(bytesMax: number): SharedArrayBuffer {
  const ringBytes = aligned(Math.min(Math.max(bytesMax, RING_BYTES_MIN), INBOX_BYTES_MAX))
  return new SharedArrayBuffer(CONTROL_BYTES + ringBytes)
}

/** The views that both ends have of the memory. */
class Ring {
  readonly control: Int32Array
  readonly bytes: Buffer
  readonly sizeBytes: number
  readonly #view: DataView

  constructor(memory: SharedArrayBuffer) {
    this.control = new Int32Array(memory, 0, CONTROL_BYTES / 4)
    this.bytes = Buffer.from(memory, CONTROL_BYTES)
    this.sizeBytes = this.bytes.length
    this.#view = new DataView(memory, CONTROL_BYTES)
  }

  /** The first entry that the writer is not done with. */
  get head(): number {
    return Atomics.load(this.control, CONTROL.head)
  }

  set head(position: number) {
    Atomics.store(this.control, CONTROL.head, position)
  }

  /** The place of the next entry. */
  get tail(): number {
    return Atomics.load(this.control, CONTROL.tail)
  }

  set tail(position: number) {
    Atomics.store(this.control, CONTROL.tail, position)
  }

  putHead(at: number, kind: number, sizeBytes: number, id: number, slot: number): void {
    this.#view.setInt32(at + ENTRY.kind, kind, true)
    this.#view.setInt32(at + ENTRY.sizeBytes, sizeBytes, true)
    this.#view.setFloat64(at + ENTRY.id, id, true)
    this.#view.setInt32(at + ENTRY.slot, slot, true)
  }

  /** V8's `set` copies into shared memory word by word; `fill` is Node's, and a memcpy. */
  putBatch(at: number, batch: Uint8Array): void {
    if (batch.length < FILL_BYTES_MIN) this.bytes.set(batch, at)
    else this.bytes.fill(batch, at, at + batch.length)
  }

  putWrap(at: number): void {
    this.#view.setInt32(at + ENTRY.kind, KIND.wrap, true)
  }

  kindAt(at: number): number {
    return this.#view.getInt32(at + ENTRY.kind, true)
  }

  sizeAt(at: number): number {
    return this.#view.getInt32(at + ENTRY.sizeBytes, true)
  }

  appendAt(at: number): Append {
    const start = at + ENTRY_HEAD_BYTES
    const kind = this.kindAt(at)
    return {
      kind: 'append',
      id: this.#view.getFloat64(at + ENTRY.id, true),
      slot: this.#view.getInt32(at + ENTRY.slot, true),
      batch: this.bytes.subarray(start, start + this.sizeAt(at)),
      isTransactionV2: (kind & FLAG.transactionV2) !== 0,
      isChecked: (kind & FLAG.checked) !== 0,
    }
  }
}

/** Network thread. */
export class InboxSender {
  readonly #ring: Ring
  readonly #side: MessagePort
  readonly #bytesMax: number
  /** The bytes of all batches so far, modulo 2^32, as the writer counts them. */
  #putBytes = 0

  /** @param bytesMax of batches that the writer is not done with, those beside the ring included */
  constructor({ memory, side }: Inbox, bytesMax = INBOX_BYTES_MAX) {
    this.#ring = new Ring(memory)
    this.#side = side
    this.#bytesMax = bytesMax
  }

  /** Bytes of batches that the writer is not done with. */
  get bytesUsed(): number {
    return (this.#putBytes - Atomics.load(this.#ring.control, CONTROL.doneBytes)) | 0
  }

  /** The writer may see the command at once; `wake` guarantees it. @returns false when there is no room now */
  put(command: Command): boolean {
    const batchBytes = command.kind === 'append' ? command.batch.length : 0
    if (batchBytes > 0 && this.#isOver(batchBytes)) return false
    const isInRing =
      command.kind === 'append' && batchBytes <= this.#ring.sizeBytes / BATCH_SHARE_MAX
    const sizeBytes = isInRing ? batchBytes : 0
    const at = this.#reserve(ENTRY_HEAD_BYTES + aligned(sizeBytes))
    if (at === undefined) return false
    this.#putBytes = (this.#putBytes + batchBytes) | 0
    if (isInRing) {
      this.#ring.putHead(at, kindOf(command), sizeBytes, command.id, command.slot)
      this.#ring.putBatch(at + ENTRY_HEAD_BYTES, command.batch)
    } else {
      this.#side.postMessage(command)
      this.#ring.putHead(at, KIND.side, 0, command.id, 0)
    }
    this.#ring.tail = (at + ENTRY_HEAD_BYTES + aligned(sizeBytes)) % this.#ring.sizeBytes
    return true
  }

  /** One batch may be larger than all that the writer may have. */
  #isOver(batchBytes: number): boolean {
    const { bytesUsed } = this
    return bytesUsed > 0 && bytesUsed + batchBytes > this.#bytesMax
  }

  /** Wakes the writer if it sleeps: call it once, after the last `put` for now. */
  wake(): void {
    const { control } = this.#ring
    if (Atomics.compareExchange(control, CONTROL.isAsleep, 1, 0) === 1) {
      Atomics.notify(control, CONTROL.isAsleep)
    }
  }

  /**
   * @returns the place of `sizeBytes` free bytes in one piece; the tail never reaches the head, because the ring
   *   would look empty
   */
  #reserve(sizeBytes: number): number | undefined {
    const ring = this.#ring
    const { head, tail } = ring
    if (tail < head) return tail + sizeBytes < head ? tail : undefined
    // Starts over when the writer is done with everything: memory that was used before is in the cache.
    const startsOver = tail === head && tail >= START_OVER_BYTES_MIN
    const fitsBehind =
      tail + sizeBytes < ring.sizeBytes || (tail + sizeBytes === ring.sizeBytes && head > 0)
    if (fitsBehind && !startsOver) return tail
    if (sizeBytes >= head) return fitsBehind ? tail : undefined
    ring.putWrap(tail)
    return 0
  }
}

/**
 * Network thread: queues commands that find no room yet, in order, and wakes the writer. The queue is short as long
 * as callers of `put` respect `isFull`.
 */
export class InboxQueue implements WriterInbox {
  readonly #sender: InboxSender
  readonly #bytesMax: number
  #kept: Command[] = []
  #keptBytes = 0
  #isWakeDue = false
  /** A caller has seen `isFull`, and waits for `onDrain`. */
  #isDrainAwaited = false
  #isClosing = false

  constructor(sender: InboxSender, bytesMax: number) {
    this.#sender = sender
    this.#bytesMax = bytesMax
  }

  get bytesUsed(): number {
    return this.#sender.bytesUsed + this.#keptBytes
  }

  get isFull(): boolean {
    const isFull = this.bytesUsed > this.#bytesMax
    this.#isDrainAwaited ||= isFull
    return isFull
  }

  /** A `close` command was put. */
  get isClosing(): boolean {
    return this.#isClosing
  }

  put(command: Command): void {
    this.#isClosing ||= command.kind === 'close'
    this.#wakeSoon()
    if (this.#kept.length === 0 && this.#sender.put(command)) return
    if (command.kind !== 'append') {
      this.#kept.push(command)
      return
    }
    this.#kept.push({ ...command, batch: new Uint8Array(command.batch) })
    this.#keptBytes += command.batch.length
  }

  /** Call it when the writer is done with something. @returns true when waiting callers may go on */
  settle(): boolean {
    let putCount = 0
    for (const command of this.#kept) {
      if (!this.#sender.put(command)) break
      if (command.kind === 'append') this.#keptBytes -= command.batch.length
      putCount++
    }
    this.#kept.splice(0, putCount)
    assert(this.#kept.length > 0 || this.#keptBytes === 0, 'bytes are kept as commands are')
    assert(this.#sender.bytesUsed >= 0, 'the writer is done with no more than it was given')
    if (putCount > 0) this.#wakeSoon()
    if (!this.#isDrainAwaited || this.isFull) return false
    this.#isDrainAwaited = false
    return true
  }

  /** Once per turn of the loop, because waking a thread is expensive. */
  #wakeSoon(): void {
    if (this.#isWakeDue) return
    this.#isWakeDue = true
    setImmediate(() => {
      this.#isWakeDue = false
      this.#sender.wake()
    })
  }
}

type FedWriter = Pick<LogWriter, 'tidyDueInMs' | 'turn'>

/** Writer thread. */
export class InboxReceiver {
  readonly #ring: Ring
  readonly #side: MessagePort
  /** The position up to which entries were drained, and the bytes of their batches. */
  #drained: number
  #drainedBytes = 0
  #lastId = -1
  #mayGather = false

  constructor({ memory, side }: Inbox) {
    this.#ring = new Ring(memory)
    this.#side = side
    this.#drained = this.#ring.head
  }

  /**
   * Takes all waiting commands, in order; sleeps until there is one. Batches stay in the ring until `release`.
   *
   * @param patienceMs the longest sleep; then it returns no command
   */
  drain(patienceMs = Infinity): Command[] {
    const ring = this.#ring
    // The sender wakes only a writer that is marked as asleep, so this pause lasts.
    if (this.#mayGather) Atomics.wait(ring.control, CONTROL.isAsleep, 0, GATHER_MS)
    this.#sleepWhileEmpty(patienceMs)
    const { tail } = ring
    const commands: Command[] = []
    let at = this.#drained
    while (at !== tail) {
      const kind = ring.kindAt(at)
      if (kind === KIND.wrap) {
        at = 0
        continue
      }
      const command = kind === KIND.side ? this.#fromSide() : ring.appendAt(at)
      if (command.kind === 'append') this.#drainedBytes += command.batch.length
      assert(command.id > this.#lastId, 'commands come in the order in which they were put')
      this.#lastId = command.id
      commands.push(command)
      at = (at + ENTRY_HEAD_BYTES + aligned(ring.sizeAt(at))) % ring.sizeBytes
    }
    this.#drained = at
    return commands
  }

  /** Feeds the writer until it has closed: never returns to the loop before. @param answer gets the results */
  feed(writer: FedWriter, answer: (result: TurnResult) => void): void {
    for (let isClosed = false; !isClosed;) {
      const commands = this.drain(writer.tidyDueInMs)
      const result = writer.turn(commands, answer)
      this.release()
      if (commands.length > 0 || result.fatal !== undefined) answer(result)
      isClosed = commands.some(({ kind }) => kind === 'close')
    }
  }

  /** The writer is done with the drained entries: their memory may be used again. */
  release(): void {
    Atomics.add(this.#ring.control, CONTROL.doneBytes, this.#drainedBytes)
    this.#mayGather = this.#drainedBytes >= GATHER_FROM_BYTES
    this.#drainedBytes = 0
    this.#ring.head = this.#drained
  }

  #fromSide(): Command {
    const received = receiveMessageOnPort(this.#side)
    assert(received, 'a command was sent before its place in the ring was taken')
    return received.message as Command
  }

  #sleepWhileEmpty(patienceMs: number): void {
    const { control } = this.#ring
    let isPatient = true
    while (isPatient && this.#ring.tail === this.#drained) {
      Atomics.store(control, CONTROL.isAsleep, 1)
      // The sender may have put a command before it could see that the writer sleeps.
      if (this.#ring.tail === this.#drained)
        isPatient = Atomics.wait(control, CONTROL.isAsleep, 1, patienceMs) !== 'timed-out'
      Atomics.store(control, CONTROL.isAsleep, 0)
    }
  }
}

function kindOf({ isTransactionV2 = false, isChecked = false }: Append): number {
  return KIND.append | (isTransactionV2 ? FLAG.transactionV2 : 0) | (isChecked ? FLAG.checked : 0)
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES
}
