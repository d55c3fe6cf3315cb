// openStore: builds a store on a data directory, recovers what is there, and finishes what a crash left half done.
// Network thread. Order of the start: docs/formats/data-directory.md

import { dirname, join, resolve } from 'node:path'
import { KafkaError } from '../protocol/errors.ts'
import { Offset } from '../protocol/ids.ts'
import type { SegmentView } from './read/batch-walk.ts'
import { Cleaner } from './cleaner/cleaner.ts'
import type { CleanerPort } from './cleaner/port.ts'
import { ThreadCleanerPort } from './cleaner/thread.ts'
import { systemClock, type Clock } from './clock.ts'
import { Closing } from './closing.ts'
import { parseTopicConfig, recordRules } from './config.ts'
import { realFs, type DiskSpace, type Fs } from './fs.ts'
import { RECOVERY_CHECKPOINT_FILE, VIEW_FILES } from './layout.ts'
import { lockDirectory, type DirectoryLock } from './lock.ts'
import { LogView } from './read/log-view.ts'
import { Logs } from './logs.ts'
import { readOrCreateMeta, refuseStrangers, type Meta } from './meta.ts'
import { defaultProducerLimits } from './producers/producer-state.ts'
import { describeRot } from './segment/quarantined.ts'
import { LogReader } from './read/reader.ts'
import { recoverTopics, strangersOf } from './recover-topics.ts'
import { InlineSearchPort } from './search/port.ts'
import { ThreadSearchPort } from './search/thread.ts'
import type {
  AppendOptions,
  AppendOutcome,
  BrokerOverrides,
  CleanerConfig,
  CleanerCounts,
  TxnMarker,
  Log,
  Overrides,
  ProducerInfo,
  RecordFormat,
  Store,
  StoreOptions,
  Table,
  Topics,
  Turn,
} from './store.ts'
import { BrokerOverrideTable } from './tables/broker-overrides.ts'
import { InternalTable } from './tables/internal-table.ts'
import { LogTable, type TableDeps } from './tables/log-table.ts'
import { openMetadata, type MetadataTable } from './tables/metadata.ts'
import { ProducerIds } from './tables/producer-ids.ts'
import { TopicTable } from './tables/topics.ts'
import { ValidationLine } from './validator/line.ts'
import { InlineValidatorPort, type ValidatorPort } from './validator/port.ts'
import { ThreadValidatorPort } from './validator/thread.ts'
import { WriterClient, type Request } from './writer/writer-client.ts'
import { InlineWriterPort, type WriterEvents, type WriterPort } from './writer/port.ts'
import { startWriterThread } from './writer/thread.ts'
import type { Opened } from './writer/commands.ts'
import { LogWriter } from './writer/writer.ts'

const INBOX_BYTES_MAX = 64 * 1024 * 1024
const OPEN_FILES_MAX = 512
const DAMAGE_SAID_MAX = 100

/** Options with their defaults. */
interface Surroundings {
  readonly options: StoreOptions
  readonly dataDir: string
  readonly fs: Fs
  readonly clock: Clock
  readonly topicDefaults: Overrides
  readonly warn: (message: string) => void
}

/** What a running store consists of. */
interface Parts {
  readonly dataDir: string
  readonly fs: Fs
  readonly meta: Meta
  readonly client: WriterClient
  readonly line: ValidationLine
  readonly logs: Logs
  /** For any table but its log. */
  readonly tableDeps: Omit<TableDeps, 'log'>
  readonly table: MetadataTable
  readonly topics: TopicTable
  readonly producerIds: ProducerIds
  readonly recovery: Store['recovery']
  readonly cleaner: Cleaner
  readonly closing: Closing
}

