// Starts: where a member starts in the partitions that it is assigned: at the group's commit, else where `from` says,
// but at the first record of a partition that was added after the group had started to read.
// The group remembers only by its commits. So a start that `from` chose is committed at once, and a partition without
// a commit counts as added if its topic had a commit before the member joined: no member can commit in a new
// generation before all have joined it. In doubt (a member died between its start and its commit) the member reads
// from the first record: records are repeated rather than lost.

import { atPartition, Bounds, type PerPartition, type StartAt } from '../consumer/bounds.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Isolation } from '../cluster/offsets.ts'
import type { TopicSelection } from '../consumer/topic-selection.ts'
import { partitionText, type TopicPartition } from '../topic.ts'
import type { Coordinator, MemberState } from './coordinator.ts'

export interface StartsDeps {
  readonly cluster: Cluster
  readonly coordinator: Coordinator
  readonly selection: TopicSelection
  readonly member: () => MemberState
  readonly from: PerPartition<StartAt>
  readonly isolation: Isolation | undefined
}

export interface Start extends TopicPartition {
  readonly offset: number
  /** The group's committed offset; -1: none. */
  readonly committed: number
}

export class Starts {
  readonly #deps: StartsDeps
  /** Topics for which the group had a commit before this member last joined. */
  #begun: readonly string[] = []

  constructor(deps: StartsDeps) {
    this.#deps = deps
  }

  /** Call it before each join. */
  async look(): Promise<void> {
    const { cluster, coordinator, from } = this.#deps
    if (from === 'earliest') return // an added partition starts where all others do
    const call = cluster.call({})
    this.#begun = await cluster.retrying(call, () => coordinator.committedTopics(call))
  }

  /** @throws {KafkaError} REBALANCE_IN_PROGRESS and others: try again after the member has rejoined */
  async of(partitions: readonly TopicPartition[]): Promise<Start[]> {
    if (partitions.length === 0) return []
    const { cluster, coordinator, isolation } = this.#deps
    const call = cluster.call({})
    const committed = await cluster.retrying(call, () => coordinator.committed(partitions, call))
    const bounds = new Bounds(cluster, call, partitions, isolation)
    const starts = await Promise.all(
      partitions.map(async (where): Promise<Start> => {
        const offset = committed.get(partitionText(where))
        if (offset !== undefined) return { ...where, offset, committed: offset }
        const start = await bounds.start(where, this.#from(where))
        return { ...where, offset: start, committed: -1 }
      }),
    )
    return await this.#kept(starts)
  }

  #from(where: TopicPartition): StartAt {
    const { from, selection } = this.#deps
    const isAdded = this.#begun.some((name) => selection.isAkin(where.topic, name))
    return isAdded ? 'earliest' : atPartition(from, where)
  }

  /** Commits the starts, so that later members know these partitions and read the records that arrive meanwhile. */
  async #kept(starts: readonly Start[]): Promise<Start[]> {
    const { cluster, coordinator, member, from } = this.#deps
    const open = from === 'earliest' ? [] : starts.filter(({ committed }) => committed < 0)
    if (open.length > 0) {
      const call = cluster.call({})
      await cluster.retrying(call, () => coordinator.commit(open, member(), call))
    }
    return starts.map((each) => (open.includes(each) ? { ...each, committed: each.offset } : each))
  }
}
