// The network thread's end of the validator's thread (validator-thread.ts).

import { SideThread } from '../side-thread.ts'
import type { ValidatorAnswer, ValidatorPort, ValidatorTask } from './port.ts'

export class ThreadValidatorPort implements ValidatorPort {
  readonly #thread: SideThread<ValidatorTask, ValidatorAnswer>

  /** @param onDeath the thread ended by itself */
  constructor(onDeath: (error: Error) => void) {
    const script = new URL('./validator-thread.js', import.meta.url)
    this.#thread = new SideThread({ script, name: 'validator', onDeath })
  }

  ask(task: ValidatorTask): Promise<ValidatorAnswer> {
    return this.#thread.ask(task, [task.batch.buffer])
  }

  stop(): Promise<void> {
    return this.#thread.stop()
  }
}
