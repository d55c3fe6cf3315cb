// Starts the writer's thread, which loads its code and waits. On its own, so that a start can have it load while the
// network thread loads the broker. Network thread.

import type { Worker } from 'node:worker_threads'
import { startSideThread } from '../side-thread.ts'

/** A thread that has nothing to write yet, and does not keep the process alive. */
export type IdleWriterThread = Worker

export function loadWriterThread(): IdleWriterThread {
  const worker = startSideThread(new URL('./writer-thread.js', import.meta.url), 'writer')
  worker.unref()
  return worker
}
