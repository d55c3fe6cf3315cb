// The writer in a thread of its own (writer-thread.ts): the network thread's end.

import { once } from 'node:events'
import { MessageChannel, type Worker } from 'node:worker_threads'
import { defaultProducerLimits, type ProducerLimits } from '../producers/producer-state.ts'
import type { TurnResult } from './commands.ts'
import { createInboxMemory, type Inbox, InboxQueue, InboxSender } from './inbox.ts'
import { type IdleWriterThread, loadWriterThread } from './load-thread.ts'
import type { WriterEvents, WriterPort } from './port.ts'
import { type ResultMessage, unpackResult } from './result-message.ts'

/** The thread waits for this message once it has loaded. */
export interface WriterAssignment {
  readonly dataDir: string
  readonly inbox: Inbox
  readonly producerLimits: ProducerLimits
  readonly openFilesMax: number | undefined
}

/** A full port still gets the requests that its connections have already read; the ring has room for them too. */
const RING_SLACK = 1.25

export interface WriterThreadDeps {
  readonly dataDir: string
  /** With more bytes of waiting commands the port is full. */
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
  const sender = new InboxSender({ memory, side: port1 })
  return new ThreadPort(worker, new InboxQueue(sender, inboxBytesMax), events)
}

class ThreadPort implements WriterPort {
  readonly inbox: InboxQueue
  readonly #worker: Worker
  readonly #events: WriterEvents
  #isStopping = false
  #hasExited = false

  constructor(worker: Worker, inbox: InboxQueue, events: WriterEvents) {
    this.inbox = inbox
    this.#worker = worker
    this.#events = events
    worker.on('message', (message: ResultMessage) => this.#hear(unpackResult(message)))
    worker.on('error', (error) => this.#lose(error))
    worker.on('exit', (code) => {
      this.#hasExited = true
      const isExpected = inbox.isClosing && code === 0 // a thread that has answered `close` ends by itself
      if (!isExpected) this.#lose(new Error(`the writer thread ended with code ${code}`))
    })
  }

  #hear(result: TurnResult): void {
    this.#events.onResult(result)
    if (this.inbox.settle()) this.#events.onDrain()
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
