// WriterWorld: drives a writer on a disk in memory, remembers its promises, and checks them after every restart.
// Tests only.

import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import type { Command, Outcome } from '../writer/commands.ts'
import type { Opened, LogConfig } from '../log-facts.ts'
import { LogWriter } from '../writer/writer.ts'
import { FaultyFs } from './faulty-fs.ts'
import { storedBatches, uniqueBatch } from './stored-log.ts'

const DATA = '/data'

/** Small, so that a few batches roll. */
export const smallConfig: LogConfig = {
  segmentBytesMax: 2000,
  segmentMs: 1_000_000_000,
  segmentJitterMs: 0,
  indexIntervalBytes: 300,
  indexBytesMax: 10_000,
  flushPolicy: 'fsync',
  timestampType: 'CreateTime',
  fileDeleteDelayMs: 0,
  records: {
    isEachChecked: true,
    isKeyRequired: false,
    decompressedBytesMax: 1_000_000,
    timestampBeforeMaxMs: Infinity,
    timestampAfterMaxMs: 3_600_000,
  },
  isCompacted: false,
}

/** A disk with an empty data directory. */
export function newDisk(): FaultyFs {
  const disk = new FaultyFs()
  disk.makeDirectory(DATA)
  disk.syncDirectory('/')
  disk.stepCount = 0
  return disk
}

/** The expected contents of a partition's log, as far as the outside knows. */
interface Expected {
  readonly directory: string
  readonly config: LogConfig
  /** Base offset -> the batch acknowledged there, or seen there after a start. */
  acknowledged: Map<number, string>
  /** Every batch ever sent. */
  readonly sent: Set<string>
  logStartOffset: number
  /** A trim up to here was sent, and may or may not have happened. */
  logStartOffsetMax: number
  endOffset: number
  isRemoved: boolean
}

export class WriterWorld {
  readonly logs: Expected[] = []
  disk: FaultyFs
  #nextId = 1
  #nextSerial = 1
  #writer: LogWriter
  readonly #batches = new Map<number, string>()

  constructor(disk: FaultyFs) {
    this.disk = disk
    this.#writer = this.#newWriter()
  }

  /** @throws when the writer reports a failure of the disk */
  turn(commands: readonly Command[]): Outcome[] {
    const outcomes: Outcome[] = []
    const hear = (result: { outcomes: readonly Outcome[] }) => outcomes.push(...result.outcomes)
    const result = this.#writer.turn(commands, hear)
    hear(result)
    const answered = outcomes.map(({ id }) => id).sort((a, b) => a - b)
    const asked = commands.map(({ id }) => id)
    assert.deepEqual(answered, asked, 'every command is answered, once')
    for (const outcome of outcomes)
      this.#note(
        commands.find(({ id }) => id === outcome.id)!,
        outcome,
      )
    if (result.fatal !== undefined) throw new Error(`fatal: ${result.fatal}`)
    return outcomes
  }

  create(count: number, config = smallConfig): void {
    const first = this.logs.length
    for (let slot = first; slot < first + count; slot++) {
      this.logs.push({
        directory: `topic-${slot}`,
        config,
        acknowledged: new Map(),
        sent: new Set(),
        logStartOffset: 0,
        logStartOffsetMax: 0,
        endOffset: 0,
        isRemoved: false,
      })
    }
    const logs = this.logs.slice(first).map(({ directory }, i) => ({
      slot: first + i,
      directory,
      config,
      create: true,
    }))
    this.turn([{ kind: 'open', id: this.#nextId++, logs }])
  }

  append(slot: number, recordCount: number, valueBytes: number): Command {
    const id = this.#nextId++
    const batch = uniqueBatch(this.#nextSerial++, recordCount, valueBytes)
    this.#batches.set(id, fingerprint(batch))
    this.logs[slot]!.sent.add(fingerprint(batch))
    return { kind: 'append', id, slot, batch }
  }

  trim(slot: number, logStartOffset: number): Outcome {
    const log = this.logs[slot]!
    log.logStartOffsetMax = Math.max(log.logStartOffsetMax, logStartOffset)
    return this.turn([{ kind: 'trim', id: this.#nextId++, slot, logStartOffset }])[0]!
  }

  remove(slot: number): void {
    this.logs[slot]!.isRemoved = true
    this.turn([{ kind: 'remove', id: this.#nextId++, slots: [slot] }])
  }

  close(): void {
    this.turn([{ kind: 'close', id: this.#nextId++, clean: true }])
  }

  /** Restarts on the disk that was left. @throws {AssertionError} when a promise is broken */
  restart(disk: FaultyFs, where: string): readonly Opened[] {
    this.disk = disk
    this.#writer = this.#newWriter()
    const logs = this.logs.flatMap(({ directory, config, isRemoved }, slot) =>
      isRemoved ? [] : [{ slot, directory, config, create: false }],
    )
    const [outcome] = this.turn([{ kind: 'open', id: this.#nextId++, logs }])
    assert(outcome!.opened, `${where}: ${outcome!.message}`)
    for (const opened of outcome!.opened) this.#check(opened, `${where}, slot ${opened.slot}`)
    return outcome!.opened
  }

  /** A power failure takes unsynced changes. */
  loseUnsynced(): void {
    for (const log of this.logs) if (log.config.flushPolicy === 'os') log.acknowledged = new Map()
  }

  #newWriter(): LogWriter {
    const deps = { fs: this.disk, clock: systemClock, dataDir: DATA }
    return new LogWriter({ ...deps, openFilesMax: 2, checkpointBytes: 3000 })
  }

  #note(command: Command, outcome: Outcome): void {
    if (outcome.error) return
    if (command.kind === 'append') {
      const log = this.logs[command.slot]!
      log.acknowledged.set(outcome.baseOffset!, this.#batches.get(command.id)!)
      log.endOffset = outcome.baseOffset! + 1
    } else if (command.kind === 'trim') {
      const log = this.logs[command.slot]!
      log.logStartOffset = Math.max(log.logStartOffset, command.logStartOffset)
    }
  }

  #check(opened: Opened, where: string): void {
    const log = this.logs[opened.slot]!
    assert.deepEqual(opened.quarantined, [], `${where}: nothing is quarantined`)
    assert(opened.logStartOffset >= log.logStartOffset, `${where}: a trim lasts`)
    assert(opened.logStartOffset <= log.logStartOffsetMax, `${where}: nothing is trimmed unasked`)
    const stored = storedBatches(this.disk, join(DATA, log.directory), opened)
    const found = new Map(
      stored.map(({ baseOffset, bytes }) => [baseOffset, fingerprint(bytes)] as const),
    )
    for (const [baseOffset, batch] of log.acknowledged) {
      if (baseOffset < opened.logStartOffset) continue
      assert(found.has(baseOffset), `${where}: what was acknowledged at ${baseOffset} is there`)
      assert(found.get(baseOffset) === batch, `${where}: and it is the same at ${baseOffset}`)
    }
    for (const [baseOffset, batch] of found) {
      assert(log.sent.has(batch), `${where}: what is at ${baseOffset} was sent`)
    }
    log.acknowledged = found
    log.logStartOffset = log.logStartOffsetMax = opened.logStartOffset
    log.endOffset = opened.logEndOffset
  }
}

/** A key of all of a batch that the writer does not change: without base offset and leader epoch. */
function fingerprint(batch: Uint8Array): string {
  return Buffer.from(batch.subarray(16)).toString('latin1')
}
