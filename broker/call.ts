// Call: one decoded request, with its session and what its handler needs to answer it. Dispatch decodes frames to calls,
// performs calls and encodes the answers; a caller in this process makes calls without frames.
// A request never takes the broker down: an error of a handler becomes an error code, or closes the connection. Network thread.

import type { AuditLog } from './auth/audit.ts'
import { Permissions, type Authorizer } from './auth/permissions.ts'
import { decode, decodeInSlices } from '../protocol/compile.ts'
import { errorCode, errorCodeOf, KafkaError } from '../protocol/errors.ts'
import {
  encodeResponseFrame,
  encodeResponseFrameInSlices,
  readRequestHeader,
  skipHeaderTags,
} from '../protocol/frame.ts'
import { includes, type Api, type RequestOf } from '../protocol/schema.ts'
import { Reader } from '../protocol/wire.ts'
import type { Clock } from '../storage/clock.ts'
import { printable, type ProcessLog } from './process-log.ts'
import { Disconnect } from './disconnect.ts'
import type { Handler, RequestContext } from './handler.ts'
import type { Throttling } from './quota/throttling.ts'
import type { AnswerRoom } from './unsent.ts'
import { AnswerTooLarge, Work, type Workshop } from './work.ts'
import { bareAnswer, bareMessages } from './bare-messages.ts'
import type { MessageAnswer, Session } from './session.ts'

/** A frame of this size is large: it waits for room among other large ones, and is decoded with pauses. */
const LARGE_FRAME_BYTES = 16 * 1024
/** Array elements of one request. Apache Kafka 4.4 has the same limit. */
const REQUEST_ELEMENTS_MAX = 1_000_000
/** The limit of a request that appends, which is decoded without pauses. No topic has that many partitions. */
const APPENDING_ELEMENTS_MAX = 50_000
/** A refused request with more elements closes its connection: an answer with an error for each element is too much work. */
const REFUSED_ELEMENTS_MAX = 20_000

/** The place for the answer of one request, and the callbacks for when the client has it. */
export interface AnswerPlace {
  /** Encoded answer in parts; empty when the client expects none; undefined while the handler runs. */
  answer: readonly Uint8Array[] | undefined
  /** Called once when the answer was written, or never will be. */
  sent: (() => void)[] | undefined
  readonly room: AnswerRoom
  /** The connection ends with this answer. */
  isLast: boolean
}

/** Encoded, in parts. */
type AnswerFrame = readonly Uint8Array[]

type OnDone = (failure?: Error) => void

/** What dispatch reports of every request; metrics fill it. */
export interface RequestObserver {
  /** @param response what the handler answered, before encoding; undefined for no answer */
  requestDone(apiKey: number, seconds: number, response: unknown): void
}

interface DispatchDeps {
  readonly handlers: readonly Handler[]
  readonly authorizer: Authorizer
  readonly audit: AuditLog
  readonly observer: RequestObserver
  readonly throttling: Throttling
  readonly workshop: Workshop
  readonly clock: Clock
  readonly log: ProcessLog
}

/** The session that a call belongs to, and where its answer goes. */
interface Caller {
  readonly session: Session
  readonly exchange: Pick<AnswerPlace, 'sent' | 'room' | 'isLast'>
  readonly clientId: string | null
}

export class Call extends Permissions implements RequestContext {
  readonly handler: Handler
  readonly version: number
  readonly clientId: string | null
  readonly session: Session
  readonly work: Work
  /** Monotonic ms. */
  readonly startedAt: number
  /** Tells the client which request the answer is to. Calls without a frame have none. */
  correlationId = -1
  /** Array elements of the request. */
  elementCount = 0
  /** Of the request; 0 without a frame. */
  frameBytes = 0
  throttleMs = 0
  request: any
  readonly #exchange: Caller['exchange']

