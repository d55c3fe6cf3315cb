// A thread beside the network's: starts a script in one, and asks it; it answers one thing after the other. Network thread.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** Starts with the first question, so that a broker that needs no such thread pays nothing for it. */
export class SideThread<Task, Answer> {
  readonly #script: URL
  readonly #name: string
  readonly #onDeath: (error: Error) => void
  #worker: Worker | undefined
  /** Who waits for an answer: they come in the order of the tasks. */
  #waiting: ((answer: Answer) => void)[] = []

  /**
   * @param script beside the module that names it, in the sources and in the bundle; answers each message with one
   * @param onDeath the thread ended by itself
   */
  constructor(script: URL, name: string, onDeath: (error: Error) => void) {
    this.#script = script
    this.#name = name
    this.#onDeath = onDeath
  }

  /** @param given what the task holds and the caller does not touch again */
  ask(task: Task, given: ArrayBuffer[] = []): Promise<Answer> {
    this.#worker ??= this.#start()
    this.#worker.postMessage(task, given)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** What it is at is never answered. The next question starts it again. */
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

/** @param script beside the module that asks for it, in the sources and in the bundle */
export function startSideThread(script: URL, name: string): Worker {
  return new Worker(script, { name, ...execArgv() })
}

/**
 * A worker inherits the process's flags, and refuses to start with `--input-type` (of `node -e`) among them; but it
 * refuses V8's flags (`--max-old-space-size`) as well when they are handed to it rather than inherited.
 */
function execArgv(): { execArgv?: string[] } {
  const isForStrings = process.execArgv.some((flag) => flag.startsWith('--input-type'))
  return isForStrings ? { execArgv: [] } : {}
}
