// GroupMember: a group's state of one member, its open requests and its session. Network thread.

import type { Clock, Timer } from '../../storage/clock.ts'
import { afterLastCall } from './last-call.ts'
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
  /** The member has its assignment of this generation. */
  hasSynced = false
  readonly #clock: Clock
  readonly #onExpired: () => void
  #joinWaiting: ((answer: JoinAnswer) => void) | undefined
  #syncWaiting: ((answer: SyncAnswer) => void) | undefined
  #sessionTimer: Timer | undefined
  /** Monotonic ms; Infinity while a request of the member waits for an answer. */
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

  /** An earlier join that still waits is answered REBALANCE_IN_PROGRESS. */
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
    this.#sessionDeadline = Infinity
    return new Promise((resolve) => {
      this.#syncWaiting = resolve
    })
  }

  /** Starts the session. Does nothing when no join is open. */
  answerJoin(answer: JoinAnswer): void {
    if (this.#joinWaiting === undefined) return
    this.#joinWaiting(answer)
    this.#joinWaiting = undefined
    this.touch()
  }

  /** Starts the session. Does nothing when no sync is open. */
  answerSync(answer: SyncAnswer): void {
    if (this.#syncWaiting === undefined) return
    this.#syncWaiting(answer)
    this.#syncWaiting = undefined
    this.touch()
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

  /** A request of the member restarts its session. Cheap: the timer is only set again when it fires. */
  touch(): void {
    if (this.isJoining || this.isSyncing) return
    this.#sessionDeadline = this.#clock.monotonic() + this.sessionTimeoutMs
    this.#sessionTimer ??= this.#armSession()
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

  #armSession(): Timer {
    const delayMs = this.#sessionDeadline - this.#clock.monotonic()
    return this.#clock.after(delayMs, () => {
      const end = () => this.#endSession()
      if (!this.#isOver) this.#goOn()
      else this.#sessionTimer = afterLastCall(this.#clock, this.#sessionDeadline, end)
    })
  }

  get #isOver(): boolean {
    return this.#sessionDeadline <= this.#clock.monotonic()
  }

  #endSession(): void {
    if (this.#isOver) this.#onExpired()
    else this.#goOn()
  }

  /** A request came since the timer was set. While the member waits for an answer, its session does not run. */
  #goOn(): void {
    this.#sessionTimer = this.#sessionDeadline === Infinity ? undefined : this.#armSession()
  }
}
