// Broker: the composition root, the only place that builds things. Runs in a process of its own (main.ts) or inside
// another program, as often as wanted. Owns everything it builds. Network thread.

import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock, type Clock } from '../storage/clock.ts'
import { Closing } from '../storage/closing.ts'
import type { Fs } from '../storage/fs.ts'
import { openStore } from '../storage/open-store.ts'
import type { CleanerConfig, Store, StoreOptions, Topic } from '../storage/store.ts'
import { apiVersionsHandler } from './api/18_api_versions.ts'
import { everythingAllowed, type Authorizer } from './auth/permissions.ts'
import { ALL_BROKERS, BrokerConfigs } from './broker-configs.ts'
import { ConfigResources } from './config-resources.ts'
import { readSettings, type BrokerConfig, type ConfigSource, type Settings } from './config.ts'
import { Appender } from './produce/append.ts'
import { DiskGuard } from './produce/disk-guard.ts'
import { FetchSessions } from './fetch/sessions.ts'
import { GroupCoordinator, type GroupConfig } from './group/coordinator.ts'
import { openGroupState } from './group/state-table.ts'
import { subscribedTopics } from './group/subscription.ts'
import { handlerMakers } from './handlers.ts'
import { BrokerHealth } from './health.ts'
import { openHttp, type HttpDeps } from './http/server.ts'
import { ProcessLog, printable } from './process-log.ts'
import { GroupMetrics, Rebalances } from './metrics/groups.ts'
import { GcTimes } from './metrics/gc.ts'
import { LoopTimes } from './metrics/loop.ts'
import { Registry } from './metrics/registry.ts'
import { RequestMetrics } from './metrics/requests.ts'
import { TopicTraffic } from './metrics/traffic.ts'
import { TransactionMetrics } from './metrics/transactions.ts'
import { TurnTimes } from './metrics/turns.ts'
import type { ConnectionLimits } from './net/connection.ts'
import { Dispatch } from './call.ts'
import type { Handler } from './handler.ts'
import { isLoopback } from './net/addresses.ts'
import { Listeners } from './net/listeners.ts'
import { Pressure } from './net/pressure.ts'
import { Unsent } from './net/unsent.ts'
import { Workshop } from './net/work.ts'
import { openFilesMax, shareOfOpenFiles } from './open-files.ts'
import { Purgatory } from './fetch/purgatory.ts'
import { TopicConfigs } from './topic-configs.ts'
import {
  TransactionCoordinator,
  type TransactionConfig,
  type TransactionTable,
} from './txn/coordinator.ts'
import { endOrphans, writeMarkers } from './txn/ends.ts'
import { ProduceGate } from './txn/produce-gate.ts'
import { newProducerId, openEpochOf, openTransactionState } from './txn/state-table.ts'

const NO_HTTP = -1
/** Segment and index files kept open for reading. */
const READER_FILES_MAX = 512
/** Segment files kept open for writing. */
const WRITER_FILES_MAX = 500
const HTTP_CONNECTIONS_MAX = 64
const MINUTE_MS = 60_000

export interface BrokerOptions {
  /** Keep the data in a temporary directory that goes when the broker closes. */
  readonly ephemeral?: boolean
  readonly dataDir?: string
  /** For Kafka clients; a free one unless given. */
  readonly port?: number
  /** Addresses to listen on, comma-separated; both loopback addresses unless given. */
  readonly host?: string
  /** The port for metrics and health, 0 for a free one; no HTTP server unless given. */
  readonly http?: number
  /** Broker properties by Kafka's names; defaults of topics (`log.segment.bytes`, ...) among them. */
  readonly config?: Readonly<Record<string, string | number | boolean>>
  /** The disk failed: nothing more is acknowledged. Without it the error is thrown, which ends the process. */
  readonly onFatal?: (error: Error) => void
}

