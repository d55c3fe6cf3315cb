// ClassicGroup: the state machine of one group of the classic protocol (join, sync, heartbeat, leave).
// Network thread, without sockets: requests come in as plain data, answers leave through promises.
// Source: KIP-62, KIP-134, KIP-345, KIP-394, KIP-814; docs/formats/groups.md for what is kept on disk.

import type { ErrorName } from '../../protocol/errors.ts'
import type { Clock, Timer } from '../../storage/clock.ts'
import { namesInCommon, vote } from './assignor-vote.ts'
import { assertGrows, assertState, assertTransition, type ClassicState } from './classic-states.ts'
import type { Group, GroupDescription, MemberDescription, OffsetRetention } from './group.ts'
import { afterLastCall } from './last-call.ts'
import { GroupMember } from './member.ts'
import {
  joinAnswerOfReplacedLeader,
  NO_ASSIGNMENT,
  refusedJoin,
  refusedSync,
  type GroupRecord,
  type JoinAnswer,
  type JoinRequest,
  type MemberIdentity,
  type MemberRecord,
  type RebalanceReason,
  type SyncAnswer,
  type SyncRequest,
} from './messages.ts'
import type { GroupEntry } from './state-table.ts'

export interface ClassicGroupDeps {
  readonly clock: Clock
  /** May change while the group lives. */
  readonly config: {
    readonly membersMax: number
    /** How long the first member of an empty group waits for others, in ms. */
    readonly initialRebalanceDelayMs: number
  }
  /** A fresh id: `prefix`, a dash and a random UUID. */
  newMemberId(prefix: string): string
  /** Topics that a member reads, by its opaque metadata; undefined when that does not tell. */
  subscribedTopics(protocolType: string, metadata: Uint8Array): readonly string[] | undefined
  /** Resolves when the record is durable, or with the error that prevents it. Records are kept in call order. */
  persist(record: GroupRecord): Promise<ErrorName | undefined>
  /** For metrics. */
  onRebalance(reason: RebalanceReason): void
  /** Every member has its assignment of a new generation. For the log. */
  onStable(generationId: number, memberCount: number): void
}

export class ClassicGroup implements Group {
  readonly type = 'classic'
  readonly groupId: string
  #state: ClassicState = 'Empty'
  generationId = 0
  /** Generation of the newest record. */
  #keptGenerationId = 0
  protocolType: string | null = null
  protocolName: string | null = null
  leaderId: string | null = null
  sinceMs: number
  /** In order of joining. */
  readonly members = new Map<string, GroupMember>()
  readonly #memberIdsByInstance = new Map<string, string>()
  /** Member ids of the MEMBER_ID_REQUIRED round that no member has joined with yet. KIP-394 */
  readonly #pendingIds = new Map<string, Timer>()
  readonly #deps: ClassicGroupDeps
  /** Ends the join phase, or drops the members that do not sync. */
  #phaseTimer: Timer | undefined
  /** While the first members of an empty group gather: ms by which the wait may still be prolonged (KIP-134). */
  #gathering: { leftMs: number; hasNewcomer: boolean } | undefined

  constructor(groupId: string, deps: ClassicGroupDeps) {
    this.groupId = groupId
    this.#deps = deps
    this.sinceMs = deps.clock.now()
  }

  /** The group as it was before a restart: each member has one session timeout to send a request. */
  static restore(groupId: string, record: GroupRecord, deps: ClassicGroupDeps): ClassicGroup {
    const group = new ClassicGroup(groupId, deps)
    group.#state = record.members.length === 0 ? 'Empty' : 'Stable'
    group.generationId = record.generationId
    group.#keptGenerationId = record.generationId
    group.protocolType = record.protocolType
    group.protocolName = record.protocolName
    group.leaderId = record.leaderId
    group.sinceMs = record.sinceMs
    for (const each of record.members) {
      const member = group.#admit(each.memberId, each.groupInstanceId, each)
      member.assignment = each.assignment
      member.hasSynced = true
      member.touch()
    }
    return group
  }

