// ClassicMembership: one member's life in a group of the classic protocol: join, assign as leader, sync, heartbeat,
// rejoin, leave.
// Source: KIP-62, KIP-345 (static members), KIP-394, KIP-429 (cooperative rebalancing).

import { joinGroup } from '../../protocol/api/11_join_group.ts'
import { heartbeat } from '../../protocol/api/12_heartbeat.ts'
import { leaveGroup } from '../../protocol/api/13_leave_group.ts'
import { syncGroup } from '../../protocol/api/14_sync_group.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../protocol/consumer-protocol.ts'
import { errors, KafkaError, type ErrorName } from '../../protocol/errors.ts'
import type { ResponseOf } from '../../protocol/schema.ts'
import type { Call } from '../call.ts'
import type { Timer } from '../clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { tell, tellRetry } from '../events.ts'
import { byTopic } from '../cluster/leaders.ts'
import { partitionText, type TopicPartition } from '../topic.ts'
import {
  rebalanceProtocolOf,
  type CheckedAssignor,
  type GroupAssignment,
  type MemberSubscription,
} from './assignor.ts'
import type { Coordinator, MemberState } from './coordinator.ts'
import type { Membership, MembershipEvents } from './membership.ts'
import { withSessionBounds } from './session-bounds.ts'

const PROTOCOL_TYPE = 'consumer'
/**
 * From this version on a subscription carries the owned partitions and the generation; older readers ignore fields
 * that they do not know.
 */
const SUBSCRIPTION_VERSION = 2
const ASSIGNMENT_VERSION = 1

export interface ClassicMembershipOptions {
  /** The current topics. */
  readonly topics: () => readonly string[]
  readonly assignors: readonly CheckedAssignor[]
  readonly groupInstanceId: string | null
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly rebalanceTimeoutMs: number
}

/** The group has dropped this member id or generation: the member must join again. */
const OUT: ReadonlySet<ErrorName> = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION'])

export class ClassicMembership implements Membership {
  #memberId = ''
  #generationId = -1
  readonly #cluster: Cluster
  readonly #coordinator: Coordinator
  readonly #options: ClassicMembershipOptions
  readonly #events: MembershipEvents
  readonly #isCooperative: boolean
  #owned: readonly TopicPartition[] = []
  /** The leader's: how many partitions each topic had at the last assignment. */
  #partitionCounts: ReadonlyMap<string, number> | undefined
  #running: Promise<void> | undefined
  readonly #closed = new AbortController()
  #nap: { readonly timer: Timer; readonly end: () => void } | undefined
  /** Monotonic ms of the last answer in which the coordinator knew this member. */
  #heardAt = 0
  #failures = 0
  #isJoining = false
  #mustRejoin = false

  constructor(
    cluster: Cluster,
    coordinator: Coordinator,
    options: ClassicMembershipOptions,
    events: MembershipEvents,
  ) {
    this.#cluster = cluster
    this.#coordinator = coordinator
    this.#options = options
    this.#events = events
    this.#isCooperative = rebalanceProtocolOf(options.assignors) === 'cooperative'
  }

  get state(): MemberState {
    return {
      memberId: this.#memberId,
      generationId: this.#generationId,
      groupInstanceId: this.#options.groupInstanceId,
    }
  }

  start(): void {
    this.#running ??= this.#live().catch(async (error: unknown) => {
      const { groupId } = this.#coordinator
      const { sessionTimeoutMs } = this.#options
      const why = await withSessionBounds(error, this.#cluster, groupId, sessionTimeoutMs)
      this.#events.failed(why)
      if (this.#isClosing) return
      await this.#giveUp(this.#owned)
      await this.#leave() // so that the other members need not wait for this session to expire
    })
  }

  rejoin(): void {
    this.#mustRejoin = true
    this.#nap?.end()
  }

