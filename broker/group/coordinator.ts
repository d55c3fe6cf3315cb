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
import { PendingOffsets } from './pending.ts'

export interface OffsetKey {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
}

/** One change of the kept state: a null value deletes. */
export type GroupEntry =
  | { readonly kind: 'group'; readonly groupId: string; readonly value: GroupRecord | null }
  | { readonly kind: 'offset'; readonly key: OffsetKey; readonly value: CommittedOffset | null }
  | {
      readonly kind: 'pending'
      readonly key: OffsetKey
      /** Of the open transaction that the offset belongs to. */
      readonly producerId: number
      readonly value: CommittedOffset | null
    }

/** Where groups and offsets are kept: __consumer_offsets and its view. */
export interface GroupStateTable {
  /** Everything that is kept, in any order. */
  entries(): Iterable<GroupEntry>
  /** All of them or, after a crash, none; in call order. Resolves when durable, or with why it is not. */
  put(entries: readonly GroupEntry[]): Promise<ErrorName | undefined>
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
}

interface Group {
  readonly classic: ClassicGroup
  readonly offsets: GroupOffsets
  readonly pending: PendingOffsets
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
      if (entry.kind !== 'group') offsetEntries.push(entry)
      else if (entry.value !== null) this.#restore(entry.groupId, entry.value)
    }
    for (const entry of offsetEntries) {
      const { groupId } = entry.key
      apply(this.#groups.get(groupId) ?? this.#create(groupId), entry)
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
    const group = known ?? this.#create(groupId)
    const entries = offsets.flatMap(({ topic, partition, committed }): GroupEntry[] => {
      const key = { groupId, topic, partition }
      // What transactions have pending there is older than this, whether they commit or not.
      return [{ kind: 'offset', key, value: committed }, ...withoutPending(group, key)]
    })
    return this.#write(group, entries)
  }

  /** TxnOffsetCommit: as `commit`, but seen when the transaction of this producer has committed, if it does. */
  async commitPending(producerId: number, request: CommitRequest): Promise<ErrorName | undefined> {
    const { groupId, generationId, offsets } = request
    const known = this.#groups.get(groupId)
    if (known === undefined && generationId >= 0) return request.unknownGroupError
    const error = known?.classic.checkPendingCommit(request, generationId)
    if (error !== undefined || offsets.length === 0) return error
    const entries = offsets.map(({ topic, partition, committed }): GroupEntry => {
      return { kind: 'pending', key: { groupId, topic, partition }, producerId, value: committed }
    })
    return this.#write(known ?? this.#create(groupId), entries)
  }

  /** A transaction has ended: what it has pending becomes visible, all at once, or is dropped. May be told twice. */
  async endPending(
    groupId: string,
    producerId: number,
    isCommit: boolean,
  ): Promise<ErrorName | undefined> {
    const group = this.#groups.get(groupId)
    const entries: GroupEntry[] = []
    for (const { topic, partition, committed } of group?.pending.ofProducer(producerId) ?? []) {
      const key = { groupId, topic, partition }
      if (isCommit) entries.push({ kind: 'offset', key, value: committed })
      entries.push({ kind: 'pending', key, producerId, value: null })
    }
    return group === undefined || entries.length === 0 ? undefined : this.#write(group, entries)
  }

  /** Whether an open transaction may still commit an offset for this partition. */
  isPending(groupId: string, topic: string, partition: number): boolean {
    const producerIds = this.#groups.get(groupId)?.pending.producersOf(topic, partition)
    return producerIds !== undefined && producerIds.length > 0
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
    const entries: GroupEntry[] = []
    for (const { topic, partition } of partitions) {
      if (subscribed?.has(topic) ?? true) refused.set(topic, 'GROUP_SUBSCRIBED_TO_TOPIC')
      else if (group.offsets.get(topic, partition) !== undefined) {
        entries.push({ kind: 'offset', key: { groupId, topic, partition }, value: null })
      }
    }
    const failure = await this.#forget(group, entries)
    return failure ?? refused
  }

  /** A deleted topic takes the offsets of all groups with it. */
  async onTopicDeleted(topic: string): Promise<void> {
    await Promise.all([...this.#groups.values()].flatMap(({ commits }) => [...commits]))
    const forgetting = [...this.#groups].map(([groupId, group]) => {
      const entries = [...everyOffset(groupId, group)]
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
      const { classic, offsets, pending, commits } = group
      const isIdle = classic.state === 'Empty' && !classic.hasPendingIds && commits.size === 0
      if (isIdle && offsets.isEmpty && pending.isEmpty) await this.#bury(groupId, group)
    }
  }

  *#expiredOffsets(groupId: string, { classic, offsets }: Group): Iterable<GroupEntry> {
    const nowMs = this.#deps.clock.now()
    const isSettled = classic.state === 'Empty' || classic.state === 'Stable'
    const subscribed = isSettled ? this.#subscribedTopics(classic) : undefined
    for (const { topic, partition, committed } of offsets.list()) {
      const isOrphan = !this.#deps.topicExists(topic)
      const isInUse = subscribed?.has(topic) ?? true
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

  async #forget(group: Group, entries: readonly GroupEntry[]): Promise<ErrorName | undefined> {
    if (entries.length === 0) return undefined
    const failure = await this.#deps.table.put(entries)
    if (failure === undefined) for (const entry of entries) apply(group, entry)
    return failure
  }

  #write(group: Group, entries: readonly GroupEntry[]): Promise<ErrorName | undefined> {
    const kept = this.#deps.table.put(entries).then((failure) => {
      group.commits.delete(kept)
      if (failure === undefined) for (const entry of entries) apply(group, entry)
      return failure
    })
    group.commits.add(kept)
    return kept
  }

  async #bury(groupId: string, group: Group): Promise<ErrorName | undefined> {
    this.#groups.delete(groupId)
    const entries: GroupEntry[] = [
      { kind: 'group', groupId, value: null },
      ...everyOffset(groupId, group),
    ]
    const failure = await this.#deps.table.put(entries)
    if (failure === undefined) group.classic.close('COORDINATOR_NOT_AVAILABLE')
    else if (!this.#groups.has(groupId)) this.#groups.set(groupId, group)
    return failure
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
      pending: new PendingOffsets(),
      commits: new Set<Promise<unknown>>(),
    }
    this.#groups.set(groupId, group)
    return group
  }

  #depsOf(groupId: string): ConstructorParameters<typeof ClassicGroup>[1] {
    const { clock, table, config, newMemberId, onRebalance } = this.#deps
    return {
      clock,
      config,
      newMemberId,
      persist: (value) => table.put([{ kind: 'group', groupId, value }]),
      onRebalance: (reason) => onRebalance(groupId, reason),
    }
  }
}

type OffsetEntry = Exclude<GroupEntry, { readonly kind: 'group' }>

/** What is durable, in memory too. */
function apply({ offsets, pending }: Group, entry: GroupEntry): void {
  if (entry.kind === 'group') return
  const { topic, partition } = entry.key
  if (entry.kind === 'offset') {
    if (entry.value === null) offsets.delete(topic, partition)
    else offsets.set(topic, partition, entry.value)
  } else if (entry.value === null) pending.delete(entry.producerId, topic, partition)
  else pending.set(entry.producerId, topic, partition, entry.value)
}

function withoutPending({ pending }: Group, key: OffsetKey): OffsetEntry[] {
  const producerIds = pending.producersOf(key.topic, key.partition)
  return producerIds.map((producerId) => ({ kind: 'pending', key, producerId, value: null }))
}

/** Deletes all that a group has committed or has pending. */
function* everyOffset(groupId: string, { offsets, pending }: Group): Iterable<OffsetEntry> {
  for (const { topic, partition } of offsets.list()) {
    yield { kind: 'offset', key: { groupId, topic, partition }, value: null }
  }
  for (const { producerId, topic, partition } of pending.list()) {
    yield { kind: 'pending', key: { groupId, topic, partition }, producerId, value: null }
  }
}
