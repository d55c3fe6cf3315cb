// GroupAdmin: administers consumer groups: their members, committed offsets and lag.
// Each request goes to the group's coordinator. Source: KIP-222, KIP-496 (offset deletion), KIP-518, KIP-1043.

import { offsetCommit } from '../../protocol/api/08_offset_commit.ts'
import { offsetFetch } from '../../protocol/api/09_offset_fetch.ts'
import { leaveGroup } from '../../protocol/api/13_leave_group.ts'
import { describeGroups } from '../../protocol/api/15_describe_groups.ts'
import { listGroups } from '../../protocol/api/16_list_groups.ts'
import { deleteGroups } from '../../protocol/api/42_delete_groups.ts'
import { offsetDelete } from '../../protocol/api/47_offset_delete.ts'
import { decodeAssignment, decodeSubscription } from '../../protocol/consumer-protocol.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { ResponseOf } from '../../protocol/schema.ts'
import {
  atPartition,
  Bounds,
  startAtEach,
  type PerPartition,
  type StartAt,
} from '../consumer/bounds.ts'
import { callOptions, callRows, type Call, type CallOptions } from '../call.ts'
import { check } from './check.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { committedIn, committedRequest } from '../cluster/committed-offsets.ts'
import { findNode } from '../cluster/coordinator-node.ts'
import { commitOf, type OffsetToCommit } from '../cluster/offset-to-commit.ts'
import { byTopic, partitionsOf } from '../cluster/leaders.ts'
import { askOffsets, LATEST } from '../cluster/offsets.ts'
import { checked, either, flag, listOf, oneOf, shape, text } from '../options.ts'
import {
  leaverOf,
  membersToRemove,
  removeOptions,
  type MemberToRemove,
  type RemoveOptions,
} from './member-removal.ts'
import { forEach, refusalOf, wholeOrPartial } from '../partial-error.ts'
import {
  byPlace,
  partitionText,
  recordPlace,
  topicOrPartition,
  type TopicLike,
  type TopicPartition,
} from '../topic.ts'

export type GroupState =
  | 'Empty'
  | 'PreparingRebalance'
  | 'CompletingRebalance'
  | 'Stable'
  | 'Dead'
  | 'Assigning'
  | 'Reconciling'

/** The protocol of the group: KIP-848 added `consumer`, KIP-932 `share`, KIP-1071 `streams`. */
export type GroupType = 'classic' | 'consumer' | 'share' | 'streams'

/** Values that a newer broker may return. */
type Newer = string & {}

export interface GroupListing {
  readonly group: string
  /** undefined from brokers before Kafka 2.6. */
  readonly state: GroupState | Newer | undefined
  /** undefined from brokers before Kafka 3.8. */
  readonly type: GroupType | Newer | undefined
  /** `consumer`, or another user of groups: `connect`, `sr`; empty until the first member joins. */
  readonly protocolType: string
}

export interface GroupFilter {
  /** Only groups in one of these states. */
  readonly states?: readonly GroupState[] | undefined
  readonly types?: readonly GroupType[] | undefined
}

export interface GroupDescription {
  readonly group: string
  readonly state: GroupState | Newer
  readonly protocolType: string
  /** The protocol that the members agreed on, for consumers their assignor; empty unless the group is stable. */
  readonly protocol: string
  /** Node id of the group's coordinator. */
  readonly coordinator: number
  readonly members: readonly GroupMember[]
}

export interface GroupMember {
  readonly memberId: string
  /** The `group.instance.id` of a static member. */
  readonly instanceId: string | undefined
  readonly clientId: string
  readonly host: string
  /** The topics that it subscribes to; undefined if the group is not of consumers. */
  readonly topics: readonly string[] | undefined
  /** The partitions that it reads; undefined if the group is not of consumers. */
  readonly partitions: readonly TopicPartition[] | undefined
  /** The subscription as the member wrote it; empty unless the group is stable. */
  readonly subscriptionBytes: Buffer
  /** The assignment as the group's leader wrote it; empty unless the group is stable. */
  readonly assignmentBytes: Buffer
}

