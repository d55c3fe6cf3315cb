// KafkaProtocol: cuts a client's bytes into frames and starts the request of each, in order of arrival. A frame that may not
// start yet waits here. Network thread. Format of frames: docs/formats/frames.md

import { FrameCutter } from '../../protocol/frame.ts'
import type { BufferPool } from '../../storage/read/buffer-pool.ts'
import type { Dispatch } from '../call.ts'
import type { Session } from '../session.ts'
import type { Exchanges } from './exchanges.ts'
import type { LoopTurn } from './loop-turn.ts'
import type { Pressure } from './pressure.ts'
import type { Protocol } from './protocol.ts'
import type { Transport } from './transport.ts'

/** What a small waiting frame costs beside its bytes. */
const FRAME_OVERHEAD_BYTES = 256

/** What the Kafka protocol of all connections shares. */
export interface KafkaDeps {
  readonly dispatch: Dispatch
  readonly pressure: Pressure
  readonly turn: LoopTurn
  /** For frames that span chunks. */
  readonly frameBuffers: BufferPool
  readonly limits: { readonly frameBytesMax: number }
}

/** What is one connection's. */
interface Owner {
  readonly session: Session
  readonly transport: Transport
  readonly exchanges: Exchanges
  /** Is the client kept from having more requests performed? */
  readonly isMuted: () => boolean
  /** Starts what waits, and sends what is ready. */
  readonly settle: () => void
}

export class KafkaProtocol implements Protocol {
  readonly #deps: KafkaDeps
  readonly #owner: Owner
  readonly #cutter: FrameCutter
  /** Frames that were not allowed to start when they arrived, oldest first; copied. */
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #partStartedAt = 0

  constructor(deps: KafkaDeps, owner: Owner) {
    this.#deps = deps
    this.#owner = owner
    this.#cutter = new FrameCutter(deps.limits.frameBytesMax, deps.frameBuffers)
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  get partBytes(): number {
    return this.#cutter.heldBytes
  }

  get partStartedAt(): number {
    return this.#partStartedAt
  }

  receive(chunk: Buffer): void {
    if (this.#cutter.heldBytes === 0) this.#partStartedAt = this.#owner.transport.receivedAt
    this.#deps.turn.begin()
    const { authentication } = this.#owner.session
    if (authentication !== undefined)
      this.#cutter.frameBytesMax = authentication.frameBytesMax ?? this.#deps.limits.frameBytesMax
    this.#cutter.push(chunk, this.#onFrame)
  }

  readonly #onFrame = (frame: Buffer): void => {
    if (this.#owner.transport.isClosed) return
    this.#partStartedAt = this.#owner.transport.receivedAt
    const appends = this.#deps.dispatch.appends(frame, this.#owner.session)
    if (this.#waiting.length === 0 && this.#mayStart(appends)) {
      this.#start(frame, appends)
      return
    }
    this.#waiting.push(Buffer.from(frame))
    this.#waitingBytes += frame.length + FRAME_OVERHEAD_BYTES
  }

  #mayStart(appends: boolean): boolean {
    const { turn } = this.#deps
    const { transport, exchanges, settle, isMuted } = this.#owner
    if (isMuted()) return false
    if (turn.isOver) {
      turn.later(settle)
      return false
    }
    return !transport.isFull && exchanges.mayOpen(appends)
  }

  #start(frame: Buffer, appends: boolean): void {
    const { dispatch, pressure } = this.#deps
    const { exchanges, session } = this.#owner
    const exchange = exchanges.open(frame.length, appends)
    dispatch.start(frame, exchange, session, (failure) => exchanges.done(exchange, failure))
    if (appends) pressure.appended()
  }

  startWaiting(): void {
    if (this.#waiting.length === 0) return
    this.#deps.turn.begin()
    let started = 0
    for (const frame of this.#waiting) {
      const appends = this.#deps.dispatch.appends(frame, this.#owner.session)
      if (this.#owner.transport.isClosed || !this.#mayStart(appends)) break
      started++
      this.#waitingBytes -= frame.length + FRAME_OVERHEAD_BYTES
      this.#start(frame, appends)
    }
    if (started > 0) this.#waiting.splice(0, started)
  }

  close(): void {
    this.#waiting = []
    this.#waitingBytes = 0
  }
}
