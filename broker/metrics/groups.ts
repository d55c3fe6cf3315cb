// GroupMetrics: members, state and lag of groups, read when metrics are requested. Rebalances: plain counters.
// Network thread.
// Lag in seconds is the age of the batch with the first uncommitted record: the age of its newest record, not of the
// one that the consumer reads next, and only as good as the producer's clock.

import { KafkaError } from '../../protocol/errors.ts'
import { Offset } from '../../protocol/ids.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Log, Store } from '../../storage/store.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { PartitionOffset } from '../group/committed-offsets.ts'
import type { Group } from '../group/group.ts'
import type { RebalanceReason } from '../group/messages.ts'
import type { Samples } from './samples.ts'

/** The label of all groups beyond `metrics.groups.max`. */
export const OTHER_GROUPS = 'other'
/** The most batches to look up for one request; batches known from earlier ones are free. */
const LOOKUPS_MAX = 1000

interface GroupMetricsDeps {
  readonly store: Store
  readonly coordinator: GroupCoordinator
  readonly clock: Clock
  readonly groupsMax: number
}

interface Lag {
  records: number
  /** undefined: unknown, perhaps only for now. */
  seconds: number | undefined
}

export class GroupMetrics {
  readonly #deps: GroupMetricsDeps
  /** Timestamps of batches by partition and committed offset, from the last request. */
  #timestamps = new Map<string, number>()
  #lookupsLeft = 0

  constructor(deps: GroupMetricsDeps) {
    this.#deps = deps
  }

  async add(samples: Samples): Promise<void> {
    const { coordinator, groupsMax } = this.#deps
    const groups = [...coordinator.groups.list()]
    const before = this.#timestamps
    this.#timestamps = new Map()
    this.#lookupsLeft = LOOKUPS_MAX
    for (const group of groups.slice(0, groupsMax)) await this.#addGroup(samples, group, before)
    if (groups.length > groupsMax) this.#addOthers(samples, groups.slice(groupsMax))
  }

  async #addGroup(
    samples: Samples,
    { groupId, state, memberCount }: Group,
    before: ReadonlyMap<string, number>,
  ): Promise<void> {
    samples.add('millrace_group_state', 1, { group: groupId, state })
    samples.add('millrace_group_members', memberCount, { group: groupId })
    samples.add('kafka_consumergroup_members', memberCount, { consumergroup: groupId })
    const lagByTopic = new Map<string, Lag>()
    for (const each of this.#deps.coordinator.commits.of(groupId).list()) {
      const { topic, partition, committed } = each
      const log = this.#deps.store.logs.get(topic, partition)
      if (log === undefined) continue
      const labels = { consumergroup: groupId, topic, partition }
      const records = recordsBehind(log, each)
      samples.add('kafka_consumergroup_current_offset', committed.offset, labels)
      samples.add('kafka_consumergroup_lag', records, labels)
      const seconds = records === 0 ? 0 : await this.#secondsBehind(log, each, before)
      addLag(lagByTopic, topic, records, seconds)
    }
    for (const [topic, { records, seconds }] of lagByTopic) {
      samples.add('kafka_consumergroup_lag_sum', records, { consumergroup: groupId, topic })
      samples.add('millrace_group_lag_records', records, { group: groupId, topic })
      if (seconds !== undefined)
        samples.add('millrace_group_lag_seconds', seconds, { group: groupId, topic })
    }
  }

  #addOthers(samples: Samples, groups: readonly Group[]): void {
    let members = 0
    let records = 0
    for (const { groupId, memberCount } of groups) {
      members += memberCount
      for (const each of this.#deps.coordinator.commits.of(groupId).list()) {
        const log = this.#deps.store.logs.get(each.topic, each.partition)
        if (log !== undefined) records += recordsBehind(log, each)
      }
    }
    samples.add('millrace_group_members', members, { group: OTHER_GROUPS })
    samples.add('millrace_group_lag_records', records, { group: OTHER_GROUPS, topic: OTHER_GROUPS })
  }

  /** @returns undefined when it is unknown */
  async #secondsBehind(
    log: Log,
    { partition, committed }: PartitionOffset,
    before: ReadonlyMap<string, number>,
  ): Promise<number | undefined> {
    const offset = Offset(Math.max(committed.offset, log.logStartOffset))
    const key = `${log.topic.id} ${partition} ${offset}`
    const known = this.#timestamps.get(key) ?? before.get(key)
    const timestamp = known ?? (await this.#lookUp(log, offset))
    if (timestamp === undefined || timestamp < 0) return undefined
    this.#timestamps.set(key, timestamp)
    return Math.max(0, this.#deps.clock.now() - timestamp) / 1000
  }

  async #lookUp(log: Log, offset: Offset): Promise<number | undefined> {
    if (this.#lookupsLeft === 0) return undefined
    this.#lookupsLeft--
    try {
      return await this.#deps.store.reader.timestampAt(log, offset)
    } catch (error) {
      if (error instanceof KafkaError) return undefined // rot, or a topic that is being deleted
      throw error
    }
  }
}

/** A commit past the end, from before records were lost, gives no negative lag. */
function recordsBehind(log: Log, { committed }: PartitionOffset): number {
  return Math.max(0, log.highWatermark - Math.max(0, committed.offset))
}

function addLag(
  lagByTopic: Map<string, Lag>,
  topic: string,
  records: number,
  seconds: number | undefined,
): void {
  const lag = lagByTopic.get(topic)
  if (lag === undefined) {
    lagByTopic.set(topic, { records, seconds })
    return
  }
  lag.records += records
  if (seconds !== undefined) lag.seconds = Math.max(lag.seconds ?? 0, seconds)
}

export class Rebalances {
  readonly #groupsMax: number
  readonly #countsByGroup = new Map<string, Map<RebalanceReason, number>>()

  /** @param groupsMax groups beyond this number are counted together */
  constructor(groupsMax: number) {
    this.#groupsMax = groupsMax
  }

  count(groupId: string, reason: RebalanceReason): void {
    const isOneTooMany =
      !this.#countsByGroup.has(groupId) && this.#countsByGroup.size >= this.#groupsMax
    const label = isOneTooMany ? OTHER_GROUPS : groupId
    const counts = this.#countsByGroup.get(label) ?? new Map<RebalanceReason, number>()
    this.#countsByGroup.set(label, counts)
    counts.set(reason, (counts.get(reason) ?? 0) + 1)
  }

  add(samples: Samples): void {
    for (const [group, counts] of this.#countsByGroup) {
      for (const [reason, count] of counts)
        samples.add('millrace_rebalances_total', count, { group, reason })
    }
  }
}
