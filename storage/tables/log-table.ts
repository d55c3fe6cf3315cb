// LogTable: a map kept in a compacted log. A change is a record, and takes effect once the record is durable; a
// change within a transaction, once that has committed. Network thread. Format: docs/formats/tables.md

import { strict as assert } from 'node:assert'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Clock } from '../clock.ts'
import type { Fs } from '../fs.ts'
import type { LogView } from '../read/log-view.ts'
import type { AppendOutcome, Change, TxnMarker, Table } from '../store.ts'
import { packedFormat, type RecordFormat, type TableProducer } from '../record-format.ts'
import { migratingBatches } from './migrate.ts'
import { replay, type OldRecord } from './replay.ts'
import { TableState } from './table-state.ts'

/** The configuration of table topics: durable whatever the defaults of users' topics are. */
export const tableConfig = {
  'cleanup.policy': 'compact',
  'flush.policy': 'fsync',
  'segment.bytes': String(64 * 1024 * 1024),
}

export interface TableDeps {
  readonly fs: Fs
  readonly log: LogView
  /** Resolves when the batch is durable, or refused. */
  readonly append: (log: LogView, batch: Uint8Array) => Promise<AppendOutcome>
  /** As `append`, for the control batch that ends a transaction. */
  readonly endTransaction: (log: LogView, marker: TxnMarker) => Promise<AppendOutcome>
  readonly clock: Clock
  readonly warn: (message: string) => void
}

/** There is one node, so no other coordinator ever replaces its own. */
const COORDINATOR_EPOCH = 0

/** Reads are served from memory: a value is decoded once, and no disk can change or delay an answer. */
export class LogTable<Key extends string, Value> implements Table<Key, Value> {
  readonly #deps: TableDeps
  readonly #format: RecordFormat<Key, Value>
  readonly #state = new TableState<Key, Value>()
  #lostOffset = 0
  /** Offset of the last change. */
  #lastOffset = -1

  private constructor(deps: TableDeps, format: RecordFormat<Key, Value>) {
    this.#deps = deps
    this.#format = format
  }

  /** Reads the whole log. Why, with figures: docs/decisions/0019-tables-are-replayed.md */
  static async open<Key extends string, Value>(
    deps: TableDeps,
    format: RecordFormat<Key, Value> = packedFormat(),
  ): Promise<LogTable<Key, Value>> {
    const table = new LogTable<Key, Value>(deps, format)
    const replayed = await replay(deps, format, table.#state)
    table.#lostOffset = replayed.losses.endOffset
    replayed.losses.tell(deps.warn)
    await table.#migrate(replayed.old)
    return table
  }

  /** Offset behind the last damaged records that the start found; 0: none. */
  get lostOffset(): number {
    return this.#lostOffset
  }

  get(key: Key): Value | undefined {
    return this.#state.get(key)
  }

  entries(): IterableIterator<[Key, Value]> {
    return this.#state.entries()
  }

  pending(): Iterable<readonly [producerId: number, key: Key]> {
    return this.#state.pending()
  }

  pendingOf(producerId: number): Iterable<Key> {
    return this.#state.pendingOf(producerId)
  }

  isPending(key: Key): boolean {
    return this.#state.isPending(key)
  }

  put(key: Key, value: Value): Promise<void> {
    return this.write([[key, value]])
  }

  delete(key: Key): Promise<void> {
    return this.write([[key, undefined]])
  }

  async write(changes: readonly Change<Key, Value>[]): Promise<void> {
    const { append, log } = this.#deps
    const offset = this.#accepted(await append(log, this.#batchOf(changes).finish()))
    changes.forEach(([key, value], i) => this.#state.set(key, value, offset + i))
  }

  async writePending(
    { producerId, producerEpoch }: TableProducer,
    changes: readonly (readonly [key: Key, value: Value])[],
  ): Promise<void> {
    const { append, log } = this.#deps
    const writer = { producerId, producerEpoch, isTransactional: true }
    const offset = this.#accepted(await append(log, this.#batchOf(changes).finish(writer)))
    changes.forEach(([key, value], i) => this.#state.setPending(producerId, key, value, offset + i))
  }

  async end(
    { producerId, producerEpoch }: TableProducer,
    isCommit: boolean,
  ): Promise<readonly Change<Key, Value>[]> {
    const { endTransaction, log } = this.#deps
    const coordinatorEpoch = COORDINATOR_EPOCH
    const marker = { producerId, producerEpoch, isCommit, coordinatorEpoch }
    this.#accepted(await endTransaction(log, marker))
    return this.#state.end(producerId, isCommit)
  }

  #batchOf(changes: readonly Change<Key, Value>[]): BatchBuilder {
    const timestamp = this.#deps.clock.now()
    const batch = new BatchBuilder()
    for (const change of changes) batch.append({ timestamp, ...this.#format.encode(...change) })
    return batch
  }

  /** @returns the batch's offset. @throws {KafkaError} */
  #accepted({ error, message, baseOffset }: AppendOutcome): number {
    if (error) throw new KafkaError(error, message ?? `append to ${this.#deps.log.topic.name}`)
    assert(baseOffset > this.#lastOffset, 'changes take effect in the order of the log')
    this.#lastOffset = baseOffset
    return baseOffset
  }

  /** Rewrites records of an earlier release in the current format. Records without room wait for the next start. */
  async #migrate(old: readonly OldRecord<Key>[]): Promise<void> {
    if (old.length === 0) return
    const { append, clock, log, warn } = this.#deps
    const name = log.topic.name
    try {
      const batches = migratingBatches(old, this.#state, this.#format, clock.now())
      for (const bytes of batches) this.#accepted(await append(log, bytes))
      warn(`${name}: ${old.length} records of an earlier release are written in Kafka's format`)
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      warn(`${name}: records of an earlier release stay as they are for now: ${error.message}`)
    }
  }
}
