// Commits: commits what a member's reader has done, at intervals or when the reader asks. Commits run one after the
// other, because an older offset must not follow a newer one. Positions in a topic that was deleted and recreated are
// not committed.

import { KafkaError } from '../../protocol/errors.ts'
import type { CallOptions } from '../call.ts'
import type { Timer } from '../clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Reading } from '../consumer/reading.ts'
import { partitionText } from '../topic.ts'
import type { OffsetToCommit } from '../cluster/offset-to-commit.ts'
import type { Coordinator, MemberState } from './coordinator.ts'
import { notOurs } from './in-hand.ts'
import { OffsetsInTransaction } from './offsets-in-transaction.ts'
import type { Progress } from './progress.ts'
import type { ProgressTable, SignalledPlace } from './progress-table.ts'

export interface CommitOptions extends CallOptions {
  /** A string that is stored with the offsets; `admin.groups.offsets` returns it. */
  readonly metadata?: string | undefined
}

/** With a signal, the place is committed only while the member still has the partition. */
export interface PlaceToCommit extends OffsetToCommit {
  readonly signal?: AbortSignal | undefined
}

export interface CommitsDeps {
  readonly cluster: Cluster
  readonly coordinator: Coordinator
  readonly member: () => MemberState
  readonly progress: ProgressTable
  /** undefined: only the reader commits. */
  readonly intervalMs: number | undefined
}

/** A fetch answered within this time proves to which topic the partition belongs. */
const HEARD_MS = 3_000

const LOOK_TIMEOUT_MS = 1_000

export class Commits {
  readonly #deps: CommitsDeps
  #timer: Timer | undefined
  #isStopped = false
  #last: Promise<unknown> = Promise.resolve()

  constructor(deps: CommitsDeps) {
    this.#deps = deps
  }

  /** Commits at intervals. */
  start(): void {
    const { intervalMs, cluster, progress } = this.#deps
    if (intervalMs === undefined) return
    this.#timer = cluster.clock.after(intervalMs, () => {
      void this.whatIsDone([...progress]).finally(() => {
        if (!this.#isStopped) this.start()
      })
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** A failure loses nothing: the next commit includes it, or the partition's next owner repeats records. */
  async whatIsDone(progress: readonly Progress[]): Promise<void> {
    if (this.#deps.intervalMs !== undefined) await this.#inTurn(() => this.#commitDue(progress))
  }

  /**
   * Durable when it resolves.
   *
   * @throws {KafkaError} ILLEGAL_GENERATION: the member has lost the partition, whose new owner starts at the last
   *   commit
   */
  async through(places: readonly PlaceToCommit[], options: CommitOptions): Promise<void> {
    if (places.length === 0) return
    const { cluster } = this.#deps
    const call = cluster.call(options)
    for (let failures = 1; ; failures++) {
      try {
        return await this.#inTurn(() => this.#commitOnce(places, options))
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error
        // The group rebalances: the commit is tried again afterwards if the member still has the partition.
        if (!error.retriable && error.code !== 'REBALANCE_IN_PROGRESS') throw error
        if (call.isOver) throw call.ending(error)
        await call.sleep(cluster.backoffMs(failures), error)
      }
    }
  }

  /** The offsets that a transaction commits. */
  inTransaction(): OffsetsInTransaction {
    const { coordinator, member, progress } = this.#deps
    return new OffsetsInTransaction({ coordinator, member, progress })
  }

  #inTurn(commit: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(commit)
    this.#last = turn.catch(() => {}) // the caller gets the error
    return turn
  }

  async #commitDue(progress: readonly Progress[]): Promise<void> {
    const { cluster, coordinator, member } = this.#deps
    try {
      const wanted = progress.filter((each) => each.committable !== each.committed)
      await this.#lookAtTopics(wanted.map(({ reading }) => reading))
      const due = wanted.filter((each) => this.#isOurs(each) && !isMissing(each))
      if (due.length === 0) return
      const offsets = due.map((each) => ({ ...each.reading.where, offset: each.committable }))
      await coordinator.commit(offsets, member(), cluster.call({}))
      due.forEach((each, i) => (each.committed = offsets[i]!.offset))
    } catch (error) {
      const { groupId: group } = coordinator
      cluster.options.logger?.warn({ error, group }, 'a commit failed')
    }
  }

  async #commitOnce(places: readonly PlaceToCommit[], options: CommitOptions): Promise<void> {
    const { cluster, coordinator, member } = this.#deps
    const table = this.#deps.progress
    await this.#lookAtTopics(places.flatMap((each) => table.at(each)?.reading ?? []))
    const progress = places.map((each) => {
      const at = table.at(each)
      const isStale = each.signal !== undefined && each.signal !== at?.reading.signal
      if (at === undefined || isStale || !this.#isOurs(at)) throw notOurs(each)
      if (isMissing(at)) throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', partitionText(each))
      return at
    })
    const { metadata } = options
    // The offset stays before a record that waits for redelivery, so that it is read again after a crash.
    const offsets = places.map(({ topic, partition, offset: given }, i) => {
      const offset = Math.min(given, progress[i]!.heldFrom)
      return { topic, partition, offset, metadata }
    })
    await coordinator.commit(offsets, member(), cluster.call(options))
    progress.forEach((each, i) => each.committedAt(offsets[i]!.offset))
  }

  /** Asks the cluster for the topics of readings whose fetches got no answer: they may have been recreated. */
  async #lookAtTopics(readings: readonly Reading[]): Promise<void> {
    const { cluster } = this.#deps
    const now = cluster.clock.monotonic()
    const silent = readings.filter(({ heardAt }) => now - heardAt > HEARD_MS)
    const names = [...new Set(silent.map(({ topic }) => topic.name))]
    const isOld = (name: string): boolean => now - (cluster.topic(name)?.askedAt ?? 0) > HEARD_MS
    const call = cluster.call({ timeoutMs: LOOK_TIMEOUT_MS })
    const looks = names.filter(isOld).map((name) => call.wait(cluster.refresh(name)))
    await Promise.allSettled(looks) // a cluster that does not answer takes no commit either
  }

  /** Does the member still have the partition, and is its topic the one that the cluster has now? */
  #isOurs(progress: Progress): boolean {
    const { reading } = progress
    if (!this.#deps.progress.isCurrent(progress)) return false
    return !reading.isOfFormer(this.#deps.cluster.topic(reading.topic.name)?.id)
  }
}

/** The topic may be just being recreated: the position is committed only once its id is known. */
function isMissing({ reading }: Progress): boolean {
  return reading.missingSince !== undefined
}

/** @param lasts if a partition was lost and assigned again, the later of its two places counts */
export function placesOf(lasts: readonly SignalledPlace[]): PlaceToCommit[] {
  const places = new Map<string, PlaceToCommit>()
  for (const { topic, partition, offset, signal } of lasts) {
    const place = { topic, partition, offset: offset + 1, signal }
    places.set(partitionText(place), place)
  }
  return [...places.values()]
}
