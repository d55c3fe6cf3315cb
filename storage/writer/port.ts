// WriterPort: the network thread's end of the way to the writer, wherever the writer runs.
// Network thread. Forms: thread.ts (a worker), and in-process for tests and the simulator.

import type { Clock, Timer } from '../clock.ts'
import type { Command, TurnResult } from './commands.ts'
import type { LogWriter } from './writer.ts'

export interface WriterInbox {
  /**
   * Hands a command over, in order. Always takes it; when `isFull`, stop reading what would lead to more.
   *
   * @param command an append's batch is copied before this returns
   */
  put(command: Command): void
  /** More waits than the inbox holds; `onDrain` is called when there is room again. */
  readonly isFull: boolean
  /** Bytes of batches that wait. */
  readonly bytesUsed: number
}

export interface WriterPort {
  readonly inbox: WriterInbox
  /** After the answer to a `close` command: the writer is gone when it resolves. */
  stop(): Promise<void>
}

export interface WriterEvents {
  onResult(result: TurnResult): void
  onDrain(): void
  /** The writer ended by itself, for a reason that is not the disk's. Nothing is answered any more. */
  onDeath(error: Error): void
}

/** A writer in this thread: what was put during one turn of the loop is one turn of the writer. */
export class InlineWriterPort implements WriterPort, WriterInbox {
  readonly #writer: LogWriter
  readonly #clock: Clock
  readonly #events: WriterEvents
  readonly #bytesMax: number
  #waiting: Command[] = []
  #bytesUsed = 0
  #tidyTimer: Timer | undefined

  constructor(writer: LogWriter, clock: Clock, bytesMax: number, events: WriterEvents) {
    this.#writer = writer
    this.#clock = clock
    this.#bytesMax = bytesMax
    this.#events = events
  }

  get inbox(): WriterInbox {
    return this
  }

  get bytesUsed(): number {
    return this.#bytesUsed
  }

  get isFull(): boolean {
    return this.#bytesUsed > this.#bytesMax
  }

  put(command: Command): void {
    if (this.#waiting.length === 0) setImmediate(() => this.#turn())
    if (command.kind === 'append') {
      this.#bytesUsed += command.batch.length
      this.#waiting.push({ ...command, batch: new Uint8Array(command.batch) })
    } else {
      this.#waiting.push(command)
    }
  }

  #turn(): void {
    const wasFull = this.isFull
    const commands = this.#waiting
    const isLast = commands.some(({ kind }) => kind === 'close')
    this.#waiting = []
    this.#bytesUsed = 0
    try {
      const report = (result: TurnResult) => this.#events.onResult(result)
      report(this.#writer.turn(commands, report))
      this.#tidyTimer?.cancel()
      const dueInMs = isLast ? undefined : this.#writer.tidyDueInMs
      if (dueInMs !== undefined) this.#tidyTimer = this.#clock.after(dueInMs, () => this.#turn())
    } catch (error) {
      this.#events.onDeath(error as Error)
      return
    }
    if (wasFull) this.#events.onDrain()
  }

  async stop(): Promise<void> {
    this.#tidyTimer?.cancel()
  }
}
