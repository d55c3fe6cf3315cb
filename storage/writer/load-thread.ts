// Starts the writer's thread, which loads its code and waits. A module of its own, so that a start loads it while the
// network thread loads the broker. Network thread.

import type { Worker } from 'node:worker_threads'
import { startSideThread } from '../side-thread.ts'

/** A thread without a writer yet. It does not keep the process alive. */
export type IdleWriterThread = Worker

export function loadWriterThread(): IdleWriterThread {
  const worker = startSideThread(new URL('./writer-thread.js', import.meta.url), 'writer')
  worker.unref()
  return worker
}
