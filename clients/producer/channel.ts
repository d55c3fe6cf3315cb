// Channel: the producer's way to one broker: its connection, and how many requests on it have no answer yet.

import { strict as assert } from 'node:assert'
import type { Connection } from '../net/connection.ts'

export class Channel {
  readonly leader: number
  connection: Connection | undefined
  isOpening = false
  failures = 0
  /** Monotonic ms. */
  blockedUntil = 0
  readonly #requestsMax: number
  #requestsInFlight = 0

  constructor(leader: number, requestsMax: number) {
    this.leader = leader
    this.#requestsMax = requestsMax
  }

  get isFull(): boolean {
    return this.#requestsInFlight >= this.#requestsMax
  }

  /** A request is sent. */
  begin(): void {
    assert(!this.isFull, 'a channel has a bound of requests in flight')
    this.#requestsInFlight++
  }

  /** The request has its answer, or will have none. */
  end(): void {
    assert(this.#requestsInFlight > 0, 'a request ends once')
    this.#requestsInFlight--
  }
}
