// Pressure: how many bytes all requests together hold, and which connections stopped reading because of it.
// Network thread. Limits: docs/architecture.md, "Overload"

/** A connection that must not read on. */
interface Parked {
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
  readonly #parked = new Set<Parked>()
  /** Reads on although too much is held: if all stopped in the middle of a request, nothing would ever be freed. */
  #favoured: Parked | undefined
  #bytesHeld = 0

  constructor(deps: PressureDeps) {
    this.#deps = deps
    deps.store.onDrain(() => this.#resumeAll())
  }

  /** Bytes of requests that are arriving, waiting or running. */
  get bytesHeld(): number {
    return this.#bytesHeld
  }

  /** @param byteCount negative to give back */
  hold(byteCount: number): void {
    this.#bytesHeld += byteCount
    if (byteCount < 0) this.#resumeAll()
  }

  /** @returns false when the connection must stop reading; then its `resume` is called when it may look again */
  admits(connection: Parked): boolean {
    if (this.#favoured === connection && !connection.isMidFrame) this.#favourNext()
    if (this.#isOver()) {
      if (this.#favoured === undefined && connection.isMidFrame) this.#favoured = connection
      if (this.#favoured !== connection) return this.#park(connection)
    }
    return this.#deps.store.isCongested ? this.#park(connection) : true
  }

  /** The connection is closed. */
  forget(connection: Parked): void {
    this.#parked.delete(connection)
    if (this.#favoured === connection) this.#favourNext()
  }

  #isOver(): boolean {
    return this.#bytesHeld > this.#deps.bytesMax
  }

  #park(connection: Parked): false {
    this.#parked.add(connection)
    return false
  }

  #favourNext(): void {
    this.#favoured = [...this.#parked].find(({ isMidFrame }) => isMidFrame)
    if (this.#favoured === undefined) return
    this.#parked.delete(this.#favoured)
    this.#favoured.resume()
  }

  #resumeAll(): void {
    if (this.#parked.size === 0 || this.#isOver() || this.#deps.store.isCongested) return
    const parked = [...this.#parked]
    this.#parked.clear()
    for (const connection of parked) connection.resume()
  }
}