/** What `runBroker` knows beyond the options of an embedded broker. @internal */
export interface BrokerEnvironment {
  readonly settings: Settings
  readonly ephemeral: boolean
  /** Where the writer runs: in its own thread unless a test says otherwise. */
  readonly writer?: StoreOptions['writer']
  /** The data below, and the sockets above, unless a test stands there. */
  readonly openStore?: (options: StoreOptions) => Promise<Store>
  readonly openListeners?: typeof openSockets
  /** The disk, for the writer 'inline'. Default: the real one. */
  readonly fs?: Fs
  /** Who may do what. Default: everybody everything. */
  readonly authorizer?: Authorizer
  /** Unlike any other, over all starts. Default: random. */
  readonly newId?: () => string
  readonly onFatal: (error: Error) => void
  readonly clock: Clock
  readonly log: ProcessLog
}

/** What clients come through. @internal */
type Doors = Pick<Listeners, 'addresses' | 'connectionCount' | 'close'>

export class Broker {
  /** HOST:PORT for a Kafka client: of the first listener. */
  readonly bootstrap: string
  /** HOST:PORT of each listener, by its name. */
  readonly listeners: Readonly<Record<string, string>>
  /** Undefined without an HTTP server. */
  readonly httpUrl: string | undefined
  readonly dataDir: string
  readonly #closing: Closing
  #closed: Promise<void> | undefined

  private constructor(
    closing: Closing,
    addresses: Pick<Broker, 'listeners' | 'httpUrl' | 'dataDir'>,
  ) {
    this.#closing = closing
    this.listeners = addresses.listeners
    this.bootstrap = Object.values(addresses.listeners)[0]!
    this.httpUrl = addresses.httpUrl
    this.dataDir = addresses.dataDir
  }

  /** @throws {KafkaError} INVALID_CONFIG; whatever the disk or the network refuses */
  static async start(options: BrokerOptions = {}): Promise<Broker> {
    const settings = readSettings([sourceOf(options)])
    const clock = systemClock
    const log = new ProcessLog(settings.broker['log.level'], clock)
    const { ephemeral = false, onFatal = throwLater } = options
    return Broker.open({ settings, ephemeral, onFatal, clock, log })
  }

  /** @internal */
  static async open(environment: BrokerEnvironment): Promise<Broker> {
    const closing = new Closing()
    try {
      const { store, dataDir } = await openData(environment, closing)
      const configs = await openConfigs(environment, store)
      const table = await openTransactionState(store)
      const groups = await openGroups(environment, configs.current, store, table, closing)
      const transactions = await openTransactions(
        environment,
        configs.current,
        { store, table, groups: groups.coordinator },
        closing,
      )
      const services = compose(environment, configs, store, groups, transactions)
      const doors = await listen(environment, services, closing)
      const httpUrl = await startHttp(environment, services, doors, closing)
      return new Broker(closing, { listeners: doors.addresses, httpUrl, dataDir })
    } catch (error) {
      await closing.close()
      throw error
    }
  }

