// The coordinators of groups and of transactions, with what counts their doings. Network thread.

import { randomUUID } from 'node:crypto'
import type { Closing } from '../../storage/closing.ts'
import type { Store } from '../../storage/store.ts'
import type { BrokerConfigs } from '../broker-configs.ts'
import { GroupCoordinator, groupConfigs } from '../group/coordinator.ts'
import { openGroupState } from '../group/state-table.ts'
import { subscribedTopics } from '../group/subscription.ts'
import { Rebalances } from '../metrics/groups.ts'
import { TransactionMetrics } from '../metrics/transactions.ts'
import { printable } from '../process-log.ts'
import {
  TransactionCoordinator,
  transactionConfigs,
  type TransactionTable,
} from '../txn/coordinator.ts'
import { endOrphans, writeMarkers } from '../txn/markers.ts'
import { newProducerId, openEpochOf, openTransactionState } from '../txn/state-table.ts'
import type { BrokerEnvironment } from './environment.ts'

export interface Coordinators {
  readonly groups: GroupCoordinator
  readonly rebalances: Rebalances
  readonly transactions: TransactionCoordinator
  readonly transactionMetrics: TransactionMetrics
}

/** What earlier lives have left undone is under way when this resolves. */
export async function openCoordinators(
  environment: BrokerEnvironment,
  configs: BrokerConfigs,
  store: Store,
  closing: Closing,
): Promise<Coordinators> {
  const table = await openTransactionState(store)
  const rebalances = new Rebalances(configs.current['metrics.groups.max'])
  const groups = await openGroups(environment, { configs, store, table, rebalances })
  store.topics.subscribe({ deleted: ({ name }) => groups.commits.onTopicDeleted(name) })
  closing.add(() => groups.close())
  void groups.groups.expire() // forgets offsets of topics whose deletion a crash cut short; nothing waits for it
  const transactionMetrics = new TransactionMetrics()
  const { clock, log } = environment
  const transactions = new TransactionCoordinator({
    clock,
    table,
    writeMarkers: (record) => writeMarkers(store, groups, record),
    newProducerId: () => newProducerId(store),
    config: configs.view(transactionConfigs),
    onEnd: (result) => transactionMetrics.ended(result),
  })
  closing.add(() => transactions.close())
  await endOrphans(groups, transactions, (message) => log.warn(message))
  void transactions.sweep() // finishes what a crash has cut short; a request for one of these waits for it
  return { groups, rebalances, transactions, transactionMetrics }
}

interface GroupParts {
  readonly configs: BrokerConfigs
  readonly store: Store
  readonly table: TransactionTable
  readonly rebalances: Rebalances
}

async function openGroups(
  { clock, newId = randomUUID, log }: BrokerEnvironment,
  { configs, store, table, rebalances }: GroupParts,
): Promise<GroupCoordinator> {
  return new GroupCoordinator({
    clock,
    table: await openGroupState(store, (producerId) => openEpochOf(table, producerId)),
    config: configs.view(groupConfigs),
    newMemberId: (prefix) => `${prefix}-${newId()}`,
    topicExists: (topic) => store.topics.get(topic) !== undefined,
    subscribedTopics,
    onRebalance: (groupId, reason) => rebalances.count(groupId, reason),
    onStable: (groupId, generationId, memberCount) =>
      log.debug('group formed', { group: printable(groupId), generationId, memberCount }),
  })
}
