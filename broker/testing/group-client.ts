// GroupClient: a member of groups over a socket, in any version, controlled by a test. Tests only.

import { offsetCommit } from '../../protocol/api/08_offset_commit.ts'
import { offsetFetch } from '../../protocol/api/09_offset_fetch.ts'
import { joinGroup, type JoinGroupRequest } from '../../protocol/api/11_join_group.ts'
import { heartbeat } from '../../protocol/api/12_heartbeat.ts'
import { leaveGroup } from '../../protocol/api/13_leave_group.ts'
import { syncGroup } from '../../protocol/api/14_sync_group.ts'
import { encodeSubscription } from '../../protocol/consumer-protocol.ts'
import { errorName } from '../../protocol/errors.ts'
import type { ResponseOf } from '../../protocol/schema.ts'
import type { RawClient } from './raw-client.ts'

const MEMBER_ID_REQUIRED = 79

export type Joined = ResponseOf<typeof joinGroup>

export interface Membership {
  readonly memberId: string
  readonly generationId: number
  readonly groupInstanceId?: string | null
  /** Default: consumer, range. */
  readonly protocolType?: string | null
  readonly protocolName?: string | null
}

/** Not a member: commits from outside. */
export const outside: Membership = { memberId: '', generationId: -1 }

export class GroupClient<Client extends Pick<RawClient, 'send'> = RawClient> {
  readonly client: Client
  readonly groupId: string

  constructor(client: Client, groupId: string) {
    this.client = client
    this.groupId = groupId
  }

  /** One JoinGroup request. */
  joinOnce(request: Partial<JoinGroupRequest> = {}, version?: number): Promise<Joined> {
    return this.client.send(joinGroup, { ...this.joining(), ...request }, version)
  }

  /** Joins; in versions that demand a member id, with the one of the first answer (KIP-394). */
  async join(request: Partial<JoinGroupRequest> = {}, version?: number): Promise<Joined> {
    const joined = await this.joinOnce(request, version)
    if (joined.errorCode !== MEMBER_ID_REQUIRED) return joined
    return this.joinOnce({ ...request, memberId: joined.memberId }, version)
  }

  joining() {
    return {
      groupId: this.groupId,
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: encodeSubscription({ topics: ['t'] }, 1) }],
    }
  }

  /** @param shares from the leader: the assignment of each member */
  sync(membership: Membership, shares: Record<string, string> = {}, version?: number) {
    const assignments = Object.entries(shares).map(([memberId, share]) => ({
      memberId,
      assignment: Buffer.from(share),
    }))
    const { protocolType, protocolName } = membership
    const named = {
      protocolType: protocolType ?? 'consumer',
      protocolName: protocolName ?? 'range',
    }
    const request = { groupId: this.groupId, ...membershipOf(membership), ...named, assignments }
    return this.client.send(syncGroup, request, version)
  }

  /** Joins a group of one, with the assignment 'mine'. */
  async alone(request: Partial<JoinGroupRequest> = {}): Promise<Joined> {
    const joined = await this.join(request)
    const { groupInstanceId = null } = request
    await this.sync({ ...joined, groupInstanceId }, { [joined.memberId]: 'mine' })
    return joined
  }

  async heartbeat(membership: Membership, version?: number) {
    const request = { groupId: this.groupId, ...membershipOf(membership) }
    return errorName((await this.client.send(heartbeat, request, version)).errorCode)
  }

  async leave({ memberId }: Membership, version?: number) {
    const request = { groupId: this.groupId, memberId, members: [{ memberId }] }
    const { errorCode: code, members } = await this.client.send(leaveGroup, request, version)
    return errorName(members[0]?.errorCode ?? code)
  }

  /** Commits for partition 0. @returns the name of the error; undefined for none */
  async commit(
    membership: Membership,
    topic: string,
    committedOffset: number,
    { version, ...more }: CommitOptions = {},
  ) {
    const { generationId, ...member } = membershipOf(membership)
    const partitions = [{ partitionIndex: 0, committedOffset, ...more }]
    const answer = await this.client.send(
      offsetCommit,
      {
        groupId: this.groupId,
        ...member,
        generationIdOrMemberEpoch: generationId,
        topics: [{ name: topic, partitions }],
      },
      version,
    )
    return errorName(answer.topics[0]!.partitions[0]!.errorCode)
  }

  /** The error of OffsetFetch; undefined: none. */
  async committedError() {
    const request = { groups: [{ groupId: this.groupId, topics: null }] }
    const { groups } = await this.client.send(offsetFetch, request, 8)
    return errorName(groups[0]!.errorCode)
  }

  /** The committed offset of partition 0. */
  async committed(topic: string, version = 9) {
    const topics = [{ name: topic, partitionIndexes: [0] }]
    const { groupId } = this
    const request = version < 8 ? { groupId, topics } : { groups: [{ groupId, topics }] }
    const answer = await this.client.send(offsetFetch, request, version)
    const [found] = version < 8 ? answer.topics : answer.groups[0]!.topics
    return found!.partitions[0]!
  }
}

interface CommitOptions {
  readonly version?: number
  readonly committedMetadata?: string | null
  readonly committedLeaderEpoch?: number
}

function membershipOf({ memberId, generationId, groupInstanceId = null }: Membership) {
  return { memberId, generationId, groupInstanceId }
}
