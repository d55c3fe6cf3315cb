// GroupCoordinator: every group of this broker, its committed offsets, and what of both is kept on disk.
// Network thread; knows no sockets and no wire format. Answers are given once what they promise is durable.
// Source: KIP-62, KIP-211 (offset expiry), KIP-345; docs/formats/groups.md

import type { ErrorName } from '../../protocol/errors.ts'
import type { Clock, Timer } from '../../storage/clock.ts'
import { ClassicGroup } from './classic.ts'
import {
  refusedJoin,
  refusedSync,
  type GroupRecord,
  type JoinAnswer,
  type JoinRequest,
  type MemberIdentity,
  type RebalanceReason,
  type SyncAnswer,
  type SyncRequest,
} from './messages.ts'
import { GroupOffsets, type CommittedOffset, type PartitionOffset } from './offsets.ts'

export interface OffsetKey {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
}

/** One change of the kept state: a null value deletes. */
export type GroupEntry =
  | { readonly kind: 'group'; readonly groupId: string; readonly value: GroupRecord | null }
  | OffsetEntry

export interface OffsetEntry {
  readonly kind: 'offset'
  readonly key: OffsetKey
  readonly value: CommittedOffset | null
}

/** Who commits offsets in a transaction. */
export interface OffsetProducer {
  readonly producerId: number
  readonly producerEpoch: number
}

/**
 * Where groups and offsets are kept: __consumer_offsets and its view. All of what one call writes or, after a crash, none; in
 * call order. Resolves when durable, or with why it is not.
 */
export interface GroupStateTable {
  /** Everything that is kept and not pending, in any order. */
  entries(): Iterable<GroupEntry>
  /** What open transactions may commit. */
  pending(): Iterable<{ readonly producerId: number; readonly key: OffsetKey }>
  pendingOf(producerId: number): Iterable<OffsetKey>
  isPending(key: OffsetKey): boolean
  /** Committed, and durable. */
  offsetOf(key: OffsetKey): CommittedOffset | undefined
  /** A deleted offset takes along what is pending for it. */
  put(entries: readonly GroupEntry[]): Promise<ErrorName | undefined>
  /** Seen when the transaction of the producer has committed, but for what was put meanwhile. */
  putPending(
    producer: OffsetProducer,
    offsets: readonly { readonly key: OffsetKey; readonly value: CommittedOffset }[],
  ): Promise<ErrorName | undefined>
  /** The transaction has ended. @returns which offsets have changed by that */
  end(producer: OffsetProducer, isCommit: boolean): Promise<readonly OffsetKey[] | ErrorName>
}

export interface GroupConfig {
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
  readonly initialRebalanceDelayMs: number
  readonly membersMax: number
  readonly offsetsRetentionMs: number
  readonly offsetsRetentionCheckMs: number
}

export interface GroupCoordinatorDeps {
  readonly clock: Clock
  readonly table: GroupStateTable
  readonly config: GroupConfig
  readonly newMemberId: (prefix: string) => string
  /** Offsets of a topic that is gone are forgotten. */
  readonly topicExists: (topic: string) => boolean
  /** Topics that a member is subscribed to, from its opaque metadata; undefined when it cannot be told. */
  readonly subscribedTopics: (
    protocolType: string,
    metadata: Uint8Array,
  ) => readonly string[] | undefined
  readonly onRebalance: (groupId: string, reason: RebalanceReason) => void
  /** A generation of the group has begun. For the log. */
  readonly onStable?: (groupId: string, generationId: number, memberCount: number) => void
}

interface Group {
  readonly classic: ClassicGroup
  readonly offsets: GroupOffsets
  /** Commits that are not durable yet: what forgets offsets waits for them, or they would come back. */
  readonly commits: Set<Promise<unknown>>
}

export interface CommitRequest extends MemberIdentity {
  readonly groupId: string
  /** -1 for a commit without membership. */
  readonly generationId: number
  readonly offsets: readonly PartitionOffset[]
  /** What a commit with a generation to a group that does not exist hears: it depends on the version. */
  readonly unknownGroupError: ErrorName
}

export class GroupCoordinator {
  readonly #deps: GroupCoordinatorDeps
  readonly #groups = new Map<string, Group>()
  #expiryTimer: Timer

