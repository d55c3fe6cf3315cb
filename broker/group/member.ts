// GroupMember: what a group knows of one member, its open requests and its session. Network thread.

import type { Clock, Timer } from '../../storage/clock.ts'
import {
  NO_ASSIGNMENT,
  refusedJoin,
  refusedSync,
  type JoinAnswer,
  type JoinProtocol,
  type JoinRequest,
  type MemberRecord,
  type SyncAnswer,
} from './messages.ts'

/** A session timer that fires later than this was held up by our own event loop, not by the member. */
const STALL_MS = 200

type Described = MemberRecord | JoinRequest

export class GroupMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly JoinProtocol[]
  assignment: Uint8Array = NO_ASSIGNMENT
  /** It has been given its assignment in this generation. */
  hasSynced = false
  readonly #clock: Clock
  readonly #onExpired: () => void
  #joinWaiting: ((answer: JoinAnswer) => void) | undefined
  #syncWaiting: ((answer: SyncAnswer) => void) | undefined
  #sessionTimer: Timer | undefined
  /** Monotonic ms. */
  #sessionDeadline = Infinity

  constructor(
    memberId: string,
    groupInstanceId: string | null,
    described: Described,
    deps: { readonly clock: Clock; readonly onExpired: () => void },
  ) {
    this.memberId = memberId
    this.groupInstanceId = groupInstanceId
    this.clientId = described.clientId
    this.clientHost = described.clientHost
    this.sessionTimeoutMs = described.sessionTimeoutMs
    this.rebalanceTimeoutMs = described.rebalanceTimeoutMs
    this.protocols = described.protocols
    this.#clock = deps.clock
    this.#onExpired = deps.onExpired
  }

  update(request: JoinRequest): void {
    this.clientId = request.clientId
    this.clientHost = request.clientHost
    this.sessionTimeoutMs = request.sessionTimeoutMs
    this.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    this.protocols = request.protocols
  }

  get isJoining(): boolean {
    return this.#joinWaiting !== undefined
  }

  /** While it waits its session stands still. A wait that was open already hears that it must ask again. */
  waitForJoin(): Promise<JoinAnswer> {
    this.answerJoin(refusedJoin('REBALANCE_IN_PROGRESS', this.memberId))
    this.hasSynced = false
    this.#sessionDeadline = Infinity
    return new Promise((resolve) => {
      this.#joinWaiting = resolve
    })
  }

  get isSyncing(): boolean {
    return this.#syncWaiting !== undefined
  }

  waitForSync(): Promise<SyncAnswer> {
    this.answerSync(refusedSync('REBALANCE_IN_PROGRESS'))
    return new Promise((resolve) => {
      this.#syncWaiting = resolve
    })
  }

  /** Does nothing when no join is open. */
  answerJoin(answer: JoinAnswer): void {
    this.#joinWaiting?.(answer)
    this.#joinWaiting = undefined
  }

  answerSync(answer: SyncAnswer): void {
    this.#syncWaiting?.(answer)
    this.#syncWaiting = undefined
  }

  metadataFor(protocolName: string): Uint8Array | undefined {
    return this.protocols.find((each) => each.name === protocolName)?.metadata
  }

  offersSame(protocols: readonly JoinProtocol[]): boolean {
    if (protocols.length !== this.protocols.length) return false
    return protocols.every((each, i) => {
      const mine = this.protocols[i]!
      return each.name === mine.name && Buffer.compare(each.metadata, mine.metadata) === 0
    })
  }

  /** It has been heard of: the session starts anew. Cheap; the timer is only re-armed when it fires. */
  touch(): void {
    if (this.isJoining) return
    this.#sessionDeadline = this.#clock.monotonic() + this.sessionTimeoutMs
    if (this.#sessionTimer === undefined) this.#armSession()
  }

  close(): void {
    this.#sessionTimer?.cancel()
    this.#sessionTimer = undefined
    this.#sessionDeadline = Infinity
  }

  toRecord(): MemberRecord {
    const { memberId, groupInstanceId, clientId, clientHost } = this
    const { sessionTimeoutMs, rebalanceTimeoutMs, protocols, assignment } = this
    return {
      memberId,
      groupInstanceId,
      clientId,
      clientHost,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      protocols,
      assignment,
    }
  }

  #armSession(): void {
    const dueMs = this.#sessionDeadline
    const delayMs = Math.max(0, dueMs - this.#clock.monotonic())
    this.#sessionTimer = this.#clock.after(delayMs, () => this.#onSessionTimer(dueMs))
  }

  #onSessionTimer(dueMs: number): void {
    this.#sessionTimer = undefined
    if (this.#sessionDeadline === Infinity) return // joining, or closed
    const nowMs = this.#clock.monotonic()
    const lateMs = nowMs - dueMs
    const isOver = this.#sessionDeadline <= nowMs
    if (isOver && lateMs <= STALL_MS) return this.#onExpired()
    if (isOver) this.#sessionDeadline = nowMs + lateMs // its heartbeats may wait unread in the socket
    this.#armSession()
  }
}
