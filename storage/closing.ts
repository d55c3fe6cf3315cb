// Closing: what was opened, closed in reverse, also when only half of it could be opened. Any thread.

type Close = () => void | PromiseLike<void>

export class Closing {
  readonly #closes: Close[] = []
  #closed: Promise<void> | undefined

  add(close: Close): void {
    this.#closes.push(close)
  }

  /** Closes everything, also after one failed, and then throws the first failure. Idempotent. */
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
