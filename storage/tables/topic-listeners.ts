// TopicListeners: those that hear of topics which come, change and go, each by itself: one that fails is named in a warning,
// and the others hear all the same. Network thread.

import type { Topic, TopicListener } from '../store.ts'

/** Something to tell each listener. */
type News = (listener: TopicListener) => void | Promise<void>

export class TopicListeners {
  readonly #listeners = new Set<TopicListener>()
  readonly #warn: (message: string) => void

  constructor(warn: (message: string) => void) {
    this.#warn = warn
  }

  /** @returns call it to hear no more */
  add(listener: TopicListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when every listener is done with it, in the order in which they came. */
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
