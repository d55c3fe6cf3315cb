// The cleaner in a thread of its own (cleaner-thread.ts): the network thread's end. It starts with the first task and ends
// when there is nothing to do, so that a broker that compacts nothing pays nothing for it.

import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { startSideThread } from '../side-thread.ts'
import type { CleanerAnswer, CleanerPort, CleanerTask } from './port.ts'

export class ThreadCleanerPort implements CleanerPort {
  readonly #onDeath: (error: Error) => void
  #worker: Worker | undefined
  #answer: (answer: CleanerAnswer) => void = () => {}

  /** @param onDeath the thread ended by itself */
  constructor(onDeath: (error: Error) => void) {
    this.#onDeath = onDeath
  }

  ask(task: CleanerTask): Promise<CleanerAnswer> {
    this.#worker ??= this.#start()
    this.#worker.postMessage(task)
    return new Promise((resolve) => (this.#answer = resolve))
  }

  rest(): void {
    void this.stop() // it is at nothing, and nobody waits for it
  }

  async stop(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    if (!worker) return
    worker.removeAllListeners()
    const exited = once(worker, 'exit')
    await worker.terminate()
    await exited
  }

  #start(): Worker {
    const worker = startSideThread(new URL('./cleaner-thread.js', import.meta.url), 'cleaner')
    worker.on('message', (answer: CleanerAnswer) => this.#answer(answer))
    worker.on('error', (error) => this.#onDeath(error))
    worker.on('exit', (code) =>
      this.#onDeath(new Error(`the cleaner thread ended with code ${code}`)),
    )
    worker.unref()
    return worker
  }
}
