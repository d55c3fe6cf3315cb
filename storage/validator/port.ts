// ValidatorPort: the network thread's interface to the validator, which checks batches that are too large for the
// writer, in its own thread (thread.ts) or in-process. One batch at a time.

import { batchRefusal, type RecordRules, type BatchRefusal } from '../record-rules.ts'

export interface ValidatorTask {
  /** Given, with its whole buffer. */
  readonly batch: Uint8Array<ArrayBuffer>
  readonly rules: RecordRules
  readonly nowMs: number
  /** `<topic>-<partition>` */
  readonly partition: string
}

export interface ValidatorAnswer {
  /** The task's batch, given back. */
  readonly batch: Uint8Array<ArrayBuffer>
  readonly refusal: BatchRefusal | undefined
}

export interface ValidatorPort {
  ask(task: ValidatorTask): Promise<ValidatorAnswer>
  /** Stops the validator, even within a batch. When it resolves no answer comes any more. */
  stop(): Promise<void>
}

export function answerTo({ batch, rules, nowMs, partition }: ValidatorTask): ValidatorAnswer {
  return { batch, refusal: batchRefusal(batch, rules, nowMs, partition, 'validator') }
}

/** In this thread, for tests. */
export class InlineValidatorPort implements ValidatorPort {
  async ask(task: ValidatorTask): Promise<ValidatorAnswer> {
    return answerTo(task)
  }

  async stop(): Promise<void> {}
}
