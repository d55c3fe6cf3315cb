// The writer in a thread of its own: adapter around LogWriter, both ends. Decides nothing but when to wake and when to wait.

import { once } from 'node:events'
import { isMainThread, MessageChannel, parentPort, Worker, workerData } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import { realFs } from '../fs.ts'
import { defaultProducerLimits, type ProducerLimits } from '../producer-state.ts'
import type { Command, TurnResult } from './commands.ts'
import { createInboxMemory, type Inbox, InboxQueue, InboxReceiver, InboxSender } from './inbox.ts'
import type { WriterEvents, WriterPort } from './port.ts'
import { packResult, type ResultMessage, unpackResult } from './result-message.ts'
import { LogWriter } from './writer.ts'

interface ThreadOptions {
  readonly millraceWriter: true
  readonly dataDir: string
  readonly inbox: Inbox
  readonly producerLimits: ProducerLimits
}

/** A port that is full still gets what its connections have read already: that must find room, too. */
const RING_SLACK = 1.25

export interface WriterThreadDeps {
  readonly dataDir: string
  /** Of commands that may wait before the port is full. */
  readonly inboxBytesMax: number
  readonly producerLimits?: ProducerLimits
}

/** Network thread: starts the writer's. */
export function startWriterThread(
  { dataDir, inboxBytesMax, producerLimits = defaultProducerLimits }: WriterThreadDeps,
  events: WriterEvents,
): WriterPort {
  const memory = createInboxMemory(inboxBytesMax * RING_SLACK)
  const { port1, port2 } = new MessageChannel()
  const inbox: Inbox = { memory, side: port2 }
  const workerData: ThreadOptions = { millraceWriter: true, dataDir, inbox, producerLimits }
  const options = { workerData, ...execArgv(), name: 'writer', transferList: [port2] }
  const worker = new Worker(new URL(import.meta.url), options)
  const queue = new InboxQueue(new InboxSender({ memory, side: port1 }))
  return new ThreadPort(worker, queue, inboxBytesMax, events)
}

/**
 * A worker inherits the process's flags, and refuses to start with `--input-type` (of `node -e`) among them; but it
 * refuses V8's flags (`--max-old-space-size`) as well when they are handed to it rather than inherited.
 */
function execArgv(): { execArgv?: string[] } {
  const isForStrings = process.execArgv.some((flag) => flag.startsWith('--input-type'))
  return isForStrings ? { execArgv: [] } : {}
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

if (!isMainThread && (workerData as Partial<ThreadOptions> | null)?.millraceWriter) serve()

/** Writer thread: never returns to its loop, but to end. */
function serve(): void {
  const { dataDir, inbox, producerLimits } = workerData as ThreadOptions
  const writer = new LogWriter({ fs: realFs, clock: systemClock, dataDir, producerLimits })
  const receiver = new InboxReceiver(inbox)
  const answer = (result: TurnResult) => parentPort!.postMessage(packResult(result))
  for (let isClosed = false; !isClosed;) {
    const commands = receiver.drain(writer.tidyDueInMs)
    const result = writer.turn(commands, answer)
    receiver.release()
    if (commands.length > 0 || result.fatal !== undefined) answer(result)
    isClosed = commands.some(({ kind }) => kind === 'close')
  }
}