  async close(): Promise<void> {
    if (this.#isClosing) return
    this.#closed.abort()
    this.#nap?.end()
    await this.#giveUp(this.#owned)
    // A pending join may wait for other members; `close` does not wait for it, because leaving ends it.
    if (!this.#isJoining) await this.#running
    await this.#giveUp(this.#owned)
    await this.#leave()
  }

  get #isClosing(): boolean {
    return this.#closed.signal.aborted
  }

  async #live(): Promise<void> {
    while (!this.#isClosing) {
      try {
        await this.#join()
        this.#failures = 0
        await this.#beat()
      } catch (error) {
        if (this.#isClosing) return
        await this.#recover(error)
      }
    }
  }

  /** @throws errors that joining again cannot cure */
  async #recover(error: unknown): Promise<void> {
    if (!(error instanceof KafkaError)) throw error
    if (error.code === 'REBALANCE_IN_PROGRESS') return
    if (OUT.has(error.code)) {
      if (error.code === 'UNKNOWN_MEMBER_ID') this.#memberId = ''
      this.#lose()
      return
    }
    if (error.code === 'FENCED_INSTANCE_ID') {
      this.#lose()
      const { groupInstanceId } = this.#options
      const why = `another member has joined as instance ${groupInstanceId}`
      throw new KafkaError(error.code, why, { cause: error, fatal: true })
    }
    if (!error.retriable) throw error
    const failures = ++this.#failures
    const delayMs = this.#cluster.backoffMs(failures)
    const forMs = this.#cluster.clock.monotonic() - this.#heardAt
    tellRetry({ what: 'join', error, failures, delayMs, forMs }, this.#cluster.options.logger)
    if (forMs > this.#options.sessionTimeoutMs) this.#lose()
    await this.#sleep(delayMs)
  }

  // Joining

  async #join(): Promise<void> {
    if (!this.#isCooperative) await this.#giveUp(this.#owned)
    this.#mustRejoin = false
    await this.#events.joining()
    const { assignors } = this.#options
    const protocols = await Promise.all(assignors.map((each) => this.#protocolOf(each)))
    if (this.#isClosing) return
    this.#isJoining = true
    const joined = await this.#askToJoin(protocols).finally(() => (this.#isJoining = false))
    if (this.#isClosing) return
    this.#memberId = joined.memberId
    this.#generationId = joined.generationId
    this.#heard()
    const synced = await this.#coordinator.ask(
      syncGroup,
      {
        groupId: this.#coordinator.groupId,
        ...this.state,
        protocolType: PROTOCOL_TYPE,
        protocolName: joined.protocolName,
        assignments: await this.#sharesOf(joined),
      },
      this.#cluster.call({ timeoutMs: Infinity }),
      this.#options.rebalanceTimeoutMs,
    )
    this.#coordinator.check(synced.errorCode, 'SyncGroup')
    this.#heard()
    this.#tellJoin(joined)
    await this.#take(joined, synced.assignment)
  }

  #tellJoin({ leader, memberId, generationId, protocolName }: ResponseOf<typeof joinGroup>): void {
    const { groupId: group } = this.#coordinator
    const isLeader = leader === memberId
    const message = { group, memberId, generationId, isLeader, protocol: protocolName ?? '' }
    tell(
      'join',
      message,
      this.#cluster.options.logger,
      'info',
      'the group has shared its partitions out',
    )
  }

  async #askToJoin(
    protocols: readonly { readonly name: string; readonly metadata: Buffer }[],
  ): Promise<ResponseOf<typeof joinGroup>> {
    const { sessionTimeoutMs, rebalanceTimeoutMs, groupInstanceId } = this.#options
    const answer = await this.#coordinator.ask(
      joinGroup,
      {
        groupId: this.#coordinator.groupId,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        memberId: this.#memberId,
        groupInstanceId,
        protocolType: PROTOCOL_TYPE,
        protocols,
      },
      this.#cluster.call({ timeoutMs: Infinity }),
      rebalanceTimeoutMs,
    )
    if (answer.errorCode === errors.MEMBER_ID_REQUIRED[0]) {
      this.#memberId = answer.memberId
      return await this.#askToJoin(protocols)
    }
    this.#coordinator.check(answer.errorCode, 'JoinGroup')
    return answer
  }

  async #protocolOf(assignor: CheckedAssignor): Promise<{ name: string; metadata: Buffer }> {
    const topics = [...this.#options.topics()]
    const userData = await assignor.subscriptionUserData(topics, this.#assignorCall())
    const ownedPartitions = topicsOf(this.#owned)
    const generationId = this.#generationId
    const metadata = encodeSubscription(
      { topics, userData, ownedPartitions, generationId },
      SUBSCRIPTION_VERSION,
    )
    return { name: assignor.name, metadata }
  }

  /**
   * The other members wait for this assignor, and no heartbeats go out meanwhile: after the session timeout the
   * broker would drop the member.
   */
  #assignorCall(): Call {
    const { rebalanceTimeoutMs, sessionTimeoutMs } = this.#options
    const timeoutMs = Math.min(rebalanceTimeoutMs, sessionTimeoutMs)
    return this.#cluster.call({ timeoutMs, signal: this.#closed.signal })
  }

  #assignorOf({ protocolName }: ResponseOf<typeof joinGroup>): CheckedAssignor {
    const assignor = this.#options.assignors.find(({ name }) => name === protocolName)
    if (assignor !== undefined) return assignor
    throw new KafkaError('INCONSISTENT_GROUP_PROTOCOL', `assignor ${protocolName}`)
  }

  /** The leader's assignment. The other members send an empty one. */
  async #sharesOf(
    joined: ResponseOf<typeof joinGroup>,
  ): Promise<{ memberId: string; assignment: Buffer }[]> {
    this.#partitionCounts = undefined
    if (joined.leader !== joined.memberId || joined.skipAssignment) return []
    const members = joined.members.map((each) => memberSubscriptionOf(each))
    const counts = await this.#countPartitions(new Set(members.flatMap(({ topics }) => topics)))
    this.#partitionCounts = counts
    const group = { members, partitionCounts: counts }
    return encoded(await this.#assignorOf(joined).assign(group, this.#assignorCall()))
  }

  async #countPartitions(topics: ReadonlySet<string>): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    const view = await this.#cluster.describe([...topics], this.#cluster.call({}))
    for (const each of view.topics) {
      if (!(each instanceof KafkaError)) counts.set(each.name, each.partitions.length)
    }
    return counts
  }

  /** Keeps partitions that stay, gives up those that went, then starts those that came. */
  async #take(joined: ResponseOf<typeof joinGroup>, assignment: Uint8Array): Promise<void> {
    const { assignedPartitions, userData } = decodeAssignment(assignment)
    const mine = placesOf(assignedPartitions)
    const { memberId, generationId } = this.state
    await this.#assignorOf(joined).onAssignment(
      { memberId, generationId, partitions: mine, userData: copyOf(userData) },
      this.#assignorCall(),
    )
    const gone = without(this.#owned, mine)
    const come = without(mine, this.#owned)
    await this.#giveUp(gone)
    await this.#events.assigned(come)
    this.#owned = mine
    // Cooperative (KIP-429): partitions given up go to other members only in a further generation.
    if (gone.length > 0) throw new KafkaError('REBALANCE_IN_PROGRESS', 'partitions were given up')
  }

  // Staying

  /** Heartbeats until it is time to join again. */
  async #beat(): Promise<void> {
    for (;;) {
      await this.#sleep(this.#options.heartbeatIntervalMs)
      if (this.#isClosing || this.#mustRejoin || (await this.#hasNews())) return
      const { errorCode } = await this.#coordinator.ask(
        heartbeat,
        { groupId: this.#coordinator.groupId, ...this.state },
        this.#cluster.call({}),
      )
      this.#heard()
      this.#coordinator.check(errorCode, 'Heartbeat')
    }
  }

  /** Does the member have to rejoin? A cluster that does not answer is no reason to. */
  async #hasNews(): Promise<boolean> {
    try {
      return (await this.#events.hasOtherTopics()) || (await this.#hasNewPartitions())
    } catch (error) {
      if (!(error instanceof KafkaError) || !error.retriable) throw error
      return false
    }
  }

  /** Only the leader checks, because it assigns the partitions. */
  async #hasNewPartitions(): Promise<boolean> {
    if (this.#partitionCounts === undefined) return false
    for (const name of this.#options.topics()) {
      const topic = this.#cluster.topic(name)
      if (topic !== undefined && this.#cluster.isStale(topic)) await this.#cluster.refresh(name)
      const count = this.#cluster.topic(name)?.partitions.length
      if (count !== undefined && count !== this.#partitionCounts.get(name)) return true
    }
    return false
  }

  // Leaving

  async #giveUp(partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length === 0) return
    this.#owned = without(this.#owned, partitions)
    await this.#events.revoked(partitions)
  }

  #lose(): void {
    this.#generationId = -1
    if (this.#owned.length > 0) this.#events.lost(this.#owned)
    this.#owned = []
  }

  /** A static member does not leave: the group keeps its place until its session expires (KIP-345). */
  async #leave(): Promise<void> {
    const memberId = this.#memberId
    if (memberId === '' || this.#options.groupInstanceId !== null) return
    this.#memberId = ''
    const request = { groupId: this.#coordinator.groupId, memberId, members: [{ memberId }] }
    try {
      await this.#coordinator.askAside(leaveGroup, request, this.#cluster.call({}))
    } catch (error) {
      this.#cluster.options.logger?.warn(
        { error },
        'leaving the group failed: its session will expire',
      )
    }
  }

  #heard(): void {
    this.#heardAt = this.#cluster.clock.monotonic()
  }

  /** Ends early when the membership closes. */
  #sleep(delayMs: number): Promise<void> {
    if (this.#isClosing) return Promise.resolve()
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel()
        this.#nap = undefined
        resolve()
      }
      const timer = this.#cluster.clock.after(delayMs, end)
      this.#nap = { timer, end }
    })
  }
}

