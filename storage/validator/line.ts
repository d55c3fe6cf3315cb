// ValidationLine: the gate in front of the writer. Most batches go straight on: the writer checks their records itself. The validator
// first checks a batch that is large when decompressed, and what its connection sends meanwhile waits behind it; so
// the order of each connection holds, and others do not wait. Network thread. See docs/decisions/0011-records-are-checked.md

import { attributesOf, CODEC_MASK, producerIdOf } from '../../protocol/batch/header.ts'
import type { Clock } from '../clock.ts'
import { partitionDirectory } from '../layout.ts'
import type { LogView } from '../read/log-view.ts'
import { heavyBytesOf, type RecordRules, type BatchRefusal } from '../record-rules.ts'
import { StoreClosed } from '../store-closed.ts'
import type { AppendOutcome } from '../store.ts'
import type { AppendGate, Sent, WriterClient } from '../writer/writer-client.ts'
import type { ValidatorPort } from './port.ts'

export interface ValidationLineDeps {
  readonly writer: Pick<WriterClient, 'write'>
  readonly port: ValidatorPort
  readonly clock: Clock
  readonly rulesOf: (log: Target) => RecordRules
  /**
   * Bytes of waiting batches, decompressed, from which a connection that already waits is refused more; default
   * `HEAVY_BYTES_MAX`.
   */
  readonly heavyBytesMax?: number
}

type Target = Pick<LogView, 'slot' | 'topic' | 'partition'>

interface Waiting extends Sent {
  readonly log: Target
  /** Absent while the validator has it. */
  readonly batch: Uint8Array<ArrayBuffer>
  readonly sizeBytes: number
  readonly producerId: number
  /** 0: the batch only waits for its turn. */
  readonly heavyBytes: number
  /** Of the head of a line: when it would be done if all lines advanced side by side, in bytes of each. */
  dueBytes: number
  readonly resolve: (outcome: AppendOutcome | Promise<AppendOutcome>) => void
  readonly outcome: Promise<AppendOutcome>
}

/** Some seconds of work. */
const HEAVY_BYTES_MAX = 2 * 1024 * 1024 * 1024

export class ValidationLine implements AppendGate {
  readonly #deps: ValidationLineDeps
  readonly #heavyBytesMax: number
  /** By source; none is empty, and each starts with a heavy batch. */
  readonly #lines = new Map<object, Waiting[]>()
  /** Bytes of all waiting heavy batches. */
  #heavyBytes = 0
  /** How far each line would be that had waited all the time. */
  #fairBytes = 0
  #bytesWaiting = 0
  #isBusy = false
  #isStopped = false

  constructor(deps: ValidationLineDeps) {
    this.#deps = deps
    this.#heavyBytesMax = deps.heavyBytesMax ?? HEAVY_BYTES_MAX
  }

  get bytesWaiting(): number {
    return this.#bytesWaiting
  }

  hold(log: Target, batch: Uint8Array, sent: Sent): Promise<AppendOutcome> | undefined {
    const isCompressed = (attributesOf(batch) & CODEC_MASK) !== 0
    const heavyBytes = isCompressed ? heavyBytesOf(batch, this.#deps.rulesOf(log)) : 0
    const line = this.#lines.get(sent.source)
    if (heavyBytes === 0 && line === undefined) return undefined
    if (this.#isStopped) return closed()
    if (line !== undefined && this.#heavyBytes + heavyBytes > this.#heavyBytesMax) {
      const message = `batches of ${this.#heavyBytes} bytes wait to be decompressed, some of this connection`
      return refused({ error: 'REQUEST_TIMED_OUT', message })
    }
    return this.#join(line, { log, ...sent }, batch, heavyBytes)
  }

  whenPassed({ slot }: Target, producerId: number): Promise<unknown> | undefined {
    const earlier = Array.from(this.#lines.values())
      .flat()
      .filter((each) => each.log.slot === slot && each.producerId === producerId)
    if (earlier.length === 0) return undefined
    return Promise.all(earlier.map(({ outcome }) => outcome))
  }

  /** Refuses all waiting batches. */
  async stop(): Promise<void> {
    this.#isStopped = true
    const waiting = Array.from(this.#lines.values()).flat()
    this.#lines.clear()
    for (const { resolve } of waiting) resolve(closed())
    await this.#deps.port.stop()
  }

  #join(
    line: Waiting[] | undefined,
    sent: Sent & { readonly log: Target },
    batch: Uint8Array,
    heavyBytes: number,
  ): Promise<AppendOutcome> {
    let resolve: Waiting['resolve'] = () => {}
    const outcome = new Promise<AppendOutcome>((settle) => (resolve = settle))
    const waiting: Waiting = {
      ...sent,
      batch: new Uint8Array(batch),
      sizeBytes: batch.length,
      producerId: producerIdOf(batch),
      heavyBytes,
      dueBytes: this.#fairBytes + heavyBytes,
      resolve,
      outcome,
    }
    this.#bytesWaiting += waiting.sizeBytes
    this.#heavyBytes += heavyBytes
    if (line === undefined) this.#lines.set(sent.source, [waiting])
    else line.push(waiting)
    void this.#validateNext()
    return outcome
  }

  /**
   * The head of a line to validate next. Each connection gets an equal share, so a connection that wants little waits
   * for one large batch, not for all.
   */
  async #validateNext(): Promise<void> {
    if (this.#isBusy) return
    let next: Waiting | undefined
    for (const [head] of this.#lines.values()) {
      if (next === undefined || head!.dueBytes < next.dueBytes) next = head
    }
    if (next === undefined) return
    this.#isBusy = true
    const { batch, log, heavyBytes } = next
    const { clock, port, rulesOf } = this.#deps
    const partition = partitionDirectory(log.topic.name, log.partition)
    const answer = await port.ask({ batch, rules: rulesOf(log), nowMs: clock.now(), partition })
    if (this.#isStopped) return
    this.#isBusy = false
    this.#fairBytes += heavyBytes / this.#lines.size
    if (answer.refusal) this.#leave(next, refused(answer.refusal))
    else this.#leave(next, this.#pass(next, answer.batch))
    this.#goOn(next.source)
  }

  /** The batches behind one that has left the line, up to the next heavy one. */
  #goOn(source: object): void {
    const line = this.#lines.get(source)!
    while (line[0]?.heavyBytes === 0) this.#leave(line[0], this.#pass(line[0], line[0].batch))
    if (line.length === 0) this.#lines.delete(source)
    else line[0]!.dueBytes = this.#fairBytes + line[0]!.heavyBytes
    void this.#validateNext()
  }

  #pass(waiting: Waiting, batch: Uint8Array): Promise<AppendOutcome> {
    const { log, isTransactionV2, heavyBytes } = waiting
    return this.#deps.writer.write(log.slot, batch, isTransactionV2, heavyBytes > 0)
  }

  #leave(waiting: Waiting, outcome: Promise<AppendOutcome>): void {
    this.#lines.get(waiting.source)!.shift()
    this.#bytesWaiting -= waiting.sizeBytes
    this.#heavyBytes -= waiting.heavyBytes
    waiting.resolve(outcome)
  }
}

function closed(): Promise<AppendOutcome> {
  const { code: error, message } = new StoreClosed()
  return refused({ error, message })
}

function refused(refusal: BatchRefusal): Promise<AppendOutcome> {
  return Promise.resolve({ ...refusal, baseOffset: -1, logAppendTimeMs: -1 })
}
