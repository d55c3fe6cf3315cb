// Closing: undoes what was opened, in reverse, also when only half of it could be opened. Any thread.

export class Closing {
  readonly #steps: (() => void | Promise<void>)[] = []

  /** @param step runs once, before those that were added earlier */
  add(step: () => void | Promise<void>): void {
    this.#steps.push(step)
  }

  /** Idempotent. Every step runs. @throws what the first failing step threw */
  async close(): Promise<void> {
    const failures: unknown[] = []
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
}
