// Exchanges: the requests of one connection that run, and their answers until each one's turn has come. Clients tell
// answers apart by their order: the n-th answer is to the n-th request. Network thread.

import { strict as assert } from 'node:assert'
import type { AnswerRoom } from '../unsent.ts'
import type { Transport } from './transport.ts'

/** One request on its way: from its first byte to the last byte of its answer. */
export class Exchange {
  /** Encoded answer in parts; empty when the client expects none; undefined while the request runs. */
  answer: readonly Uint8Array[] | undefined
  /** Called once when the answer was written, or never will be. */
  sent: (() => void)[] | undefined
  isLast = false
  readonly ordinal: number
  readonly room: AnswerRoom
  /** Of its request, which count as held while it runs. */
  readonly byteCount: number
  isRunning = true

  constructor(ordinal: number, room: AnswerRoom, byteCount: number) {
    this.ordinal = ordinal
    this.room = room
    this.byteCount = byteCount
  }

  wasSent(): void {
    if (this.sent !== undefined) for (const callback of this.sent) callback()
    this.room.release()
  }
}

export class Exchanges {
  readonly #transport: Transport
  /** A request is done. @param failure closes the connection. @param isLast its answer ends the connection */
  readonly #onDone: (failure: Error | undefined, isLast: boolean) => void
  /** Exchanges whose answer the transport does not have, in order of arrival. */
  #open: Exchange[] = []
  /** Of all exchanges that were ever opened. */
  #count = 0
  #runningCount = 0
  #runningBytes = 0
  /** Whether the requests that run append: then others that append may start beside them. */
  #isAppending = false
  #hasAppended = false
  #isClosed = false

  constructor(transport: Transport, onDone: (failure: Error | undefined, isLast: boolean) => void) {
    this.#transport = transport
    this.#onDone = onDone
  }

  /** Bytes of requests that run, also after the connection was closed. */
  get runningBytes(): number {
    return this.#runningBytes
  }

  /** Has a request ever put a batch into the writer's inbox? */
  get hasAppended(): boolean {
    return this.#hasAppended
  }

  /** Every request has its answer, and the transport has every answer. */
  get isQuiet(): boolean {
    return this.#open.length === 0
  }

  /** May a request start? Requests that append start while earlier ones of their kind run; all others wait until none runs. */
  mayOpen(appends: boolean): boolean {
    return this.#runningCount === 0 || (appends && this.#isAppending)
  }

  /** A request starts. @param byteCount of the request */
  open(byteCount: number, appends: boolean): Exchange {
    assert(this.mayOpen(appends), 'only requests that append run at the same time')
    const exchange = new Exchange(this.#count++, this.#transport.newRoom(), byteCount)
    this.#open.push(exchange)
    this.#runningCount++
    this.#runningBytes += byteCount
    this.#isAppending = appends
    this.#hasAppended ||= appends
    return exchange
  }

  /** A request has its answer. @param failure when it has none, and the connection must be closed */
  done(exchange: Exchange, failure?: Error): void {
    assert(exchange.isRunning, 'a request is done once')
    exchange.isRunning = false
    this.#runningCount--
    this.#runningBytes -= exchange.byteCount
    assert(this.#runningCount > 0 || this.#runningBytes === 0, 'what does not run holds nothing')
    if (this.#isClosed) exchange.wasSent()
    else if (failure === undefined) this.#owe(exchange)
    this.#onDone(failure, exchange.isLast)
  }

  #owe({ answer, room }: Exchange): void {
    assert(answer !== undefined, 'a request is done when it has its answer')
    let byteCount = 0
    for (const part of answer) byteCount += part.length
    this.#transport.owe(byteCount)
    room.fill(byteCount)
  }

  /** Hands the answers whose turn has come to the transport. */
  sendAnswers(): void {
    let count = 0
    for (const exchange of this.#open) {
      if (exchange.isRunning) break
      count++
      this.#transport.send(exchange.answer!, exchange)
    }
    if (count > 0) this.#open.splice(0, count)
  }

  /** Nothing is sent any more. Requests that run, run on, and hold what they hold. */
  close(): void {
    this.#isClosed = true
    for (const exchange of this.#open) if (!exchange.isRunning) exchange.wasSent()
    this.#open = []
  }
}
