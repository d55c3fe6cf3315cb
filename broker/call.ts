// Dispatch: request frame -> table and version -> handler -> answer frame. Owns nothing. Network thread.
// One request never takes the broker down: what a handler throws becomes an error code or a closed connection.

import { decode, decodeInSlices } from '../protocol/compile.ts'
import { errorCodeOf, KafkaError } from '../protocol/errors.ts'
import {
  encodeResponseFrame,
  encodeResponseFrameInSlices,
  readRequestHeader,
  skipHeaderTags,
} from '../protocol/frame.ts'
import type { RequestHeader } from '../protocol/frame.ts'
import { includes } from '../protocol/schema.ts'
import { Reader } from '../protocol/wire.ts'
import type { Clock } from '../storage/clock.ts'
import { printable, type ProcessLog } from './process-log.ts'
import { Disconnect, type Handler, type RequestContext } from './handler.ts'
import type { AnswerRoom } from './net/unsent.ts'
import { AnswerTooLarge, Work, type Workshop } from './net/work.ts'
import type { Session } from './session.ts'

/** From here on a request is large: it waits for room among others like it, and is decoded with pauses. */
const LARGE_FRAME_BYTES = 16 * 1024
/** Array elements of one request. Apache Kafka 4.4 has the same limit. */
const REQUEST_ELEMENTS_MAX = 1_000_000
/** The same where requests overlap, so that none can pause. No topic has that many partitions. */
const OVERLAPPING_ELEMENTS_MAX = 50_000
/** A request with more of them is refused by closing the connection: the answer that says so to each of them is too much work. */
const REFUSED_ELEMENTS_MAX = 20_000

/** One request on its way: from its frame to the last byte of its answer. */
export interface Exchange {
  /** Encoded answer in parts; empty when the client expects none; undefined while the handler runs. */
  answer: readonly Uint8Array[] | undefined
  /** Called once when the answer was written, or never will be. */
  sent: (() => void)[] | undefined
  readonly room: AnswerRoom
}

/** What dispatch reports of every request; metrics fill it. */
export interface RequestObserver {
  /** @param response what the handler answered, before encoding; undefined for no answer */
  requestDone(apiKey: number, seconds: number, response: unknown): void
}

interface DispatchDeps {
  readonly handlers: readonly Handler[]
  readonly observer: RequestObserver
  readonly workshop: Workshop
  readonly clock: Clock
  readonly log: ProcessLog
}

export class Dispatch {
  readonly #handlers = new Map<number, Handler>()
  readonly #deps: DispatchDeps

  constructor(deps: DispatchDeps) {
    this.#deps = deps
    for (const handler of deps.handlers) this.#handlers.set(handler.api.key, handler)
  }

  /** May this request start while earlier ones like it still run on the connection? @param frame borrowed */
  overlaps(frame: Buffer): boolean {
    return frame.length >= 2 && this.#handlers.get(frame.readInt16BE(0))?.overlaps === true
  }

  /**
   * Starts a request; `exchange.answer` is there when `onDone` is called, perhaps before this returns.
   *
   * @param frame borrowed, without the size prefix
   * @param onDone called once; with an error when the connection must be closed
   */
  start(
    frame: Buffer,
    exchange: Exchange,
    session: Session,
    onDone: (failure?: Error) => void,
  ): void {
    let run: Run
    try {
      const isLarge = frame.length >= LARGE_FRAME_BYTES && !this.overlaps(frame)
      run = this.#open(isLarge ? Buffer.from(frame) : frame, exchange, session, onDone)
      if (isLarge) {
        void this.#readLarge(run) // calls `onDone` whatever happens
        return
      }
      if (run.handler !== undefined) run.request = decode(run.api.request, run.version, run.reader)
    } catch (error) {
      onDone(error as Error)
      return
    }
    this.#handle(run)
  }

