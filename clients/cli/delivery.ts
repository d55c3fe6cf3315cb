// Delivery: passes records to the producer with a bounded number of bytes in flight, and counts their outcomes.

import { KafkaError } from '../../protocol/errors.ts'
import { PartialError } from '../partial-error.ts'
import type { Producer } from '../producer/producer.ts'
import type { ProducerRecord } from '../topic.ts'
import { CliError, explain } from './exit.ts'
import { count } from './print.ts'
import type { Progress } from './progress.ts'

/** With more unacknowledged bytes than this, `send` waits. */
const BYTES_IN_FLIGHT_MAX = 8 * 1024 * 1024
/** The approximate memory of a record beside its key and value. */
const RECORD_OVERHEAD_BYTES = 300

export class Delivery {
  #ackedCount = 0
  #failedCount = 0
  #failure: Error | undefined
  #bytesInFlight = 0
  readonly #inFlight = new Set<Promise<void>>()
  readonly #producer: Producer
  readonly #topic: string
  readonly progress: Progress

  constructor(producer: Producer, topic: string, progress: Progress) {
    this.#producer = producer
    this.#topic = topic
    this.progress = progress
  }

  /**
   * @returns when there is room for more records
   * @throws the first failure so far, so that the caller stops reading
   */
  async send(records: readonly ProducerRecord[]): Promise<void> {
    if (records.length === 0) return
    const bytes = bytesOf(records)
    const held = bytes + records.length * RECORD_OVERHEAD_BYTES
    this.#bytesInFlight += held
    const delivered: Promise<void> = this.#deliver(records, bytes).finally(() => {
      this.#bytesInFlight -= held
      this.#inFlight.delete(delivered)
    })
    this.#inFlight.add(delivered)
    while (this.#bytesInFlight > BYTES_IN_FLIGHT_MAX) await Promise.race(this.#inFlight)
    if (this.#failure !== undefined) throw this.#failure
  }

  async #deliver(records: readonly ProducerRecord[], bytes: number): Promise<void> {
    try {
      await this.#producer.send(this.#topic, records)
      this.#ackedCount += records.length
      this.progress.add(records.length, bytes)
    } catch (error) {
      const failedCount = failuresIn(error, records.length)
      this.#failedCount += failedCount
      this.#ackedCount += records.length - failedCount
      this.progress.add(records.length - failedCount, bytes)
      this.fail(firstFailure(error))
    }
  }

  /** Keeps the first error. */
  fail(error: Error): void {
    this.#failure ??= error
  }

  /** @returns when every record has been acknowledged or has failed */
  async finish(): Promise<void> {
    await Promise.all(this.#inFlight)
    this.progress.stop()
  }

  /** @throws {CliError} partial, if some records were acknowledged; else the error itself */
  throwFailure(): void {
    if (this.#failure === undefined) return
    if (this.#ackedCount === 0) throw this.#failure
    const sent = count(this.#ackedCount + this.#failedCount)
    const message = `${count(this.#ackedCount)} of ${sent} records were acknowledged; stopped at: ${explain(this.#failure, false)}`
    throw new CliError('partial', message, { cause: this.#failure })
  }
}

/** Of keys and values. */
export function bytesOf(records: readonly ProducerRecord[]): number {
  let bytes = 0
  for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0)
  return bytes
}

function failuresIn(error: unknown, recordCount: number): number {
  if (!(error instanceof PartialError)) return recordCount
  return error.results.filter((result) => result instanceof KafkaError).length
}

function firstFailure(error: unknown): Error {
  return (error instanceof PartialError ? error.cause : error) as Error
}