/**
 * @throws {Error} when the directory is in use, not ours, or of another format: says what to do
 * @throws {KafkaError} INVALID_CONFIG for bad defaults, or another node's directory; KAFKA_STORAGE_ERROR when the disk refuses
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { dataDir, fs = realFs, clock = systemClock, topicDefaults = {} } = options
  parseTopicConfig({}, topicDefaults)
  const warn = options.onWarning ?? (() => {})
  const closing = new Closing()
  try {
    return new OpenedStore(
      await start({ options, dataDir, fs, clock, topicDefaults, warn }, closing),
    )
  } catch (error) {
    await closing.close().catch(() => {}) // the first failure is the one to tell
    throw error
  }
}

async function start(surroundings: Surroundings, closing: Closing): Promise<Parts> {
  const { options, dataDir, fs, clock, warn } = surroundings
  const startMs = clock.monotonic()
  makeDurableDirectory(fs, resolve(dataDir))
  refuseStrangers(fs, dataDir)
  let lock: DirectoryLock | undefined
  closing.add(() => lock?.release())
  // A writer thread starts up while we look at the directory; it touches nothing before it is told to.
  const { client, logs } = connect(surroundings, closing)
  if (!options.fs) lock = await lockDirectory(dataDir, { fs, clock })
  const meta = readOrCreateMeta(fs, dataDir, options.nodeId)
  removeViews(fs, dataDir)
  const lastSeenMs = lastUseOf(fs, dataDir)
  const tableDeps: Parts['tableDeps'] = {
    clock,
    warn,
    append: (log, batch) => client.append(log.slot, batch, false, true),
    endTransaction: (log, marker) => client.endTransaction(log.slot, marker),
    fs,
  }
  const line = new ValidationLine({
    client,
    port: validatorPort(surroundings, client),
    clock,
    rulesOf: ({ topic }) => recordRules(logs.configOf(topic)),
  })
  const { clusterId } = meta
  const { table, opened: openedMetadata } = await openMetadata({ ...tableDeps, logs, clusterId })
  const openedTopics = await recoverTopics({ fs, dataDir, logs, table, client, warn })
  const opened = [...openedMetadata, ...openedTopics]
  sayDamage(opened, logs, warn)
  const topics = new TopicTable({
    table,
    logs,
    strangersOf: (topic, from, to) => strangersOf(fs, dataDir, topic, from, to),
    warn,
  })
  const recovery = {
    seconds: (clock.monotonic() - startMs) / 1000,
    cleanStart: opened.every((log) => log.cleanStart),
    corruptBatchCount: opened.reduce((count, log) => count + log.quarantined.length, 0),
  }
  const cleaner = new Cleaner({
    fs,
    dataDir,
    clock,
    config: options.cleaner,
    lastSeenMs,
    logs: () => logs.all(),
    configOf: ({ topic }) => logs.configOf(topic),
    ask: (request) => client.ask(request),
    port: await cleanerPort(surroundings, client),
    warn,
  })
  logs.onRot((segment) => cleaner.suspect(segment))
  const producerIds = new ProducerIds(table)
  const opening = { dataDir, fs, meta, client, line, logs, tableDeps, table, topics, producerIds }
  return { ...opening, recovery, cleaner, closing }
}

function validatorPort({ options }: Surroundings, client: WriterClient): ValidatorPort {
  if (options.writer === 'inline') return new InlineValidatorPort()
  return new ThreadValidatorPort((error) => client.fail(error))
}

/** What the start found, or knew of. */
function sayDamage(opened: readonly Opened[], logs: Logs, warn: (message: string) => void): void {
  const strays = opened.flatMap((log) => log.strays)
  const rotten = [...logs.all()].flatMap(({ path, quarantined }) =>
    quarantined.map((rot) => describeRot(path, rot)),
  )
  const said = [...strays.map((file) => `${file}: no segment of this log, put aside`), ...rotten]
  for (const message of said.slice(0, DAMAGE_SAID_MAX)) warn(message)
  if (said.length > DAMAGE_SAID_MAX) warn(`${said.length - DAMAGE_SAID_MAX} more such ranges`)
}

