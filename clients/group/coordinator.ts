// Coordinator: sends a group's requests to its coordinator, found when needed. The group has sockets of its own, so
// that a join that waits for other members delays neither fetches nor commits.

import { offsetCommit } from '../../protocol/api/08_offset_commit.ts'
import { offsetFetch } from '../../protocol/api/09_offset_fetch.ts'
import type { Api, RequestInput, ResponseOf } from '../../protocol/schema.ts'
import type { Call } from '../call.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { committedIn, committedRequest, type Committed } from '../cluster/committed-offsets.ts'
import { CoordinatorNode, type AskOptions } from '../cluster/coordinator-node.ts'
import { events, tell } from '../events.ts'
import { byTopic } from '../cluster/leaders.ts'
import { commitOf, type OffsetToCommit } from '../cluster/offset-to-commit.ts'
import type { Lane } from '../net/lane.ts'
import { partitionText, type TopicPartition } from '../topic.ts'

/** A member in a generation. */
export interface MemberState {
  readonly memberId: string
  readonly generationId: number
  readonly groupInstanceId: string | null
}

export class Coordinator {
  readonly groupId: string
  readonly #cluster: Cluster
  readonly #node: CoordinatorNode
  readonly #members: Lane
  readonly #aside: Lane

  constructor(cluster: Cluster, groupId: string) {
    this.groupId = groupId
    this.#cluster = cluster
    this.#node = new CoordinatorNode(cluster, 'group', groupId)
    this.#members = cluster.newLane()
    this.#aside = cluster.newLane()
  }

  close(): void {
    this.#cluster.closeLane(this.#members)
    this.#cluster.closeLane(this.#aside)
  }

  /**
   * Sends a membership request; such requests wait for each other.
   *
   * @param patienceMs how much longer than the ordinary timeout the coordinator may take
   * @throws {KafkaError} the socket's error; the caller handles errors in the answer: see `check`
   */
  ask<A extends Api<any, any>>(
    api: A,
    request: RequestInput<A>,
    call: Call,
    patienceMs = 0,
  ): Promise<ResponseOf<A>> {
    return this.#node.ask(this.#members, api, request, call, { patienceMs })
  }

  /** As `ask`, without waiting for a membership request in flight. */
  askAside<A extends Api<any, any>>(
    api: A,
    request: RequestInput<A>,
    call: Call,
    options?: AskOptions,
  ): Promise<ResponseOf<A>> {
    return this.#node.ask(this.#aside, api, request, call, options)
  }

  /** @throws {KafkaError} an answer's error; if the broker is not the coordinator, the next call finds it again */
  check(errorCode: number, what: string): void {
    this.#node.check(errorCode, what)
  }

  /** Durable when it resolves. @throws {KafkaError} the first refusal; the caller retries */
  async commit(offsets: readonly OffsetToCommit[], member: MemberState, call: Call): Promise<void> {
    const { clock, options } = this.#cluster
    const startedAt = clock.monotonic()
    const message = () => ({
      group: this.groupId,
      offsets,
      durationMs: clock.monotonic() - startedAt,
    })
    try {
      await this.#commit(offsets, member, call)
      tell('commit', message(), options.logger, 'debug', 'committed')
    } catch (error) {
      events.commit.publish({ ...message(), error })
      throw error
    }
  }

  async #commit(
    offsets: readonly OffsetToCommit[],
    member: MemberState,
    call: Call,
  ): Promise<void> {
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

  /** @returns offset by `partitionText`, without partitions that have no commit */
  async committed(partitions: readonly TopicPartition[], call: Call): Promise<Map<string, number>> {
    const committed = await this.#fetchOffsets(partitions, call)
    return new Map(committed.map((each) => [partitionText(each), each.offset]))
  }

  /** @returns the topics for which the group has a commit */
  async committedTopics(call: Call): Promise<string[]> {
    const committed = await this.#fetchOffsets(null, call)
    return [...new Set(committed.map(({ topic }) => topic))]
  }

  async #fetchOffsets(
    partitions: readonly TopicPartition[] | null,
    call: Call,
  ): Promise<Committed[]> {
    const request = committedRequest(this.groupId, partitions)
    const answer = await this.askAside(offsetFetch, request, call)
    return committedIn(this.groupId, answer, (errorCode, what) => this.check(errorCode, what))
  }
}