  get state(): ClassicState {
    return this.#state
  }

  get memberCount(): number {
    return this.members.size
  }

  join(request: JoinRequest): Promise<JoinAnswer> {
    const refusal = this.#refusalOfJoin(request)
    if (refusal !== undefined) return Promise.resolve(refusedJoin(refusal, request.memberId))
    const { memberId, groupInstanceId } = request
    if (memberId === '' || this.#pendingIds.has(memberId)) return this.#joinNew(request)
    const fencing = this.#identityError({ memberId, groupInstanceId })
    if (fencing !== undefined) return Promise.resolve(refusedJoin(fencing, memberId))
    return this.#rejoin(this.members.get(memberId)!, request)
  }

  sync(request: SyncRequest): Promise<SyncAnswer> {
    const error = this.#errorOfSync(request)
    if (error !== undefined) return Promise.resolve(refusedSync(error))
    const member = this.members.get(request.memberId)!
    member.touch()
    if (this.#state === 'Stable') return Promise.resolve(this.#syncAnswer(member))
    const answer = member.waitForSync()
    if (member.memberId === this.leaderId) void this.#takeAssignments(request.assignments)
    return answer
  }

  /** @returns the member's error; undefined: none. Renews its session in either case */
  heartbeat(identity: MemberIdentity, generationId: number): ErrorName | undefined {
    const error = this.#identityError(identity) ?? this.#generationError(generationId)
    if (error !== undefined) return error
    this.members.get(identity.memberId)!.touch()
    return this.#state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : undefined
  }

  /** @param identity a static member may be named by its instance id alone */
  leave(identity: MemberIdentity): ErrorName | undefined {
    const { groupInstanceId } = identity
    if (this.#dropPending(identity.memberId)) {
      this.#completeJoinIfAllAreHere()
      return undefined
    }
    const byInstance =
      groupInstanceId === null ? undefined : this.#memberIdsByInstance.get(groupInstanceId)
    const memberId = identity.memberId === '' ? (byInstance ?? '') : identity.memberId
    const error = this.#identityError({ memberId, groupInstanceId })
    if (error !== undefined) return error
    this.#remove(this.members.get(memberId)!, 'leave')
    return undefined
  }

  checkCommit(identity: MemberIdentity, generationId: number): ErrorName | undefined {
    if (generationId < 0 && this.#state === 'Empty') return undefined
    const error = this.#identityError(identity) ?? this.#generationError(generationId)
    if (error !== undefined) return error
    this.members.get(identity.memberId)!.touch()
    return this.#state === 'CompletingRebalance' ? 'REBALANCE_IN_PROGRESS' : undefined
  }

  /**
   * TxnOffsetCommit: a request without member, instance and generation comes from outside the group and is fenced by its
   * transactional id only (KIP-447).
   */
  checkPendingCommit(identity: MemberIdentity, generationId: number): ErrorName | undefined {
    const { memberId, groupInstanceId } = identity
    const isFromOutside = generationId < 0 && memberId === '' && groupInstanceId === null
    if (isFromOutside || (generationId < 0 && this.#state === 'Empty')) return undefined
    const error = this.#identityError(identity) ?? this.#generationError(generationId)
    if (error === undefined) this.members.get(memberId)!.touch()
    return error
  }

  checkOffsetDelete(): ErrorName | undefined {
    const isOpaque = this.protocolType !== 'consumer'
    return this.members.size > 0 && isOpaque ? 'NON_EMPTY_GROUP' : undefined
  }

  subscribedTopics(): ReadonlySet<string> | undefined {
    const topics = new Set<string>()
    for (const member of this.members.values()) {
      for (const { metadata } of member.protocols) {
        const subscribed = this.#deps.subscribedTopics(this.protocolType ?? '', metadata)
        if (subscribed === undefined) return undefined
        for (const topic of subscribed) topics.add(topic)
      }
    }
    return topics
  }

  get isEmpty(): boolean {
    return this.#state === 'Empty'
  }

  get isIdle(): boolean {
    return this.isEmpty && this.#pendingIds.size === 0
  }

  /** A group that had members keeps offsets from when it became empty, one that never had any from each commit. KIP-211 */
  offsetRetention(): OffsetRetention {
    const isSettled = this.#state === 'Empty' || this.#state === 'Stable'
    const subscribed = isSettled ? this.subscribedTopics() : undefined
    const hadMembers = this.isEmpty && this.protocolType !== null
    return (topic, committedMs) => {
      if (subscribed?.has(topic) ?? true) return undefined
      return hadMembers ? Math.max(this.sinceMs, committedMs) : committedMs
    }
  }

  describe(): GroupDescription {
    const isStable = this.#state === 'Stable'
    return {
      state: this.#state,
      protocolType: this.protocolType ?? '',
      protocolName: isStable ? this.protocolName! : '',
      members: Array.from(this.members.values(), (member): MemberDescription => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        metadata: isStable ? member.metadataFor(this.protocolName!)! : NO_ASSIGNMENT,
        assignment: isStable ? member.assignment : NO_ASSIGNMENT,
      })),
    }
  }

  tombstones(): readonly GroupEntry[] {
    return [{ kind: 'group', groupId: this.groupId, value: null }]
  }

  close(error: ErrorName): void {
    if (this.#state === 'Dead') return
    this.#become('Dead')
    this.#phaseTimer?.cancel()
    for (const timer of this.#pendingIds.values()) timer.cancel()
    this.#pendingIds.clear()
    for (const member of this.members.values()) {
      member.answerJoin(refusedJoin(error, member.memberId))
      member.answerSync(refusedSync(error))
      member.close()
    }
  }

  // Joining

  #refusalOfJoin(request: JoinRequest): ErrorName | undefined {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    if (this.#isFullFor(request)) return 'GROUP_MAX_SIZE_REACHED'
    const isPlausible = request.protocolType !== '' && request.protocols.length > 0
    return isPlausible && this.#speaksWith(request) ? undefined : 'INCONSISTENT_GROUP_PROTOCOL'
  }

  /** A static member that comes back is not one more. */
  #isFullFor({ memberId, groupInstanceId }: JoinRequest): boolean {
    const isKnown =
      this.members.has(memberId) || this.#memberIdsByInstance.has(groupInstanceId ?? '')
    return !isKnown && this.members.size >= this.#deps.config.membersMax
  }

  #speaksWith(request: JoinRequest): boolean {
    if (this.members.size === 0) return true
    if (request.protocolType !== this.protocolType) return false
    const offered = new Set(request.protocols.map((each) => each.name))
    return namesInCommon(this.members).some((name) => offered.has(name))
  }

  #joinNew(request: JoinRequest): Promise<JoinAnswer> {
    const { memberId, groupInstanceId } = request
    const replaced =
      groupInstanceId === null ? undefined : this.#memberIdsByInstance.get(groupInstanceId)
    if (replaced !== undefined) return this.#replaceStatic(this.members.get(replaced)!, request)
    if (memberId === '' && groupInstanceId === null && request.requiresKnownMemberId) {
      const id = this.#deps.newMemberId(request.clientId)
      this.#expectPending(id, request.sessionTimeoutMs)
      return Promise.resolve(refusedJoin('MEMBER_ID_REQUIRED', id))
    }
    this.#dropPending(memberId)
    const id =
      memberId === '' ? this.#deps.newMemberId(groupInstanceId ?? request.clientId) : memberId
    if (this.members.size === 0) this.protocolType = request.protocolType
    const member = this.#admit(id, groupInstanceId, request)
    if (this.#gathering !== undefined) this.#gathering.hasNewcomer = true
    const answer = member.waitForJoin()
    this.#rebalance('join')
    return answer
  }

  #rejoin(member: GroupMember, request: JoinRequest): Promise<JoinAnswer> {
    const isChanged = !member.offersSame(request.protocols)
    const isLeader = member.memberId === this.leaderId
    if (
      !isChanged &&
      (this.#state === 'CompletingRebalance' || (this.#state === 'Stable' && !isLeader))
    ) {
      member.touch()
      return Promise.resolve(this.#joinAnswer(member))
    }
    member.update(request)
    const answer = member.waitForJoin()
    this.#rebalance(isChanged ? 'metadata' : 'join')
    return answer
  }

  /** A static member came back: under a new member id it takes the place of the old one, which is fenced. KIP-345 */
  #replaceStatic(old: GroupMember, request: JoinRequest): Promise<JoinAnswer> {
    const instanceId = old.groupInstanceId!
    const wasLeader = old.memberId === this.leaderId
    const oldLeaderId = this.leaderId
    old.answerJoin(refusedJoin('FENCED_INSTANCE_ID', old.memberId))
    old.answerSync(refusedSync('FENCED_INSTANCE_ID'))
    const member = this.#admitInPlaceOf(old, this.#deps.newMemberId(instanceId), request)
    if (wasLeader) this.leaderId = member.memberId
    const keepsProtocol = this.#state === 'Stable' && vote(this.members) === this.protocolName
    if (!keepsProtocol) {
      const answer = member.waitForJoin()
      this.#rebalance('static')
      return answer
    }
    member.touch()
    const answer = this.#joinAnswer(member)
    return this.#whenKept(
      member,
      wasLeader ? joinAnswerOfReplacedLeader(answer, request, oldLeaderId!) : answer,
    )
  }

  async #whenKept(member: GroupMember, answer: JoinAnswer): Promise<JoinAnswer> {
    const error = await this.#persist()
    return error === undefined ? answer : refusedJoin('COORDINATOR_NOT_AVAILABLE', member.memberId)
  }

