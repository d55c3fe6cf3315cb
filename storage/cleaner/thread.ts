// The cleaner in a thread of its own: adapter around CleanerDesk, both ends. It starts with the first task and ends when there
// is nothing to do, so that a broker that compacts nothing pays nothing for it.

import { once } from 'node:events'
import { constants, setPriority } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import { currentThreadId, realFs } from '../fs.ts'
import type { CleanerAnswer, CleanerPort, CleanerTask } from './port.ts'

interface ThreadOptions {
  readonly millraceCleaner: true
}

/** Network thread. */
export class ThreadCleanerPort implements CleanerPort {
  readonly #onDeath: (error: Error) => void
  #worker: Worker | undefined
  #answer: (answer: CleanerAnswer) => void = () => {}

  /** @param onDeath the thread ended by itself */
  constructor(onDeath: (error: Error) => void) {
    this.#onDeath = onDeath
  }

  ask(task: CleanerTask): Promise<CleanerAnswer> {
    this.#worker ??= this.#start()
    this.#worker.postMessage(task)
    return new Promise((resolve) => (this.#answer = resolve))
  }

  rest(): void {
    void this.stop() // it is at nothing, and nobody waits for it
  }

  async stop(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    if (!worker) return
    worker.removeAllListeners()
    const exited = once(worker, 'exit')
    await worker.terminate()
    await exited
  }

  #start(): Worker {
    const workerData: ThreadOptions = { millraceCleaner: true }
    const worker = new Worker(new URL(import.meta.url), {
      workerData,
      name: 'cleaner',
      ...execArgv(),
    })
    worker.on('message', (answer: CleanerAnswer) => this.#answer(answer))
    worker.on('error', (error) => this.#onDeath(error))
    worker.on('exit', (code) =>
      this.#onDeath(new Error(`the cleaner thread ended with code ${code}`)),
    )
    worker.unref()
    return worker
  }
}

/** As the writer's: a worker refuses to start with `--input-type` (of `node -e`) among the flags that it inherits. */
function execArgv(): { execArgv?: string[] } {
  const isForStrings = process.execArgv.some((flag) => flag.startsWith('--input-type'))
  return isForStrings ? { execArgv: [] } : {}
}

if (!isMainThread && (workerData as Partial<ThreadOptions> | null)?.millraceCleaner) await serve()

async function serve(): Promise<void> {
  const [{ CleanerDesk }, { randomFillSync }] = await Promise.all([
    import('./desk.ts'),
    import('node:crypto'),
  ])
  yieldToOthers()
  const alarm = new Int32Array(new SharedArrayBuffer(4))
  const desk = new CleanerDesk({
    fs: realFs,
    clock: systemClock,
    seed: randomFillSync(new Uint32Array(4)),
    sleep: (ms) => void Atomics.wait(alarm, 0, 0, ms),
  })
  parentPort!.on('message', (task: CleanerTask) => parentPort!.postMessage(desk.answer(task)))
}

/** Where threads have priorities of their own, those that answer clients go first. */
function yieldToOthers(): void {
  const threadId = currentThreadId()
  try {
    if (threadId !== undefined) setPriority(threadId, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // not allowed here: it is no more than politeness
  }
}
