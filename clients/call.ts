// Call: a running call of the client's API, with its deadline. Any thread.

import { types } from 'node:util'
import { KafkaError } from '../protocol/errors.ts'
import { rejection } from './caller.ts'
import type { Clock } from './clock.ts'
import { patienceMs, shape, signal, type Table } from './options.ts'

/** Options of every call. */
export interface CallOptions {
  /** Ends the call, which rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Ends the call with REQUEST_TIMED_OUT. Default: `ClientOptions.timeoutMs`. */
  readonly timeoutMs?: number | undefined
}

/** The rows of `CallOptions`, for tables of calls with more options. */
export const callRows: Table<CallOptions> = { signal, timeoutMs: patienceMs }
export const callOptions = shape<CallOptions>(callRows)

/** A producer or a consumer, which the client closes before its sockets. */
export interface Closeable {
  close(options?: CallOptions): Promise<void>
}

export class Call {
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number
  readonly #clock: Clock
  readonly #deadline: number
  /** The call's timer has fired: it may do so a little before the clock reaches the deadline. */
  #isTimedOut = false

  constructor(clock: Clock, options: CallOptions, timeoutMsDefault: number) {
    this.signal = options.signal
    this.timeoutMs = options.timeoutMs ?? timeoutMsDefault
    this.#clock = clock
    this.#deadline = clock.monotonic() + this.timeoutMs
  }

  get remainingMs(): number {
    return this.#isTimedOut ? 0 : Math.max(0, this.#deadline - this.#clock.monotonic())
  }

  get isOver(): boolean {
    return this.signal?.aborted === true || this.remainingMs === 0
  }

  /** Waits for `promise`, at most until the call ends. If the call ends first, the promise's outcome is ignored. */
  wait<T>(promise: Promise<T>, cause?: unknown): Promise<T> {
    const { signal } = this
    if (this.timeoutMs === Infinity && signal === undefined) return promise
    return new Promise<T>((resolve) => {
      let isSettled = false
      const timer = Number.isFinite(this.timeoutMs)
        ? this.#clock.after(this.remainingMs, () => {
            this.#isTimedOut = true
            fail(this.timedOut(cause))
          })
        : undefined
      const settle = (): boolean => {
        if (isSettled) return false
        isSettled = true
        timer?.cancel()
        signal?.removeEventListener('abort', onAbort)
        return true
      }
      const fail = (error: unknown): void => {
        if (settle()) resolve(rejection(error))
      }
      const onAbort = (): void => fail(signal!.reason)
      promise.then((value) => settle() && resolve(value), fail)
      if (signal?.aborted) onAbort()
      else signal?.addEventListener('abort', onAbort)
    })
  }

  /** @param cause the error that the call waits out: the cause of a timeout */
  async sleep(delayMs: number, cause?: unknown): Promise<void> {
    let timer: { cancel(): void } | undefined
    const slept = new Promise<void>((resolve) => {
      timer = this.#clock.after(delayMs, resolve)
    })
    try {
      await this.wait(slept, cause)
    } finally {
      timer?.cancel()
    }
  }

  /** The error of a call that is over. @param error the last error before the end */
  ending(error: unknown): unknown {
    if (this.signal?.aborted) return this.signal.reason
    const isTimeout = error instanceof KafkaError && error.code === 'REQUEST_TIMED_OUT'
    return isTimeout ? error : this.timedOut(error)
  }

  timedOut(cause?: unknown): KafkaError {
    const last = types.isNativeError(cause) ? `, last: ${cause.message}` : ''
    return new KafkaError('REQUEST_TIMED_OUT', `gave up after ${this.timeoutMs} ms${last}`, {
      cause,
    })
  }
}