export interface CommittedOffset extends TopicPartition {
  /** The next record to read. */
  readonly offset: number
  /** The string that the member committed with the offset. */
  readonly metadata: string
}

export interface PartitionLag extends TopicPartition {
  /** undefined: the group has no commit for the partition. */
  readonly committed: number | undefined
  /** End of the log; undefined if the partition no longer exists. */
  readonly end: number | undefined
  /** Records from the committed offset to the end; undefined if either is. */
  readonly lag: number | undefined
  /** The member that reads it; undefined if there is none, or `describe` does not support the group. */
  readonly memberId: string | undefined
}

export interface GroupLag {
  readonly group: string
  /** Sum of the known lags. */
  readonly total: number
  /** All partitions with a commit or a member, by topic and number. */
  readonly partitions: readonly PartitionLag[]
}

/** Where a group resumes: one position for all partitions, a function of the partition, or an offset for each. */
export type ResetTo = PerPartition<StartAt> | readonly OffsetToCommit[]

export interface ResetOptions extends CallOptions {
  /** Topics or single partitions. Default: all partitions for which the group has a commit. */
  readonly of?: readonly (TopicLike | TopicPartition)[] | undefined
  /** Return the new offsets without committing them. */
  readonly dryRun?: boolean | undefined
}

export interface OffsetReset extends OffsetToCommit {
  /** The committed offset before; undefined: there was none. */
  readonly committed: number | undefined
}

const groupId = text()
const groupList = listOf(groupId)
const placeList = listOf(topicOrPartition)
const listOptions = shape<CallOptions & GroupFilter>({
  ...callRows,
  states: listOf(
    oneOf(
      'Empty',
      'PreparingRebalance',
      'CompletingRebalance',
      'Stable',
      'Dead',
      'Assigning',
      'Reconciling',
    ),
  ),
  types: listOf(oneOf('classic', 'consumer', 'share', 'streams')),
})
const resetOptions = shape<ResetOptions>({ ...callRows, of: placeList, dryRun: flag })
const resetTo = either<ResetTo>(
  `${startAtEach.expected}, or an array of topics, partitions and offsets`,
  startAtEach,
  listOf(recordPlace),
)

/** `admin.groups`. Calls with several groups or partitions throw a `PartialError` if some fail. */
export class GroupAdmin {
  readonly #cluster: Cluster

