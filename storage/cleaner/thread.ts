// The network thread's end of the cleaner's thread (cleaner-thread.ts). The thread starts with the first task and
// ends when no task is left, so that it costs nothing where nothing is compacted.

import { SideThread } from '../side-thread.ts'
import type { CleanerAnswer, CleanerPort, CleanerTask } from './port.ts'

export class ThreadCleanerPort implements CleanerPort {
  readonly #thread: SideThread<CleanerTask, CleanerAnswer>

  /** @param onDeath the thread ended by itself */
  constructor(onDeath: (error: Error) => void) {
    const script = new URL('./cleaner-thread.js', import.meta.url)
    this.#thread = new SideThread({ script, name: 'cleaner', onDeath })
  }

  ask(task: CleanerTask): Promise<CleanerAnswer> {
    return this.#thread.ask(task)
  }

  endThread(): void {
    void this.#thread.stop() // the thread has no task, and no caller waits for it
  }

  stop(): Promise<void> {
    return this.#thread.stop()
  }
}
