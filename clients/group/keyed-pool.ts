// KeyedPool: runs up to `size` tasks side by side, and tasks of one key one after the other, in order.

export class KeyedPool {
  /** The most tasks that run side by side. */
  readonly size: number
  readonly #onFailure: () => void
  /** The last task of each key that has one. */
  readonly #tails = new Map<string, Promise<void>>()
  readonly #running = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined

  /** @param onFailure called when the first task fails */
  constructor(size: number, onFailure: () => void) {
    if (!Number.isInteger(size) || size < 1) throw new TypeError(`concurrency ${size}`)
    this.size = size
    this.#onFailure = onFailure
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  /** Resolves when another task may start. */
  async room(): Promise<void> {
    while (this.#running.size >= this.size) await Promise.race(this.#running)
  }

  /** @param key undefined: the task waits for no other one */
  start(key: string | undefined, task: () => Promise<void>): void {
    const before = key === undefined ? undefined : this.#tails.get(key)
    const running = (before ?? Promise.resolve()).then(() => this.#run(task))
    this.#running.add(running)
    if (key !== undefined) this.#tails.set(key, running)
    void running.then(() => {
      this.#running.delete(running)
      if (key !== undefined && this.#tails.get(key) === running) this.#tails.delete(key)
    })
  }

  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  throwFirst(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** After a failure no waiting task starts. */
  async #run(task: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) return
    try {
      await task()
    } catch (error) {
      if (this.#failure !== undefined) return
      this.#failure = { error }
      this.#onFailure()
    }
  }
}
