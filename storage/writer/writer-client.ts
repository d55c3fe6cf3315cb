// WriterClient: asks the writer and hands every answer to the one who asked. Knows when the writer has had enough, and
// when it is lost. Network thread.

import { strict as assert } from 'node:assert'
import { KafkaError } from '../../protocol/errors.ts'
import type { Offset } from '../../protocol/ids.ts'
import type { ProducerInfo, Slot, TxnMarker } from '../log-facts.ts'
import { LogView } from '../read/log-view.ts'
import { StoreClosed } from '../store-closed.ts'
import type { AppendOptions, AppendOutcome, Log, Writer } from '../store.ts'
import type { Command, Outcome, TurnResult } from './commands.ts'
import type { WriterEvents, WriterPort } from './port.ts'
import { WaitingAnswers } from './waiting-answers.ts'

/** A command but for the id that its answer is known by. */
export type Request = Command extends infer Each
  ? Each extends Command
    ? Omit<Each, 'id'>
    : never
  : never

/** Where a batch may have to wait before it goes to the writer. */
export interface AppendGate {
  readonly bytesWaiting: number
  /** @returns undefined when the batch goes on at once; else it is copied before this returns */
  hold(log: LogView, batch: Uint8Array, sent: Sent): Promise<AppendOutcome> | undefined
  /** @returns undefined when nothing that the producer sent to the log waits */
  whenPassed(log: LogView, producerId: number): Promise<unknown> | undefined
}

export interface Sent {
  /** What is sent by the same keeps its order. */
  readonly source: object
  readonly isTransactionV2: boolean
}

export interface WriterClientDeps {
  readonly connect: (events: WriterEvents) => WriterPort
  /** Hears every result before those who asked. */
  readonly onResult: (result: TurnResult) => void
}

export class WriterClient implements Writer {
  readonly #port: WriterPort
  readonly #onResult: (result: TurnResult) => void
  readonly #waiting = new WaitingAnswers<(outcome: Outcome) => void>()
  readonly #drainCallbacks: (() => void)[] = []
  readonly #fatalCallbacks: ((error: Error) => void)[] = []
  #gate: AppendGate | undefined
  /** Why nothing is acknowledged any more. */
  #failure: Error | undefined

