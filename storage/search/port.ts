// SearchPort: the network thread's way to whoever looks inside large batches, in a thread of its own (thread.ts) or here.

import type { Fs } from '../fs.ts'
import type { OffsetAndTimestamp } from '../store.ts'
import { searchBatch, type TimeQuestion } from './batch-search.ts'

/** A batch in a file that stays open until the answer is there. */
export interface SearchTask extends TimeQuestion {
  readonly fd: number
  readonly position: number
  readonly sizeBytes: number
}

export interface SearchPort {
  /** @throws {KafkaError} CORRUPT_MESSAGE; KAFKA_STORAGE_ERROR; whatever the disk refuses */
  ask(task: SearchTask): Promise<OffsetAndTimestamp | undefined>
  /** What is asked is refused. Nobody looks at a file any more when this resolves. */
  stop(): Promise<void>
}

/** @throws as `SearchPort.ask` */
export function search(fs: Fs, task: SearchTask): OffsetAndTimestamp | undefined {
  const batch = Buffer.allocUnsafeSlow(task.sizeBytes)
  const count = fs.read(task.fd, batch, task.position)
  return searchBatch(batch.subarray(0, count), task)
}

/** Looks in this thread, in tests and simulations. */
export class InlineSearchPort implements SearchPort {
  readonly #fs: Fs

  constructor(fs: Fs) {
    this.#fs = fs
  }

  async ask(task: SearchTask): Promise<OffsetAndTimestamp | undefined> {
    return search(this.#fs, task)
  }

  async stop(): Promise<void> {}
}
