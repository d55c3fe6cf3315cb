// ConsumeTracing: `tracing:millrace:consume:*` around what a reader does with each record: `start`, then `error` when it
// failed or its loop was left, then `end`. Without subscribers it costs a look at three flags.

import { tracingChannel } from 'node:diagnostics_channel'

const tracing = tracingChannel<string, Traced>('millrace:consume')

interface Traced {
  readonly record: object
  error?: unknown
}

export function isTraced(): boolean {
  const { start, end, error } = tracing
  return start.hasSubscribers || end.hasSubscribers || error.hasSubscribers
}

/** What a reader has in hand, between two questions for more. */
export class ConsumeTracing {
  #traced: Traced[] = []

  start(record: object): void {
    if (isTraced()) this.#start(record)
  }

  startAll(given: readonly { readonly record: object }[]): void {
    if (isTraced()) for (const { record } of given) this.#start(record)
  }

  #start(record: object): void {
    const traced = { record }
    this.#traced.push(traced)
    tracing.start.publish(traced)
  }

  /** It asks for more. */
  end(): void {
    if (this.#traced.length === 0) return
    for (const traced of this.#traced) tracing.end.publish(traced)
    this.#traced = []
  }

  /** It has left the loop, perhaps by an error, of which the iterator hears nothing. */
  leave(): void {
    for (const traced of this.#traced) {
      traced.error = new Error('the loop was left with this record in hand')
      tracing.error.publish(traced)
    }
    this.end()
  }
}

export async function traced<T>(record: object, body: () => T | Promise<T>): Promise<T> {
  const message: Traced = { record }
  tracing.start.publish(message)
  try {
    return await body()
  } catch (error) {
    message.error = error
    tracing.error.publish(message)
    throw error
  } finally {
    tracing.end.publish(message)
  }
}
