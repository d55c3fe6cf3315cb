// Closing: closes in reverse order what was opened, also after a failure half-way. Any thread.

type Close = () => void | PromiseLike<void>

export class Closing {
  readonly #closes: Close[] = []
  #closed: Promise<void> | undefined

  add(close: Close): void {
    this.#closes.push(close)
  }

  /** Closes everything even if one part fails, and then throws the first error. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll()
    return this.#closed
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = []
    for (const close of this.#closes.reverse()) {
      try {
        await close()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
}