  constructor(deps: GroupCoordinatorDeps) {
    this.#deps = deps
    const offsetEntries: OffsetEntry[] = []
    for (const entry of deps.table.entries()) {
      if (entry.kind === 'offset') offsetEntries.push(entry)
      else if (entry.value !== null) this.#restore(entry.groupId, entry.value)
    }
    for (const entry of offsetEntries) {
      const { groupId } = entry.key
      this.#take(this.#groups.get(groupId) ?? this.#create(groupId), entry.key)
    }
    for (const { key } of deps.table.pending()) {
      if (!this.#groups.has(key.groupId)) this.#create(key.groupId)
    }
    this.#expiryTimer = this.#scheduleExpiry()
  }

  // Members

  async join(groupId: string, request: JoinRequest): Promise<JoinAnswer> {
    const refuse = (error: ErrorName): JoinAnswer => refusedJoin(error, request.memberId)
    if (groupId === '') return refuse('INVALID_GROUP_ID')
    const { sessionTimeoutMsMin, sessionTimeoutMsMax } = this.#deps.config
    const { sessionTimeoutMs } = request
    if (sessionTimeoutMs < sessionTimeoutMsMin || sessionTimeoutMs > sessionTimeoutMsMax) {
      return refuse('INVALID_SESSION_TIMEOUT')
    }
    const known = this.#groups.get(groupId)
    if (known === undefined && request.memberId !== '') return refuse('UNKNOWN_MEMBER_ID')
    if (request.protocolType === '' || request.protocols.length === 0) {
      return refuse('INCONSISTENT_GROUP_PROTOCOL')
    }
    return (known ?? this.#create(groupId)).classic.join(request)
  }

  async sync(groupId: string, request: SyncRequest): Promise<SyncAnswer> {
    if (groupId === '') return refusedSync('INVALID_GROUP_ID')
    const group = this.#groups.get(groupId)
    return group === undefined ? refusedSync('UNKNOWN_MEMBER_ID') : group.classic.sync(request)
  }

  heartbeat(
    groupId: string,
    identity: MemberIdentity,
    generationId: number,
  ): ErrorName | undefined {
    if (groupId === '') return 'INVALID_GROUP_ID'
    const group = this.#groups.get(groupId)
    return group === undefined
      ? 'UNKNOWN_MEMBER_ID'
      : group.classic.heartbeat(identity, generationId)
  }

  leave(groupId: string, identity: MemberIdentity): ErrorName | undefined {
    const group = this.#groups.get(groupId)
    return group === undefined ? 'UNKNOWN_MEMBER_ID' : group.classic.leave(identity)
  }

  // Offsets

  /** @returns one outcome for all: the caller has already refused single partitions. Durable when it resolves. */
  async commit(request: CommitRequest): Promise<ErrorName | undefined> {
    const { groupId, generationId, offsets } = request
    const known = this.#groups.get(groupId)
    if (known === undefined && generationId >= 0) return request.unknownGroupError
    const error = known?.classic.checkCommit(request, generationId)
    if (error !== undefined || offsets.length === 0) return error
    const entries = offsets.map(({ topic, partition, committed }): OffsetEntry => {
      return { kind: 'offset', key: { groupId, topic, partition }, value: committed }
    })
    return this.#write(known ?? this.#create(groupId), entries)
  }

  /** TxnOffsetCommit: as `commit`, but seen when the transaction of this producer has committed, if it does. */
  async commitPending(
    producer: OffsetProducer,
    request: CommitRequest,
  ): Promise<ErrorName | undefined> {
    const { groupId, generationId, offsets } = request
    const known = this.#groups.get(groupId)
    if (known === undefined && generationId >= 0) return request.unknownGroupError
    const error = known?.classic.checkPendingCommit(request, generationId)
    if (error !== undefined || offsets.length === 0) return error
    const pending = offsets.map(({ topic, partition, committed }) => {
      return { key: { groupId, topic, partition }, value: committed }
    })
    const { table } = this.#deps
    return holdWhile([known ?? this.#create(groupId)], table.putPending(producer, pending))
  }

  /**
   * A transaction has ended: what it has pending in all groups becomes visible, at once, or is dropped. May be told twice.
   */
  async endPending(producer: OffsetProducer, isCommit: boolean): Promise<ErrorName | undefined> {
    const { table } = this.#deps
    const ended = table.end(producer, isCommit).then((changed) => {
      if (typeof changed === 'string') return changed
      for (const key of changed) {
        this.#take(this.#groups.get(key.groupId) ?? this.#create(key.groupId), key)
      }
      return undefined
    })
    return holdWhile(this.#groupsPendingFor(producer.producerId), ended)
  }

  /** Those that have offsets pending. */
  pendingProducers(): Set<number> {
    return new Set(Array.from(this.#deps.table.pending(), ({ producerId }) => producerId))
  }

  #groupsPendingFor(producerId: number): Group[] {
    const keys = this.#deps.table.pendingOf(producerId)
    const groupIds = new Set(Array.from(keys, ({ groupId }) => groupId))
    return [...groupIds].flatMap((groupId) => this.#groups.get(groupId) ?? [])
  }

  /** Whether an open transaction may still commit an offset for this partition. */
  isPending(groupId: string, topic: string, partition: number): boolean {
    return this.#deps.table.isPending({ groupId, topic, partition })
  }

  /** Undefined for a group that does not exist, which is not an error: nothing is committed. */
  offsetsOf(groupId: string): GroupOffsets | undefined {
    return this.#groups.get(groupId)?.offsets
  }

  /** OffsetDelete. @returns an error for all, or one per partition that may not go */
  async deleteOffsets(
    groupId: string,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<ErrorName | Map<string, ErrorName>> {
    const group = this.#groups.get(groupId)
    if (group === undefined) return 'GROUP_ID_NOT_FOUND'
    const { classic } = group
    if (classic.members.size > 0 && classic.protocolType !== 'consumer') return 'NON_EMPTY_GROUP'
    const subscribed = this.#subscribedTopics(classic)
    const refused = new Map<string, ErrorName>()
    const entries: OffsetEntry[] = []
    for (const { topic, partition } of partitions) {
      const isKept =
        group.offsets.get(topic, partition) !== undefined ||
        this.isPending(groupId, topic, partition)
      if (subscribed?.has(topic) ?? true) refused.set(topic, 'GROUP_SUBSCRIBED_TO_TOPIC')
      else if (isKept) {
        entries.push({ kind: 'offset', key: { groupId, topic, partition }, value: null })
      }
    }
    const failure = await this.#forget(group, entries)
    return failure ?? refused
  }

  /** A deleted topic takes the offsets of all groups with it. */
  async onTopicDeleted(topic: string): Promise<void> {
    await Promise.all([...this.#groups.values()].flatMap(({ commits }) => [...commits]))
    const pending = Array.from(this.#deps.table.pending(), ({ key }) => key)
    const pendingThere = pending.filter((key) => key.topic === topic)
    const forgetting = [...this.#groups].map(([groupId, group]) => {
      const entries = offsetsToForget(groupId, group, pendingThere)
      return this.#forget(
        group,
        entries.filter(({ key }) => key.topic === topic),
      )
    })
    await Promise.all(forgetting)
  }

  // Administration

  get(groupId: string): ClassicGroup | undefined {
    return this.#groups.get(groupId)?.classic
  }

  list(): Iterable<ClassicGroup> {
    return [...this.#groups.values()].map((each) => each.classic)
  }

  async delete(groupId: string): Promise<ErrorName | undefined> {
    const group = this.#groups.get(groupId)
    if (group === undefined) return 'GROUP_ID_NOT_FOUND'
    while (group.commits.size > 0) await Promise.all(group.commits)
    if (this.#groups.get(groupId) !== group) return 'GROUP_ID_NOT_FOUND'
    if (group.classic.state !== 'Empty') return 'NON_EMPTY_GROUP'
    return this.#bury(groupId, group)
  }

  close(): void {
    this.#expiryTimer.cancel()
    for (const { classic } of this.#groups.values()) classic.close('COORDINATOR_NOT_AVAILABLE')
    this.#groups.clear()
  }

  // Expiry

  /** Forgets offsets past their retention, and groups that have neither members nor offsets. KIP-211. */
  async expire(): Promise<void> {
    for (const [groupId, group] of this.#groups) {
      if (group.commits.size > 0) continue // it is in use
      const failure = await this.#forget(group, [...this.#expiredOffsets(groupId, group)])
      if (failure !== undefined) return
      const { classic, offsets, commits } = group
      const isIdle = classic.state === 'Empty' && !classic.hasPendingIds && commits.size === 0
      if (isIdle && offsets.isEmpty && !this.#hasPending(groupId)) await this.#bury(groupId, group)
    }
  }

  *#expiredOffsets(groupId: string, { classic, offsets }: Group): Iterable<OffsetEntry> {
    const nowMs = this.#deps.clock.now()
    const isSettled = classic.state === 'Empty' || classic.state === 'Stable'
    const subscribed = isSettled ? this.#subscribedTopics(classic) : undefined
    for (const { topic, partition, committed } of offsets.list()) {
      const isOrphan = !this.#deps.topicExists(topic)
      const isInUse = (subscribed?.has(topic) ?? true) || this.isPending(groupId, topic, partition)
      if (isOrphan || (!isInUse && this.#expiryOf(classic, committed) <= nowMs)) {
        yield { kind: 'offset', key: { groupId, topic, partition }, value: null }
      }
    }
  }

  /** A group that once had members keeps its offsets since it became empty, a simple one since each commit. */
  #expiryOf(classic: ClassicGroup, committed: CommittedOffset): number {
    const hadMembers = classic.state === 'Empty' && classic.protocolType !== null
    const sinceMs = hadMembers
      ? Math.max(classic.sinceMs, committed.committedMs)
      : committed.committedMs
    return committed.expiresMs ?? sinceMs + this.#deps.config.offsetsRetentionMs
  }

  /** What the members are subscribed to; undefined when that cannot be told, so that every topic may be. */
  #subscribedTopics(classic: ClassicGroup): Set<string> | undefined {
    const topics = new Set<string>()
    for (const member of classic.members.values()) {
      for (const { metadata } of member.protocols) {
        const subscribed = this.#deps.subscribedTopics(classic.protocolType ?? '', metadata)
        if (subscribed === undefined) return undefined
        for (const topic of subscribed) topics.add(topic)
      }
    }
    return topics
  }

  #scheduleExpiry(): Timer {
    return this.#deps.clock.after(this.#deps.config.offsetsRetentionCheckMs, () => {
      this.#expiryTimer = this.#scheduleExpiry()
      void this.expire() // what could not be forgotten now is tried again at the next check
    })
  }

  /** What is durable, in memory too: as it stands now, whatever else has become durable in the same turn. */
  #take({ offsets }: Group, key: OffsetKey): void {
    const committed = this.#deps.table.offsetOf(key)
    if (committed === undefined) offsets.delete(key.topic, key.partition)
    else offsets.set(key.topic, key.partition, committed)
  }

  async #forget(group: Group, entries: readonly OffsetEntry[]): Promise<ErrorName | undefined> {
    if (entries.length === 0) return undefined
    const failure = await this.#deps.table.put(entries)
    if (failure === undefined) for (const { key } of entries) this.#take(group, key)
    return failure
  }

  #write(group: Group, entries: readonly OffsetEntry[]): Promise<ErrorName | undefined> {
    const kept = this.#deps.table.put(entries).then((failure) => {
      if (failure === undefined) for (const { key } of entries) this.#take(group, key)
      return failure
    })
    return holdWhile([group], kept)
  }

  async #bury(groupId: string, group: Group): Promise<ErrorName | undefined> {
    this.#groups.delete(groupId)
    const pending = Array.from(this.#deps.table.pending(), ({ key }) => key)
    const entries: GroupEntry[] = [
      { kind: 'group', groupId, value: null },
      ...offsetsToForget(groupId, group, pending),
    ]
    const failure = await this.#deps.table.put(entries)
    if (failure === undefined) group.classic.close('COORDINATOR_NOT_AVAILABLE')
    else if (!this.#groups.has(groupId)) this.#groups.set(groupId, group)
    return failure
  }

  #hasPending(groupId: string): boolean {
    for (const { key } of this.#deps.table.pending()) if (key.groupId === groupId) return true
    return false
  }

  // Groups

  #create(groupId: string): Group {
    return this.#add(groupId, new ClassicGroup(groupId, this.#depsOf(groupId)))
  }

  #restore(groupId: string, record: GroupRecord): void {
    this.#add(groupId, ClassicGroup.restore(groupId, record, this.#depsOf(groupId)))
  }

  #add(groupId: string, classic: ClassicGroup): Group {
    const group = {
      classic,
      offsets: new GroupOffsets(),
      commits: new Set<Promise<unknown>>(),
    }
    this.#groups.set(groupId, group)
    return group
  }

  #depsOf(groupId: string): ConstructorParameters<typeof ClassicGroup>[1] {
    const { clock, table, config, newMemberId, onRebalance, onStable } = this.#deps
    return {
      clock,
      config,
      newMemberId,
      persist: (value) => table.put([{ kind: 'group', groupId, value }]),
      onRebalance: (reason) => onRebalance(groupId, reason),
      onStable: (generationId, memberCount) => onStable?.(groupId, generationId, memberCount),
    }
  }
}

/** Deletes all that a group has committed or has pending. @param pending of all groups */
function offsetsToForget(
  groupId: string,
  { offsets }: Group,
  pending: readonly OffsetKey[],
): OffsetEntry[] {
  const keys: OffsetKey[] = Array.from(offsets.list(), ({ topic, partition }) => {
    return { groupId, topic, partition }
  })
  for (const key of pending) {
    if (key.groupId === groupId && !offsets.get(key.topic, key.partition)) keys.push(key)
  }
  return keys.map((key) => ({ kind: 'offset', key, value: null }))
}

/** What would forget the groups or their offsets waits for this. */
function holdWhile<Result>(groups: readonly Group[], act: Promise<Result>): Promise<Result> {
  const held = act.finally(() => {
    for (const { commits } of groups) commits.delete(held)
  })
  for (const { commits } of groups) commits.add(held)
  return held
}
