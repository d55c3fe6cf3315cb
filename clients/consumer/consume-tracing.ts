// ConsumeTracing: publishes `tracing:millrace:consume:*` around the handling of each record: `start`, then `error` if
// the handling failed or the loop was left, then `end`. Without subscribers a record costs a look at three flags.

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

/** The records that the reader handles between two calls of `next()`. */
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

  /** The reader asks for more: it has handled its records. */
  end(): void {
    if (this.#traced.length === 0) return
    for (const traced of this.#traced) tracing.end.publish(traced)
    this.#traced = []
  }

  /** The reader has left the loop, perhaps because of an error, which the iterator does not get to see. */
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
