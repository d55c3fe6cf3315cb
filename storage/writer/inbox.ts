// Inbox: the bounded, ordered queue from the network thread to the writer. A ring in shared memory: a batch is copied once,
// into it, and written to disk straight from it. The writer sleeps when there is nothing, and is woken at most once per turn
// of the network thread's loop. One thread at each end. Why this form: docs/decisions/0005-inbox.md

import { strict as assert } from 'node:assert'
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { Append, Command, TurnResult } from './commands.ts'
import type { WriterInbox } from './port.ts'
import type { LogWriter } from './writer.ts'

/** What both ends share; send it to the writer's thread. */
export interface Inbox {
  /** `CONTROL` words, then the ring. */
  readonly memory: SharedArrayBuffer
  /** For what does not fit the ring's entries. */
  readonly side: MessagePort
}

/** Words of the control block, each on a cache line of its own. */
const CONTROL = { head: 0, tail: 16, isAsleep: 32, doneBytes: 48 } as const
const CONTROL_BYTES = 256

/** Entries start at multiples of 8, so that the 8-byte id lies well. */
const ALIGN_BYTES = 8
const ENTRY = { kind: 0, sizeBytes: 4, id: 8, slot: 16 } as const
const ENTRY_HEAD_BYTES = 24
const KIND = { wrap: 0, append: 1, side: 2 } as const
/** In the kind of an append. */
const FLAG = { transactionV2: 4, checked: 8 } as const

/** Measured: a tenth of the broker's CPU time with batches of 64 KiB; below 4 KiB `set` is called faster than `fill`. */
const FILL_BYTES_MIN = 4096

/** A larger share of the ring in one batch would keep the writer from working while the network thread fills. */
const BATCH_SHARE_MAX = 4

/**
 * The ring starts over only with so much in front of the head: less would be full before the writer is done again, and
 * what finds no room is copied, for the garbage collector to clear.
 */
const START_OVER_BYTES_MIN = 4 * 1024 * 1024

/**
 * When so much came at once, more is on its way: a pause before the next look saves wake-ups, results and syncs. Measured with
 * 64 KiB batches: a quarter of the CPU time without syncs and a tenth with them, and more throughput. Less never waits.
 */
const GATHER_FROM_BYTES = 60_000
const GATHER_MS = 0.4

/** @param bytesMax of the ring; the memory counts for little until it has been used */
export function createInboxMemory(bytesMax: number): SharedArrayBuffer {
  const ringBytes = aligned(bytesMax)
  return new SharedArrayBuffer(CONTROL_BYTES + ringBytes)
}

/** The views that both ends have on the memory. */
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

  /** Where the writer has not yet been done with entries. */
  get head(): number {
    return Atomics.load(this.control, CONTROL.head)
  }

  set head(position: number) {
    Atomics.store(this.control, CONTROL.head, position)
  }

  /** Where the next entry will be. */
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

  /** V8 copies into shared memory word by word when it is asked to `set`, but `fill` is Node's, and a memcpy. */
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
  /** Of all batches ever, modulo 2^32, as the writer counts what it has done. */
  #putBytes = 0

  constructor({ memory, side }: Inbox) {
    this.#ring = new Ring(memory)
    this.#side = side
  }

  /** Bytes of batches that the writer is not done with. */
  get bytesUsed(): number {
    return (this.#putBytes - Atomics.load(this.#ring.control, CONTROL.doneBytes)) | 0
  }

  /** The writer may see the command at once; `wake` makes sure that it does. @returns false when there is no room now */
  put(command: Command): boolean {
    const batchBytes = command.kind === 'append' ? command.batch.length : 0
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

  /** Wakes the writer if it sleeps: call it once, when all that can be put for now has been. */
  wake(): void {
    const { control } = this.#ring
    if (Atomics.compareExchange(control, CONTROL.isAsleep, 1, 0) === 1) {
      Atomics.notify(control, CONTROL.isAsleep)
    }
  }

  /** @returns where `sizeBytes` in one piece are free; the tail never catches up with the head, which would mean empty */
  #reserve(sizeBytes: number): number | undefined {
    const ring = this.#ring
    const { head, tail } = ring
    if (tail < head) return tail + sizeBytes < head ? tail : undefined
    // From the start again when all is done: memory that is used again is in the cache.
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
 * Network thread: keeps, in their order, commands for which there is no room yet, and wakes the writer. It is short while those
 * who put look at `isFull`.
 */
export class InboxQueue implements WriterInbox {
  readonly #sender: InboxSender
  readonly #bytesMax: number
  #kept: Command[] = []
  #keptBytes = 0
  #isWakeDue = false
  /** Somebody was told to stop, and waits to be told that there is room. */
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

  /** The writer was asked to close. */
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

  /** Call it when the writer is done with something. @returns true when those who were told to stop may go on */
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

  /** Once per turn of the loop: waking a thread is what costs. */
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
  /** Up to where entries were drained, and the bytes of the batches in them. */
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
   * Everything that waits, in order; sleeps until there is something. Batches stay in the ring until `release`.
   *
   * @param patienceMs sleep no longer than that, and return nothing
   */
  drain(patienceMs = Infinity): Command[] {
    const ring = this.#ring
    // Nobody wakes who does not say that he is asleep.
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

  /** Feeds the writer until it has closed: never returns to the loop before. @param answer hears what there is to tell */
  feed(writer: FedWriter, answer: (result: TurnResult) => void): void {
    for (let isClosed = false; !isClosed;) {
      const commands = this.drain(writer.tidyDueInMs)
      const result = writer.turn(commands, answer)
      this.release()
      if (commands.length > 0 || result.fatal !== undefined) answer(result)
      isClosed = commands.some(({ kind }) => kind === 'close')
    }
  }

  /** What was drained is done with; its memory may be used again. */
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
      // What was put before the sender could see that we are asleep.
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
