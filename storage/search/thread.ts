// The network thread's end of the search thread (search-thread.ts). The thread starts with the first task and ends
// after a while without one, because most brokers never need it, and decompressed batches take memory.

import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { KafkaError, type ErrorName } from '../../protocol/errors.ts'
import type { Clock, Timer } from '../clock.ts'
import { startSideThread } from '../side-thread.ts'
import type { OffsetAndTimestamp } from '../store.ts'
import type { SearchPort, SearchTask } from './port.ts'

export interface SearchAnswer {
  readonly found?: OffsetAndTimestamp | undefined
  readonly failure?: {
    /** The code of a KafkaError. */
    readonly code: ErrorName | undefined
    /** The code of a disk error. */
    readonly errno: string | undefined
    readonly message: string
  }
}

const REST_MS = 10_000

export interface SearchThreadDeps {
  readonly clock: Clock
  readonly warn: (message: string) => void
  /** The thread's script; tests pass another. */
  readonly script?: URL
}

interface Waiting {
  readonly resolve: (found: OffsetAndTimestamp | undefined) => void
  readonly reject: (error: Error) => void
}

export class ThreadSearchPort implements SearchPort {
  readonly #deps: SearchThreadDeps
  #worker: Worker | undefined
  /** In the order of their tasks. */
  #waiting: Waiting[] = []
  #resting: Timer | undefined

  constructor(deps: SearchThreadDeps) {
    this.#deps = deps
  }

  ask(task: SearchTask): Promise<OffsetAndTimestamp | undefined> {
    this.#resting?.cancel()
    this.#worker ??= this.#start()
    this.#worker.ref()
    this.#worker.postMessage(task)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  async stop(): Promise<void> {
    this.#resting?.cancel()
    const worker = this.#worker
    if (!worker) return
    const waiting = this.#waiting.splice(0)
    this.#worker = undefined
    worker.removeAllListeners()
    const exited = once(worker, 'exit')
    await worker.terminate()
    await exited
    refuse(waiting, 'the store is closing')
  }

  #start(): Worker {
    const { script = new URL('./search-thread.js', import.meta.url) } = this.#deps
    const worker = startSideThread(script, 'search')
    worker.on('message', (answer: SearchAnswer) => this.#hear(answer))
    worker.on('error', (error) => this.#lose(worker, error))
    worker.on('exit', (code) => this.#lose(worker, new Error(`it ended with code ${code}`)))
    return worker
  }

  #hear({ found, failure }: SearchAnswer): void {
    const { resolve, reject } = this.#waiting.shift()!
    if (failure === undefined) resolve(found)
    else reject(errorOf(failure))
    if (this.#waiting.length > 0) return
    this.#worker?.unref()
    this.#resting = this.#deps.clock.after(REST_MS, () => void this.stop()) // no caller waits for the thread
  }

  /** The thread's tasks fail, and nothing else: the next task starts another thread. */
  #lose(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#deps.warn(`the thread that looks inside batches is gone: ${error.message}`)
    refuse(this.#waiting.splice(0), 'the thread that looked inside the batch is gone')
  }
}

function refuse(waiting: readonly Waiting[], why: string): void {
  for (const { reject } of waiting) reject(new KafkaError('KAFKA_STORAGE_ERROR', why))
}

function errorOf({ code, errno, message }: NonNullable<SearchAnswer['failure']>): Error {
  if (code !== undefined) return new KafkaError(code, message)
  return errno === undefined
    ? new Error(message)
    : Object.assign(new Error(message), { code: errno })
}