  #admit(
    memberId: string,
    instanceId: string | null,
    request: MemberRecord | JoinRequest,
  ): GroupMember {
    const member = new GroupMember(memberId, instanceId, request, {
      clock: this.#deps.clock,
      onExpired: () => this.#remove(member, 'expired'),
    })
    this.members.set(memberId, member)
    if (instanceId !== null) this.#memberIdsByInstance.set(instanceId, memberId)
    return member
  }

  /** Keeps the order of joining, which decides who leads. */
  #admitInPlaceOf(old: GroupMember, memberId: string, request: JoinRequest): GroupMember {
    const inOrder = [...this.members.values()]
    old.close()
    const member = this.#admit(memberId, old.groupInstanceId, request)
    member.assignment = old.assignment
    member.hasSynced = old.hasSynced
    this.members.clear()
    for (const each of inOrder) {
      const kept = each === old ? member : each
      this.members.set(kept.memberId, kept)
    }
    return member
  }

  #expectPending(memberId: string, sessionTimeoutMs: number): void {
    const forget = (): void => {
      this.#pendingIds.delete(memberId)
      this.#completeJoinIfAllAreHere()
    }
    this.#pendingIds.set(memberId, this.#deps.clock.after(sessionTimeoutMs, forget))
  }

  #dropPending(memberId: string): boolean {
    this.#pendingIds.get(memberId)?.cancel()
    return this.#pendingIds.delete(memberId)
  }

  // The join phase

  /** Starts a join phase, or goes on with the one that runs. */
  #rebalance(reason: RebalanceReason): void {
    if (this.#state !== 'PreparingRebalance') this.#prepareRebalance(reason)
    this.#completeJoinIfAllAreHere()
  }

  #prepareRebalance(reason: RebalanceReason): void {
    this.#deps.onRebalance(reason)
    for (const member of this.members.values()) {
      member.answerSync(refusedSync('REBALANCE_IN_PROGRESS'))
    }
    const isFirst = this.#state === 'Empty'
    this.#become('PreparingRebalance')
    const timeoutMs = this.#rebalanceTimeoutMs()
    const delayMs = Math.min(this.#deps.config.initialRebalanceDelayMs, timeoutMs)
    if (isFirst && delayMs > 0) {
      this.#gather(delayMs, timeoutMs - delayMs)
    } else {
      this.#startPhase(timeoutMs, () => this.#completeJoin())
    }
  }

  /** Each new member prolongs the first wait, up to the rebalance timeout. KIP-134 */
  #gatherOn(): void {
    const gathering = this.#gathering!
    if (!gathering.hasNewcomer || gathering.leftMs <= 0) {
      this.#gathering = undefined
      return this.#completeJoin()
    }
    const delayMs = Math.min(this.#deps.config.initialRebalanceDelayMs, gathering.leftMs)
    this.#gather(delayMs, gathering.leftMs - delayMs)
  }

  #gather(delayMs: number, leftMs: number): void {
    this.#gathering = { leftMs, hasNewcomer: false }
    this.#phaseTimer = this.#deps.clock.after(delayMs, () => this.#gatherOn())
  }

  #completeJoinIfAllAreHere(): void {
    if (this.#state !== 'PreparingRebalance' || this.#gathering !== undefined) return
    if (this.#pendingIds.size > 0 && this.members.size > 0) return
    for (const member of this.members.values()) if (!member.isJoining) return
    this.#completeJoin()
  }

  #completeJoin(): void {
    this.#dropAbsentees()
    const joined = [...this.members.values()].filter((each) => each.isJoining)
    if (joined.length === 0 && this.members.size > 0) {
      // Only static members are left, and none of them is back: wait on, their sessions decide.
      return this.#startPhase(this.#rebalanceTimeoutMs(), () => this.#completeJoin())
    }
    this.#phaseTimer?.cancel()
    this.generationId += 1
    this.sinceMs = this.#deps.clock.now()
    if (joined.length === 0) return this.#becomeEmpty()
    if (!this.members.get(this.leaderId ?? '')?.isJoining) this.leaderId = joined[0]!.memberId
    this.protocolName = vote(this.members)
    this.#become('CompletingRebalance')
    this.#startPhase(this.#rebalanceTimeoutMs(), () => this.#dropUnsynced())
    for (const member of joined) {
      member.assignment = NO_ASSIGNMENT
      member.answerJoin(this.#joinAnswer(member))
    }
  }

  /** Members that have not rejoined in time are removed. Static members stay until their session expires (KIP-345). */
  #dropAbsentees(): void {
    for (const member of this.members.values()) {
      if (!member.isJoining && member.groupInstanceId === null) this.#forget(member)
    }
  }

  #becomeEmpty(): void {
    this.protocolName = null
    this.leaderId = null
    this.#become('Empty')
    void this.#persist() // nothing waits for it: after a restart without this record the sessions expire
  }

  // The sync phase

  /** The leader's assignments: kept on disk, then answered to all members. */
  async #takeAssignments(assignments: SyncRequest['assignments']): Promise<void> {
    const { generationId } = this
    const byMember = new Map(assignments.map((each) => [each.memberId, each.assignment]))
    for (const member of this.members.values()) {
      member.assignment = byMember.get(member.memberId) ?? NO_ASSIGNMENT
    }
    const error = await this.#persist()
    if (this.#state !== 'CompletingRebalance' || this.generationId !== generationId) return
    if (error !== undefined) return this.#failSync(error)
    this.#become('Stable')
    this.#deps.onStable(generationId, this.members.size)
    for (const member of this.members.values()) {
      if (member.isSyncing) member.answerSync(this.#syncAnswer(member))
    }
    if ([...this.members.values()].every((each) => each.hasSynced)) this.#phaseTimer?.cancel()
  }

  /** COORDINATOR_NOT_AVAILABLE makes clients wait before they join again. */
  #failSync(error: ErrorName): void {
    for (const member of this.members.values()) member.answerSync(refusedSync(error))
    this.#prepareRebalance('unsynced')
  }

  /** A member that joined but never synced holds partitions that no member reads. */
  #dropUnsynced(): void {
    const silent = [...this.members.values()].filter((each) => !each.hasSynced && !each.isSyncing)
    if (silent.length === 0) return
    for (const member of silent) this.#forget(member)
    this.#rebalanceWithout('unsynced')
  }

  // Leaving

  #remove(member: GroupMember, reason: RebalanceReason): void {
    member.answerJoin(refusedJoin('UNKNOWN_MEMBER_ID', member.memberId))
    this.#forget(member)
    this.#rebalanceWithout(reason)
  }

  #rebalanceWithout(reason: RebalanceReason): void {
    if (this.#state === 'Stable' || this.#state === 'CompletingRebalance')
      this.#prepareRebalance(reason)
    this.#completeJoinIfAllAreHere()
  }

  #forget(member: GroupMember): void {
    member.answerSync(refusedSync('UNKNOWN_MEMBER_ID'))
    member.close()
    this.members.delete(member.memberId)
    const { groupInstanceId } = member
    if (groupInstanceId !== null) this.#memberIdsByInstance.delete(groupInstanceId)
  }

  // Changes of state

  #become(state: ClassicState): void {
    assertTransition(this, this.#state, state)
    this.#state = state
    assertState(this, state)
  }

  #persist(): Promise<ErrorName | undefined> {
    assertGrows(this.groupId, this.#keptGenerationId, this.generationId)
    this.#keptGenerationId = this.generationId
    return this.#deps.persist(this.toRecord())
  }

  // Checks and answers

  #identityError({ memberId, groupInstanceId }: MemberIdentity): ErrorName | undefined {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    if (groupInstanceId !== null) {
      const current = this.#memberIdsByInstance.get(groupInstanceId)
      if (current === undefined) return 'UNKNOWN_MEMBER_ID'
      return current === memberId ? undefined : 'FENCED_INSTANCE_ID'
    }
    return this.members.has(memberId) ? undefined : 'UNKNOWN_MEMBER_ID'
  }

  #generationError(generationId: number): ErrorName | undefined {
    return generationId === this.generationId ? undefined : 'ILLEGAL_GENERATION'
  }

  #errorOfSync(request: SyncRequest): ErrorName | undefined {
    const error = this.#identityError(request) ?? this.#generationError(request.generationId)
    if (error !== undefined) return error
    const { protocolType, protocolName } = request
    const isOther =
      (protocolType !== null && protocolType !== this.protocolType) ||
      (protocolName !== null && protocolName !== this.protocolName)
    if (isOther) return 'INCONSISTENT_GROUP_PROTOCOL'
    if (this.#state === 'PreparingRebalance') return 'REBALANCE_IN_PROGRESS'
    return this.#state === 'Empty' ? 'UNKNOWN_MEMBER_ID' : undefined
  }

  #rebalanceTimeoutMs(): number {
    return Math.max(0, ...[...this.members.values()].map((each) => each.rebalanceTimeoutMs))
  }

  #startPhase(delayMs: number, end: () => void): void {
    const { clock } = this.#deps
    this.#phaseTimer?.cancel()
    const dueMs = clock.monotonic() + delayMs
    this.#phaseTimer = clock.after(delayMs, () => {
      this.#phaseTimer = afterLastCall(clock, dueMs, end)
    })
  }

  #joinAnswer(member: GroupMember): JoinAnswer {
    const isLeader = member.memberId === this.leaderId
    return {
      memberId: member.memberId,
      generationId: this.generationId,
      protocolType: this.protocolType,
      protocolName: this.protocolName,
      leaderId: this.leaderId!,
      skipAssignment: false,
      members: isLeader ? [...this.members.values()].map((each) => this.#asListed(each)) : [],
    }
  }

  #asListed(member: GroupMember): JoinAnswer['members'][number] {
    return {
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      metadata: member.metadataFor(this.protocolName!)!,
    }
  }

  #syncAnswer(member: GroupMember): SyncAnswer {
    const { protocolType, protocolName } = this
    member.hasSynced = true
    return { protocolType, protocolName, assignment: member.assignment }
  }

  toRecord(): GroupRecord {
    return {
      protocolType: this.protocolType,
      generationId: this.generationId,
      protocolName: this.protocolName,
      leaderId: this.leaderId,
      sinceMs: this.sinceMs,
      members: [...this.members.values()].map((each) => each.toRecord()),
    }
  }
}