async function cleanerPort(
  { options, fs, clock }: Surroundings,
  client: WriterClient,
): Promise<CleanerPort> {
  if (options.writer !== 'inline') return new ThreadCleanerPort((error) => client.fail(error))
  if (options.openCleanerPort) return options.openCleanerPort({ fs, clock })
  const { InlineCleanerPort } = await import('./cleaner/worker/cleaner-worker.ts')
  return new InlineCleanerPort({ fs, clock, seed: new Uint32Array(4) })
}

/** Of earlier releases, which would believe them: a copy of the tables that is older than their logs. */
function removeViews(fs: Fs, dataDir: string): void {
  for (const name of VIEW_FILES) {
    const path = join(dataDir, name)
    if (fs.stat(path)) fs.removeFile(path)
  }
}

/** Before this start writes anything: ms since the epoch. */
function lastUseOf(fs: Fs, dataDir: string): number | undefined {
  return fs.stat(join(dataDir, RECOVERY_CHECKPOINT_FILE))?.modifiedMs
}

/** With its parents, each of which survives a power cut. */
function makeDurableDirectory(fs: Fs, path: string): void {
  if (fs.stat(path)) return
  const parent = dirname(path)
  makeDurableDirectory(fs, parent)
  fs.makeDirectory(path)
  fs.syncDirectory(parent)
}

/** The writer, and the logs that it speaks of. */
function connect(
  surroundings: Surroundings,
  closing: Closing,
): { client: WriterClient; logs: Logs } {
  const { options, dataDir, fs, clock, topicDefaults, warn } = surroundings
  const { inboxBytesMax = INBOX_BYTES_MAX, writtenFilesMax: openFilesMax } = options
  const producerLimits = {
    ...defaultProducerLimits,
    ...(options.producerIdExpirationMs && { expirationMs: options.producerIdExpirationMs }),
  }
  const port = (events: WriterEvents): WriterPort => {
    if (options.writer === 'inline') {
      const writer = new LogWriter({ fs, clock, dataDir, producerLimits, openFilesMax })
      return new InlineWriterPort(writer, clock, inboxBytesMax, events)
    }
    const thread = options.writer === 'thread' ? undefined : options.writer
    const deps = { dataDir, inboxBytesMax, producerLimits, openFilesMax }
    return startWriterThread(deps, events, thread)
  }
  const client: WriterClient = new WriterClient({
    connect: port,
    onResult: (result) => logs.apply(result),
  })
  closing.add(() => client.stop())
  const search =
    options.writer === 'inline' ? new InlineSearchPort(fs) : new ThreadSearchPort({ clock, warn })
  const readFilesMax = options.openFilesMax ?? OPEN_FILES_MAX
  const onRot = (segment: SegmentView) => logs.noteRot(segment)
  const reader = new LogReader({ fs, search, openFilesMax: readFilesMax, warn, onRot })
  closing.add(() => reader.close())
  closing.add(() => search.stop())
  const ask = (request: Request) => client.ask(request)
  const logs: Logs = new Logs({ dataDir, reader, topicDefaults, ask })
  return { client, logs }
}

class OpenedStore implements Store {
  readonly #parts: Parts
  readonly brokerOverrides: BrokerOverrides

  constructor(parts: Parts) {
    this.#parts = parts
    this.brokerOverrides = new BrokerOverrideTable(parts.table)
    parts.closing.add(() => parts.client.finish())
    parts.closing.add(() => parts.line.stop())
    parts.closing.add(() => parts.cleaner.stop())
  }

  get clusterId(): string {
    return this.#parts.meta.clusterId
  }

  get nodeId(): number {
    return this.#parts.meta.nodeId
  }

  get dataDir(): string {
    return this.#parts.dataDir
  }

  get topics(): Topics {
    return this.#parts.topics
  }

  get recovery(): Store['recovery'] {
    return this.#parts.recovery
  }

