// A thread beside the network's: starts a script and sends it tasks, which it answers one after the other. Network
// thread.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from './clock.ts'

export interface SideThreadDeps {
  /** Beside the module that names it, in the sources and in the bundle; answers each message with one. */
  readonly script: URL
  readonly name: string
  /**
   * The thread ended by itself. The next task starts another.
   *
   * @returns the error that refuses all waiting tasks; without one they get no answer
   */
  readonly onDeath: (error: Error) => Error | void
  /** The thread stops after this time without a task. Default: never. */
  readonly rest?: { readonly clock: Clock; readonly afterMs: number }
}

interface Question<Answer> {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

/** The thread starts with the first task, so that a broker without such tasks pays nothing for it. */
export class SideThread<Task, Answer> {
  readonly #deps: SideThreadDeps
  #worker: Worker | undefined
  /** In the order of their tasks, in which the answers come. */
  #waiting: Question<Answer>[] = []
  #resting: Timer | undefined

  constructor(deps: SideThreadDeps) {
    this.#deps = deps
  }

  /** @param given buffers of the task, which the caller does not touch again */
  ask(task: Task, given: ArrayBuffer[] = []): Promise<Answer> {
    this.#resting?.cancel()
    this.#worker ??= this.#start()
    if (this.#waiting.length === 0) this.#worker.ref() // the process stays alive for the answer
    this.#worker.postMessage(task, given)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /**
   * The next task starts the thread again.
   *
   * @param refusal of the waiting tasks; without one they get no answer
   */
  async stop(refusal?: Error): Promise<void> {
    this.#resting?.cancel()
    const worker = this.#worker
    const waiting = this.#waiting
    this.#worker = undefined
    this.#waiting = []
    if (!worker) return
    worker.removeAllListeners()
    const exited = once(worker, 'exit')
    await worker.terminate()
    await exited
    if (refusal) for (const { reject } of waiting) reject(refusal)
  }

  #start(): Worker {
    const { script, name } = this.#deps
    const worker = startSideThread(script, name)
    worker.on('message', (answer: Answer) => this.#hear(answer))
    worker.on('error', (error) => this.#lose(worker, error))
    worker.on('exit', (code) =>
      this.#lose(worker, new Error(`the ${name} thread ended with code ${code}`)),
    )
    return worker
  }

  #hear(answer: Answer): void {
    this.#waiting.shift()?.resolve(answer)
    if (this.#waiting.length > 0) return
    this.#worker?.unref()
    const { rest } = this.#deps
    if (rest) this.#resting = rest.clock.after(rest.afterMs, () => void this.stop()) // no task waits
  }

  #lose(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return
    const waiting = this.#waiting
    this.#worker = undefined
    this.#waiting = []
    const refusal = this.#deps.onDeath(error)
    if (refusal) for (const { reject } of waiting) reject(refusal)
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
