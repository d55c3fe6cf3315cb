// Pressure: how many bytes all requests together hold, and which connections stopped reading because of it.
// Network thread. Limits: docs/architecture.md, "Overload"

/** For connections that have never produced, when all the rest is taken: heartbeats and commits are not held up. */
const RESERVED_SHARE = 1 / 16

/** A connection that must not read on. */
interface Parked {
  /** Has it ever sent a batch? Only those fill the writer's inbox. */
  readonly isProducer: boolean
  /** It has read a part of a request: reading on may free what it holds. */
  readonly isMidFrame: boolean
  /** Looks again whether it may read. */
  resume(): void
}

interface PressureDeps {
  readonly bytesMax: number
  /** The writer's inbox: whether it is full, and a call when it no longer is. */
  readonly store: { readonly isCongested: boolean; onDrain(callback: () => void): void }
}

export class Pressure {
  readonly #deps: PressureDeps
  readonly #parkedProducers = new Set<Parked>()
  readonly #parkedOthers = new Set<Parked>()
  /** Reads on although too much is held: if all stopped in the middle of a request, nothing would ever be freed. */
  #favoured: Parked | undefined
  #bytesOfProducers = 0
  #bytesOfOthers = 0

  constructor(deps: PressureDeps) {
    this.#deps = deps
    deps.store.onDrain(() => this.#resumeAll())
  }

  /** Bytes of requests that are arriving, waiting or running. */
  get bytesHeld(): number {
    return this.#bytesOfProducers + this.#bytesOfOthers
  }

  /** @param byteCount negative to give back */
  hold(byteCount: number, isProducer: boolean): void {
    if (isProducer) this.#bytesOfProducers += byteCount
    else this.#bytesOfOthers += byteCount
    if (byteCount < 0) this.#resumeAll()
  }

  /** @returns false when the connection must stop reading; then its `resume` is called when it may look again */
  admits(connection: Parked): boolean {
    const { isProducer, isMidFrame } = connection
    if (this.#favoured === connection && !isMidFrame) this.#favourNext()
    if (this.#isOver(isProducer)) {
      if (this.#favoured === undefined && isMidFrame) this.#favoured = connection
      if (this.#favoured !== connection) return this.#park(connection)
    }
    return isProducer && this.#deps.store.isCongested ? this.#park(connection) : true
  }

  /** The connection is closed. */
  forget(connection: Parked): void {
    this.#unpark(connection)
    if (this.#favoured === connection) this.#favourNext()
  }

  #isOver(isProducer: boolean): boolean {
    const { bytesMax } = this.#deps
    if (this.bytesHeld <= bytesMax) return false
    return isProducer || this.#bytesOfOthers > bytesMax * RESERVED_SHARE
  }

  #park(connection: Parked): false {
    if (connection.isProducer) this.#parkedProducers.add(connection)
    else this.#parkedOthers.add(connection)
    return false
  }

  #unpark(connection: Parked): void {
    this.#parkedProducers.delete(connection)
    this.#parkedOthers.delete(connection)
  }

  #favourNext(): void {
    const parked = [...this.#parkedProducers, ...this.#parkedOthers]
    this.#favoured = parked.find(({ isMidFrame }) => isMidFrame)
    if (this.#favoured === undefined) return
    this.#unpark(this.#favoured)
    this.#favoured.resume()
  }

  #resumeAll(): void {
    const favoured = this.#favoured
    if (!this.#isOver(false)) resume(this.#parkedOthers)
    if (this.#deps.store.isCongested) return
    if (!this.#isOver(true)) resume(this.#parkedProducers)
    else if (favoured && this.#parkedProducers.delete(favoured)) favoured.resume() // it waited for the inbox
  }
}

/** Each looks again for itself, and may be parked again. */
function resume(parked: Set<Parked>): void {
  if (parked.size === 0) return
  const connections = [...parked]
  parked.clear()
  for (const connection of connections) connection.resume()
}
