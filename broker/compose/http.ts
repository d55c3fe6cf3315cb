// The HTTP server for metrics and health, and the sources of both. Network thread.

import type { Clock } from '../../storage/clock.ts'
import type { Closing } from '../../storage/closing.ts'
import type { Store } from '../../storage/store.ts'
import type { BrokerConfig, Settings } from '../config.ts'
import { openHttp } from '../http/server.ts'
import { GcTimes } from '../metrics/gc.ts'
import { GroupMetrics } from '../metrics/groups.ts'
import { LoopTimes } from '../metrics/loop.ts'
import { Registry } from '../metrics/registry.ts'
import { isLoopback } from '../addresses.ts'
import { openFilesMax, shareOfOpenFiles } from '../open-files.ts'
import type { Coordinators } from './coordinators.ts'
import type { BrokerEnvironment } from './environment.ts'
import type { Network } from './network.ts'
import type { Requests } from './requests.ts'

/** The value of `http.port` for no HTTP server. */
export const NO_HTTP = -1
const HTTP_CONNECTIONS_MAX = 64

/** The sources of metrics. */
interface Measured extends Requests, Coordinators, Network {
  readonly config: BrokerConfig
  readonly store: Store
}

/** @returns its URL; undefined without one */
export async function startHttp(
  { settings, clock }: BrokerEnvironment,
  measured: Measured,
  closing: Closing,
): Promise<string | undefined> {
  const { config, health, tls } = measured
  if (config['http.port'] === NO_HTTP) return undefined
  const loop = new LoopTimes(clock)
  const gc = new GcTimes()
  closing.add(() => loop.stop())
  closing.add(() => gc.stop())
  const registry = registryOf(measured, { loop, gc }, clock)
  let page: (() => Promise<string>) | undefined
  const http = await openHttp({
    host: config['http.host'],
    port: config['http.port'],
    names: httpNames(settings),
    connectionsMax: Math.min(HTTP_CONNECTIONS_MAX, shareOfOpenFiles(openFilesMax()).http),
    async metricsText() {
      page ??= (await import('../metrics/exposition.ts')).exposition(registry)
      return page()
    },
    reasonsNotReady: () => health.reasonsNotReady(),
    warnings: () => [...tls.values()].flatMap(({ warnings }) => warnings),
  })
  closing.add(() => http.close())
  return http.url
}

function registryOf(
  measured: Measured,
  times: { readonly loop: LoopTimes; readonly gc: GcTimes },
  clock: Clock,
): Registry {
  const { config, store, groups: coordinator } = measured
  const { listeners, sasl, pressure, unsent, sessions, purgatory } = measured
  const groupsMax = config['metrics.groups.max']
  return new Registry({
    ...measured,
    ...times,
    groups: new GroupMetrics({ store, coordinator, clock, groupsMax }),
    clock,
    topicsMax: config['metrics.topics.max'],
    isNetworkOpen: config['i.accept.unauthenticated.network'],
    connectionCount: () => listeners.connectionCount,
    tls: [...measured.tls.values()],
    logins: sasl.attempts,
    bytesHeld: () => pressure.bytesHeld,
    bytesUnsent: () => unsent.heldBytes,
    fetchSessionCount: () => sessions.count,
    fetchesWaiting: () => purgatory.waitingCount,
  })
}

/** The names of a loopback address are few; those that clients use for other addresses are unknown. */
function httpNames({ broker, listeners }: Settings): readonly string[] | undefined {
  const own = broker['http.host']
  if (!isLoopback(own)) return undefined
  const told = listeners.flatMap(({ advertised }) => advertised.host ?? [])
  return [own, ...listeners.flatMap(({ hosts }) => hosts), ...told]
}
