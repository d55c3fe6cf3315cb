// The cleaner's end of thread.ts, the script of its thread: adapter around CleanerWorker. Cleaner thread.

import { randomFillSync } from 'node:crypto'
import { constants, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import { currentThreadId, realFs } from '../fs.ts'
import { CleanerWorker } from './worker/cleaner-worker.ts'
import type { CleanerTask } from './port.ts'

yieldToOthers()
const network = parentPort!
const alarm = new Int32Array(new SharedArrayBuffer(4))
const worker = new CleanerWorker({
  fs: realFs,
  clock: systemClock,
  seed: randomFillSync(new Uint32Array(4)),
  sleep: (ms) => void Atomics.wait(alarm, 0, 0, ms),
})
network.on('message', (task: CleanerTask) => network.postMessage(worker.answer(task)))

/** Where each thread has its own priority, the cleaner gives way to the threads that answer clients. */
function yieldToOthers(): void {
  const threadId = currentThreadId()
  try {
    if (threadId !== undefined) setPriority(threadId, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // the system does not allow it: it is only a courtesy
  }
}