  constructor(
    handler: Handler,
    version: number,
    { session, exchange, clientId }: Caller,
    { authorizer, audit, workshop, clock }: DispatchDeps,
  ) {
    super(authorizer, audit)
    this.handler = handler
    this.version = version
    this.session = session
    this.clientId = clientId
    this.startedAt = clock.monotonic()
    this.work = new Work(workshop, this.startedAt)
    this.#exchange = exchange
  }

  get apiName(): string {
    return this.handler.api.name
  }

  get room(): AnswerRoom {
    return this.#exchange.room
  }

  whenSent(callback: () => void): void {
    this.#exchange.sent ??= []
    this.#exchange.sent.push(callback)
  }

  endSession(): void {
    this.#exchange.isLast = true
  }
}

export class Dispatch {
  readonly #handlers = new Map<number, Handler>()
  readonly #deps: DispatchDeps

  constructor(deps: DispatchDeps) {
    this.#deps = deps
    for (const handler of deps.handlers) this.#handlers.set(handler.api.key, handler)
  }

  /** Is this a request of an API that appends? See `Handler.appends`. @param frame borrowed */
  appends(frame: Buffer, { authentication }: Session): boolean {
    return this.#handlerOf(frame)?.appends === true && authentication?.takesBareMessage !== true
  }