  /** @internal */
  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /**
   * Every group of the cluster, by name.
   *
   * @throws {KafkaError} UNSUPPORTED_VERSION if a broker is too old for a filter
   */
  async list(options: CallOptions & GroupFilter = {}): Promise<GroupListing[]> {
    const { states: statesFilter = [], types: typesFilter = [] } = options
    const call = this.#cluster.call(checked('admin.groups.list', listOptions, options))
    return await this.#cluster.retrying(call, async () => {
      const { brokers } = await this.#cluster.describe([], call)
      const request = { statesFilter: [...statesFilter], typesFilter: [...typesFilter] }
      const answers = await Promise.all(
        brokers.map(({ id }) => this.#cluster.ask(listGroups, request, id, call)),
      )
      const groups = answers.flatMap((answer) => {
        check(answer.errorCode, 'ListGroups')
        return answer.groups.map(listingOf)
      })
      assertTold(groups, options)
      return groups.sort((a, b) => (a.group < b.group ? -1 : 1))
    })
  }

  /**
   * Describes groups of the classic protocol and their members.
   *
   * @throws {PartialError} with GROUP_ID_NOT_FOUND; with UNSUPPORTED_VERSION for a group of a newer protocol
   *   (KIP-848, KIP-932), which other APIs describe: `list`, `offsets`, `lag`, `reset` and `delete` support it
   */
  async describe(
    groups: readonly string[],
    options: CallOptions = {},
  ): Promise<GroupDescription[]> {
    checked('admin.groups.describe', groupList, groups, 'groups')
    const call = this.#cluster.call(checked('admin.groups.describe', callOptions, options))
    return await forEach(groups, (group) => this.#describe(group, call))
  }

  /** The group's committed offsets, by topic and number; none for a group that does not exist. */
  async offsets(group: string, options: CallOptions = {}): Promise<CommittedOffset[]> {
    checked('admin.groups.offsets', groupId, group, 'group')
    const call = this.#cluster.call(checked('admin.groups.offsets', callOptions, options))
    return await this.#offsets(group, call)
  }

  /** @throws {KafkaError} GROUP_ID_NOT_FOUND */
  async lag(group: string, options: CallOptions = {}): Promise<GroupLag> {
    checked('admin.groups.lag', groupId, group, 'group')
    const call = this.#cluster.call(checked('admin.groups.lag', callOptions, options))
    const [members, commits] = await Promise.all([
      this.#membersOf(group, call),
      this.#offsets(group, call),
    ])
    const committed = new Map(commits.map((each) => [partitionText(each), each.offset]))
    const memberIds = new Map<string, string>()
    const assigned = members.flatMap(({ memberId, partitions = [] }) => {
      for (const each of partitions) memberIds.set(partitionText(each), memberId)
      return partitions
    })
    const wanted = new Map([...commits, ...assigned].map((each) => [partitionText(each), each]))
    const ends = await this.#endOffsets([...wanted.values()], call)
    const partitions = [...wanted].map(([text, { topic, partition }]) => {
      const [from, end] = [committed.get(text), ends.get(text)]
      const lag = from === undefined || end === undefined ? undefined : Math.max(0, end - from)
      return { topic, partition, committed: from, end, lag, memberId: memberIds.get(text) }
    })
    const total = partitions.reduce((sum, { lag = 0 }) => sum + lag, 0)
    return { group, total, partitions: partitions.sort(byPlace) }
  }

  /**
   * Commits the offsets where the group resumes. An offset outside a log means its nearest end.
   * With `of`, or with an offset for each partition, it creates a group that does not exist.
   *
   * @returns the committed offsets, or those that it would commit without `dryRun`, by topic and number
   * @throws {KafkaError} NON_EMPTY_GROUP while the group has members, whose commits would overwrite it; GROUP_ID_NOT_FOUND
   */
  async reset(group: string, to: ResetTo, options: ResetOptions = {}): Promise<OffsetReset[]> {
    checked('admin.groups.reset', groupId, group, 'group')
    checked('admin.groups.reset', resetTo, to, 'to')
    const call = this.#cluster.call(checked('admin.groups.reset', resetOptions, options))
    const commits = await this.#offsets(group, call)
    const wanted = isList(to) ? to : options.of
    await this.#assertResettable(group, wanted !== undefined, call)
    const partitions =
      wanted === undefined ? commits : await partitionsOf(this.#cluster, wanted, call)
    const places = await this.#places(partitions, isList(to) ? placeIn(to) : to, call)
    const committed = new Map(commits.map((each) => [partitionText(each), each.offset]))
    const plan = places.map((each) => ({ ...each, committed: committed.get(partitionText(each)) }))
    if (options.dryRun !== true && plan.length > 0) await this.#commit(group, plan, call)
    return plan.sort(byPlace)
  }

  /** Deletes groups and their committed offsets. @throws {PartialError} with NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND */
  async delete(groups: readonly string[], options: CallOptions = {}): Promise<void> {
    checked('admin.groups.delete', groupList, groups, 'groups')
    const call = this.#cluster.call(checked('admin.groups.delete', callOptions, options))
    await forEach(groups, async (group) => {
      const request = { groupsNames: [group] }
      const { results } = await this.#askCoordinator(group, call, (coordinator) =>
        this.#cluster.ask(deleteGroups, request, coordinator, call),
      )
      const refusal = refusalOf(`group ${group}`, results[0])
      if (refusal !== undefined) throw refusal
    })
  }

  /**
   * Deletes committed offsets.
   *
   * @param of topics (all their partitions) or single partitions
   * @throws {PartialError} with GROUP_SUBSCRIBED_TO_TOPIC for topics that members still read
   */
  async deleteOffsets(
    group: string,
    of: readonly (TopicLike | TopicPartition)[],
    options: CallOptions = {},
  ): Promise<void> {
    checked('admin.groups.deleteOffsets', groupId, group, 'group')
    checked('admin.groups.deleteOffsets', placeList, of, 'of')
    const call = this.#cluster.call(checked('admin.groups.deleteOffsets', callOptions, options))
    const partitions = await partitionsOf(this.#cluster, of, call)
    const topics = byTopic(partitions, ({ partition }) => ({ partitionIndex: partition }))
    const answer = await this.#askCoordinator(group, call, async (coordinator) => {
      const asked = await this.#cluster.ask(
        offsetDelete,
        { groupId: group, topics },
        coordinator,
        call,
      )
      check(asked.errorCode, `group ${group}`)
      return asked
    })
    wholeOrPartial(outcomesOf(partitions, answer))
  }

  /**
   * Removes members, and the group rebalances: static ones that will not come back, or all, before a reset. Members
   * that still run join again by themselves.
   *
   * @param members default: all
   * @throws {PartialError} with UNKNOWN_MEMBER_ID
   */
  async removeMembers(
    group: string,
    members?: readonly MemberToRemove[],
    options: RemoveOptions = {},
  ): Promise<void> {
    checked('admin.groups.removeMembers', groupId, group, 'group')
    if (members !== undefined)
      checked('admin.groups.removeMembers', membersToRemove, members, 'members')
    const call = this.#cluster.call(checked('admin.groups.removeMembers', removeOptions, options))
    const named = members ?? (await this.#membersOf(group, call))
    if (named.length === 0) return
    const leavers = named.map((each) => leaverOf(each, options.reason))
    const request = { groupId: group, members: leavers }
    const answer = await this.#askCoordinator(group, call, async (coordinator) => {
      const left = await this.#cluster.ask(leaveGroup, request, coordinator, call, 3)
      check(left.errorCode, `group ${group}`)
      return left
    })
    const outcomes = named.map((each, i) => {
      const { memberId, groupInstanceId } = leavers[i]!
      return refusalOf(`member ${groupInstanceId ?? memberId}`, answer.members[i]) ?? each
    })
    wholeOrPartial(outcomes)
  }

  async #describe(group: string, call: Call): Promise<GroupDescription> {
    return await this.#askCoordinator(group, call, async (coordinator) => {
      const request = { groups: [group] }
      const answer = await this.#cluster.ask(describeGroups, request, coordinator, call)
      const described = answer.groups[0]
      const refusal = refusalOf(`group ${group}`, described)
      if (refusal !== undefined && refusal.code !== 'GROUP_ID_NOT_FOUND') throw refusal
      if (refusal !== undefined || described!.groupState === 'Dead')
        throw newer(group, await this.#typeOf(group, coordinator, call)) ?? notFound(group)
      return descriptionOf(described!, coordinator)
    })
  }

  /** Empty for a group of a newer protocol. @throws {KafkaError} GROUP_ID_NOT_FOUND */
  async #membersOf(group: string, call: Call): Promise<readonly GroupMember[]> {
    try {
      return (await this.#describe(group, call)).members
    } catch (error) {
      if (error instanceof KafkaError && error.code === 'UNSUPPORTED_VERSION') return []
      throw error
    }
  }

  /** @returns undefined if the group does not exist, or its broker is too old to have types */
  async #typeOf(group: string, coordinator: number, call: Call): Promise<string | undefined> {
    const answer = await this.#cluster.ask(listGroups, {}, coordinator, call)
    check(answer.errorCode, 'ListGroups')
    return answer.groups.find(({ groupId }) => groupId === group)?.groupType
  }

  async #offsets(group: string, call: Call): Promise<CommittedOffset[]> {
    return await this.#askCoordinator(group, call, async (coordinator) => {
      const request = committedRequest(group, null)
      const answer = await this.#cluster.ask(offsetFetch, request, coordinator, call)
      return committedIn(group, answer, check).sort(byPlace)
    })
  }

  /** @returns the ends by `partitionText`, without partitions that do not exist */
  async #endOffsets(of: readonly TopicPartition[], call: Call): Promise<Map<string, number>> {
    if (of.length === 0) return new Map()
    const names = [...new Set(of.map(({ topic }) => topic))]
    await this.#cluster.retrying(call, () => this.#cluster.describe(names, call))
    const questions = of
      .filter(({ topic, partition }) => this.#cluster.topic(topic)?.partitions[partition])
      .map(({ topic, partition }) => ({ topic, partition, timestamp: LATEST }))
    const answers = wholeOrPartial(await askOffsets(this.#cluster, questions, call))
    return new Map(answers.map((each) => [partitionText(each), each.offset]))
  }

  async #assertResettable(group: string, mayBeNew: boolean, call: Call): Promise<void> {
    try {
      const members = await this.#membersOf(group, call)
      if (members.length > 0) throw notEmpty(group, members)
    } catch (error) {
      const isMissing = error instanceof KafkaError && error.code === 'GROUP_ID_NOT_FOUND'
      if (!isMissing || !mayBeNew) throw error
    }
  }

  /** Turns the positions into offsets within each log. */
  async #places(
    partitions: readonly TopicPartition[],
    to: PerPartition<StartAt>,
    call: Call,
  ): Promise<OffsetToCommit[]> {
    const bounds = new Bounds(this.#cluster, call, partitions)
    return await Promise.all(
      partitions.map(async ({ topic, partition }) => {
        const where = { topic, partition }
        const [offset, earliest, latest] = await Promise.all([
          bounds.start(where, atPartition(to, where)),
          bounds.start(where, 'earliest'),
          bounds.start(where, 'latest'),
        ])
        return { ...where, offset: Math.min(Math.max(offset, earliest), latest) }
      }),
    )
  }

  /** Commits without a member id, which the coordinator allows while the group is empty. */
  async #commit(group: string, offsets: readonly OffsetToCommit[], call: Call): Promise<void> {
    const topics = byTopic(offsets, commitOf)
    await this.#askCoordinator(group, call, async (coordinator) => {
      const answer = await this.#cluster.ask(
        offsetCommit,
        { groupId: group, topics },
        coordinator,
        call,
      )
      const outcomes = outcomesOf(offsets, answer)
      const refusals = outcomes.filter((each) => each instanceof KafkaError)
      if (refusals.some(({ code }) => code === 'UNKNOWN_MEMBER_ID')) throw notEmpty(group)
      const passing = refusals.find(({ retriable }) => retriable)
      if (passing !== undefined) throw passing
      wholeOrPartial(outcomes)
    })
  }

  /** Retries, and finds the coordinator again if it has moved or is not ready yet. */
  async #askCoordinator<R>(
    group: string,
    call: Call,
    ask: (coordinator: number) => Promise<R>,
  ): Promise<R> {
    return await this.#cluster.retrying(call, async () =>
      ask(await findNode(this.#cluster, 'group', group, call)),
    )
  }
}

