// LogTable: a map whose truth is a compacted log: a change is a record, and it counts once the record is durable.
// Network thread. Keys are text, values msgpackr. Format, and what LMDB is for: docs/formats/tables.md

import { strict as assert } from 'node:assert'
import { Packr } from 'msgpackr/pack'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { crcMatches } from '../../protocol/batch/header.ts'
import { batchesOf, recordsOf, type RecordView } from '../../protocol/batch/record.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { Offset } from '../../protocol/ids.ts'
import type { Clock } from '../clock.ts'
import type { PartitionLog } from '../log.ts'
import type { AppendOutcome, Change, Table } from '../store.ts'
import type { View, Views } from './views.ts'

/** Of the topics that tables lie in: durable whatever the defaults of users' topics are. */
export const tableConfig = {
  'cleanup.policy': 'compact',
  'flush.policy': 'fsync',
  'segment.bytes': String(64 * 1024 * 1024),
}

export interface TableDeps {
  readonly log: PartitionLog
  /** Resolves when the batch is durable, or refused. */
  readonly append: (log: PartitionLog, batch: Uint8Array) => Promise<AppendOutcome>
  readonly clock: Clock
  readonly views: Views
  readonly warn: (message: string) => void
}

/** Read from the log at a time. */
const REPLAY_BYTES = 1024 * 1024
/** Tables write their records uncompressed. */
const DECOMPRESSED_BYTES_MAX = 0

// Plain maps, which any msgpack reader knows.
const packr = new Packr({ useRecords: false })

export class LogTable<Key extends string, Value> implements Table<Key, Value> {
  readonly #deps: TableDeps
  /** Reads never leave it: a value is decoded once, and nothing on a disk can change or slow an answer. */
  readonly #values = new Map<Key, Value>()
  #view: View | undefined
  /** Every record before this offset is in the map, and in the view if there is one. */
  #appliedOffset = 0

  private constructor(deps: TableDeps) {
    this.#deps = deps
  }

  /** From the view of the last clean stop and the records since; without such a view from the whole log. */
  static async open<Key extends string, Value>(deps: TableDeps): Promise<LogTable<Key, Value>> {
    const table = new LogTable<Key, Value>(deps)
    await table.#loadView()
    await table.#replay()
    return table
  }

  get(key: Key): Value | undefined {
    return this.#values.get(key)
  }

  entries(): IterableIterator<[Key, Value]> {
    return this.#values.entries()
  }

  put(key: Key, value: Value): Promise<void> {
    return this.write([[key, value]])
  }

  delete(key: Key): Promise<void> {
    return this.write([[key, undefined]])
  }

  async write(changes: readonly Change<Key, Value>[]): Promise<void> {
    const { append, clock, log } = this.#deps
    const timestamp = clock.now()
    const packed = changes.map(([key, value]) => [key, pack(value)] as const)
    const batch = new BatchBuilder()
    for (const [key, value] of packed) {
      batch.append({ timestamp, key: Buffer.from(key), value: value ?? null })
    }
    const outcome = await append(log, batch.finish())
    if (outcome.error) {
      throw new KafkaError(outcome.error, outcome.message ?? `append to ${log.topic.name}`)
    }
    for (const [key, value] of changes) this.#set(key, value)
    this.#appliedOffset = outcome.baseOffset + changes.length
    this.#view?.apply(packed, this.#appliedOffset)
  }

  /** Before a clean stop: a log that is worth a view has one, and it is up to date. */
  async saveView(): Promise<void> {
    const { log, views } = this.#deps
    if (this.#view || !views.isWorthIt(log.sizeBytes)) return
    const view = await views.create(log.topic.name)
    view?.apply(
      Array.from(this.#values, ([key, value]) => [key, pack(value)]),
      this.#appliedOffset,
    )
  }

  #set(key: Key, value: Value | undefined): void {
    if (value === undefined) this.#values.delete(key)
    else this.#values.set(key, value)
  }

  async #loadView(): Promise<void> {
    const { log, views, warn } = this.#deps
    if (!views.isWorthIt(log.sizeBytes)) return
    const view = await views.openSealed(log.topic.name)
    if (!view) return
    try {
      const appliedOffset = view.load((key, value) => {
        this.#set(key as Key, packr.unpack(value) as Value)
      })
      if (appliedOffset > log.highWatermark) throw new Error('it is newer than the log')
      this.#appliedOffset = appliedOffset
      this.#view = view
    } catch (error) {
      warn(`the view of ${log.topic.name} is of no use, its log is read instead: ${String(error)}`)
      this.#values.clear()
    }
  }

  async #replay(): Promise<void> {
    const { log, warn } = this.#deps
    this.#appliedOffset = Math.max(this.#appliedOffset, log.logStartOffset)
    while (this.#appliedOffset < log.highWatermark) {
      const rot = log.quarantined.find(
        ({ startOffset, endOffset }) =>
          startOffset <= this.#appliedOffset && this.#appliedOffset < endOffset,
      )
      if (rot) {
        warn(
          `${log.topic.name}: offsets ${rot.startOffset} to ${rot.endOffset - 1} are lost to rot`,
        )
        this.#appliedOffset = rot.endOffset
      } else {
        await this.#replaySome()
      }
    }
  }

  async #replaySome(): Promise<void> {
    const { log, warn } = this.#deps
    const from = Offset(this.#appliedOffset)
    const read = await log.read(from, REPLAY_BYTES, true, Infinity, true)
    if (read.bytes.length === 0) this.#appliedOffset = log.highWatermark // compaction left nothing behind it
    try {
      for (const { at, header } of batchesOf(read.bytes)) {
        if (crcMatches(read.bytes, at, header.sizeBytes)) {
          const records = recordsOf(read.bytes, at, header, {
            decompressedBytesMax: DECOMPRESSED_BYTES_MAX,
          })
          for (const record of records) {
            if (record.offset >= this.#appliedOffset) this.#replayRecord(record)
          }
        } else warn(`${log.topic.name}: the batch at offset ${header.baseOffset} is lost to rot`)
        this.#appliedOffset = header.baseOffset + header.lastOffsetDelta + 1
      }
    } finally {
      read.release()
    }
  }

  #replayRecord({ key, value }: RecordView): void {
    assert(key, 'every record of a table has a key')
    this.#set(key.toString() as Key, value ? (packr.unpack(value) as Value) : undefined)
  }
}

function pack(value: unknown): Buffer | undefined {
  return value === undefined ? undefined : packr.pack(value)
}
