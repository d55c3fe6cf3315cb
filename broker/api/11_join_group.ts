// JoinGroup: waits until the members of the next generation are known.
// Versions: 0-9
// Behaviour: the answer to the leader lists all members, that to the others none. From version 4 on a new dynamic member first
// gets an id by MEMBER_ID_REQUIRED (KIP-394). When a client hangs up, its member stays until the member's session ends.

import {
  joinGroup,
  type JoinGroupRequest,
  type JoinGroupResponse,
} from '../../protocol/api/11_join_group.ts'
import { errorCode, errorName, KafkaError } from '../../protocol/errors.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import { refusedJoin, type JoinAnswer, type JoinRequest } from '../group/messages.ts'
import type { Handler, RequestContext } from '../handler.ts'
import { untilGone } from '../until-gone.ts'

const REBALANCE_TIMEOUT_VERSION_MIN = 1
const KNOWN_MEMBER_ID_VERSION_MIN = 4
const NULL_PROTOCOL_VERSION_MIN = 7
const SKIP_ASSIGNMENT_VERSION_MIN = 9
/** That one member may offer, because the group compares those of all members. Clients offer one to four. */
const PROTOCOLS_MAX = 100

export function joinGroupHandler({
  coordinator,
}: {
  readonly coordinator: GroupCoordinator
}): Handler<typeof joinGroup> {
  return {
    api: joinGroup,
    async handle(request, context) {
      const { version, session, work } = context
      context.require('Read', 'Group', request.groupId)
      if (request.protocols.length > PROTOCOLS_MAX)
        throw new KafkaError('INVALID_REQUEST', `${request.protocols.length} protocols`)
      const joined = coordinator.join(request.groupId, asJoinRequest(request, context))
      work.leave()
      const otherwise = refusedJoin('COORDINATOR_NOT_AVAILABLE', request.memberId)
      return answer(await untilGone(joined, session.gone, otherwise), version)
    },
    refuse: ({ memberId }, code, { version }) =>
      answer(refusedJoin(errorName(code) ?? 'UNKNOWN_SERVER_ERROR', memberId), version),
  }
}

/** Copies the metadata, which the group keeps longer than the request lives. */
function asJoinRequest(
  request: JoinGroupRequest,
  { version, clientId, session }: RequestContext,
): JoinRequest {
  const { sessionTimeoutMs, rebalanceTimeoutMs, memberId, groupInstanceId, protocolType } = request
  return {
    memberId,
    groupInstanceId,
    clientId: clientId ?? '',
    clientHost: `/${session.remoteAddress}`,
    sessionTimeoutMs,
    rebalanceTimeoutMs:
      version < REBALANCE_TIMEOUT_VERSION_MIN ? sessionTimeoutMs : rebalanceTimeoutMs,
    protocolType,
    protocols: request.protocols.map(({ name, metadata }) => ({
      name,
      metadata: Buffer.from(metadata),
    })),
    requiresKnownMemberId: version >= KNOWN_MEMBER_ID_VERSION_MIN,
    supportsSkippingAssignment: version >= SKIP_ASSIGNMENT_VERSION_MIN,
  }
}

function answer(joined: JoinAnswer, version: number): JoinGroupResponse {
  return {
    errorCode: errorCode(joined.error),
    generationId: joined.generationId,
    protocolType: joined.protocolType,
    protocolName: joined.protocolName ?? (version < NULL_PROTOCOL_VERSION_MIN ? '' : null),
    leader: joined.leaderId,
    skipAssignment: joined.skipAssignment,
    memberId: joined.memberId,
    members: joined.members,
  }
}
