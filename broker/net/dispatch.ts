// Dispatch: request frame -> table and version -> handler -> answer frame. Owns nothing. Network thread.
// One request never takes the broker down: what a handler throws becomes an error code or a closed connection.

import { decode } from '../../protocol/compile.ts'
import { errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import { encodeResponseFrame, readRequestHeader, skipHeaderTags } from '../../protocol/frame.ts'
import type { RequestHeader } from '../../protocol/frame.ts'
import { includes } from '../../protocol/schema.ts'
import { Reader } from '../../protocol/wire.ts'
import type { Clock } from '../../storage/clock.ts'
import { printable, type Log } from '../log.ts'
import { Disconnect, type Handler, type Peer, type RequestContext } from './handler.ts'
import type { AnswerRoom } from './unsent.ts'

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
  readonly clock: Clock
  readonly log: Log
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
  start(frame: Buffer, exchange: Exchange, peer: Peer, onDone: (failure?: Error) => void): void {
    let run: Run
    try {
      run = this.#decode(frame, exchange, peer)
    } catch (error) {
      onDone(error as Error)
      return
    }
    const finish = (response: unknown) => this.#finish(run, exchange, response, onDone)
    const fail = (error: unknown) => this.#fail(run, exchange, error, onDone)
    if (run.handler === undefined) {
      finish(run.request)
      return
    }
    try {
      const response = run.handler.handle(run.request, run.context)
      if (response instanceof Promise) response.then(finish, fail)
      else finish(response)
    } catch (error) {
      fail(error)
    }
  }

  /** @throws {Disconnect} unknown key or version; {KafkaError} INVALID_REQUEST for bytes that are no such message */
  #decode(frame: Buffer, exchange: Exchange, peer: Peer): Run {
    const startedAt = this.#deps.clock.monotonic()
    const reader = new Reader(frame)
    const header = readRequestHeader(reader)
    const handler = this.#handlers.get(header.apiKey)
    if (handler === undefined) throw new Disconnect(`unknown API key ${header.apiKey}`)
    const context = new Context(header, exchange, peer)
    const { api } = handler
    if (!includes(api.versions, header.apiVersion)) {
      const response = handler.refuseVersion?.()
      if (response === undefined) {
        const { from, to } = api.versions
        throw new Disconnect(
          `${api.name} version ${header.apiVersion}, ${from} to ${to} are served`,
        )
      }
      return { api, version: 0, handler: undefined, header, request: response, context, startedAt }
    }
    skipHeaderTags(reader, api, header.apiVersion)
    const request = decode(api.request, header.apiVersion, reader)
    return { api, version: header.apiVersion, handler, header, request, context, startedAt }
  }

  #finish(
    run: Run,
    exchange: Exchange,
    response: unknown,
    onDone: (failure?: Error) => void,
  ): void {
    const { api, version, header } = run
    const seconds = (this.#deps.clock.monotonic() - run.startedAt) / 1000
    this.#deps.observer.requestDone(header.apiKey, seconds, response)
    if (response === undefined) {
      exchange.answer = []
      onDone()
      return
    }
    try {
      exchange.answer = encodeResponseFrame(api, version, header.correlationId, response as never)
    } catch (error) {
      this.#deps.log.error('the answer cannot be encoded', { ...about(run), error })
      onDone(new Disconnect(`the answer to ${api.name} cannot be encoded`))
      return
    }
    onDone()
  }

  #fail(run: Run, exchange: Exchange, error: unknown, onDone: (failure?: Error) => void): void {
    if (error instanceof Disconnect) {
      onDone(error)
      return
    }
    if (!(error instanceof KafkaError))
      this.#deps.log.error('a request failed', { ...about(run), error })
    try {
      const response = run.handler!.refuse(run.request as never, errorCodeOf(error), run.context)
      this.#finish(run, exchange, response, onDone)
    } catch (refusal) {
      onDone(
        refusal instanceof Disconnect
          ? refusal
          : new Disconnect(`${run.api.name} failed: ${String(error)}`),
      )
    }
  }
}

interface Run {
  readonly api: Handler['api']
  readonly version: number
  /** Undefined when `request` is an answer already: a version that we do not know. */
  readonly handler: Handler | undefined
  readonly header: RequestHeader
  readonly request: any
  readonly context: RequestContext
  /** Monotonic ms. */
  readonly startedAt: number
}

class Context implements RequestContext {
  readonly version: number
  readonly clientId: string | null
  readonly peer: Peer
  readonly #exchange: Exchange

  constructor(header: RequestHeader, exchange: Exchange, peer: Peer) {
    this.version = header.apiVersion
    this.clientId = header.clientId
    this.peer = peer
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

function about({ api, version, context }: Run): object {
  return {
    api: api.name,
    version,
    clientId: printable(context.clientId ?? ''),
    remote: context.peer.remoteAddress,
  }
}
