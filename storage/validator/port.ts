// ValidatorPort: the network thread's end of the way to whoever looks into batches that are too much for the writer, in a thread
// of its own (thread.ts) or here. One batch at a time.

import { batchRefusal, type RecordRules, type BatchRefusal } from '../record-rules.ts'

export interface ValidatorTask {
  /** Given: all of its buffer. */
  readonly batch: Uint8Array<ArrayBuffer>
  readonly rules: RecordRules
  readonly nowMs: number
  /** `<topic>-<partition>` */
  readonly partition: string
}

export interface ValidatorAnswer {
  /** The task's, given back. */
  readonly batch: Uint8Array<ArrayBuffer>
  readonly refusal: BatchRefusal | undefined
}

export interface ValidatorPort {
  ask(task: ValidatorTask): Promise<ValidatorAnswer>
  /** Whatever it is at, it is gone when this resolves; then nothing more is answered. */
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
