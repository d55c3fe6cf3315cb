// The cleaner's end of thread.ts, the script of its thread: adapter around CleanerDesk. Cleaner thread.

import { randomFillSync } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import { realFs } from '../fs.ts'
import { yieldToOthers } from '../thread-priority.ts'
import { CleanerDesk } from './desk.ts'
import type { CleanerTask } from './port.ts'

yieldToOthers()
const network = parentPort!
const alarm = new Int32Array(new SharedArrayBuffer(4))
const desk = new CleanerDesk({
  fs: realFs,
  clock: systemClock,
  seed: randomFillSync(new Uint32Array(4)),
  sleep: (ms) => void Atomics.wait(alarm, 0, 0, ms),
})
network.on('message', (task: CleanerTask) => network.postMessage(desk.answer(task)))