  /** @throws {Disconnect} unknown key or version; {KafkaError} INVALID_REQUEST for bytes that are no header */
  #open(
    frame: Buffer,
    exchange: Exchange,
    session: Session,
    onDone: (failure?: Error) => void,
  ): Run {
    const startedAt = this.#deps.clock.monotonic()
    const elementsMax = this.overlaps(frame) ? OVERLAPPING_ELEMENTS_MAX : REQUEST_ELEMENTS_MAX
    const reader = new Reader(frame, 0, elementsMax)
    const header = readRequestHeader(reader)
    const handler = this.#handlers.get(header.apiKey)
    if (handler === undefined) throw new Disconnect(`unknown API key ${header.apiKey}`)
    const { api } = handler
    const version = header.apiVersion
    const work = new Work(this.#deps.workshop, startedAt)
    session.clientId = header.clientId
    const context = new Context(header, exchange, session, work)
    const run = { api, version, handler, reader, header, request: undefined, context, exchange }
    const isKnown = includes(api.versions, version)
    if (isKnown) {
      skipHeaderTags(reader, api, version)
      return { ...run, startedAt, onDone }
    }
    const response = handler.refuseVersion?.()
    if (response === undefined) {
      const { from, to } = api.versions
      throw new Disconnect(`${api.name} version ${version}, ${from} to ${to} are served`)
    }
    return { ...run, version: 0, handler: undefined, request: response, startedAt, onDone }
  }

  async #readLarge(run: Run): Promise<void> {
    const { api, version, reader, context } = run
    try {
      await context.work.enter(reader.buffer.length)
      if (run.handler !== undefined) {
        const steps = decodeInSlices(api.request, version, reader, context.work.isDue)
        run.request = await context.work.run(steps)
      }
    } catch (error) {
      done(run, error as Error)
      return
    }
    this.#handle(run)
  }

  #handle(run: Run): void {
    if (run.handler === undefined) {
      this.#finish(run, run.request)
      return
    }
    const fail = (error: unknown) => this.#fail(run, error)
    try {
      const response = run.handler.handle(run.request, run.context)
      if (response instanceof Promise) response.then((answer) => this.#finish(run, answer), fail)
      else this.#finish(run, response)
    } catch (error) {
      fail(error)
    }
  }

  #finish(run: Run, response: unknown): void {
    const { api, version, header, context, exchange } = run
    const seconds = (this.#deps.clock.monotonic() - run.startedAt) / 1000
    this.#deps.observer.requestDone(header.apiKey, seconds, response)
    if (response === undefined) {
      exchange.answer = []
      done(run)
      return
    }
    if (context.work.isLarge) {
      void this.#encodeLarge(run, response) // calls `onDone` whatever happens
      return
    }
    try {
      exchange.answer = encodeResponseFrame(api, version, header.correlationId, response as never)
    } catch (error) {
      this.#encodingFailed(run, error)
      return
    }
    done(run)
  }

  async #encodeLarge(run: Run, response: unknown): Promise<void> {
    const { api, version, header, context, exchange } = run
    const { isDue } = context.work
    const id = header.correlationId
    try {
      const steps = encodeResponseFrameInSlices(api, version, id, response as never, isDue)
      exchange.answer = await context.work.run(steps)
    } catch (error) {
      this.#encodingFailed(run, error)
      return
    }
    done(run)
  }

  #encodingFailed(run: Run, error: unknown): void {
    this.#deps.log.error('the answer cannot be encoded', { ...about(run), error })
    done(run, new Disconnect(`the answer to ${run.api.name} cannot be encoded`))
  }

  #fail(run: Run, error: unknown): void {
    if (error instanceof Disconnect) {
      done(run, error)
      return
    }
    if (!(error instanceof KafkaError))
      this.#deps.log.error('a request failed', { ...about(run), error })
    else if (error instanceof AnswerTooLarge)
      this.#deps.log.warn('a request was refused', { ...about(run), reason: error.message })
    const { elementCount } = run.reader
    if (elementCount > REFUSED_ELEMENTS_MAX) {
      const what = `${run.api.name} with ${elementCount} array elements`
      done(run, new Disconnect(`${what} was refused: ${String(error)}`))
      return
    }
    try {
      this.#finish(run, run.handler!.refuse(run.request as never, errorCodeOf(error), run.context))
    } catch (refusal) {
      const message = `${run.api.name} failed: ${String(error)}`
      done(run, refusal instanceof Disconnect ? refusal : new Disconnect(message))
    }
  }
}

interface Run {
  readonly api: Handler['api']
  readonly version: number
  /** Undefined when `request` is an answer already: a version that we do not know. */
  readonly handler: Handler | undefined
  readonly reader: Reader
  readonly header: RequestHeader
  request: any
  readonly context: RequestContext
  readonly exchange: Exchange
  /** Monotonic ms. */
  readonly startedAt: number
  readonly onDone: (failure?: Error) => void
}

function done({ context, onDone }: Run, failure?: Error): void {
  context.work.leave()
  onDone(failure)
}

class Context implements RequestContext {
  readonly version: number
  readonly clientId: string | null
  readonly session: Session
  readonly work: Work
  readonly #exchange: Exchange

  constructor(header: RequestHeader, exchange: Exchange, session: Session, work: Work) {
    this.version = header.apiVersion
    this.clientId = header.clientId
    this.session = session
    this.work = work
    this.#exchange = exchange
  }

  get room(): AnswerRoom {
    return this.#exchange.room
  }

  whenSent(callback: () => void): void {
    this.#exchange.sent ??= []
    this.#exchange.sent.push(callback)
  }
}

function softwareOf({ software }: Session): string {
  return software === undefined ? '' : `${software.name} ${software.version}`
}

function about({ api, version, context }: Run): object {
  return {
    api: api.name,
    version,
    clientId: printable(context.clientId ?? ''),
    software: printable(softwareOf(context.session)),
    remote: context.session.remoteAddress,
  }
}
