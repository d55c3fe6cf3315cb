// The writer in a thread of its own (writer-thread.ts): the network thread's end. Decides nothing but when to wake.

import { once } from 'node:events'
import { MessageChannel, type Worker } from 'node:worker_threads'
import { defaultProducerLimits, type ProducerLimits } from '../producers/producer-state.ts'
import type { Command, TurnResult } from './commands.ts'
import { createInboxMemory, type Inbox, InboxQueue, InboxSender } from './inbox.ts'
import { type IdleWriterThread, loadWriterThread } from './load-thread.ts'
import type { WriterEvents, WriterPort } from './port.ts'
import { type ResultMessage, unpackResult } from './result-message.ts'

/** What the thread waits for, once it has loaded. */
export interface WriterAssignment {
  readonly dataDir: string
  readonly inbox: Inbox
  readonly producerLimits: ProducerLimits
  readonly openFilesMax: number | undefined
}

/** A port that is full still gets what its connections have read already: that must find room, too. */
const RING_SLACK = 1.25

export interface WriterThreadDeps {
  readonly dataDir: string
  /** Of commands that may wait before the port is full. */
  readonly inboxBytesMax: number
  readonly producerLimits?: ProducerLimits
  readonly openFilesMax?: number | undefined
}

/** @param worker given */
export function startWriterThread(
  {
    dataDir,
    inboxBytesMax,
    producerLimits = defaultProducerLimits,
    openFilesMax,
  }: WriterThreadDeps,
  events: WriterEvents,
  worker: IdleWriterThread = loadWriterThread(),
): WriterPort {
  const memory = createInboxMemory(inboxBytesMax * RING_SLACK)
  const { port1, port2 } = new MessageChannel()
  const inbox: Inbox = { memory, side: port2 }
  const assignment: WriterAssignment = { dataDir, inbox, producerLimits, openFilesMax }
  worker.ref()
  worker.postMessage(assignment, [port2])
  const queue = new InboxQueue(new InboxSender({ memory, side: port1 }))
  return new ThreadPort(worker, queue, inboxBytesMax, events)
}

class ThreadPort implements WriterPort {
  readonly #worker: Worker
  readonly #queue: InboxQueue
  readonly #bytesMax: number
  readonly #events: WriterEvents
  #isWakeDue = false
  /** Somebody was told to stop, and waits to be told that there is room. */
  #isDrainAwaited = false
  /** The thread ends by itself when it has answered. */
  #isClosing = false
  #isStopping = false
  #hasExited = false

  constructor(worker: Worker, queue: InboxQueue, bytesMax: number, events: WriterEvents) {
    this.#worker = worker
    this.#queue = queue
    this.#bytesMax = bytesMax
    this.#events = events
    worker.on('message', (message: ResultMessage) => this.#hear(unpackResult(message)))
    worker.on('error', (error) => this.#lose(error))
    worker.on('exit', (code) => {
      this.#hasExited = true
      const isExpected = this.#isClosing && code === 0
      if (!isExpected) this.#lose(new Error(`the writer thread ended with code ${code}`))
    })
  }

  get bytesUsed(): number {
    return this.#queue.bytesUsed
  }

  get isFull(): boolean {
    const isFull = this.bytesUsed > this.#bytesMax
    this.#isDrainAwaited ||= isFull
    return isFull
  }

  put(command: Command): void {
    this.#isClosing ||= command.kind === 'close'
    this.#queue.put(command)
    this.#wakeSoon()
  }

  /** Once per turn of the loop: waking a thread is what costs. */
  #wakeSoon(): void {
    if (this.#isWakeDue) return
    this.#isWakeDue = true
    setImmediate(() => {
      this.#isWakeDue = false
      this.#queue.wake()
    })
  }

  #hear(result: TurnResult): void {
    this.#events.onResult(result)
    if (this.#queue.settle()) this.#wakeSoon()
    if (!this.#isDrainAwaited || this.isFull) return
    this.#isDrainAwaited = false
    this.#events.onDrain()
  }

  #lose(error: Error): void {
    if (this.#isStopping) return
    this.#isStopping = true
    this.#events.onDeath(error)
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    if (this.#hasExited) return
    const exited = once(this.#worker, 'exit')
    await this.#worker.terminate()
    await exited
  }
}