  /** The API key comes first, in every version of the header. */
  #handlerOf(frame: Buffer): Handler | undefined {
    return frame.length < 2 ? undefined : this.#handlers.get(frame.readInt16BE(0))
  }

  /**
   * Answers a frame: `exchange.answer` is there when `onDone` is called, perhaps before this returns.
   *
   * @param frame borrowed, without the size prefix
   * @param onDone called once; with an error when the connection must be closed
   */
  start(frame: Buffer, exchange: AnswerPlace, session: Session, onDone: OnDone): void {
    let call: Call | Promise<Call>
    try {
      call = this.decode(frame, session, exchange)
    } catch (error) {
      onDone(error as Error)
      return
    }
    if (call instanceof Promise) call.then((late) => this.#run(late, exchange, onDone), onDone)
    else this.#run(call, exchange, onDone)
  }

  #run(call: Call, exchange: AnswerPlace, onDone: OnDone): void {
    let response: unknown
    try {
      response = this.perform(call)
    } catch (error) {
      end(call, onDone, error)
      return
    }
    if (!(response instanceof Promise)) return this.#answer(call, response, exchange, onDone)
    response.then(
      (late) => this.#answer(call, late, exchange, onDone),
      (error: unknown) => end(call, onDone, error),
    )
  }

  #answer(call: Call, response: unknown, exchange: AnswerPlace, onDone: OnDone): void {
    let answer: AnswerFrame | Promise<AnswerFrame>
    try {
      answer = this.encode(call, response)
    } catch (error) {
      end(call, onDone, error)
      return
    }
    if (!(answer instanceof Promise)) return deliver(call, answer, exchange, onDone)
    answer.then(
      (late) => deliver(call, late, exchange, onDone),
      (error: unknown) => end(call, onDone, error),
    )
  }

  /**
   * @param frame borrowed, without the size prefix
   * @returns a promise for a large request, which waits for its turn and is copied
   * @throws {Disconnect} unknown key or version, or the client must log in first; {KafkaError} INVALID_REQUEST for bytes that are no request
   */
  decode(frame: Buffer, session: Session, exchange: Caller['exchange']): Call | Promise<Call> {
    const { authentication } = session
    if (authentication?.takesBareMessage === true)
      return this.#callOfBareMessage(frame, session, exchange)
    let handler = this.#handlerOf(frame)
    const appends = handler?.appends === true
    const isLarge = frame.length >= LARGE_FRAME_BYTES && !appends
    const elementsMax = appends ? APPENDING_ELEMENTS_MAX : REQUEST_ELEMENTS_MAX
    const reader = new Reader(isLarge ? Buffer.from(frame) : frame, 0, elementsMax)
    const { apiKey, apiVersion, correlationId, clientId } = readRequestHeader(reader)
    if (handler === undefined) throw new Disconnect(`unknown API key ${apiKey}`)
    const { api } = handler
    session.clientId = clientId
    const caller = { session, exchange, clientId }
    if (authentication !== undefined && !authentication.admits(apiKey))
      handler = refuserInLogin(handler)
    if (!includes(api.versions, apiVersion)) {
      const refusing = new Call(refuserOf(handler, apiVersion), 0, caller, this.#deps)
      refusing.correlationId = correlationId
      return refusing
    }
    const call = new Call(handler, apiVersion, caller, this.#deps)
    call.correlationId = correlationId
    call.frameBytes = frame.length
    skipHeaderTags(reader, api, apiVersion)
    if (isLarge) return this.#decodeLarge(call, reader)
    call.request = decode(api.request, apiVersion, reader)
    call.elementCount = reader.elementCount
    return call
  }

  #callOfBareMessage(authBytes: Buffer, session: Session, exchange: Caller['exchange']): Call {
    const caller = { session, exchange, clientId: session.clientId }
    const call = new Call(bareMessages, 0, caller, this.#deps)
    call.request = { authBytes }
    return call
  }

  async #decodeLarge(call: Call, reader: Reader): Promise<Call> {
    const { work, handler, version } = call
    try {
      await work.enter(reader.buffer.length)
      const steps = decodeInSlices(handler.api.request, version, reader, work.isDue)
      call.request = await work.run(steps)
      call.elementCount = reader.elementCount
      return call
    } catch (error) {
      work.leave()
      throw error
    }
  }

  /**
   * Makes a call without a frame.
   *
   * @param request whole, with the defaults of all fields
   * @throws {KafkaError} UNSUPPORTED_VERSION for an API or a version that is not served
   */
  callOf<A extends Api<any, any>>(
    api: A,
    version: number,
    request: RequestOf<A>,
    caller: Caller,
  ): Call {
    const handler = this.#handlers.get(api.key)
    if (handler === undefined || !includes(api.versions, version))
      throw new KafkaError('UNSUPPORTED_VERSION', `${api.name} version ${version} is not served`)
    const call = new Call(handler, version, caller, this.#deps)
    call.request = request
    return call
  }

  /**
   * Answers a call. An error of its handler becomes an answer, too.
   *
   * @returns undefined when the client expects no answer
   * @throws {Disconnect} the session must end without an answer
   */
  perform(call: Call): unknown {
    if (call.handler.appends === true && !this.#deps.throttling.isIdle) this.#charge(call)
    try {
      const response = call.handler.handle(call.request, call)
      if (!(response instanceof Promise)) return this.#performed(call, response)
      if (!this.#deps.throttling.isIdle) call.work.rest()
      return response.then(
        (late) => this.#performed(call, late),
        (error: unknown) => this.#refuse(call, error),
      )
    } catch (error) {
      return this.#refuse(call, error)
    }
  }

  /** Requests that append overlap: a client above its quota is muted before its next one can start. */
  #charge(call: Call): void {
    this.#deps.throttling.produced(call, call.frameBytes)
    if (call.throttleMs > 0) call.session.mute?.(call.throttleMs)
  }

  #performed(call: Call, response: unknown): unknown {
    const { observer, clock, throttling } = this.#deps
    const seconds = (clock.monotonic() - call.startedAt) / 1000
    observer.requestDone(call.handler.api.key, seconds, response)
    return throttling.isIdle ? response : this.#throttled(call, response)
  }

  /** The answer goes out at once; its client is not read for the time that it says (KIP-219). */
  #throttled(call: Call, response: unknown): unknown {
    this.#deps.throttling.performed(call, response !== undefined)
    const { throttleMs, session } = call
    if (throttleMs === 0) return response
    session.mute?.(throttleMs)
    return response === undefined ? undefined : { ...response, throttleTimeMs: throttleMs }
  }

  /** @throws {Disconnect} */
  #refuse(call: Call, error: unknown): unknown {
    if (error instanceof Disconnect) throw error
    const { api } = call.handler
    const { log } = this.#deps
    if (!(error instanceof KafkaError)) log.error('a request failed', { ...about(call), error })
    else if (error instanceof AnswerTooLarge)
      log.warn('a request was refused', { ...about(call), reason: error.message })
    if (call.elementCount > REFUSED_ELEMENTS_MAX) {
      const what = `${api.name} with ${call.elementCount} array elements`
      throw new Disconnect(`${what} was refused: ${String(error)}`)
    }
    try {
      return this.#performed(call, call.handler.refuse(call.request, errorCodeOf(error), call))
    } catch (refusal) {
      if (refusal instanceof Disconnect) throw refusal
      throw new Disconnect(`${api.name} failed: ${String(error)}`)
    }
  }

  /**
   * @param response undefined for no answer
   * @returns no parts for no answer; a promise for a large answer, which is encoded with pauses
   * @throws {Disconnect} when the answer cannot be encoded
   */
  encode(call: Call, response: unknown): AnswerFrame | Promise<AnswerFrame> {
    if (response === undefined) return []
    const { handler, version, correlationId, work } = call
    if (handler === bareMessages) return bareAnswer(response as MessageAnswer)
    if (work.isLarge) return this.#encodeLarge(call, response)
    try {
      const startedAt = this.#deps.throttling.isIdle ? 0 : this.#deps.clock.monotonic()
      const frame = encodeResponseFrame(handler.api, version, correlationId, response as never)
      if (startedAt > 0)
        this.#deps.throttling.encoded(call, this.#deps.clock.monotonic() - startedAt)
      return frame
    } catch (error) {
      throw this.#encodingFailed(call, error)
    }
  }

  async #encodeLarge(call: Call, response: unknown): Promise<AnswerFrame> {
    const { handler, version, correlationId: id, work } = call
    const { isDue } = work
    try {
      return await work.run(
        encodeResponseFrameInSlices(handler.api, version, id, response as never, isDue),
      )
    } catch (error) {
      throw this.#encodingFailed(call, error)
    }
  }

  #encodingFailed(call: Call, error: unknown): Disconnect {
    this.#deps.log.error('the answer cannot be encoded', { ...about(call), error })
    return new Disconnect(`the answer to ${call.handler.api.name} cannot be encoded`)
  }
}

