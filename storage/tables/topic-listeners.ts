// TopicListeners: the listeners to created, changed and deleted topics, independent of each other: one that fails is
// named in a warning, and the others are called all the same. Network thread.

import type { Topic, TopicListener } from '../store.ts'

/** A call of one listener. */
type News = (listener: TopicListener) => void | Promise<void>

export class TopicListeners {
  readonly #listeners = new Set<TopicListener>()
  readonly #warn: (message: string) => void

  constructor(warn: (message: string) => void) {
    this.#warn = warn
  }

  /** @returns a function that removes the listener */
  add(listener: TopicListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Calls every listener, in the order of their registration; resolves when each is done. */
  async tell({ name }: Topic, news: News): Promise<void> {
    for (const listener of this.#listeners) {
      try {
        await news(listener)
      } catch (error) {
        this.#warn(`topic ${name} has changed, and a listener failed: ${String(error)}`)
      }
    }
  }
}
