// WriterClient: asks the writer and hands every answer to the one who asked. Knows when the writer has had enough, and
// when it is lost. Network thread.

import { KafkaError } from '../../protocol/errors.ts'
import type { AppendOutcome } from '../store.ts'
import { WaitingAnswers } from './waiting-answers.ts'
import type { Command, Outcome, TurnResult } from './commands.ts'
import type { WriterEvents, WriterPort } from './port.ts'
import type { TxnMarker, Slot } from '../log-facts.ts'

/** A command but for the id that its answer is known by. */
export type Request = Command extends infer Each
  ? Each extends Command
    ? Omit<Each, 'id'>
    : never
  : never

export interface WriterClientDeps {
  readonly connect: (events: WriterEvents) => WriterPort
  /** Hears every result before those who asked. */
  readonly onResult: (result: TurnResult) => void
}

export class WriterClient {
  readonly #port: WriterPort
  readonly #onResult: (result: TurnResult) => void
  readonly #waiting = new WaitingAnswers<(outcome: Outcome) => void>()
  readonly #drainCallbacks: (() => void)[] = []
  readonly #fatalCallbacks: ((error: Error) => void)[] = []
  /** Why nothing is acknowledged any more. */
  #failure: Error | undefined

  constructor(deps: WriterClientDeps) {
    this.#onResult = deps.onResult
    this.#port = deps.connect({
      onResult: (result) => this.#hear(result),
      onDrain: () => this.#drain(),
      onDeath: (error) => this.#fail(error),
    })
  }

  get isCongested(): boolean {
    return this.#port.isFull
  }

  get bytesUsed(): number {
    return this.#port.bytesUsed
  }

  /**
   * @param batch borrowed: copied before this returns
   * @param isChecked the writer need not look at it
   */
  append(
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

  endTransaction(slot: Slot, marker: TxnMarker): Promise<AppendOutcome> {
    return new Promise((resolve) => {
      const id = this.#waiting.nextId
      const answer = (outcome: Outcome) => resolve(toAppendOutcome(outcome))
      this.#put({ kind: 'endTransaction', id, slot, ...marker }, answer)
    })
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

  /** @param callback called at once when the writer is lost already */
  onFatal(callback: (error: Error) => void): void {
    if (this.#failure) callback(this.#failure)
    else this.#fatalCallbacks.push(callback)
  }

  /** Everything that was asked is done, and the stop is marked as clean. Nothing is taken afterwards. */
  async finish(): Promise<void> {
    if (this.#failure) return
    const finished = this.ask({ kind: 'close', clean: true })
    this.#failure = new Error('the store is closed')
    await finished
  }

  /** The writer is gone when this resolves, whatever it was at. */
  async stop(): Promise<void> {
    this.#failure ??= new Error('the store is closed')
    await this.#port.stop()
  }

  /** @param command with the id that is next */
  #put(command: Command, answer: (outcome: Outcome) => void): void {
    if (this.#failure) {
      answer(refusal(command.id, this.#failure))
      return
    }
    this.#waiting.add(answer)
    this.#port.put(command)
  }

  #hear(result: TurnResult): void {
    this.#onResult(result)
    for (const outcome of result.outcomes) this.#waiting.take(outcome.id)?.(outcome)
    if (result.fatal !== undefined) this.#fail(new Error(result.fatal))
  }

  /** Something else went wrong that ends the process. */
  fail(error: Error): void {
    this.#fail(error)
  }

  #drain(): void {
    for (const callback of this.#drainCallbacks) callback()
  }

  /** Refuses everything that waits, and everything from now on. */
  #fail(error: Error): void {
    if (this.#failure) return
    this.#failure = error
    for (const [id, answer] of this.#waiting.takeAll()) answer(refusal(id, error))
    for (const callback of this.#fatalCallbacks) callback(error)
  }
}

function refusal(id: number, { message }: Error): Outcome {
  return { id, error: 'KAFKA_STORAGE_ERROR', message }
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
