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
  | { readonly kind: 'offset'; readonly key: OffsetKey; readonly value: CommittedOffset | null }

/** Where groups and offsets are kept: __consumer_offsets and its view. */
export interface GroupStateTable {
  /** Everything that is kept, in any order. */
  entries(): Iterable<GroupEntry>
  /** In call order. Resolves when durable, or with why it is not. */
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
    const records = new Map<string, GroupRecord>()
    const offsets = new Map<string, GroupOffsets>()
    for (const entry of deps.table.entries()) {
      if (entry.value === null) continue
      if (entry.kind === 'group') records.set(entry.groupId, entry.value)
      else addOffset(offsets, entry.key, entry.value)
    }
    for (const groupId of new Set([...records.keys(), ...offsets.keys()])) {
      this.#restore(groupId, records.get(groupId), offsets.get(groupId) ?? new GroupOffsets())
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
    const entries = offsets.map(({ topic, partition, committed }) => {
      return { kind: 'offset', key: { groupId, topic, partition }, value: committed } as const
    })
    const kept = this.#deps.table.put(entries).then((failure) => {
      group.commits.delete(kept)
      if (failure !== undefined) return failure
      for (const each of offsets) group.offsets.set(each.topic, each.partition, each.committed)
      return undefined
    })
    group.commits.add(kept)
    return kept
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
    const failure = await this.#forgetOffsets(entries)
    return failure ?? refused
  }

  /** A deleted topic takes the offsets of all groups with it. */
  async onTopicDeleted(topic: string): Promise<void> {
    await Promise.all([...this.#groups.values()].flatMap(({ commits }) => [...commits]))
    const entries: GroupEntry[] = []
    for (const [groupId, { offsets }] of this.#groups) {
      for (const { partition } of offsets.ofTopic(topic)) {
        entries.push({ kind: 'offset', key: { groupId, topic, partition }, value: null })
      }
    }
    await this.#forgetOffsets(entries)
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
      const failure = await this.#forgetOffsets([...this.#expiredOffsets(groupId, group)])
      if (failure !== undefined) return
      const { classic, offsets, commits } = group
      const isIdle = classic.state === 'Empty' && !classic.hasPendingIds && commits.size === 0
      if (isIdle && offsets.isEmpty) await this.#bury(groupId, group)
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

  async #forgetOffsets(entries: readonly GroupEntry[]): Promise<ErrorName | undefined> {
    if (entries.length === 0) return undefined
    const failure = await this.#deps.table.put(entries)
    if (failure !== undefined) return failure
    for (const entry of entries) {
      if (entry.kind !== 'offset') continue
      this.#groups.get(entry.key.groupId)?.offsets.delete(entry.key.topic, entry.key.partition)
    }
    return undefined
  }

  async #bury(groupId: string, group: Group): Promise<ErrorName | undefined> {
    this.#groups.delete(groupId)
    const entries: GroupEntry[] = [{ kind: 'group', groupId, value: null }]
    for (const { topic, partition } of group.offsets.list()) {
      entries.push({ kind: 'offset', key: { groupId, topic, partition }, value: null })
    }
    const failure = await this.#deps.table.put(entries)
    if (failure === undefined) group.classic.close('COORDINATOR_NOT_AVAILABLE')
    else if (!this.#groups.has(groupId)) this.#groups.set(groupId, group)
    return failure
  }

  // Groups

  #create(groupId: string): Group {
    return this.#add(groupId, new ClassicGroup(groupId, this.#depsOf(groupId)), new GroupOffsets())
  }

  #restore(groupId: string, record: GroupRecord | undefined, offsets: GroupOffsets): void {
    const deps = this.#depsOf(groupId)
    const classic =
      record === undefined
        ? new ClassicGroup(groupId, deps)
        : ClassicGroup.restore(groupId, record, deps)
    this.#add(groupId, classic, offsets)
  }

  #add(groupId: string, classic: ClassicGroup, offsets: GroupOffsets): Group {
    const group = { classic, offsets, commits: new Set<Promise<unknown>>() }
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

function addOffset(
  offsets: Map<string, GroupOffsets>,
  key: OffsetKey,
  committed: CommittedOffset,
): void {
  const ofGroup = offsets.get(key.groupId) ?? new GroupOffsets()
  ofGroup.set(key.topic, key.partition, committed)
  offsets.set(key.groupId, ofGroup)
}
