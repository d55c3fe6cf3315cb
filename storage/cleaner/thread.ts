// The cleaner in a thread of its own (cleaner-thread.ts): the network thread's end. It starts with the first task and ends
// when there is nothing to do, so that a broker that compacts nothing pays nothing for it.

import { SideThread } from '../side-thread.ts'
import type { CleanerAnswer, CleanerPort, CleanerTask } from './port.ts'

export class ThreadCleanerPort implements CleanerPort {
  readonly #thread: SideThread<CleanerTask, CleanerAnswer>

  /** @param onDeath the thread ended by itself */
  constructor(onDeath: (error: Error) => void) {
    const script = new URL('./cleaner-thread.js', import.meta.url)
    this.#thread = new SideThread(script, 'cleaner', onDeath)
  }

  ask(task: CleanerTask): Promise<CleanerAnswer> {
    return this.#thread.ask(task)
  }

  endThread(): void {
    void this.#thread.stop() // it is at nothing, and nobody waits for it
  }

  stop(): Promise<void> {
    return this.#thread.stop()
  }
}