function notFound(group: string): KafkaError {
  return new KafkaError('GROUP_ID_NOT_FOUND', `there is no group ${group}`)
}

/** DescribeGroups supports classic groups only. @returns undefined for a classic group, and for one that does not exist */
function newer(group: string, type: string | undefined): KafkaError | undefined {
  if (type === undefined || type === '' || type === 'classic') return undefined
  const what = `group ${group} is of type ${type}: its members are not to be had from this client`
  return new KafkaError('UNSUPPORTED_VERSION', what)
}

function notEmpty(group: string, members: readonly GroupMember[] = []): KafkaError {
  const who = [...new Set(members.map(({ clientId, host }) => `${clientId} at ${host}`))]
  const named = who.length === 0 ? '' : ` (${who.slice(0, 5).join(', ')})`
  const what = `group ${group} has active members${named}: they would commit over it, stop them first`
  return new KafkaError('NON_EMPTY_GROUP', what)
}

/** Brokers ignore a filter that they do not know. */
function assertTold(groups: readonly GroupListing[], { states, types }: GroupFilter): void {
  const isUntold = groups.some(
    ({ state, type }) =>
      (states?.length && state === undefined) || (types?.length && type === undefined),
  )
  if (isUntold)
    throw new KafkaError(
      'UNSUPPORTED_VERSION',
      'a broker does not tell what groups are filtered by',
    )
}

