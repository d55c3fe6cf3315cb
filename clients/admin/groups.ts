// GroupAdmin: consumer groups seen from outside: who is in them, what they have committed, how far behind they are.
// Each question goes to the broker that keeps the group. Source: KIP-222, KIP-496 (offset deletion), KIP-518, KIP-1043.

import { offsetCommit } from '../../protocol/api/08_offset_commit.ts'
import { offsetFetch } from '../../protocol/api/09_offset_fetch.ts'
import { leaveGroup } from '../../protocol/api/13_leave_group.ts'
import { describeGroups } from '../../protocol/api/15_describe_groups.ts'
import { listGroups } from '../../protocol/api/16_list_groups.ts'
import { deleteGroups } from '../../protocol/api/42_delete_groups.ts'
import { offsetDelete } from '../../protocol/api/47_offset_delete.ts'
import { decodeAssignment, decodeSubscription } from '../../protocol/consumer-protocol.ts'
import { errorName, KafkaError } from '../../protocol/errors.ts'
import type { ResponseOf } from '../../protocol/schema.ts'
import {
  atPartition,
  Bounds,
  startAtEach,
  type PerPartition,
  type StartAt,
} from '../consumer/bounds.ts'
import { callOptions, callRows, type Call, type CallOptions } from '../call.ts'
import type { Cluster } from '../cluster/cluster.ts'
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
import { refusalOf, wholeOrPartial } from '../partial-error.ts'
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

/** By which protocol its members share: KIP-848 brought `consumer`, KIP-932 `share`, KIP-1071 `streams`. */
export type GroupType = 'classic' | 'consumer' | 'share' | 'streams'

/** What a broker that is newer than this client may say besides. */
type Newer = string & {}

export interface GroupListing {
  readonly group: string
  /** undefined from brokers before Kafka 2.6. */
  readonly state: GroupState | Newer | undefined
  /** undefined from brokers before Kafka 3.8. */
  readonly type: GroupType | Newer | undefined
  /** `consumer`, or what else uses groups: `connect`, `sr`; empty when nobody has joined yet. */
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
  /** What the members have agreed on, for consumers their assignor; empty unless the group is stable. */
  readonly protocol: string
  /** Node id of the broker that keeps the group. */
  readonly coordinator: number
  readonly members: readonly GroupMember[]
}

export interface GroupMember {
  readonly memberId: string
  /** Of a static member. */
  readonly instanceId: string | undefined
  readonly clientId: string
  readonly host: string
  /** What it wants to read; undefined when the group is not of consumers. */
  readonly topics: readonly string[] | undefined
  /** What it reads; undefined when the group is not of consumers. */
  readonly partitions: readonly TopicPartition[] | undefined
  /** As the member wrote it; empty unless the group is stable. */
  readonly subscriptionBytes: Buffer
  /** As the group's leader wrote it; empty unless the group is stable. */
  readonly assignmentBytes: Buffer
}

export interface CommittedOffset extends TopicPartition {
  /** Of the next record to read. */
  readonly offset: number
  /** What the member wrote beside it. */
  readonly metadata: string
}

export interface PartitionLag extends TopicPartition {
  /** undefined: nothing is committed. */
  readonly committed: number | undefined
  /** End of the log; undefined when the partition does not exist any more. */
  readonly end: number | undefined
  /** Records from the one to the other; undefined when either is. */
  readonly lag: number | undefined
  /** Who reads it now; undefined when nobody does, or when the group does not tell: see `describe`. */
  readonly memberId: string | undefined
}

export interface GroupLag {
  readonly group: string
  /** Sum of what is known. */
  readonly total: number
  /** All that are committed or assigned, by topic and number. */
  readonly partitions: readonly PartitionLag[]
}

/** Where a group is to go on: one place for all partitions, a function of the partition, or offsets one by one. */
export type ResetTo = PerPartition<StartAt> | readonly OffsetToCommit[]

export interface ResetOptions extends CallOptions {
  /** Topics or single partitions. Default: all for which the group has committed. */
  readonly of?: readonly (TopicLike | TopicPartition)[] | undefined
  /** Only say what would be committed. */
  readonly dryRun?: boolean | undefined
}

export interface OffsetReset extends OffsetToCommit {
  /** What was committed before; undefined: nothing. */
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

/** `admin.groups`. Calls about several groups or partitions throw a `PartialError` when some fail. */
export class GroupAdmin {
  readonly #cluster: Cluster

