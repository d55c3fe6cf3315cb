// openStore: builds a store on a data directory, recovers its logs, and finishes work that a crash interrupted.
// Network thread. Order of the start: docs/formats/data-directory.md

import { dirname, join, resolve } from 'node:path'
import type { SegmentView } from './read/batch-walk.ts'
import { LogCleaner } from './cleaner/cleaner.ts'
import type { CleanerPort } from './cleaner/port.ts'
import { ThreadCleanerPort } from './cleaner/thread.ts'
import type { Clock } from './clock.ts'
import { Closing } from './closing.ts'
import { parseTopicConfig, recordRules } from './config.ts'
import { realFs, type Fs } from './fs.ts'
import { RECOVERY_CHECKPOINT_FILE, VIEW_FILES } from './layout.ts'
import { lockDirectory, type DirectoryLock } from './lock.ts'
import { OpenLogs } from './logs.ts'
import { readOrCreateMeta, refuseStrangers } from './meta.ts'
import { defaultProducerLimits } from './producers/producer-state.ts'
import { describeRot } from './segment/quarantined.ts'
import { LogReader } from './read/reader.ts'
import { recoverTopics, strangersOf } from './recover-topics.ts'
import { InlineSearchPort } from './search/port.ts'
import { ThreadSearchPort } from './search/thread.ts'
import type { Overrides, Store } from './store.ts'
import type { StoreOptions } from './store-options.ts'
import { BrokerOverrideTable } from './tables/broker-overrides.ts'
import { internalTables } from './tables/internal-table.ts'
import { LogTable, type TableDeps } from './tables/log-table.ts'
import { ACL_PREFIX, openMetadata, QUOTA_PREFIX, secretOf } from './tables/metadata.ts'
import { PrefixedRecords } from './tables/prefixed-records.ts'
import { ProducerIdBlocks } from './tables/producer-ids.ts'
import { ScramCredentialTable } from './tables/scram-credentials.ts'
import { TopicTable } from './tables/topics.ts'
import { ValidationLine } from './validator/line.ts'
import { InlineValidatorPort, type ValidatorPort } from './validator/port.ts'
import { ThreadValidatorPort } from './validator/thread.ts'
import { WriterClient, type Request } from './writer/writer-client.ts'
import { InlineWriterPort, type WriterEvents, type WriterPort } from './writer/port.ts'
import { startWriterThread } from './writer/thread.ts'
import type { Opened } from './log-facts.ts'
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

/**
 * @throws {Error} that says what to do, when the directory is in use, foreign, or of another format
 * @throws {KafkaError} INVALID_CONFIG for bad defaults, or another node's directory; KAFKA_STORAGE_ERROR when the
 *   disk refuses
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { dataDir, fs = realFs, clock, topicDefaults = {} } = options
  parseTopicConfig({}, topicDefaults)
  const warn = options.onWarning ?? (() => {})
  const closing = new Closing()
  try {
    return await start({ options, dataDir, fs, clock, topicDefaults, warn }, closing)
  } catch (error) {
    await closing.close().catch(() => {}) // the first error is the one that matters
    throw error
  }
}

async function start(surroundings: Surroundings, closing: Closing): Promise<Store> {
  const { options, dataDir, fs, clock, warn } = surroundings
  const startMs = clock.monotonic()
  makeDurableDirectory(fs, resolve(dataDir))
  refuseStrangers(fs, dataDir)
  let lock: DirectoryLock | undefined
  closing.add(() => lock?.release())
  // The writer's thread starts meanwhile; it touches no file before its first command.
  const { writer, reader, logs, line } = connect(surroundings, closing)
  if (!options.fs) lock = await lockDirectory(dataDir, { fs, clock })
  const { clusterId, nodeId } = readOrCreateMeta(fs, dataDir, options.nodeId)
  removeViews(fs, dataDir)
  const lastSeenMs = lastUseOf(fs, dataDir)
  const tableDeps: Omit<TableDeps, 'log'> = {
    clock,
    warn,
    append: (log, batch) => writer.write(log.slot, batch, false, true),
    endTransaction: (log, marker) => writer.endTransaction(log, marker),
    fs,
  }
  const { table, opened: openedMetadata } = await openMetadata({ ...tableDeps, logs, clusterId })
  const openedTopics = await recoverTopics({ fs, dataDir, logs, table, writer, warn })
  const opened = [...openedMetadata, ...openedTopics]
  sayDamage(opened, logs, warn)
  const strangersIn = (topic: string, from: number, to: number) =>
    strangersOf(fs, dataDir, topic, from, to)
  const topics = new TopicTable({ table, logs, strangersOf: strangersIn, warn })
  const recovery = {
    seconds: (clock.monotonic() - startMs) / 1000,
    cleanStart: opened.every((log) => log.cleanStart),
    corruptBatchCount: opened.reduce((count, log) => count + log.quarantined.length, 0),
  }
  const cleaner = await startCleaner(surroundings, { writer, reader, logs, lastSeenMs })
  closing.add(() => writer.finish())
  closing.add(() => line.stop())
  closing.add(() => cleaner.stop())
  return {
    clusterId,
    nodeId,
    dataDir,
    recovery,
    topics,
    logs,
    writer,
    reader,
    producerIds: new ProducerIdBlocks(table),
    brokerOverrides: new BrokerOverrideTable(table),
    scramCredentials: new ScramCredentialTable(table),
    secret: secretOf(table),
    acls: new PrefixedRecords(table, ACL_PREFIX),
    clientQuotas: new PrefixedRecords(table, QUOTA_PREFIX),
    tables: internalTables(topics, (name, format) =>
      LogTable.open({ ...tableDeps, log: logs.get(name, 0)! }, format),
    ),
    cleaner,
    disk: {
      space: () => fs.space(dataDir),
      makeRoom: async () => void (await writer.ask({ kind: 'hurry' })),
    },
    [Symbol.asyncDispose]: () => closing.close(),
  }
}

interface CleanerNeeds {
  readonly writer: WriterClient
  readonly reader: LogReader
  readonly logs: OpenLogs
  /** Wall time at which the data was last in use. */
  readonly lastSeenMs: number | undefined
}