function listingOf(each: ResponseOf<typeof listGroups>['groups'][number]): GroupListing {
  return {
    group: each.groupId,
    state: each.groupState === '' ? undefined : each.groupState,
    type: each.groupType === '' ? undefined : each.groupType,
    protocolType: each.protocolType,
  }
}

type DescribedGroup = ResponseOf<typeof describeGroups>['groups'][number]

function descriptionOf(group: DescribedGroup, coordinator: number): GroupDescription {
  const { groupId, groupState, protocolType, protocolData, members } = group
  return {
    group: groupId,
    state: groupState,
    protocolType,
    protocol: protocolData,
    coordinator,
    members: members.map((member) => memberOf(member, protocolType === 'consumer')),
  }
}

function memberOf(member: DescribedGroup['members'][number], isConsumer: boolean): GroupMember {
  const { memberId, groupInstanceId, clientId, clientHost } = member
  const { topics, partitions } = isConsumer ? readingOf(member) : {}
  return {
    memberId,
    instanceId: groupInstanceId ?? undefined,
    clientId,
    host: clientHost.replace(/^\//, ''), // Apache Kafka writes it as Java prints an address
    topics,
    partitions,
    subscriptionBytes: Buffer.from(member.memberMetadata),
    assignmentBytes: Buffer.from(member.memberAssignment),
  }
}

/** Bytes that are no consumer subscription or assignment stay opaque. */
function readingOf({ memberMetadata, memberAssignment }: DescribedGroup['members'][number]): {
  topics?: readonly string[]
  partitions?: TopicPartition[]
} {
  try {
    const topics = memberMetadata.length === 0 ? [] : decodeSubscription(memberMetadata).topics
    const { assignedPartitions } = decodeAssignment(memberAssignment)
    const partitions = assignedPartitions.flatMap((each) =>
      each.partitions.map((partition) => ({ topic: each.topic, partition })),
    )
    return { topics, partitions: partitions.sort(byPlace) }
  } catch (error) {
    if (error instanceof KafkaError) return {}
    throw error
  }
}

/** @returns for each partition the partition itself, or its error */
function outcomesOf(
  partitions: readonly TopicPartition[],
  { topics }: Pick<ResponseOf<typeof offsetDelete>, 'topics'>,
): (TopicPartition | KafkaError)[] {
  const answers = new Map(
    topics.flatMap((topic) =>
      topic.partitions.map((each) => [
        partitionText({ topic: topic.name, partition: each.partitionIndex }),
        each,
      ]),
    ),
  )
  return partitions.map((each) => {
    const text = partitionText(each)
    return refusalOf(text, answers.get(text)) ?? each
  })
}

function isList(to: ResetTo): to is readonly OffsetToCommit[] {
  return Array.isArray(to)
}

function placeIn(offsets: readonly OffsetToCommit[]): (of: TopicPartition) => number {
  const byText = new Map(offsets.map((each) => [partitionText(each), each.offset]))
  return (of) => byText.get(partitionText(of))!
}
