// Everything that answers a request, between the network and the store. Network thread.

import type { Store } from '../../storage/store.ts'
import { apiVersionsHandler } from '../api/18_api_versions.ts'
import { AuditLog } from '../auth/audit.ts'
import { everythingAllowed } from '../auth/permissions.ts'
import type { BrokerConfigs } from '../broker-configs.ts'
import { Dispatch } from '../call.ts'
import { ConfigResources } from '../config-resources.ts'
import { Purgatory } from '../fetch/purgatory.ts'
import { FetchSessions } from '../fetch/sessions.ts'
import type { Handler } from '../handler.ts'
import { handlerMakers } from '../handlers.ts'
import { BrokerHealth } from '../health.ts'
import { RequestMetrics } from '../metrics/requests.ts'
import { TopicTraffic } from '../metrics/traffic.ts'
import { TurnTimes } from '../metrics/turns.ts'
import { ClientQuotas } from '../quota/client-quotas.ts'
import { Throttling } from '../quota/throttling.ts'
import { quotaWindows } from '../quota/windows.ts'
import { Workshop, workLimits } from '../work.ts'
import { Admission } from '../produce/admission.ts'
import { DiskGuard } from '../produce/disk-guard.ts'
import { TopicConfigs } from '../topic-configs.ts'
import { ProduceGate } from '../txn/produce-gate.ts'
import type { Coordinators } from './coordinators.ts'
import { composeAuthorizer } from './authorizer.ts'
import type { BrokerEnvironment } from './environment.ts'

export type Requests = ReturnType<typeof composeRequests>

export function composeRequests(
  environment: BrokerEnvironment,
  configs: BrokerConfigs,
  store: Store,
  { groups, transactions }: Coordinators,
) {
  const { clock, log, onFatal } = environment
  const config = configs.current
  const { authorizer, acls } = composeAuthorizer(environment, config, store)
  const audit = new AuditLog(clock, log, authorizer !== everythingAllowed)
  const topicConfigs = new TopicConfigs(configs)
  const traffic = new TopicTraffic(config['metrics.topics.max'])
  const purgatory = new Purgatory(clock)
  const sessions = new FetchSessions(config['max.incremental.fetch.session.cache.slots'], clock)
  const disk = new DiskGuard({ store, config, clock, log })
  const quotas = new ClientQuotas({
    records: store.clientQuotas,
    warn: (message) => log.warn(message),
  })
  const throttling = new Throttling({ quotas, windows: quotaWindows(config), clock })
  const gate = new ProduceGate(transactions)
  const deps = {
    store,
    config,
    clock,
    disk,
    traffic,
    purgatory,
    sessions,
    coordinator: groups,
    transactions,
    acls,
    quotas,
    throttling,
    gate,
    admission: new Admission({ store, disk, gate }),
    topicConfigs,
    configResources: new ConfigResources(store, topicConfigs, configs),
  }
  const handlers: Handler[] = handlerMakers.map((make) => make(deps))
  handlers.push(apiVersionsHandler(handlers.map(({ api }) => api)))
  const turns = new TurnTimes()
  store.logs.onTurn((turn) => {
    purgatory.wake(turn.logs)
    turns.turnDone(turn)
  })
  const requests = new RequestMetrics(handlers.map(({ api }) => api))
  const workshop = new Workshop(configs.view(workLimits), clock)
  const dispatch = new Dispatch({
    handlers,
    authorizer,
    audit,
    observer: requests,
    throttling,
    workshop,
    clock,
    log,
  })
  const health = new BrokerHealth(disk)
  store.writer.onFatal((error) => {
    health.fail(error)
    onFatal(error)
  })
  const measured = { traffic, turns, requests, audit, throttling, health }
  return { ...measured, purgatory, sessions, authorizer, dispatch }
}
