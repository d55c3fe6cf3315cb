// SendPreparation: lets the serdes of a send look up what they need, one record after the other, so that order is kept.

import { preparationToWrite } from '../preparation.ts'
import type { Topic } from '../topic.ts'

export class SendPreparation {
  readonly #topic: Topic
  /** Of the record that was asked about last. */
  #index = -1
  #isUnderWay = false
  #failure: { readonly error: unknown } | undefined

  constructor(topic: Topic) {
    this.#topic = topic
  }

  /** A serde has not answered yet. */
  get isUnderWay(): boolean {
    return this.#isUnderWay
  }

  /** @returns false when it is not ready yet: `onReady` is called when it is, or has failed */
  isReady(index: number, record: () => unknown, onReady: () => void): boolean {
    if (this.#index === index) return !this.#isUnderWay
    this.#index = index
    this.#failure = undefined
    try {
      const preparation = preparationToWrite(this.#topic, record())
      if (preparation === undefined) return true
      this.#isUnderWay = true
      void this.#settle(preparation).then(onReady)
    } catch (error) {
      this.#failure = { error }
    }
    return !this.#isUnderWay
  }

  /** @throws what the serdes of the record have failed with */
  assertDone(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  async #settle(preparation: Promise<unknown>): Promise<void> {
    try {
      await preparation
    } catch (error) {
      this.#failure = { error }
    } finally {
      this.#isUnderWay = false
    }
  }
}
