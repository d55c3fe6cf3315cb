// LogWriterWorld: a writer with one open log in slot 0 on a disk in memory, and short calls for its commands. Tests
// only.

import { strict as assert } from 'node:assert'
import { systemClock } from '../clock.ts'
import type { Append, EndTransaction, Outcome, TurnResult } from '../writer/commands.ts'
import type { Opened, TxnMarker, LogConfig, ProducerInfo } from '../log-facts.ts'
import { LogWriter, type LogWriterDeps } from '../writer/writer.ts'
import type { FaultyFs } from './faulty-fs.ts'
import { newDisk, smallConfig } from './writer-world.ts'

export const DATA = '/data'
export const roomy: LogConfig = { ...smallConfig, segmentBytesMax: 1_000_000 }

export class LogWriterWorld {
  disk: FaultyFs
  readonly #deps: Partial<LogWriterDeps>
  #writer: LogWriter
  #nextId = 1

  constructor(config: LogConfig = roomy, deps: Partial<LogWriterDeps> = {}) {
    this.disk = newDisk()
    this.#deps = deps
    this.#writer = this.#newWriter()
    this.open(config, true)
  }

  open(config: LogConfig, create: boolean): Opened {
    const [outcome] = this.turn([
      { kind: 'open', id: 1, logs: [{ slot: 0, directory: 'topic-0', config, create }] },
    ]).outcomes
    assert(outcome?.opened?.[0], outcome?.message)
    return outcome.opened[0]
  }

  /** Restarts as a new process. @param disk the disk that the old process left, if it is another */
  restart(config: LogConfig = roomy, disk = this.disk): Opened {
    this.disk = disk
    this.#writer = this.#newWriter()
    return this.open(config, false)
  }

  #newWriter(): LogWriter {
    return new LogWriter({ fs: this.disk, clock: systemClock, dataDir: DATA, ...this.#deps })
  }

  turn(commands: Parameters<LogWriter['turn']>[0]): TurnResult {
    return this.#writer.turn(commands)
  }

  append(...batches: Uint8Array[]): TurnResult {
    return this.turn(batches.map((batch) => this.appendOf(batch)))
  }

  appendOf(batch: Uint8Array, slot = 0): Append {
    return { kind: 'append', id: this.#nextId++, slot, batch }
  }

  /** Ends the producer's transaction. */
  end(marker: TxnMarker): TurnResult {
    return this.turn([this.endOf(marker)])
  }

  endOf(marker: TxnMarker): EndTransaction {
    return { kind: 'endTransaction', id: this.#nextId++, slot: 0, ...marker }
  }

  producers(): readonly ProducerInfo[] {
    return this.turn([{ kind: 'producers', id: 1, slot: 0 }]).outcomes[0]!.producers!
  }

  turnWithEarly(commands: Append[]): { early: TurnResult[]; last: TurnResult } {
    const early: TurnResult[] = []
    const last = this.#writer.turn(commands, (result) => early.push(result))
    return { early, last }
  }

  trim(logStartOffset: number): Outcome {
    return this.turn([{ kind: 'trim', id: 1, slot: 0, logStartOffset }]).outcomes[0]!
  }

  close(): TurnResult {
    return this.turn([{ kind: 'close', id: 1, clean: true }])
  }
}
