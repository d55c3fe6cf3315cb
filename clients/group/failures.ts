// Failures: handles failed records: retries with growing pauses, then a dead letter.

import { backoffMs } from '../cluster/backoff.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { traced } from '../consumer/consume-tracing.ts'
import { DeadLetters, type Failure } from './dead-letters.ts'
import { tellRetry } from '../events.ts'
import type { Delivery } from '../consumer/record-stream.ts'
import type { TopicLike } from '../topic.ts'

export interface OnError {
  /** How often a record is retried. Default 0. */
  readonly retry?: number | undefined
  /** Pause before the first retry; it doubles with each retry, plus or minus a random fifth. Default 1 s. */
  readonly backoffMs?: number | undefined
  /** The longest pause. Default 60 s. */
  readonly backoffMaxMs?: number | undefined
  /**
   * The topic for records that have failed for good, or that a serde refused; they then count as done. Default: none.
   */
  readonly deadLetter?: TopicLike | undefined
}

interface Handled {
  readonly signal: AbortSignal
  /** From 1. */
  readonly attempt: number
}

export class Failures {
  readonly #cluster: Cluster
  readonly #onError: OnError
  readonly #deadLetters: DeadLetters | undefined

  /** @param onError undefined: no record is retried by itself */
  constructor(cluster: Cluster, group: string, onError: OnError = {}) {
    this.#cluster = cluster
    this.#onError = onError
    const { deadLetter } = onError
    if (deadLetter !== undefined) this.#deadLetters = new DeadLetters(cluster, group, deadLetter)
  }

  get hasDeadLetters(): boolean {
    return this.#deadLetters !== undefined
  }

  /**
   * Decides about a failed record.
   *
   * @returns ms until its retry; undefined: it has been written durably as a dead letter
   * @throws the record's error, when there is neither a retry left nor a dead letter topic
   */
  async judge(
    given: Delivery<unknown>,
    failure: Failure,
    retryDefault = 0,
  ): Promise<number | undefined> {
    const { retry = retryDefault } = this.#onError
    if (failure.attempts <= retry) return this.#delay(given, failure)
    if (this.#deadLetters === undefined) throw failure.error
    await this.#deadLetters.send(given, failure)
    return undefined
  }

  /**
   * Calls `handle`, which has failed once, until it succeeds or the record is a dead letter.
   *
   * @param first the error of the first call
   * @param over aborted when `run` ends
   * @returns false when the member lost the partition meanwhile, or `run` has ended: the record is not done
   * @throws the error of `handle`, when there is neither a retry left nor a dead letter topic
   */
  async handleAgain<R extends Handled>(
    given: Delivery<R>,
    handle: (record: R) => unknown,
    first: unknown,
    over: AbortSignal,
  ): Promise<boolean> {
    const { record } = given
    let error = first
    for (let attempts = 1; !record.signal.aborted; attempts++) {
      const delayMs = await this.judge(given, { error, attempts })
      if (delayMs === undefined) return true
      if (!(await this.#sleep(delayMs, AbortSignal.any([record.signal, over])))) return false
      const again = { ...record, attempt: attempts + 1 }
      try {
        await traced(again, () => handle(again))
        return true
      } catch (cause) {
        error = cause
      }
    }
    return false // the partition's next owner handles the record
  }

  /** @returns false when the signal has fired */
  async #sleep(delayMs: number, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#cluster.call({ signal, timeoutMs: Infinity }).sleep(delayMs)
      return true
    } catch {
      return false
    }
  }

  /** Writes a record that its serde refused as a dead letter. */
  async bury(given: Pick<Delivery<unknown>, 'reading' | 'view'>, error: unknown): Promise<void> {
    await this.#deadLetters!.send(given, { error, attempts: 0 })
  }

  async close(): Promise<void> {
    await this.#deadLetters?.close()
  }

  #delay({ reading }: Delivery<unknown>, { error, attempts: failures }: Failure): number {
    const { backoffMs: first = 1_000, backoffMaxMs = Math.max(first, 60_000) } = this.#onError
    const { clock, options } = this.#cluster
    const delayMs = backoffMs(failures, { backoffMs: first, backoffMaxMs }, clock)
    const message = { what: 'record', error, failures, delayMs, ...reading.where } as const
    tellRetry(message, options.logger)
    return delayMs
  }
}