  /** Not before the record that names the partition is durable: a crash would leave what was appended without an owner. */
  log(topic: string, partition: number): Log | undefined {
    const { logs, topics } = this.#parts
    const partitionCount = topics.get(topic)?.partitionCount ?? 0
    return partition < partitionCount ? logs.get(topic, partition) : undefined
  }

  append(
    log: Log,
    batch: Uint8Array,
    { source = this, isTransactionV2 = false }: AppendOptions = {},
  ): Promise<AppendOutcome> {
    const own = ownLog(log)
    if (own.isRemoved) return Promise.resolve(refusedAppend(own.topic.name))
    return this.#parts.line.append(batch, { log: own, source, isTransactionV2 })
  }

  endTransaction(log: Log, marker: TxnMarker): Promise<AppendOutcome> {
    const own = ownLog(log)
    if (own.isRemoved) return Promise.resolve(refusedAppend(own.topic.name))
    return this.#parts.line.endTransaction(own, marker)
  }

  async producersOf(log: Log): Promise<readonly ProducerInfo[]> {
    const { slot } = ownLog(log)
    const { producers = [] } = await this.#parts.client.ask({ kind: 'producers', slot })
    return producers
  }

  get isCongested(): boolean {
    return this.#parts.client.isCongested
  }

  get inboxBytesUsed(): number {
    return this.#parts.client.bytesUsed + this.#parts.line.bytesUsed
  }

  onDrain(callback: () => void): void {
    this.#parts.client.onDrain(callback)
  }

  onTurn(callback: (turn: Turn) => void): void {
    this.#parts.logs.onTurn(callback)
  }

  onFatal(callback: (error: Error) => void): void {
    this.#parts.client.onFatal(callback)
  }

  async deleteRecordsBefore(log: Log, offset: Offset): Promise<Offset> {
    const { slot, topic, partition } = ownLog(log)
    if (offset > log.highWatermark) {
      const name = `${topic.name}-${partition}`
      throw new KafkaError(
        'OFFSET_OUT_OF_RANGE',
        `${name}: ${offset} is past the high watermark, ${log.highWatermark}`,
      )
    }
    await this.#parts.client.ask({ kind: 'trim', slot, logStartOffset: offset })
    return log.logStartOffset
  }

  get quarantinedOffsetCount(): number {
    let count = 0
    for (const { quarantined } of this.#parts.logs.all()) {
      for (const { startOffset, endOffset } of quarantined) count += endOffset - startOffset
    }
    return count
  }

  setCleanerConfig(config: Partial<CleanerConfig>): void {
    this.#parts.cleaner.configure(config)
  }

  get cleanerCounts(): CleanerCounts {
    return this.#parts.cleaner.counts
  }

  async openTable<Key extends string, Value>(
    name: string,
    format: RecordFormat<Key, Value>,
  ): Promise<Table<Key, Value>> {
    const { topics, logs, tableDeps } = this.#parts
    const open = () => LogTable.open({ ...tableDeps, log: logs.get(name, 0)! }, format)
    return InternalTable.open(name, { topics, open })
  }

  setTopicDefaults(defaults: Overrides): Promise<void> {
    return this.#parts.logs.setTopicDefaults(defaults)
  }

  nextProducerId(): Promise<number> {
    return this.#parts.producerIds.next()
  }

  skipProducerIds(below: number): void {
    this.#parts.producerIds.skipTo(below)
  }

  diskSpace(): Promise<DiskSpace> {
    return this.#parts.fs.space(this.#parts.dataDir)
  }

  async makeRoom(): Promise<void> {
    await this.#parts.client.ask({ kind: 'hurry' })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.closing.close()
  }
}

/** Logs are handed out by this store only. */
function ownLog(log: Log): LogView {
  if (log instanceof LogView) return log
  throw new TypeError('the log is not of this store')
}

function refusedAppend(topic: string): AppendOutcome {
  return {
    error: 'UNKNOWN_TOPIC_OR_PARTITION',
    message: `${topic} is being deleted`,
    baseOffset: -1,
    logAppendTimeMs: -1,
  }
}
