// Broker: the composition root, the only place that builds things. Start it in a process of its own (main.ts) or inside
// another program, as often as wanted. Owns everything it builds. Network thread.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KafkaError } from '../protocol/errors.ts'
import { systemClock, type Clock } from '../storage/clock.ts'
import type { Store } from '../storage/store.ts'
import { produceHandler } from './api/00_produce.ts'
import { fetchHandler } from './api/01_fetch.ts'
import { listOffsetsHandler } from './api/02_list_offsets.ts'
import { metadataHandler } from './api/03_metadata.ts'
import { apiVersionsHandler } from './api/18_api_versions.ts'
import { createTopicsHandler } from './api/19_create_topics.ts'
import { readSettings, type BrokerConfig, type ConfigSource, type Settings } from './config.ts'
import { FetchSessions } from './fetch/sessions.ts'
import { createLog, type Logger } from './log.ts'
import { TopicTraffic } from './metrics/traffic.ts'
import type { ConnectionLimits } from './net/connection.ts'
import { Dispatch } from './net/dispatch.ts'
import type { Handler } from './net/handler.ts'
import { isLoopback, Listener } from './net/listener.ts'
import { Pressure } from './net/pressure.ts'
import { Purgatory } from './purgatory.ts'
import { openMemoryStore } from './testing/memory-store.ts'
import { TopicConfigs } from './topic-configs.ts'

export interface BrokerOptions {
  /** Data in a temporary directory that goes when the broker closes. */
  readonly ephemeral?: boolean
  readonly dataDir?: string
  /** For Kafka clients; a free one unless given. */
  readonly port?: number
  /** Addresses to listen on, comma-separated; both loopback addresses unless given. */
  readonly host?: string
  /** The port for metrics and health, 0 for a free one; no HTTP server unless given. */
  readonly http?: number
  /** Broker properties by Kafka's names. */
  readonly config?: Readonly<Record<string, string | number | boolean>>
  readonly log?: Logger
}

export class Broker {
  readonly #closing: (() => void | Promise<void>)[]
  readonly #listener: Listener
  readonly #settings: Settings
  #closed: Promise<void> | undefined

  private constructor(
    settings: Settings,
    listener: Listener,
    closing: (() => void | Promise<void>)[],
  ) {
    this.#settings = settings
    this.#listener = listener
    this.#closing = closing
  }

  static async start(options: BrokerOptions = {}): Promise<Broker> {
    return Broker.startWith(readSettings([sourceOf(options)]), options)
  }

  static async startWith(settings: Settings, options: BrokerOptions): Promise<Broker> {
    const closing: (() => void | Promise<void>)[] = []
    const { broker: config } = settings
    const clock = systemClock
    const log = options.log ?? createLog(config['log.level'])
    const hosts = hostsOf(config)
    const dataDir =
      options.ephemeral === true ? mkdtempSync(join(tmpdir(), 'millrace-')) : config['log.dir']
    if (options.ephemeral === true)
      closing.unshift(() => rmSync(dataDir, { recursive: true, force: true }))
    const store = await openMemoryStore(dataDir)
    closing.unshift(async () => store[Symbol.asyncDispose]())
    const listener = await listen(settings, hosts, store, clock, log)
    closing.unshift(() => listener.close(config['shutdown.timeout.ms']))
    return new Broker(settings, listener, closing)
  }

  get bootstrap(): string {
    const [host] = hostsOf(this.#settings.broker)
    return `${host}:${this.#listener.port}`
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      for (const close of this.#closing) await close()
    })()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function sourceOf(options: BrokerOptions): ConfigSource {
  const properties: Record<string, string> = { port: '0', 'http.port': '-1', 'log.level': 'error' }
  if (options.dataDir !== undefined) properties['log.dir'] = options.dataDir
  if (options.port !== undefined) properties['port'] = String(options.port)
  if (options.host !== undefined) properties['host'] = options.host
  if (options.http !== undefined) properties['http.port'] = String(options.http)
  for (const [name, value] of Object.entries(options.config ?? {})) properties[name] = String(value)
  return { origin: 'options', properties }
}

function hostsOf(config: BrokerConfig): string[] {
  const hosts = config.host.split(',').map((host) => host.trim())
  const open = hosts.find((host) => !isLoopback(host))
  if (open !== undefined && !config['i.accept.unauthenticated.network']) {
    throw new KafkaError(
      'INVALID_CONFIG',
      `host ${open} can be reached from other machines, where anybody could read, write and delete everything; listen on 127.0.0.1, or say --i-accept-unauthenticated-network`,
    )
  }
  return hosts.flatMap((host) => (host === 'localhost' ? ['127.0.0.1', '::1'] : [host]))
}

function limitsOf(config: BrokerConfig): ConnectionLimits {
  return {
    frameBytesMax: config['socket.request.max.bytes'],
    heldBytesMax: config['connection.held.max.bytes'],
    unsentBytesMax: config['connection.unsent.max.bytes'],
    frameTimeoutMs: config['connection.frame.timeout.ms'],
    writeTimeoutMs: config['connection.write.timeout.ms'],
    idleTimeoutMs: config['connections.max.idle.ms'],
  }
}

async function listen(
  settings: Settings,
  hosts: string[],
  store: Store,
  clock: Clock,
  log: Logger,
): Promise<Listener> {
  const { broker: config } = settings
  const purgatory = new Purgatory(clock)
  store.onTurn((turn) => purgatory.wake(turn.logs))
  const traffic = new TopicTraffic()
  const topicConfigs = new TopicConfigs(settings)
  const handlers: Handler[] = [
    produceHandler({ store, topicConfigs, traffic, clock }),
    fetchHandler({
      store,
      purgatory,
      traffic,
      sessions: new FetchSessions(config['max.incremental.fetch.session.cache.slots'], clock),
      fetchBytesMax: config['fetch.max.bytes'],
    }),
    listOffsetsHandler({ store }),
    metadataHandler({ store, config }),
    createTopicsHandler({ store, config, topicConfigs }),
  ]
  handlers.push(apiVersionsHandler(handlers.map(({ api }) => api)))
  return Listener.open(hosts, config.port, {
    dispatch: new Dispatch({ handlers, clock, log, observer: { requestDone() {} } }),
    pressure: new Pressure({ bytesMax: config['queued.max.request.bytes'], store }),
    limits: limitsOf(config),
    connectionsMax: config['max.connections'],
    connectionsPerAddressMax: config['max.connections.per.ip'],
    onBytes() {},
    clock,
    log,
  })
}
