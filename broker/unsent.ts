// Unsent: the bytes of answers that clients have not taken yet, over all connections. Network thread.
// Limits: docs/architecture.md, "Overload". Why shares, a reserve and a stall: docs/decisions/0015-unsent-answers.md

import { strict as assert } from 'node:assert'
import type { Clock } from '../storage/clock.ts'
import type { ConfigTable, ConfigView } from './config-view.ts'

/** One connection takes at most this fraction of the free bytes, so that something is left for the next one. */
const SHARES = 8
/** A connection that holds no answer may always read this much, even if nothing is free. */
const SMALL_BYTES = 64 * 1024
/** Kept for connections whose clients have proved that they take their answers. */
const RESERVED_SHARE = 1 / 8
/** A client that has taken this much reads its answers: the buffers of a socket take less than that. */
const PROVEN_BYTES = 16 * 1024 * 1024
/** A connection whose client takes nothing for this time is closed if others need the memory. */
const STALLED_MS = 2000

/** One connection's share of the held bytes. */
export interface Holder {
  heldBytes: number
  takenBytes: number
  /** Monotonic ms at which the client last took bytes, or the connection began to hold some. */
  progressAt: number
  isGone: boolean
  /** Closes the connection, if it waits for its client. */
  close(reason: string): void
}

export function newHolder(close: (reason: string) => void): Holder {
  return { heldBytes: 0, takenBytes: 0, progressAt: 0, isGone: false, close }
}

/** Has the client proved that it takes its answers? */
export function isProven({ takenBytes }: Holder): boolean {
  return takenBytes >= PROVEN_BYTES
}

/** A connection whose client has taken nothing yet. */
const newcomer = newHolder(() => {})

interface Waiting {
  readonly holder: Holder
  readonly resolve: (reservedBytes: number) => void
}

export const unsentLimits = {
  bytesMax: 'connections.unsent.max.bytes',
} as const satisfies ConfigTable

type UnsentLimits = ConfigView<typeof unsentLimits>

export class Unsent {
  readonly #limits: UnsentLimits
  readonly #clock: Clock
  /** Connections that hold bytes, in order of `progressAt`. */
  readonly #holders = new Set<Holder>()
  /** Reads that wait for room. The first one whose connection may hold more goes first. */
  #waiting: Waiting[] = []
  #heldBytes = 0

  constructor(limits: UnsentLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  isFullFor(holder: Holder): boolean {
    return this.#freeFor(holder) <= 0
  }

  #freeFor(holder: Holder): number {
    const { bytesMax } = this.#limits
    const reserved = isProven(holder) ? 0 : Math.floor(bytesMax * RESERVED_SHARE)
    return bytesMax - reserved - this.#heldBytes
  }

  /** @param byteCount negative to give back */
  hold(holder: Holder, byteCount: number): void {
    if (holder.isGone || byteCount === 0) return
    this.#heldBytes += byteCount
    holder.heldBytes += byteCount
    assert(holder.heldBytes >= 0, 'only what is held is given back')
    if (holder.heldBytes === 0) this.#holders.delete(holder)
    else if (!this.#holders.has(holder)) this.took(holder, 0)
    if (byteCount < 0) this.#serve()
  }

  /** The client has taken a part of its answers. */
  took(holder: Holder, byteCount: number): void {
    holder.takenBytes += byteCount
    holder.progressAt = this.#clock.monotonic()
    this.#holders.delete(holder)
    if (holder.heldBytes > 0) this.#holders.add(holder)
  }

  /** The connection is closed: its bytes no longer count. */
  leave(holder: Holder): void {
    if (holder.isGone) return
    const own = this.#waiting.filter((each) => each.holder === holder)
    this.#waiting = this.#waiting.filter((each) => each.holder !== holder)
    for (const { resolve } of own) resolve(0)
    this.hold(holder, -holder.heldBytes)
    holder.isGone = true
  }

  /** @returns bytes that count from now on, at most `wanted`; perhaps none */
  reserve(holder: Holder, wanted: number): number {
    if (this.isFullFor(holder)) this.relieve()
    const bytes = Math.max(0, Math.min(wanted, this.#shareOf(holder)))
    this.hold(holder, bytes)
    return bytes
  }

  /** Resolves, in order, once bytes are free. @returns bytes that count from now on; 0 when the connection is closed */
  reserveLater(holder: Holder): Promise<number> {
    return new Promise((resolve) => {
      if (holder.isGone) resolve(0)
      else this.#waiting.push({ holder, resolve })
      this.#serve()
    })
  }

  /** Closes stalled connections, the longest stalled first, until less is held; also called about once a second. */
  relieve(): void {
    const now = this.#clock.monotonic()
    for (const holder of this.#holders) {
      const stalledMs = now - holder.progressAt
      if (!this.isFullFor(newcomer) || stalledMs < STALLED_MS) break
      const what = `${holder.heldBytes} bytes of answers for ${Math.round(stalledMs)} ms`
      holder.close(`the client took nothing of ${what}, while others need the memory`)
    }
  }

  #shareOf(holder: Holder): number {
    const share = Math.floor(this.#freeFor(holder) / SHARES) - holder.heldBytes
    return holder.heldBytes === 0 ? Math.max(share, SMALL_BYTES) : share
  }

  #serve(): void {
    for (;;) {
      const next = this.#waiting.findIndex(({ holder }) => !this.isFullFor(holder))
      if (next < 0) return
      const [{ holder, resolve }] = this.#waiting.splice(next, 1) as [Waiting]
      const bytes = Math.max(SMALL_BYTES, this.#shareOf(holder))
      this.hold(holder, bytes)
      resolve(bytes)
    }
  }
}

/** The bytes of one answer, from the first byte read for it until the client has taken its last byte. */
export class AnswerRoom {
  readonly #unsent: Unsent
  readonly #holder: Holder
  #heldBytes = 0

  constructor(unsent: Unsent, holder: Holder) {
    this.#unsent = unsent
    this.#holder = holder
  }

  /** Is too much held? The answer must then keep to its reserved bytes. */
  get isFull(): boolean {
    return this.#unsent.isFullFor(this.#holder)
  }

  /** @returns bytes that may be read now, at most `wanted`; perhaps none */
  reserve(wanted: number): number {
    return this.#reserved(this.#unsent.reserve(this.#holder, wanted))
  }

  /** Waits until bytes are free. @returns as `reserve`; 0 when the connection is closed */
  async reserveLater(): Promise<number> {
    return this.#reserved(await this.#unsent.reserveLater(this.#holder))
  }

  #reserved(byteCount: number): number {
    this.#heldBytes += byteCount
    return byteCount
  }

  /** @param usedBytes memory that the read took, perhaps more than was reserved for it */
  settle(reservedBytes: number, usedBytes: number): void {
    this.#change(usedBytes - reservedBytes)
  }

  /** The answer is ready. */
  fill(answerBytes: number): void {
    if (answerBytes > this.#heldBytes) this.#change(answerBytes - this.#heldBytes)
  }

  /** The client has taken the answer, or never will. */
  release(): void {
    this.#change(-this.#heldBytes)
  }

  #change(byteCount: number): void {
    this.#heldBytes += byteCount
    this.#unsent.hold(this.#holder, byteCount)
  }
}

/** The room of a request that came over no connection. */
export function unlimitedRoom(clock: Clock): AnswerRoom {
  const unsent = new Unsent({ bytesMax: Number.MAX_SAFE_INTEGER }, clock)
  return new AnswerRoom(
    unsent,
    newHolder(() => {}),
  )
}
