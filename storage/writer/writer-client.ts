// WriterClient: sends commands to the writer and returns each answer to its caller. It knows when the writer is
// overloaded, and when it is lost. Network thread.

import { strict as assert } from 'node:assert'
import { KafkaError } from '../../protocol/errors.ts'
import type { Offset } from '../../protocol/ids.ts'
import type { ProducerInfo, Slot, TxnMarker } from '../log-facts.ts'
import { ownLog, type LogView } from '../read/log-view.ts'
import { StoreClosed } from '../store-closed.ts'
import type { AppendOptions, AppendOutcome, Log, Writer } from '../store.ts'
import type { Command, Outcome, TurnResult } from './commands.ts'
import type { WriterEvents, WriterPort } from './port.ts'
import { WaitingAnswers } from './waiting-answers.ts'

/** A command without the id of its answer. */
export type Request = Command extends infer Each
  ? Each extends Command
    ? Omit<Each, 'id'>
    : never
  : never

/** A gate at which a batch may wait before it goes to the writer (the validator's). */
export interface AppendGate {
  readonly bytesWaiting: number
  /** @returns undefined when the batch goes on at once; else it is copied before this returns */
  hold(log: LogView, batch: Uint8Array, sent: Sent): Promise<AppendOutcome> | undefined
  /** @returns undefined when no batch of the producer waits for this log */
  whenPassed(log: LogView, producerId: number): Promise<unknown> | undefined
}

export interface Sent {
  /** Batches of one source keep their order. */
  readonly source: object
  readonly isTransactionV2: boolean
}

export interface WriterClientDeps {
  readonly connect: (events: WriterEvents) => WriterPort
  /** Gets every result before the callers do. */
  readonly onResult: (result: TurnResult) => void
}

export class WriterClient implements Writer {
  readonly #port: WriterPort
  readonly #onResult: (result: TurnResult) => void
  readonly #waiting = new WaitingAnswers<(outcome: Outcome) => void>()
  readonly #drainCallbacks: (() => void)[] = []
  readonly #fatalCallbacks: ((error: Error) => void)[] = []
  #gate: AppendGate | undefined
  /** The error after which nothing is acknowledged any more. */
  #failure: Error | undefined

  constructor(deps: WriterClientDeps) {
    this.#onResult = deps.onResult
    this.#port = deps.connect({
      onResult: (result) => this.#hear(result),
      onDrain: () => this.#drain(),
      onDeath: (error) => this.fail(error),
    })
  }

  /** Batches pass the gate from now on. */
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
   * Sends a batch that has passed the gate.
   *
   * @param batch borrowed: copied before this returns
   * @param isChecked the writer need not check it
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

  /** Waits for the producer's batches: a batch behind its transaction's marker would start another transaction. */
  endTransaction(log: Log, marker: TxnMarker): Promise<AppendOutcome> {
    const own = ownLog(log)
    if (own.isRemoved) return Promise.resolve(refusedAppend(own.topic.name))
    const passed = this.#gate?.whenPassed(own, marker.producerId)
    return passed ? passed.then(() => this.#end(own.slot, marker)) : this.#end(own.slot, marker)
  }

  /** Not an async function: its promise would settle after those of later commands. */
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

  /** Finishes all commands, and marks the stop as clean. Later commands are refused. */
  async finish(): Promise<void> {
    if (this.#failure) return
    const finished = this.ask({ kind: 'close', clean: true })
    this.#failure = new StoreClosed()
    await finished
  }

  /** When it resolves the writer has ended, even within a turn. */
  async stop(): Promise<void> {
    this.#failure ??= new StoreClosed()
    await this.#port.stop()
  }

  /** The process must end: refuses all waiting and later commands. */
  fail(error: Error): void {
    for (const [id, answer] of this.#waiting.takeAll()) answer(refusal(id, error))
    if (this.#failure) return // the writer is already lost, or could not close
    this.#failure = error
    for (const callback of this.#fatalCallbacks) callback(error)
  }

  /** @param command has the next id */
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
