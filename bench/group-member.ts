// A minimal member of a group: joins, syncs, heartbeats, and joins again when the coordinator asks for it.

import { joinGroup } from '../protocol/api/11_join_group.ts'
import { heartbeat } from '../protocol/api/12_heartbeat.ts'
import { syncGroup } from '../protocol/api/14_sync_group.ts'
import { encodeSubscription } from '../protocol/consumer-protocol.ts'
import { errorName } from '../protocol/errors.ts'
import type { WireClient } from './wire-client.ts'

const SESSION_MS = 60_000

export class GroupMember {
  readonly #client: WireClient
  readonly #groupId: string
  #memberId = ''
  /** Of the generation that it belongs to; -1 before the first. */
  generationId = -1

  constructor(client: WireClient, groupId: string) {
    this.#client = client
    this.#groupId = groupId
  }

  /** Resolves when it has its assignment in a generation. */
  async join(): Promise<void> {
    for (;;) {
      const joined = await this.#client.call(joinGroup, 9, {
        groupId: this.#groupId,
        sessionTimeoutMs: SESSION_MS,
        rebalanceTimeoutMs: SESSION_MS,
        memberId: this.#memberId,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: encodeSubscription({ topics: ['t'] }) }],
      })
      this.#memberId = joined.memberId
      if (joined.errorCode !== 0) continue // it got its member id
      const synced = await this.#client.call(syncGroup, 5, {
        groupId: this.#groupId,
        generationId: joined.generationId,
        memberId: joined.memberId,
        assignments: joined.members.map(({ memberId }) => ({
          memberId,
          assignment: Buffer.alloc(100),
        })),
      })
      if (synced.errorCode !== 0) continue // another member joined
      this.generationId = joined.generationId
      return
    }
  }

  /** @returns whether it must join again */
  async heartbeat(): Promise<boolean> {
    const { errorCode } = await this.#client.call(heartbeat, 4, {
      groupId: this.#groupId,
      generationId: this.generationId,
      memberId: this.#memberId,
    })
    const error = errorName(errorCode)
    if (error !== undefined && error !== 'REBALANCE_IN_PROGRESS') throw new Error(error)
    return error !== undefined
  }
}
