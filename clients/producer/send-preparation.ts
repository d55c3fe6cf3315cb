// SendPreparation: lets the serdes of a send look up what they need, one record at a time, so that records keep their
// order.

import { preparationToWrite } from '../preparation.ts'
import type { Topic } from '../topic.ts'

export class SendPreparation {
  readonly #topic: Topic
  /** Index of the last record whose serdes were asked. */
  #index = -1
  #isUnderWay = false
  #failure: { readonly error: unknown } | undefined

  constructor(topic: Topic) {
    this.#topic = topic
  }

  /** A look-up is running. */
  get isUnderWay(): boolean {
    return this.#isUnderWay
  }

  /** @returns false while a look-up runs; `onReady` is called when it has succeeded or failed */
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

  /** @throws the error of the record's look-up */
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
