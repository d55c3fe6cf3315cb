// The HTTP server for metrics and health, and the sources of both. Network thread.

import { randomBytes } from 'node:crypto'
import type { Closing } from '../../storage/closing.ts'
import type { Store } from '../../storage/store.ts'
import type { BrokerConfigs } from '../broker-configs.ts'
import { isNetworkOpen, type Settings } from '../config.ts'
import { HttpLogins } from '../http/http-logins.ts'
import { KnownLogins } from '../http/known-logins.ts'
import { openHttp } from '../http/server.ts'
import { GcTimes } from '../metrics/gc.ts'
import { GroupMetrics } from '../metrics/groups.ts'
import { LoopTimes } from '../metrics/loop.ts'
import { Registry } from '../metrics/registry.ts'
import { handshakeLimits } from '../net/tls-handshakes.ts'
import { isLoopback } from '../addresses.ts'
import { openFilesMax, shareOfOpenFiles } from '../open-files.ts'
import type { Coordinators } from './coordinators.ts'
import type { BrokerEnvironment } from './environment.ts'
import type { Network } from './network.ts'
import type { Requests } from './requests.ts'

const HTTP_CONNECTIONS_MAX = 64

/** The sources of metrics. */
interface Measured extends Requests, Coordinators, Network {
  readonly store: Store
}

/** @returns its URL; undefined without one */
export async function startHttp(
  environment: BrokerEnvironment,
  configs: BrokerConfigs,
  measured: Measured,
  closing: Closing,
): Promise<string | undefined> {
  const { settings, clock, log } = environment
  const { isOn, name, host, port, securityProtocol } = settings.http
  if (!isOn) return undefined
  const { health, tls, authorizer, audit } = measured
  const own = tls.get(name)
  const loop = new LoopTimes(clock)
  const gc = new GcTimes()
  closing.add(() => loop.stop())
  closing.add(() => gc.stop())
  const registry = registryOf(environment, measured, configs.current, { loop, gc })
  let page: (() => Promise<string>) | undefined
  const http = await openHttp({
    host,
    port,
    names: httpNames(settings),
    connectionsMax: Math.min(HTTP_CONNECTIONS_MAX, shareOfOpenFiles(openFilesMax()).http),
    async metricsText() {
      page ??= (await import('../metrics/exposition.ts')).exposition(registry)
      return page()
    },
    tls: own && { tls: own, securityProtocol, limits: configs.view(handshakeLimits), clock, log },
    logins: loginsOf(environment, measured),
    authorizer,
    audit,
    reasonsNotReady: () => health.reasonsNotReady(),
    warnings: () => [...tls.values()].flatMap(({ warnings }) => warnings),
  })
  closing.add(() => http.close())
  return http.url
}

/** @returns undefined when the server asks for no password */
function loginsOf(
  { settings, clock, log }: BrokerEnvironment,
  { sasl, store }: Measured,
): HttpLogins | undefined {
  const { name } = settings.http
  const rules = sasl.rulesOf(name)
  if (rules === undefined) return undefined
  return new HttpLogins({
    listener: name,
    rules,
    attempts: sasl.attempts,
    credentials: store.scramCredentials,
    known: new KnownLogins(randomBytes(32), clock),
    clock,
    log,
  })
}

function registryOf(
  { settings, clock }: BrokerEnvironment,
  measured: Measured,
  config: BrokerConfigs['current'],
  times: { readonly loop: LoopTimes; readonly gc: GcTimes },
): Registry {
  const { store, groups: coordinator } = measured
  const { listeners, sasl, pressure, unsent, sessions, purgatory } = measured
  const groupsMax = config['metrics.groups.max']
  return new Registry({
    ...measured,
    ...times,
    groups: new GroupMetrics({ store, coordinator, clock, groupsMax }),
    clock,
    topicsMax: config['metrics.topics.max'],
    isNetworkOpen: isNetworkOpen(settings),
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
function httpNames({ http, listeners }: Settings): readonly string[] | undefined {
  const own = http.host
  if (!isLoopback(own)) return undefined
  const told = listeners.flatMap(({ advertised }) => advertised.host ?? [])
  return [own, ...listeners.flatMap(({ hosts }) => hosts), ...told]
}
