// Sensors: what clients have used of their quotas, by client. One that measures nothing any more is dropped: its memory is
// bounded by the clients of the last window, however many names they make up. Network thread.

/** Above it the oldest are dropped, and their clients start with nothing used. */
const SENSORS_MAX = 100_000
/** Looked at for each that is made: more than one, or the old ones would never go. */
const LOOKED_AT = 2

interface Sensor {
  /** A new one would measure the same. */
  isIdle(now: number): boolean
}

export class Sensors<S extends Sensor> {
  readonly #make: (now: number) => S
  readonly #byKey = new Map<string, S>()
  /** Goes round: those in use move behind the others. */
  #round = this.#byKey.entries()

  constructor(make: (now: number) => S) {
    this.#make = make
  }

  get count(): number {
    return this.#byKey.size
  }

  /** @param now monotonic ms */
  of(key: string, now: number): S {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    this.#dropIdle(now)
    const made = this.#make(now)
    this.#byKey.set(key, made)
    return made
  }

  #dropIdle(now: number): void {
    for (let looked = 0; looked < LOOKED_AT; looked++) {
      const { done, value } = this.#round.next()
      if (done === true) {
        this.#round = this.#byKey.entries()
        return
      }
      const [key, sensor] = value
      this.#byKey.delete(key)
      if (!sensor.isIdle(now) && this.#byKey.size < SENSORS_MAX) this.#byKey.set(key, sensor)
    }
  }
}
