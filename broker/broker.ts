// Broker: opens the parts of a broker in order, and closes them in reverse; only compose/ builds parts. Runs in a
// process of its own (main.ts) or inside another program, any number of times. Network thread.

import { systemClock } from '../storage/clock.ts'
import { Closing } from '../storage/closing.ts'
import { openCoordinators } from './compose/coordinators.ts'
import type { BrokerEnvironment } from './compose/environment.ts'
import { startHttp } from './compose/http.ts'
import { openNetwork } from './compose/network.ts'
import { composeRequests } from './compose/requests.ts'
import { openConfigs, openStore } from './compose/store.ts'
import { openTls } from './compose/tls.ts'
import { readSettings, type ConfigSource } from './config.ts'
import { NO_HTTP } from './http-configs.ts'
import { ProcessLog } from './process-log.ts'

export interface BrokerOptions {
  /** Keeps the data in a temporary directory, deleted when the broker closes. */
  readonly ephemeral?: boolean
  readonly dataDir?: string
  /** The port for Kafka clients. Default: a free one. */
  readonly port?: number
  /** Addresses to listen on, comma-separated. Default: both loopback addresses. */
  readonly host?: string
  /** The port for metrics and health, 0 for a free one. Default: no HTTP server. */
  readonly http?: number
  /** Broker properties by Kafka's names; defaults of topics (`log.segment.bytes`, ...) among them. */
  readonly config?: Readonly<Record<string, string | number | boolean>>
  /** The disk failed: nothing more is acknowledged. By default the error is thrown, which ends the process. */
  readonly onFatal?: (error: Error) => void
}

export class Broker {
  /** HOST:PORT of the first listener, for a Kafka client. */
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

  /** @throws {KafkaError} INVALID_CONFIG; or the error of the disk or the network */
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
      const tls = await openTls(environment, closing)
      const { store, dataDir } = await openStore(environment, closing)
      const configs = await openConfigs(environment, store)
      const coordinators = await openCoordinators(environment, configs, store, closing)
      const requests = composeRequests(environment, configs, store, coordinators)
      const network = await openNetwork(environment, configs, store, requests, tls, closing)
      const measured = { store, ...coordinators, ...requests, ...network }
      const httpUrl = await startHttp(environment, configs, measured, closing)
      return new Broker(closing, { listeners: network.listeners.addresses, httpUrl, dataDir })
    } catch (error) {
      await closing.close()
      throw error
    }
  }

  /** Answers running requests, makes everything durable, closes every file and socket. Idempotent. */
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

/** By default a failed disk ends the process of an embedded broker too. */
function throwLater(error: Error): void {
  process.nextTick(() => {
    throw error
  })
}