function memberSubscriptionOf({
  memberId,
  groupInstanceId,
  metadata,
}: ResponseOf<typeof joinGroup>['members'][number]): MemberSubscription {
  const { topics, userData, ownedPartitions, generationId } = decodeSubscription(metadata)
  const owned = placesOf(ownedPartitions)
  return { memberId, groupInstanceId, topics, owned, generationId, userData: copyOf(userData) }
}

function encoded(assignment: GroupAssignment): { memberId: string; assignment: Buffer }[] {
  return Array.from(assignment, ([memberId, { partitions, userData = null }]) => {
    const message = { assignedPartitions: topicsOf(partitions), userData }
    return { memberId, assignment: encodeAssignment(message, ASSIGNMENT_VERSION) }
  })
}

type TopicPartitions = { readonly topic: string; readonly partitions: readonly number[] }

function topicsOf(places: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  return byTopic(places, ({ partition }) => partition).map(({ name, partitions }) => ({
    topic: name,
    partitions,
  }))
}

function placesOf(topics: readonly TopicPartitions[]): TopicPartition[] {
  return topics.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  )
}

/** A copy for user code, which may keep it. */
function copyOf(borrowed: Uint8Array | null): Buffer | null {
  return borrowed && Buffer.from(borrowed)
}

function without(
  partitions: readonly TopicPartition[],
  others: readonly TopicPartition[],
): TopicPartition[] {
  const left = new Set(others.map(partitionText))
  return partitions.filter((each) => !left.has(partitionText(each)))
}
