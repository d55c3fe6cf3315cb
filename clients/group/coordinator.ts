// Coordinator: the broker that keeps a group, found when needed and asked over sockets of the group's own, so that a
// join that waits for others holds up neither fetches nor commits.

import { offsetCommit } from '../../protocol/api/08_offset_commit.ts'
import { offsetFetch } from '../../protocol/api/09_offset_fetch.ts'
import { findCoordinator } from '../../protocol/api/10_find_coordinator.ts'
import { errorName, KafkaError, type ErrorName } from '../../protocol/errors.ts'
import type { Api, RequestInput, ResponseOf } from '../../protocol/schema.ts'
import type { Call } from '../call.ts'
import type { Cluster } from '../cluster.ts'
import { byTopic } from '../leaders.ts'
import type { Lane } from '../net/lane.ts'
import { partitionText, type TopicPartition } from '../topic.ts'

/** The group has another coordinator now, or will have in a moment. */
const MOVED: ReadonlySet<ErrorName> = new Set([
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'NETWORK_EXCEPTION',
  'REQUEST_TIMED_OUT',
  'LEADER_NOT_AVAILABLE',
])

const GROUP_KEY_TYPE = 0

/** Who asks, as of some generation. */
export interface MemberState {
  readonly memberId: string
  readonly generationId: number
  readonly groupInstanceId: string | null
}

export interface OffsetToCommit extends TopicPartition {
  /** Of the next record to read. */
  readonly offset: number
  /** Kept beside it, for whoever looks: at most `offset.metadata.max.bytes` (4,096) of the broker. */
  readonly metadata?: string | undefined
}

export class Coordinator {
  readonly groupId: string
  readonly #cluster: Cluster
  readonly #members: Lane
  readonly #aside: Lane
  #nodeId: number | undefined

  constructor(cluster: Cluster, groupId: string) {
    this.groupId = groupId
    this.#cluster = cluster
    this.#members = cluster.newLane()
    this.#aside = cluster.newLane()
  }

  close(): void {
    this.#cluster.closeLane(this.#members)
    this.#cluster.closeLane(this.#aside)
  }

  /**
   * One request about membership.
   *
   * @param patienceMs how long the coordinator may sit on it beyond the ordinary timeout
   * @throws {KafkaError} what the socket met; an error in the answer is the caller's: see `check`
   */
  ask<A extends Api<any, any>>(
    api: A,
    request: RequestInput<A>,
    call: Call,
    patienceMs = 0,
  ): Promise<ResponseOf<A>> {
    return this.#ask(this.#members, api, request, call, patienceMs)
  }

  /** The same, past whatever membership request is still waiting for its answer. */
  askAside<A extends Api<any, any>>(
    api: A,
    request: RequestInput<A>,
    call: Call,
  ): Promise<ResponseOf<A>> {
    return this.#ask(this.#aside, api, request, call)
  }

  /** @throws {KafkaError} what an answer says; a coordinator that is none is looked for anew */
  check(errorCode: number, what: string): void {
    const error = errorName(errorCode)
    if (error === undefined) return
    if (MOVED.has(error)) this.#nodeId = undefined
    throw new KafkaError(error, `group ${this.groupId}: ${what}`)
  }

  /** Durable when it resolves. @throws {KafkaError} the first refusal; nothing is retried */
  async commit(offsets: readonly OffsetToCommit[], member: MemberState, call: Call): Promise<void> {
    const answer = await this.askAside(
      offsetCommit,
      {
        groupId: this.groupId,
        generationIdOrMemberEpoch: member.generationId,
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        topics: byTopic(offsets, commitOf),
      },
      call,
    )
    for (const { name, partitions } of answer.topics) {
      for (const { partitionIndex, errorCode } of partitions) {
        this.check(
          errorCode,
          `commit of ${partitionText({ topic: name, partition: partitionIndex })}`,
        )
      }
    }
  }

  /** @returns offset by `partitionText`; a partition without a commit is not in it */
  async committed(partitions: readonly TopicPartition[], call: Call): Promise<Map<string, number>> {
    const { groupId } = this
    const topics = byTopic(partitions, ({ partition }) => partition).map((each) => ({
      name: each.name,
      partitionIndexes: each.partitions,
    }))
    const answer = await this.askAside(
      offsetFetch,
      { groupId, topics, groups: [{ groupId, topics }], requireStable: true },
      call,
    )
    const group = answer.groups[0] ?? answer
    this.check(group.errorCode, 'committed offsets')
    const offsets = new Map<string, number>()
    for (const topic of group.topics) {
      for (const { partitionIndex, committedOffset, errorCode } of topic.partitions) {
        const where = partitionText({ topic: topic.name, partition: partitionIndex })
        this.check(errorCode, `committed offset of ${where}`)
        if (committedOffset >= 0) offsets.set(where, committedOffset)
      }
    }
    return offsets
  }

  async #ask<A extends Api<any, any>>(
    lane: Lane,
    api: A,
    request: RequestInput<A>,
    call: Call,
    patienceMs = 0,
  ): Promise<ResponseOf<A>> {
    try {
      this.#nodeId ??= await findGroupCoordinator(this.#cluster, this.groupId, call)
      const connection = await this.#cluster.connection(this.#nodeId, lane, call)
      const version = connection.version(api)
      return await call.wait(connection.request(api, version, request, patienceMs))
    } catch (error) {
      if (error instanceof KafkaError && MOVED.has(error.code)) this.#nodeId = undefined
      throw error
    }
  }
}

/** As OffsetCommit writes it. */
export function commitOf({ partition, offset, metadata = '' }: OffsetToCommit) {
  return { partitionIndex: partition, committedOffset: offset, committedMetadata: metadata }
}

/** @returns the node id of the broker that keeps the group; @throws {KafkaError} retriable ones among them */
export async function findGroupCoordinator(
  cluster: Cluster,
  groupId: string,
  call: Call,
): Promise<number> {
  const request = { key: groupId, keyType: GROUP_KEY_TYPE, coordinatorKeys: [groupId] }
  const answer = await cluster.ask(findCoordinator, request, 'any', call)
  const { errorCode, nodeId } = answer.coordinators[0] ?? answer
  const error = errorName(errorCode)
  if (error !== undefined) throw new KafkaError(error, `group ${groupId}: its coordinator`)
  if (!cluster.knows(nodeId)) await cluster.describe([], call)
  return nodeId
}