  /** Answers what was asked, makes everything durable, closes every file and socket. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#closing.close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function sourceOf(options: BrokerOptions): ConfigSource {
  const { dataDir, host, http = NO_HTTP, config = {} } = options
  const { port = 'listeners' in config ? undefined : 0 } = options
  const own = { port, 'http.port': http, 'log.level': 'error', 'log.dir': dataDir, host }
  const set = Object.entries({ ...own, ...config }).filter(([, value]) => value !== undefined)
  return {
    origin: 'options',
    properties: Object.fromEntries(set.map(([name, value]) => [name, String(value)])),
  }
}

/** An embedded broker whose disk fails ends the process, as a broker of its own does. */
function throwLater(error: Error): void {
  process.nextTick(() => {
    throw error
  })
}

async function openData(environment: BrokerEnvironment, closing: Closing) {
  const { settings, ephemeral, writer = 'thread', clock, log } = environment
  const { broker: config, topicDefaults } = settings
  const dataDir = ephemeral ? mkdtempSync(join(tmpdir(), 'millrace-')) : config['log.dir']
  if (ephemeral) closing.add(() => rmSync(dataDir, { recursive: true, force: true }))
  const { openStore: open = openStore } = environment
  const { readers, writer: writerFiles } = shareOfOpenFiles(openFilesMax())
  const store = await open({
    dataDir,
    writer,
    clock,
    topicDefaults,
    nodeId: settings.given.has('node.id') ? config['node.id'] : undefined,
    inboxBytesMax: config['inbox.max.bytes'],
    openFilesMax: Math.min(READER_FILES_MAX, readers),
    writtenFilesMax: Math.min(WRITER_FILES_MAX, writerFiles),
    cleaner: cleanerConfig(config),
    producerIdExpirationMs: config['producer.id.expiration.ms'],
    ...(environment.fs && { fs: environment.fs }),
    onWarning: (message) => log.warn(message),
  })
  const tell =
    (change: string) =>
    ({ name, partitionCount, config }: Topic) =>
      log.debug(`topic ${change}`, { topic: name, partitionCount, config })
  store.topics.subscribe({
    created: tell('created'),
    deleted: tell('deleted'),
    partitionsAdded: tell('extended'),
    configured: tell('configured'),
  })
  closing.add(async () => store[Symbol.asyncDispose]())
  return { store, dataDir }
}

async function openConfigs(
  { settings, log }: BrokerEnvironment,
  store: Store,
): Promise<BrokerConfigs> {
  const configs = await BrokerConfigs.open({
    settings,
    store,
    warn: (message) => log.warn(message),
  })
  let level = settings.broker['log.level']
  const follow = () => {
    store.setCleanerConfig(cleanerConfig(configs.current))
    if (level !== configs.current['log.level']) log.setLevel(configs.current['log.level'])
    level = configs.current['log.level']
  }
  configs.onChange(() => {
    follow()
    const set = { ...configs.overrides(ALL_BROKERS), ...configs.overrides(`${store.nodeId}`) }
    log.debug('broker configuration changed', { set: Object.keys(set) }) // no values: one may be a password
  })
  follow()
  return configs
}

interface Groups {
  readonly coordinator: GroupCoordinator
  readonly rebalances: Rebalances
}

async function openGroups(
  { clock, newId = randomUUID, log }: BrokerEnvironment,
  config: BrokerConfig,
  store: Store,
  transactions: TransactionTable,
  closing: Closing,
): Promise<Groups> {
  const rebalances = new Rebalances(config['metrics.groups.max'])
  const coordinator = new GroupCoordinator({
    clock,
    table: await openGroupState(store, (producerId) => openEpochOf(transactions, producerId)),
    config: groupConfig(config),
    newMemberId: (prefix) => `${prefix}-${newId()}`,
    topicExists: (topic) => store.topics.get(topic) !== undefined,
    subscribedTopics,
    onRebalance: (groupId, reason) => rebalances.count(groupId, reason),
    onStable: (groupId, generationId, memberCount) =>
      log.debug('group formed', { group: printable(groupId), generationId, memberCount }),
  })
  closing.add(() => coordinator.close())
  void coordinator.groups.expire() // forgets offsets of topics whose deletion a crash cut short; nothing waits for it
  return { coordinator, rebalances }
}

interface Transactions {
  readonly coordinator: TransactionCoordinator
  readonly metrics: TransactionMetrics
}

interface TransactionParts {
  readonly store: Store
  readonly table: TransactionTable
  readonly groups: GroupCoordinator
}

async function openTransactions(
  { clock, log }: BrokerEnvironment,
  config: BrokerConfig,
  { store, table, groups }: TransactionParts,
  closing: Closing,
): Promise<Transactions> {
  const metrics = new TransactionMetrics()
  const coordinator = new TransactionCoordinator({
    clock,
    table,
    ends: { mark: (record) => writeMarkers(store, groups, record) },
    newProducerId: () => newProducerId(store),
    config: transactionConfig(config),
    onEnd: (result) => metrics.ended(result),
  })
  closing.add(() => coordinator.close())
  await endOrphans(groups, coordinator, (message) => log.warn(message))
  void coordinator.sweep() // finishes what a crash has cut short; who asks for one of these waits for it
  return { coordinator, metrics }
}

type Services = ReturnType<typeof compose>

/** Everything between the network and the store. */
function compose(
  { clock, log, onFatal, authorizer = everythingAllowed }: BrokerEnvironment,
  configs: BrokerConfigs,
  store: Store,
  groups: Groups,
  transactions: Transactions,
) {
  const config = configs.current
  const topicConfigs = new TopicConfigs(configs)
  const traffic = new TopicTraffic(config['metrics.topics.max'])
  const purgatory = new Purgatory(clock)
  const sessions = new FetchSessions(config['max.incremental.fetch.session.cache.slots'], clock)
  const disk = new DiskGuard({ store, config, clock, log })
  const gate = new ProduceGate(transactions.coordinator)
  const deps = {
    store,
    config,
    clock,
    disk,
    traffic,
    purgatory,
    sessions,
    coordinator: groups.coordinator,
    transactions: transactions.coordinator,
    gate,
    appender: new Appender({ store, traffic, disk, gate }),
    topicConfigs,
    configResources: new ConfigResources(store, topicConfigs, configs),
  }
  const handlers: Handler[] = handlerMakers.map((make) => make(deps))
  handlers.push(apiVersionsHandler(handlers.map(({ api }) => api)))
  const turns = new TurnTimes()
  store.onTurn((turn) => {
    purgatory.wake(turn.logs)
    turns.turnDone(turn)
  })
  const requests = new RequestMetrics(handlers.map(({ api }) => api))
  const { workshop, pressure, unsent } = boundsOf(config, store, clock)
  const dispatch = new Dispatch({ handlers, authorizer, observer: requests, workshop, clock, log })
  const health = new BrokerHealth(disk)
  store.onFatal((error) => {
    health.fail(error)
    onFatal(error)
  })
  return {
    config,
    store,
    groups,
    transactions: transactions.coordinator,
    transactionMetrics: transactions.metrics,
    traffic,
    turns,
    purgatory,
    sessions,
    requests,
    dispatch,
    pressure,
    unsent,
    health,
  }
}

/** What all requests, answers and clients together may take. */
function boundsOf(config: BrokerConfig, store: Store, clock: Clock) {
  const workshop = new Workshop({
    clock,
    get answerBytesMax() {
      return config['response.max.bytes']
    },
  })
  const pressure = new Pressure({
    get bytesMax() {
      return config['queued.max.request.bytes']
    },
    store,
  })
  const unsent = new Unsent({
    get bytesMax() {
      return config['connections.unsent.max.bytes']
    },
    clock,
  })
  return { workshop, pressure, unsent }
}

/** @internal */
function openSockets(...at: Parameters<typeof Listeners.open>): Promise<Doors> {
  return Listeners.open(...at)
}

async function listen(
  { settings, clock, log, openListeners = openSockets }: BrokerEnvironment,
  { config, dispatch, pressure, unsent, health }: Services,
  closing: Closing,
): Promise<Doors> {
  const openMax = shareOfOpenFiles(openFilesMax()).connections
  const caps = {
    get connectionsMax() {
      return Math.min(config['max.connections'], openMax)
    },
    get connectionsPerAddressMax() {
      return config['max.connections.per.ip']
    },
  }
  const limits = limitsOf(config)
  const deps = { dispatch, pressure, unsent, limits, caps, clock, log }
  const doors = await openListeners(settings.listeners, deps)
  closing.add(() => {
    health.stop()
    return doors.close(config['shutdown.timeout.ms'])
  })
  return doors
}

async function startHttp(
  environment: BrokerEnvironment,
  services: Services,
  doors: Doors,
  closing: Closing,
): Promise<string | undefined> {
  if (environment.settings.broker['http.port'] === NO_HTTP) return undefined
  const loop = new LoopTimes(environment.clock)
  const gc = new GcTimes()
  closing.add(() => loop.stop())
  closing.add(() => gc.stop())
  const http = await openHttp(httpDeps(environment, services, doors, { loop, gc }))
  closing.add(() => http.close())
  return http.url
}

function httpDeps(
  { settings, clock }: BrokerEnvironment,
  services: Services,
  doors: Doors,
  times: { readonly loop: LoopTimes; readonly gc: GcTimes },
): HttpDeps {
  const { config, store, groups, purgatory, sessions, pressure, unsent, health } = services
  const { coordinator, rebalances } = groups
  const groupsMax = config['metrics.groups.max']
  const registry = new Registry({
    ...services,
    groups: new GroupMetrics({ store, coordinator, clock, groupsMax }),
    rebalances,
    clock,
    topicsMax: config['metrics.topics.max'],
    isNetworkOpen: config['i.accept.unauthenticated.network'],
    connectionCount: () => doors.connectionCount,
    bytesHeld: () => pressure.bytesHeld,
    bytesUnsent: () => unsent.heldBytes,
    ...times,
    fetchSessionCount: () => sessions.count,
    fetchesWaiting: () => purgatory.waitingCount,
  })
  let page: (() => Promise<string>) | undefined
  return {
    host: config['http.host'],
    port: config['http.port'],
    names: httpNames(settings),
    connectionsMax: Math.min(HTTP_CONNECTIONS_MAX, shareOfOpenFiles(openFilesMax()).http),
    async metricsText() {
      page ??= (await import('./metrics/exposition.ts')).exposition(registry)
      return page()
    },
    reasonsNotReady: () => health.reasonsNotReady(),
  }
}

/** A loopback address has few; how others call an address that they reach is not known. */
function httpNames({ broker, listeners }: Settings): readonly string[] | undefined {
  const own = broker['http.host']
  if (!isLoopback(own)) return undefined
  const told = listeners.flatMap(({ advertised }) => advertised.host ?? [])
  return [own, ...listeners.flatMap(({ hosts }) => hosts), ...told]
}

function cleanerConfig(config: BrokerConfig): CleanerConfig {
  return {
    retentionCheckIntervalMs: config['log.retention.check.interval.ms'],
    clockGraceMs: config['log.retention.clock.grace.ms'],
    isCompactionEnabled: config['log.cleaner.enable'],
    backoffMs: config['log.cleaner.backoff.ms'],
    dedupeBufferBytes: config['log.cleaner.dedupe.buffer.size'],
    ioBytesPerSecond: config['log.cleaner.io.max.bytes.per.second'],
    scrubIntervalMs: config['log.scrub.interval.ms'],
    scrubBytesPerSecond: config['log.scrub.io.max.bytes.per.second'],
  }
}

/** Follows `config` as it changes. */
function groupConfig(config: BrokerConfig): GroupConfig {
  return {
    get sessionTimeoutMsMin() {
      return config['group.min.session.timeout.ms']
    },
    get sessionTimeoutMsMax() {
      return config['group.max.session.timeout.ms']
    },
    get initialRebalanceDelayMs() {
      return config['group.initial.rebalance.delay.ms']
    },
    get membersMax() {
      return config['group.max.size']
    },
    get offsetsRetentionMs() {
      return config['offsets.retention.minutes'] * MINUTE_MS
    },
    offsetsRetentionCheckMs: config['offsets.retention.check.interval.ms'],
  }
}

/** Follows `config` as it changes. */
function transactionConfig(config: BrokerConfig): TransactionConfig {
  return {
    get timeoutMsMax() {
      return config['transaction.max.timeout.ms']
    },
    timeoutCheckMs: config['transaction.abort.timed.out.transaction.cleanup.interval.ms'],
    get idExpirationMs() {
      return config['transactional.id.expiration.ms']
    },
    idExpirationCheckMs: config['transaction.remove.expired.transaction.cleanup.interval.ms'],
  }
}

/** Follows `config` as it changes. */
function limitsOf(config: BrokerConfig): ConnectionLimits {
  return {
    frameBytesMax: config['socket.request.max.bytes'],
    get heldBytesMax() {
      return config['connection.held.max.bytes']
    },
    get unsentBytesMax() {
      return config['connection.unsent.max.bytes']
    },
    get frameTimeoutMs() {
      return config['connection.frame.timeout.ms']
    },
    get writeTimeoutMs() {
      return config['connection.write.timeout.ms']
    },
    get idleTimeoutMs() {
      return config['connections.max.idle.ms']
    },
  }
}
