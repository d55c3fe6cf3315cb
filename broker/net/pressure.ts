// Pressure: how many bytes all requests together hold, whether the writer's inbox is full, and which connections stopped
// reading because of either. Network thread. Limits: docs/architecture.md, "Overload"

import { strict as assert } from 'node:assert'
import type { ConfigTable, ConfigView } from '../config-view.ts'

/** Kept for connections that have never appended: heartbeats and commits go on while producers have taken all the rest. */
const RESERVED_SHARE = 1 / 16

/** A connection that must not read on. */
interface Parked {
  /** Has it ever sent a request that appends? Only those fill the writer's inbox. */
  readonly hasAppended: boolean
  /** A request has arrived in part: reading on may free what the connection holds. */
  readonly isMidRequest: boolean
  /** Looks again whether it may read. */
  resume(): void
}

export const pressureLimits = {
  bytesMax: 'queued.max.request.bytes',
} as const satisfies ConfigTable

type PressureLimits = ConfigView<typeof pressureLimits>

/** Of the writer: whether it is full; once that was asked and true, a call follows when it no longer is. */
interface Inbox {
  readonly isCongested: boolean
  onDrain(callback: () => void): void
}

export class Pressure {
  readonly #limits: PressureLimits
  readonly #inbox: Inbox
  readonly #parkedAppending = new Set<Parked>()
  readonly #parkedOthers = new Set<Parked>()
  /** Reads on although too much is held: if every connection stopped in the middle of a request, nothing would be freed. */
  #favoured: Parked | undefined
  #bytesOfAppending = 0
  #bytesOfOthers = 0
  #isInboxFull = false

  constructor(limits: PressureLimits, inbox: Inbox) {
    this.#limits = limits
    this.#inbox = inbox
    inbox.onDrain(() => {
      this.#isInboxFull = false
      this.#resumeAll()
    })
  }

  /** A request has put its batches into the writer's inbox. */
  appended(): void {
    this.#isInboxFull ||= this.#inbox.isCongested
  }

  /** Bytes of requests that are arriving, waiting or running. */
  get bytesHeld(): number {
    return this.#bytesOfAppending + this.#bytesOfOthers
  }

  /**
   * @param byteCount negative to give back
   * @param hasAppended of the connection that holds them
   */
  hold(byteCount: number, hasAppended: boolean): void {
    if (hasAppended) this.#bytesOfAppending += byteCount
    else this.#bytesOfOthers += byteCount
    assert(
      this.#bytesOfAppending >= 0 && this.#bytesOfOthers >= 0,
      'only what is held is given back',
    )
    if (byteCount < 0) this.#resumeAll()
  }

  /** @returns false when the connection must stop reading; its `resume` is called when it may ask again */
  admits(connection: Parked): boolean {
    const { hasAppended, isMidRequest } = connection
    if (this.#favoured === connection && !isMidRequest) this.#favourNext()
    if (this.#isOver(hasAppended)) {
      if (this.#favoured === undefined && isMidRequest) this.#favoured = connection
      if (this.#favoured !== connection) return this.#park(connection)
    }
    return hasAppended && this.#isInboxFull ? this.#park(connection) : true
  }

  /** The connection is closed. */
  forget(connection: Parked): void {
    this.#unpark(connection)
    if (this.#favoured === connection) this.#favourNext()
  }

  #isOver(hasAppended: boolean): boolean {
    const { bytesMax } = this.#limits
    if (this.bytesHeld <= bytesMax) return false
    return hasAppended || this.#bytesOfOthers > bytesMax * RESERVED_SHARE
  }

  #park(connection: Parked): false {
    if (connection.hasAppended) this.#parkedAppending.add(connection)
    else this.#parkedOthers.add(connection)
    return false
  }

  #unpark(connection: Parked): void {
    this.#parkedAppending.delete(connection)
    this.#parkedOthers.delete(connection)
  }

  #favourNext(): void {
    const parked = [...this.#parkedAppending, ...this.#parkedOthers]
    this.#favoured = parked.find(({ isMidRequest }) => isMidRequest)
    if (this.#favoured === undefined) return
    this.#unpark(this.#favoured)
    this.#favoured.resume()
  }

  #resumeAll(): void {
    const favoured = this.#favoured
    if (!this.#isOver(false)) resume(this.#parkedOthers)
    if (this.#isInboxFull) return
    if (!this.#isOver(true)) resume(this.#parkedAppending)
    else if (favoured && this.#parkedAppending.delete(favoured)) favoured.resume() // the inbox was full
  }
}

/** Each connection asks again for itself, and may be parked again. */
function resume(parked: Set<Parked>): void {
  if (parked.size === 0) return
  const connections = [...parked]
  parked.clear()
  for (const connection of connections) connection.resume()
}
