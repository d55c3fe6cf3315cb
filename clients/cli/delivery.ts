// Delivery: passes records to the producer with a bounded number of bytes in flight, and counts their outcomes.

import type { Lines } from '../../protocol/batch/build.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { PartialError } from '../partial-error.ts'
import type { Send } from '../producer/batch.ts'
import type { Producer } from '../producer/producer.ts'
import type { ProducerRecord } from '../topic.ts'
import { CliError, explain } from './exit.ts'
import { count } from './print.ts'
import type { Progress } from './progress.ts'

/** With more unacknowledged bytes than this, `send` waits. */
const BYTES_IN_FLIGHT_MAX = 8 * 1024 * 1024
/** The approximate memory of a record beside its key and value. */
const RECORD_OVERHEAD_BYTES = 50

export class Delivery {
  #ackedCount = 0
  #failedCount = 0
  #failure: Error | undefined
  #bytesInFlight = 0
  /** Calls the one who waits for less to be under way. */
  #onSettled: (() => void) | undefined
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
    await this.#follow(bytesOf(records), this.#producer.begin(this.#topic, records, false))
  }

  /** As `send`. @param lines at least one; given */
  async sendLines(lines: Lines): Promise<void> {
    await this.#follow(bytesIn(lines), this.#producer.beginLines(this.#topic, lines))
  }

  async #follow(bytes: number, send: Send): Promise<void> {
    void this.#deliver(bytes, send)
    await this.#untilInFlight(BYTES_IN_FLIGHT_MAX)
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Never rejects. */
  async #deliver(bytes: number, { recordCount, settled }: Send): Promise<void> {
    const held = bytes + recordCount * RECORD_OVERHEAD_BYTES
    this.#bytesInFlight += held
    let failedCount = 0
    try {
      await settled
    } catch (error) {
      failedCount = failuresIn(error, recordCount)
      this.fail(firstFailure(error))
    }
    this.#bytesInFlight -= held
    this.#failedCount += failedCount
    this.#ackedCount += recordCount - failedCount
    this.progress.add(recordCount - failedCount, bytes)
    this.#onSettled?.()
  }

  async #untilInFlight(bytesMax: number): Promise<void> {
    while (this.#bytesInFlight > bytesMax)
      await new Promise<void>((resolve) => (this.#onSettled = resolve))
  }

  /** Keeps the first error. */
  fail(error: Error): void {
    this.#failure ??= error
  }

  /** @returns when every record has been acknowledged or has failed */
  async finish(): Promise<void> {
    await this.#untilInFlight(0)
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

function bytesIn({ start, ends }: Lines): number {
  return ends.at(-1)! - start - (ends.length - 1)
}

function failuresIn(error: unknown, recordCount: number): number {
  if (!(error instanceof PartialError)) return recordCount
  return error.results.filter((result) => result instanceof KafkaError).length
}

function firstFailure(error: unknown): Error {
  return (error instanceof PartialError ? error.cause : error) as Error
}
