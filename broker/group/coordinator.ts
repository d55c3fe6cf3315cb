// GroupCoordinator: answers clients' requests about groups, by the id of the group: the classic protocol, commits,
// and deletion of offsets. Network thread; knows no sockets and no wire format. An answer comes once the state that
// it promises is durable. Groups of every type are made here and live in the registry. Source: KIP-62, KIP-345,
// KIP-447

import type { ErrorName } from '../../protocol/errors.ts'
import type { Clock } from '../../storage/clock.ts'
import type { ConfigTable, ConfigView } from '../config-view.ts'
import type { BrokerConfig } from '../config.ts'
import { ClassicGroup, type ClassicGroupDeps } from './classic.ts'
import { Commits } from './commits.ts'
import type { PartitionOffset } from './committed-offsets.ts'
import type { Group } from './group.ts'
import {
  refusedJoin,
  refusedSync,
  type JoinAnswer,
  type JoinRequest,
  type MemberIdentity,
  type RebalanceReason,
  type SyncAnswer,
  type SyncRequest,
} from './messages.ts'
import { GroupRegistry } from './registry.ts'
import type { GroupStateTable, OffsetProducer } from './state-table.ts'

const MINUTE_MS = 60_000

export const groupConfigs = {
  sessionTimeoutMsMin: 'group.min.session.timeout.ms',
  sessionTimeoutMsMax: 'group.max.session.timeout.ms',
  initialRebalanceDelayMs: 'group.initial.rebalance.delay.ms',
  membersMax: 'group.max.size',
  offsetsRetentionMs: (config: BrokerConfig) => config['offsets.retention.minutes'] * MINUTE_MS,
  offsetsRetentionCheckMs: 'offsets.retention.check.interval.ms',
} as const satisfies ConfigTable

export type GroupConfig = ConfigView<typeof groupConfigs>

export interface GroupCoordinatorDeps {
  readonly clock: Clock
  readonly table: GroupStateTable
  readonly config: GroupConfig
  readonly newMemberId: (prefix: string) => string
  /** Offsets of a deleted topic are dropped. */
  readonly topicExists: (topic: string) => boolean
  readonly subscribedTopics: ClassicGroupDeps['subscribedTopics']
  readonly onRebalance: (groupId: string, reason: RebalanceReason) => void
  /** A generation of the group has begun. For the log. */
  readonly onStable?: (groupId: string, generationId: number, memberCount: number) => void
}

export interface CommitRequest extends MemberIdentity {
  readonly groupId: string
  /** -1 for a commit without membership. */
  readonly generationId: number
  readonly offsets: readonly PartitionOffset[]
  /** The error of a commit with a generation to a missing group: it depends on the request's version. */
  readonly unknownGroupError: ErrorName
}

export class GroupCoordinator {
  readonly groups: GroupRegistry
  readonly commits: Commits
  readonly #deps: GroupCoordinatorDeps

