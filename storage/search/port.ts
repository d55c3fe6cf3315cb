// SearchPort: the network thread's interface to the search inside large batches, which runs in its own thread
// (thread.ts) or in-process.

import type { Fs } from '../fs.ts'
import type { OffsetAndTimestamp } from '../store.ts'
import { searchBatch, type TimeQuestion } from './batch-search.ts'

/** A batch in a file that stays open until the answer. */
export interface SearchTask extends TimeQuestion {
  readonly fd: number
  readonly position: number
  readonly sizeBytes: number
}

export interface SearchPort {
  /** @throws {KafkaError} CORRUPT_MESSAGE; KAFKA_STORAGE_ERROR; or the disk's error */
  ask(task: SearchTask): Promise<OffsetAndTimestamp | undefined>
  /** Refuses waiting tasks. When it resolves no file is in use any more. */
  stop(): Promise<void>
}

/** @throws as `SearchPort.ask` */
export function search(fs: Fs, task: SearchTask): OffsetAndTimestamp | undefined {
  const batch = Buffer.allocUnsafeSlow(task.sizeBytes)
  const count = fs.read(task.fd, batch, task.position)
  return searchBatch(batch.subarray(0, count), task)
}

/** Searches in this thread, for tests and simulations. */
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
