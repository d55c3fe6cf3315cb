// GroupEnd: `until` of a member of a group: where each partition ends, as looked up at the member's start, and
// whether the group may still assign the member another partition.

import { types } from 'node:util'
import { describeGroups } from '../../protocol/api/15_describe_groups.ts'
import { decodeAssignment } from '../../protocol/consumer-protocol.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { ResponseOf } from '../../protocol/schema.ts'
import { atPartition, Bounds, type PerPartition, type StopAt } from '../consumer/bounds.ts'
import type { Call } from '../call.ts'
import type { Timer } from '../clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Isolation } from '../cluster/offsets.ts'
import { partitionText, type TopicPartition } from '../topic.ts'
import type { Coordinator } from './coordinator.ts'

type DescribedGroup = ResponseOf<typeof describeGroups>['groups'][number]

export interface GroupEndDeps {
  readonly cluster: Cluster
  readonly coordinator: Coordinator
  readonly until: PerPartition<StopAt>
  readonly isolation: Isolation | undefined
  readonly memberId: () => string
  /** The partitions that this member reads now; the group may know of them before the member does. */
  readonly owned: () => readonly TopicPartition[]
  /** Time between two requests for the group's assignments. */
  readonly intervalMs: number
  /** The group has assigned every partition. */
  readonly onHandedOut: () => void
}

export class GroupEnd {
  readonly #deps: GroupEndDeps
  #partitions: readonly TopicPartition[] = []
  readonly #offsets = new Map<string, number>()
  #isHandedOut = false
  #isAsking = false
  #isClosed = false
  /** Rises at each rebalance: answers to earlier requests are then useless. */
  #round = 0
  #timer: Timer | undefined

  constructor(deps: GroupEndDeps) {
    this.#deps = deps
  }

  /** Looks up the ends that are known now: all but future times. @param partitions all partitions of the topics */
  async start(partitions: readonly TopicPartition[], call: Call): Promise<void> {
    this.#partitions = partitions
    const { cluster, until, isolation } = this.#deps
    const bounds = new Bounds(cluster, call, partitions, isolation)
    await Promise.all(
      partitions.map(async (where) => {
        const at = atPartition(until, where)
        if (types.isDate(at) && at.getTime() > cluster.clock.now()) return
        this.#offsets.set(partitionText(where), await bounds.stop(where, at))
      }),
    )
  }

  /** @returns undefined when the end was not known at the start: a future time, or a partition that did not exist */
  offsetOf(where: TopicPartition): number | undefined {
    return this.#offsets.get(partitionText(where))
  }

  /** The group rebalances. */
  reset(): void {
    this.#round++
    this.#isHandedOut = false
  }

  /**
   * Does every partition have an owner? Then this member gets another partition only if a member leaves. A
   * cooperative group needs two generations to move a partition, which has no owner in the first.
   * False at first; `onHandedOut` is called when it becomes true.
   */
  isHandedOut(): boolean {
    if (this.#deps.owned().length >= this.#partitions.length) return true
    if (!this.#isHandedOut && !this.#isAsking) void this.#askUntilHandedOut()
    return this.#isHandedOut
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  async #askUntilHandedOut(): Promise<void> {
    this.#isAsking = true
    const round = this.#round
    const isHandedOut = await this.#ask()
    if (this.#isClosed) return
    if (isHandedOut && round === this.#round) {
      this.#isAsking = false
      this.#isHandedOut = true
      this.#deps.onHandedOut()
    } else {
      const { cluster, intervalMs } = this.#deps
      this.#timer = cluster.clock.after(intervalMs, () => void this.#askUntilHandedOut())
    }
  }

  async #ask(): Promise<boolean> {
    const { cluster, coordinator } = this.#deps
    const request = { groups: [coordinator.groupId] }
    try {
      const answer = await coordinator.askAside(describeGroups, request, cluster.call({}))
      const group = answer.groups[0]!
      coordinator.check(group.errorCode, 'DescribeGroups')
      return group.groupState === 'Stable' && (await this.#isAllAssignedIn(group))
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      return !error.retriable // the coordinator will never tell
    }
  }

  async #isAllAssignedIn({ members }: DescribedGroup): Promise<boolean> {
    const { cluster, memberId, owned } = this.#deps
    const others = members.filter((each) => each.memberId !== memberId())
    const assigned = new Set([
      ...owned().map(partitionText),
      ...others.flatMap(({ memberAssignment }) => placesIn(memberAssignment)),
    ])
    const missing = this.#partitions.filter((each) => !assigned.has(partitionText(each)))
    const topics = [...new Set(missing.map(({ topic }) => topic))]
    await Promise.all(topics.map((topic) => cluster.refresh(topic)))
    return topics.every((topic) => cluster.topic(topic) === undefined) // the topics were deleted meanwhile
  }
}

function placesIn(assignment: Uint8Array): string[] {
  return decodeAssignment(assignment).assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => partitionText({ topic, partition })),
  )
}