  constructor(deps: WriterClientDeps) {
    this.#onResult = deps.onResult
    this.#port = deps.connect({
      onResult: (result) => this.#hear(result),
      onDrain: () => this.#drain(),
      onDeath: (error) => this.fail(error),
    })
  }

  /** Batches pass it from now on. */
  passThrough(gate: AppendGate): void {
    this.#gate = gate
  }

  get isCongested(): boolean {
    return this.#port.inbox.isFull
  }

  get bytesWaiting(): number {
    return this.#port.inbox.bytesUsed + (this.#gate?.bytesWaiting ?? 0)
  }

  append(
    log: Log,
    batch: Uint8Array,
    { source = this, isTransactionV2 = false }: AppendOptions = {},
  ): Promise<AppendOutcome> {
    const own = ownLog(log)
    if (own.isRemoved) return Promise.resolve(refusedAppend(own.topic.name))
    const held = this.#gate?.hold(own, batch, { source, isTransactionV2 })
    return held ?? this.write(own.slot, batch, isTransactionV2)
  }

  /**
   * Past the gate.
   *
   * @param batch borrowed: copied before this returns
   * @param isChecked the writer need not look at it
   */
  write(
    slot: Slot,
    batch: Uint8Array,
    isTransactionV2 = false,
    isChecked = false,
  ): Promise<AppendOutcome> {
    return new Promise((resolve) => {
      const id = this.#waiting.nextId
      const answer = (outcome: Outcome) => resolve(toAppendOutcome(outcome))
      this.#put({ kind: 'append', id, slot, batch, isTransactionV2, isChecked }, answer)
    })
  }

  /** Not before what the producer sent: a batch behind its transaction's marker would begin another transaction. */
  endTransaction(log: Log, marker: TxnMarker): Promise<AppendOutcome> {
    const own = ownLog(log)
    if (own.isRemoved) return Promise.resolve(refusedAppend(own.topic.name))
    const passed = this.#gate?.whenPassed(own, marker.producerId)
    return passed ? passed.then(() => this.#end(own.slot, marker)) : this.#end(own.slot, marker)
  }

  /** No async function: its promise would settle behind those of what was put later. */
  #end(slot: Slot, marker: TxnMarker): Promise<AppendOutcome> {
    return new Promise((resolve) => {
      const id = this.#waiting.nextId
      const answer = (outcome: Outcome) => resolve(toAppendOutcome(outcome))
      this.#put({ kind: 'endTransaction', id, slot, ...marker }, answer)
    })
  }

  async producersOf(log: Log): Promise<readonly ProducerInfo[]> {
    const { producers = [] } = await this.ask({ kind: 'producers', slot: ownLog(log).slot })
    return producers
  }

  async deleteRecordsBefore(log: Log, offset: Offset): Promise<Offset> {
    const { slot, topic, partition } = ownLog(log)
    if (offset > log.highWatermark) {
      const what = `${topic.name}-${partition}: ${offset} is past the high watermark, ${log.highWatermark}`
      throw new KafkaError('OFFSET_OUT_OF_RANGE', what)
    }
    await this.ask({ kind: 'trim', slot, logStartOffset: offset })
    return log.logStartOffset
  }

  /** @throws {KafkaError} when the writer refuses */
  async ask(request: Request): Promise<Outcome> {
    const id = this.#waiting.nextId
    const outcome = await new Promise<Outcome>((resolve) => this.#put({ ...request, id }, resolve))
    if (outcome.error) throw new KafkaError(outcome.error, outcome.message ?? request.kind)
    return outcome
  }

  onDrain(callback: () => void): void {
    this.#drainCallbacks.push(callback)
  }

  onFatal(callback: (error: Error) => void): void {
    if (this.#failure) callback(this.#failure)
    else this.#fatalCallbacks.push(callback)
  }

  /** Everything that was asked is done, and the stop is marked as clean. Nothing is taken afterwards. */
  async finish(): Promise<void> {
    if (this.#failure) return
    const finished = this.ask({ kind: 'close', clean: true })
    this.#failure = new StoreClosed()
    await finished
  }

  /** The writer is gone when this resolves, whatever it was at. */
  async stop(): Promise<void> {
    this.#failure ??= new StoreClosed()
    await this.#port.stop()
  }

  /** Something has gone wrong that ends the process: refuses everything that waits, and everything from now on. */
  fail(error: Error): void {
    for (const [id, answer] of this.#waiting.takeAll()) answer(refusal(id, error))
    if (this.#failure) return // it is lost already, or was asked to close and could not
    this.#failure = error
    for (const callback of this.#fatalCallbacks) callback(error)
  }

  /** @param command with the id that is next */
  #put(command: Command, answer: (outcome: Outcome) => void): void {
    if (this.#failure) {
      answer(refusal(command.id, this.#failure))
      return
    }
    const id = this.#waiting.add(answer)
    assert(id === command.id, 'the answer waits under the id of its command')
    this.#port.inbox.put(command)
  }

  #hear(result: TurnResult): void {
    this.#onResult(result)
    for (const outcome of result.outcomes) {
      const answer = this.#waiting.take(outcome.id)
      assert(answer || this.#failure, 'somebody waits for each answer, once')
      answer?.(outcome)
    }
    if (result.fatal !== undefined) this.fail(new Error(result.fatal))
  }

  #drain(): void {
    for (const callback of this.#drainCallbacks) callback()
  }
}

/** Logs are handed out by this store only. */
function ownLog(log: Log): LogView {
  if (log instanceof LogView) return log
  throw new TypeError('the log is not of this store')
}

function refusal(id: number, { message }: Error): Outcome {
  return { id, error: 'KAFKA_STORAGE_ERROR', message }
}

function refusedAppend(topic: string): AppendOutcome {
  return {
    error: 'UNKNOWN_TOPIC_OR_PARTITION',
    message: `${topic} is being deleted`,
    baseOffset: -1,
    logAppendTimeMs: -1,
  }
}

function toAppendOutcome({
  error,
  message,
  recordErrors,
  baseOffset = -1,
  logAppendTimeMs = -1,
}: Outcome): AppendOutcome {
  if (error === undefined) return { baseOffset, logAppendTimeMs }
  const refusal = { error, message: message ?? error, ...(recordErrors && { recordErrors }) }
  return { ...refusal, baseOffset: -1, logAppendTimeMs: -1 }
}
