// WriterPort: the network thread's interface to the writer, which runs in its own thread (thread.ts) or, in tests and
// simulations, in-process. Network thread.

import type { Clock, Timer } from '../clock.ts'
import type { Command, TurnResult } from './commands.ts'
import type { LogWriter } from './writer.ts'

export interface WriterInbox {
  /**
   * Passes on a command, in order. It always takes the command; when `isFull`, read no request that leads to more.
   *
   * @param command an append's batch is copied before this returns
   */
  put(command: Command): void
  /** The waiting commands exceed the inbox; `onDrain` is called when there is room again. */
  readonly isFull: boolean
  /** Bytes of waiting batches. */
  readonly bytesUsed: number
}

export interface WriterPort {
  readonly inbox: WriterInbox
  /** Call it after the answer to `close`: when it resolves the writer has ended. */
  stop(): Promise<void>
}

export interface WriterEvents {
  onResult(result: TurnResult): void
  onDrain(): void
  /** The writer ended by itself, for another reason than the disk. No answer comes any more. */
  onDeath(error: Error): void
}

/** A writer in this thread: the commands of one turn of the loop are one turn of the writer. */
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
