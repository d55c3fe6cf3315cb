// The writer in a thread of its own: adapter around LogWriter, both ends. No decisions here.

import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import { realFs } from '../fs.ts'
import type { Command, TurnResult } from './commands.ts'
import type { WriterEvents, WriterPort } from './port.ts'
import { LogWriter } from './writer.ts'

interface ThreadOptions {
  readonly millraceWriter: true
  readonly dataDir: string
}

/** Network thread: starts the writer's. @param bytesMax of batches that may wait before the port is full */
export function startWriterThread(
  options: { readonly dataDir: string; readonly inboxBytesMax: number },
  events: WriterEvents,
): WriterPort {
  const workerData: ThreadOptions = { millraceWriter: true, dataDir: options.dataDir }
  const execArgv = process.execArgv.filter((flag) => !flag.startsWith('--input-type')) // for `node -e`; refused here
  const worker = new Worker(new URL(import.meta.url), { workerData, execArgv, name: 'writer' })
  return new ThreadPort(worker, options.inboxBytesMax, events)
}

class ThreadPort implements WriterPort {
  readonly #worker: Worker
  readonly #events: WriterEvents
  readonly #bytesMax: number
  #waiting: Command[] = []
  #bytesUsed = 0
  /** Bytes of the messages on their way, oldest first. */
  #sentBytes: number[] = []
  #isStopping = false

  constructor(worker: Worker, bytesMax: number, events: WriterEvents) {
    this.#worker = worker
    this.#bytesMax = bytesMax
    this.#events = events
    worker.on('message', (message: { result: TurnResult; isLast: boolean }) => this.#heard(message))
    worker.on('error', (error) => events.onDeath(error))
    worker.on('exit', (code) => {
      if (!this.#isStopping) events.onDeath(new Error(`the writer thread ended with code ${code}`))
    })
  }

  get bytesUsed(): number {
    return this.#bytesUsed
  }

  get isFull(): boolean {
    return this.#bytesUsed > this.#bytesMax
  }

  put(command: Command): void {
    if (this.#waiting.length === 0) setImmediate(() => this.#send())
    if (command.kind === 'append') {
      this.#bytesUsed += command.batch.length
      this.#waiting.push({ ...command, batch: Uint8Array.from(command.batch) })
    } else {
      this.#waiting.push(command)
    }
  }

  #send(): void {
    const commands = this.#waiting
    this.#waiting = []
    let bytes = 0
    for (const command of commands) if (command.kind === 'append') bytes += command.batch.length
    this.#sentBytes.push(bytes)
    this.#worker.postMessage(commands)
  }

  #heard({ result, isLast }: { result: TurnResult; isLast: boolean }): void {
    const wasFull = this.isFull
    if (isLast) this.#bytesUsed -= this.#sentBytes.shift() ?? 0
    this.#events.onResult(result)
    if (wasFull && !this.isFull) this.#events.onDrain()
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    const exited = once(this.#worker, 'exit')
    await this.#worker.terminate()
    await exited
  }
}

if (!isMainThread && (workerData as Partial<ThreadOptions> | null)?.millraceWriter) serve()

/** Writer thread. */
function serve(): void {
  const { dataDir } = workerData as ThreadOptions
  const writer = new LogWriter({ fs: realFs, clock: systemClock, dataDir })
  parentPort!.on('message', (commands: Command[]) => {
    const result = writer.turn(commands, (early) =>
      parentPort!.postMessage({ result: early, isLast: false }),
    )
    parentPort!.postMessage({ result, isLast: true })
  })
}