  /** @internal */
  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /**
   * Every group of the cluster, by name.
   *
   * @throws {KafkaError} UNSUPPORTED_VERSION when a broker is too old to tell what is filtered by
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
   * Groups of the classic protocol and their members.
   *
   * @throws {PartialError} GROUP_ID_NOT_FOUND among its refusals; UNSUPPORTED_VERSION for a group of a newer protocol
   *   (KIP-848, KIP-932), whose members are not to be had: `list`, `offsets`, `lag`, `reset` and `delete` know it
   */
  async describe(
    groups: readonly string[],
    options: CallOptions = {},
  ): Promise<GroupDescription[]> {
    checked('admin.groups.describe', groupList, groups, 'groups')
    const call = this.#cluster.call(checked('admin.groups.describe', callOptions, options))
    return await eachGroup(groups, (group) => this.#describe(group, call))
  }

  /** What the group has committed, by topic and number; nothing for a group that does not exist. */
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
   * Commits where the group is to go on. An offset outside a log means its nearest end.
   * With `of`, a group that does not exist is created; offsets one by one need no `of`.
   *
   * @returns what is committed now, or with `dryRun` would be, by topic and number
   * @throws {KafkaError} NON_EMPTY_GROUP while it has members, which would commit over it; GROUP_ID_NOT_FOUND
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

  /** Deletes groups and what they have committed. @throws {PartialError} NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND among its refusals */
  async delete(groups: readonly string[], options: CallOptions = {}): Promise<void> {
    checked('admin.groups.delete', groupList, groups, 'groups')
    const call = this.#cluster.call(checked('admin.groups.delete', callOptions, options))
    await eachGroup(groups, async (group) => {
      const request = { groupsNames: [group] }
      const { results } = await this.#askCoordinator(group, call, (coordinator) =>
        this.#cluster.ask(deleteGroups, request, coordinator, call),
      )
      const refusal = refusalOf(`group ${group}`, results[0])
      if (refusal !== undefined) throw refusal
    })
  }

  /**
   * Forgets what was committed.
   *
   * @param of topics (all their partitions) or single partitions
   * @throws {PartialError} GROUP_SUBSCRIBED_TO_TOPIC for what members still read
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
   * Puts members out, and the group shares anew: static ones that will not come back, or all, before a reset. Members
   * that live join again by themselves.
   *
   * @param members default: all
   * @throws {PartialError} UNKNOWN_MEMBER_ID among its refusals
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

  /** None that are known of a group of a newer protocol. @throws {KafkaError} GROUP_ID_NOT_FOUND */
  async #membersOf(group: string, call: Call): Promise<readonly GroupMember[]> {
    try {
      return (await this.#describe(group, call)).members
    } catch (error) {
      if (error instanceof KafkaError && error.code === 'UNSUPPORTED_VERSION') return []
      throw error
    }
  }

  /** @returns undefined when there is no such group, or its broker is too old for other types than one */
  async #typeOf(group: string, coordinator: number, call: Call): Promise<string | undefined> {
    const answer = await this.#cluster.ask(listGroups, {}, coordinator, call)
    check(answer.errorCode, 'ListGroups')
    return answer.groups.find(({ groupId }) => groupId === group)?.groupType
  }

  async #offsets(group: string, call: Call): Promise<CommittedOffset[]> {
    return await this.#askCoordinator(group, call, async (coordinator) => {
      const request = { groupId: group, topics: null, groups: [{ groupId: group, topics: null }] }
      const answer = await this.#cluster.ask(offsetFetch, request, coordinator, call)
      const { errorCode, topics } = answer.groups[0] ?? answer
      check(errorCode, `group ${group}`)
      const committed = topics.flatMap(({ name, partitions }) =>
        partitions.map((each) => {
          check(each.errorCode, `group ${group}: ${name}-${each.partitionIndex}`)
          const { partitionIndex: partition, committedOffset: offset, metadata } = each
          return { topic: name, partition, offset, metadata: metadata ?? '' }
        }),
      )
      return committed.filter(({ offset }) => offset >= 0).sort(byPlace)
    })
  }

  /** @returns end by `partitionText`; partitions that do not exist are not in it */
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

  /** Looks the places up, within the bounds of each log. */
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

  /** From outside the group, which its coordinator allows while it is empty. */
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

  /** Asks again, and who the coordinator is too, when it has moved or is not ready yet. */
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

/** @throws {PartialError} when any fails */
async function eachGroup<R>(
  groups: readonly string[],
  ask: (group: string) => Promise<R>,
): Promise<R[]> {
  const asked = groups.map((group) =>
    ask(group).catch((error: unknown) => {
      if (error instanceof KafkaError) return error
      throw error
    }),
  )
  return wholeOrPartial(await Promise.all(asked))
}

function check(errorCode: number, what: string): void {
  const error = errorName(errorCode)
  if (error !== undefined) throw new KafkaError(error, what)
}

function notFound(group: string): KafkaError {
  return new KafkaError('GROUP_ID_NOT_FOUND', `there is no group ${group}`)
}

/** DescribeGroups knows classic groups only. @returns undefined for those, and for none */
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

/** Brokers ignore a filter that is newer than they are. */
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

/** What is not as consumers write it stays opaque. */
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

/** @returns for each partition itself, or how it was refused */
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