  constructor(deps: GroupCoordinatorDeps) {
    const { clock, config, table, topicExists } = deps
    this.#deps = deps
    this.commits = new Commits(table)
    this.groups = new GroupRegistry({ clock, commits: this.commits, topicExists, ...config })
    for (const entry of table.entries()) {
      if (entry.value === null) continue
      if (entry.kind === 'offset') this.commits.load(entry.key, entry.value)
      else {
        const { groupId } = entry
        this.groups.add(ClassicGroup.restore(groupId, entry.value, this.#depsOf(groupId)))
      }
    }
    for (const groupId of this.commits.groupIds()) this.#getOrCreate(groupId)
  }

  // The classic protocol

  async join(groupId: string, request: JoinRequest): Promise<JoinAnswer> {
    const refuse = (error: ErrorName): JoinAnswer => refusedJoin(error, request.memberId)
    if (groupId === '') return refuse('INVALID_GROUP_ID')
    const { sessionTimeoutMsMin, sessionTimeoutMsMax } = this.#deps.config
    const { sessionTimeoutMs } = request
    if (sessionTimeoutMs < sessionTimeoutMsMin || sessionTimeoutMs > sessionTimeoutMsMax) {
      return refuse('INVALID_SESSION_TIMEOUT')
    }
    if (this.groups.get(groupId) === undefined && request.memberId !== '') {
      return refuse('UNKNOWN_MEMBER_ID')
    }
    if (request.protocolType === '' || request.protocols.length === 0) {
      return refuse('INCONSISTENT_GROUP_PROTOCOL')
    }
    const group = this.#getOrCreate(groupId)
    return isClassic(group) ? group.join(request) : refuse('INCONSISTENT_GROUP_PROTOCOL')
  }

  async sync(groupId: string, request: SyncRequest): Promise<SyncAnswer> {
    if (groupId === '') return refusedSync('INVALID_GROUP_ID')
    return this.#classic(groupId)?.sync(request) ?? refusedSync('UNKNOWN_MEMBER_ID')
  }

  heartbeat(
    groupId: string,
    identity: MemberIdentity,
    generationId: number,
  ): ErrorName | undefined {
    if (groupId === '') return 'INVALID_GROUP_ID'
    const group = this.#classic(groupId)
    return group === undefined ? 'UNKNOWN_MEMBER_ID' : group.heartbeat(identity, generationId)
  }

  leave(groupId: string, identity: MemberIdentity): ErrorName | undefined {
    const group = this.#classic(groupId)
    return group === undefined ? 'UNKNOWN_MEMBER_ID' : group.leave(identity)
  }

  // Offsets

  /** @returns one outcome for all: the caller has already refused single partitions. Durable when it resolves. */
  async commit(request: CommitRequest): Promise<ErrorName | undefined> {
    const { groupId, generationId, offsets } = request
    const group = this.groups.get(groupId)
    if (group === undefined && generationId >= 0) return request.unknownGroupError
    const error = group?.checkCommit(request, generationId)
    if (error !== undefined || offsets.length === 0) return error
    this.#getOrCreate(groupId)
    return this.commits.commit(groupId, offsets)
  }

  /** TxnOffsetCommit: as `commit`, but the offsets count once the transaction of this producer has committed. */
  async commitPending(
    producer: OffsetProducer,
    request: CommitRequest,
  ): Promise<ErrorName | undefined> {
    const { groupId, generationId, offsets } = request
    const group = this.groups.get(groupId)
    if (group === undefined && generationId >= 0) return request.unknownGroupError
    const error = group?.checkPendingCommit(request, generationId)
    if (error !== undefined || offsets.length === 0) return error
    this.#getOrCreate(groupId)
    return this.commits.commitPending(producer, groupId, offsets)
  }

  /** OffsetDelete. @returns an error for all, or one for each topic whose offsets must stay */
  async deleteOffsets(
    groupId: string,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<ErrorName | Map<string, ErrorName>> {
    const group = this.groups.get(groupId)
    if (group === undefined) return 'GROUP_ID_NOT_FOUND'
    const error = group.checkOffsetDelete()
    if (error !== undefined) return error
    const subscribed = group.subscribedTopics()
    const isSubscribed = (topic: string): boolean => subscribed?.has(topic) ?? true
    const refused = new Map<string, ErrorName>()
    for (const { topic } of partitions) {
      if (isSubscribed(topic)) refused.set(topic, 'GROUP_SUBSCRIBED_TO_TOPIC')
    }
    const deleted = partitions.filter(({ topic }) => !refused.has(topic))
    return (await this.commits.delete(groupId, deleted)) ?? refused
  }

  close(): void {
    this.groups.close()
  }

  #classic(groupId: string): ClassicGroup | undefined {
    const group = this.groups.get(groupId)
    return isClassic(group) ? group : undefined
  }

  /** An id that no group has becomes a classic group, as in Apache Kafka. */
  #getOrCreate(groupId: string): Group {
    const group = this.groups.get(groupId)
    return group ?? this.groups.add(new ClassicGroup(groupId, this.#depsOf(groupId)))
  }

  #depsOf(groupId: string): ClassicGroupDeps {
    const { clock, table, config, newMemberId, subscribedTopics, onRebalance, onStable } =
      this.#deps
    return {
      clock,
      config,
      newMemberId,
      subscribedTopics,
      persist: (value) => table.put([{ kind: 'group', groupId, value }]),
      onRebalance: (reason) => onRebalance(groupId, reason),
      onStable: (generationId, memberCount) => onStable?.(groupId, generationId, memberCount),
    }
  }
}

function isClassic(group: Group | undefined): group is ClassicGroup {
  return group instanceof ClassicGroup
}
