// A thread beside the network's: starts a script and sends it tasks, which it answers one after the other. Network
// thread.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** The thread starts with the first task, so that a broker without such tasks pays nothing for it. */
export class SideThread<Task, Answer> {
  readonly #script: URL
  readonly #name: string
  readonly #onDeath: (error: Error) => void
  #worker: Worker | undefined
  /** The callers that wait for answers, in the order of their tasks. */
  #waiting: ((answer: Answer) => void)[] = []

  /**
   * @param script beside the module that names it, in the sources and in the bundle; it answers each message with one
   * @param onDeath the thread ended by itself
   */
  constructor(script: URL, name: string, onDeath: (error: Error) => void) {
    this.#script = script
    this.#name = name
    this.#onDeath = onDeath
  }

  /** @param given buffers of the task, which the caller does not touch again */
  ask(task: Task, given: ArrayBuffer[] = []): Promise<Answer> {
    this.#worker ??= this.#start()
    this.#worker.postMessage(task, given)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** The running task gets no answer. The next task starts the thread again. */
  async stop(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    this.#waiting = []
    if (!worker) return
    worker.removeAllListeners()
    const exited = once(worker, 'exit')
    await worker.terminate()
    await exited
  }

  #start(): Worker {
    const worker = startSideThread(this.#script, this.#name)
    worker.on('message', (answer: Answer) => this.#waiting.shift()?.(answer))
    worker.on('error', (error) => this.#onDeath(error))
    worker.on('exit', (code) =>
      this.#onDeath(new Error(`the ${this.#name} thread ended with code ${code}`)),
    )
    worker.unref()
    return worker
  }
}

/** @param script beside the module that names it, in the sources and in the bundle */
export function startSideThread(script: URL, name: string): Worker {
  return new Worker(script, { name, ...execArgv() })
}

/**
 * A worker inherits the process's flags, and refuses to start with `--input-type` (of `node -e`); but V8's flags
 * (`--max-old-space-size`) it refuses when they are passed to it, and accepts when inherited.
 */
function execArgv(): { execArgv?: string[] } {
  const isForStrings = process.execArgv.some((flag) => flag.startsWith('--input-type'))
  return isForStrings ? { execArgv: [] } : {}
}