async function startCleaner(
  surroundings: Surroundings,
  { writer, reader, logs, lastSeenMs }: CleanerNeeds,
): Promise<LogCleaner> {
  const { options, dataDir, fs, clock, warn } = surroundings
  const cleaner = new LogCleaner({
    fs,
    dataDir,
    clock,
    config: options.cleaner,
    lastSeenMs,
    logs: () => logs.all(),
    configOf: ({ topic }) => logs.configOf(topic),
    ask: (request) => writer.ask(request),
    reader,
    port: await cleanerPort(surroundings, writer),
    warn,
  })
  logs.onRot((segment) => cleaner.suspect(segment))
  return cleaner
}

function validatorPort({ options }: Surroundings, writer: WriterClient): ValidatorPort {
  if (options.writer === 'inline') return new InlineValidatorPort()
  return new ThreadValidatorPort((error) => writer.fail(error))
}

/** Logs the damage that this start or an earlier one found. */
function sayDamage(
  opened: readonly Opened[],
  logs: OpenLogs,
  warn: (message: string) => void,
): void {
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
  writer: WriterClient,
): Promise<CleanerPort> {
  if (options.writer !== 'inline') return new ThreadCleanerPort((error) => writer.fail(error))
  if (options.openCleanerPort) return options.openCleanerPort({ fs, clock })
  const { InlineCleanerPort } = await import('./cleaner/worker/cleaner-worker.ts')
  return new InlineCleanerPort({ fs, clock, seed: new Uint32Array(4) })
}

/** Removes the LMDB views of earlier releases, which would trust a copy that is older than its log. */
function removeViews(fs: Fs, dataDir: string): void {
  for (const name of VIEW_FILES) {
    const path = join(dataDir, name)
    if (fs.stat(path)) fs.removeFile(path)
  }
}

/** Read before this start writes anything: ms since the epoch. */
function lastUseOf(fs: Fs, dataDir: string): number | undefined {
  return fs.stat(join(dataDir, RECOVERY_CHECKPOINT_FILE))?.modifiedMs
}

/** Creates a directory with its parents, each of which survives a power failure. */
function makeDurableDirectory(fs: Fs, path: string): void {
  if (fs.stat(path)) return
  const parent = dirname(path)
  makeDurableDirectory(fs, parent)
  fs.makeDirectory(path)
  fs.syncDirectory(parent)
}

/** Connects the writer, its logs and the gate in front of it. */
function connect(
  surroundings: Surroundings,
  closing: Closing,
): { writer: WriterClient; reader: LogReader; logs: OpenLogs; line: ValidationLine } {
  const { options, dataDir, fs, clock, topicDefaults, warn } = surroundings
  const { inboxBytesMax = INBOX_BYTES_MAX, writtenFilesMax: openFilesMax } = options
  const producerLimits = {
    ...defaultProducerLimits,
    ...(options.producerIdExpirationMs && { expirationMs: options.producerIdExpirationMs }),
  }
  const port = (events: WriterEvents): WriterPort => {
    if (options.writer === 'inline') {
      const logWriter = new LogWriter({ fs, clock, dataDir, producerLimits, openFilesMax })
      return new InlineWriterPort(logWriter, clock, inboxBytesMax, events)
    }
    const thread = options.writer === 'thread' ? undefined : options.writer
    const deps = { dataDir, inboxBytesMax, producerLimits, openFilesMax }
    return startWriterThread(deps, events, thread)
  }
  const writer: WriterClient = new WriterClient({
    connect: port,
    onResult: (result) => logs.apply(result),
  })
  closing.add(() => writer.stop())
  const search =
    options.writer === 'inline' ? new InlineSearchPort(fs) : new ThreadSearchPort({ clock, warn })
  const readFilesMax = options.openFilesMax ?? OPEN_FILES_MAX
  const onRot = (segment: SegmentView) => logs.noteRot(segment)
  const reader = new LogReader({ fs, search, openFilesMax: readFilesMax, warn, onRot })
  closing.add(() => reader.close())
  closing.add(() => search.stop())
  const ask = (request: Request) => writer.ask(request)
  const logs: OpenLogs = new OpenLogs({ dataDir, files: reader, topicDefaults, ask })
  const line = new ValidationLine({
    writer,
    port: validatorPort(surroundings, writer),
    clock,
    rulesOf: ({ topic }) => recordRules(logs.configOf(topic)),
  })
  writer.passThrough(line)
  return { writer, reader, logs, line }
}
