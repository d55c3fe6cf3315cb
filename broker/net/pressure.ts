// Pressure: how many bytes all requests together hold, and which connections stopped reading because of it.
// Network thread. Limits: docs/architecture.md, "Overload"

/** What a connection waits for when it must not read on. */
interface Parked {
  resume(): void
}

interface PressureDeps {
  readonly bytesMax: number
  /** The writer's inbox: full, and a call back when it no longer is. */
  readonly store: { readonly isCongested: boolean; onDrain(callback: () => void): void }
}

export class Pressure {
  readonly #deps: PressureDeps
  readonly #parked = new Set<Parked>()
  #bytesHeld = 0

  constructor(deps: PressureDeps) {
    this.#deps = deps
    deps.store.onDrain(() => this.#resume())
  }

  /** Bytes of requests that are arriving, waiting or running. */
  get bytesHeld(): number {
    return this.#bytesHeld
  }

  get isHigh(): boolean {
    return this.#bytesHeld > this.#deps.bytesMax || this.#deps.store.isCongested
  }

  /** @param byteCount negative to give back */
  hold(byteCount: number): void {
    this.#bytesHeld += byteCount
    if (byteCount < 0 && this.#parked.size > 0) this.#resume()
  }

  /** `resume` is called once when the pressure is gone. Idempotent. */
  park(connection: Parked): void {
    this.#parked.add(connection)
  }

  forget(connection: Parked): void {
    this.#parked.delete(connection)
  }

  #resume(): void {
    if (this.isHigh) return
    const parked = [...this.#parked]
    this.#parked.clear()
    for (const connection of parked) connection.resume()
  }
}