function deliver(call: Call, answer: AnswerFrame, exchange: AnswerPlace, onDone: OnDone): void {
  exchange.answer = answer
  end(call, onDone)
}

function end({ work }: Call, onDone: OnDone, failure?: unknown): void {
  work.leave()
  onDone(failure as Error | undefined)
}

/** A handler that gives every request the API's answer to an unknown version (KIP-511). @throws {Disconnect} the API has none */
function refuserOf(handler: Handler, version: number): Handler {
  const { api } = handler
  const response = handler.refuseVersion?.()
  if (response === undefined) {
    const { from, to } = api.versions
    throw new Disconnect(`${api.name} version ${version}, ${from} to ${to} are served`)
  }
  return { api, handle: () => response, refuse: () => response }
}

/** A handler that refuses every request of a client that is about to log in (KIP-152), and ends the connection. */
function refuserInLogin(handler: Handler): Handler {
  const handle: Handler['handle'] = (request, context) => {
    context.endSession()
    return handler.refuse(request, errorCode('ILLEGAL_SASL_STATE'), context)
  }
  return { ...handler, handle }
}

function softwareOf({ software }: Session): string {
  return software === undefined ? '' : `${software.name} ${software.version}`
}

function about({ handler, version, clientId, session }: Call): object {
  return {
    api: handler.api.name,
    version,
    clientId: printable(clientId ?? ''),
    software: printable(softwareOf(session)),
    remote: session.remoteAddress,
  }
}
