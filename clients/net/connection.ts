// Connection: one socket to one broker. It sends requests at once; answers come back in the same order.
// ApiVersions settles the versions that both sides speak before the first request.

import type { Socket } from 'node:net'
import { produce } from '../../protocol/api/00_produce.ts'
import { apiVersions } from '../../protocol/api/18_api_versions.ts'
import { decode } from '../../protocol/compile.ts'
import { errors, KafkaError } from '../../protocol/errors.ts'
import { encodeRequestFrame, FrameCutter, readResponseHeader } from '../../protocol/frame.ts'
import type { Api, RequestInput, ResponseOf } from '../../protocol/schema.ts'
import { Reader } from '../../protocol/wire.ts'
import type { Clock, Timer } from '../clock.ts'
import { events, tell } from '../events.ts'
import type { Logger } from '../logger.ts'
import { addressText, explain, type Address } from './address.ts'
import { dial, receiveBuffer } from './dial.ts'
import type { Login } from './sasl/login.ts'
import { Throttle } from './throttle.ts'
import type { SaslSession } from './sasl/session.ts'
import type { Tls } from './tls/tls.ts'
import { isTlsRecord, speaksTls } from './tls/trouble.ts'

/** A fetch response is as large as the client asked for, or one batch: no honest response is nearly as large as this. */
const RESPONSE_BYTES_MAX = 256 * 1024 * 1024

export interface ConnectionOptions {
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly clock: Clock
  readonly logger: Logger | undefined
  /** undefined: plaintext. */
  readonly tls?: Tls | undefined
  /** undefined: without SASL. */
  readonly login?: (() => Promise<Login>) | undefined
}

/** A request that waits for its answer. */
interface Waiting {
  readonly api: Api
  readonly version: number
  readonly correlationId: number
  readonly timer: Timer
  resolve(response: unknown): void
  reject(error: KafkaError): void
}

export class Connection {
  readonly address: Address
  /** Called once, when the socket is closed. */
  onClose: (() => void) | undefined
  readonly #options: ConnectionOptions
  readonly #socket: Socket
  readonly #cutter = new FrameCutter(RESPONSE_BYTES_MAX)
  readonly #waiting: Waiting[] = []
  #versions = new Map<number, { readonly min: number; readonly max: number }>()
  /** Finalized features of the cluster: name -> level. */
  #features = new Map<string, number>()
  #correlationId = 0
  /** The time limit of connecting, until the connection is ready. */
  #answerTimeoutMs: number
  /** The number of answers and writes that calls wait for. */
  #holdCount = 0
  /** Both sides have agreed on versions, and the client is authenticated. */
  #isReady = false
  /** The correlation id of the first request after the connection became ready. */
  #firstId = -1
  /** undefined: without SASL. */
  #session: SaslSession | undefined
  /** Since the broker first asked to slow down. */
  #throttle: Throttle | undefined
  #closedBy: KafkaError | undefined

  private constructor(address: Address, socket: Socket, options: ConnectionOptions) {
    this.address = address
    this.#socket = socket
    this.#options = options
    this.#answerTimeoutMs = options.connectTimeoutMs
    socket.setNoDelay(true)
    socket.on('error', (error) => this.#lose(error))
    socket.on('close', () => this.#lose(undefined))
    socket.unref()
  }

  /** @throws {KafkaError} NETWORK_EXCEPTION, whose message has the address, the reason and what to try */
  static async open(address: Address, options: ConnectionOptions): Promise<Connection> {
    const { clock, logger } = options
    const startedAt = clock.monotonic()
    const told = () => ({
      address: addressText(address),
      durationMs: clock.monotonic() - startedAt,
    })
    try {
      const connection = await Connection.#open(address, options)
      tell('connect', told(), logger, 'debug', 'connected')
      return connection
    } catch (error) {
      tell('connect', { ...told(), error }, logger, 'debug', 'connecting failed')
      throw error
    }
  }

  static async #open(address: Address, options: ConnectionOptions): Promise<Connection> {
    const onChunk = (chunk: Buffer): void => connection.#receive(chunk)
    const connection = new Connection(address, await dial(address, onChunk, options), options)
    try {
      await connection.#negotiate().catch((error: unknown) => {
        throw strange(error, options)
      })
      await connection.#logIn()
      connection.#answerTimeoutMs = options.requestTimeoutMs
    } catch (error) {
      connection.close()
      throw error
    }
    connection.#isReady = true
    connection.#firstId = connection.#correlationId
    return connection
  }

  get isOpen(): boolean {
    return this.#closedBy === undefined
  }

  /**
   * The newest version of an API that both sides speak.
   *
   * @param max use no newer version
   * @param min an older version lacks a field that the request needs
   * @throws {KafkaError} UNSUPPORTED_VERSION
   */
  version(api: Api, max = Infinity, min = 0): number {
    const theirs = this.#versions.get(api.key)
    const version = Math.min(theirs?.max ?? -1, api.versions.to, max)
    const from = Math.max(api.versions.from, min)
    if (theirs !== undefined && version >= Math.max(theirs.min, from)) return version
    const offer =
      theirs === undefined ? 'does not offer it' : `offers ${theirs.min} to ${theirs.max}`
    const ours = `${from} to ${Math.min(api.versions.to, max)}`
    throw new KafkaError(
      'UNSUPPORTED_VERSION',
      `${api.name}: ${addressText(this.address)} ${offer}, needed is ${ours}`,
    )
  }

  /** The finalized level of a feature of the cluster (KIP-584); 0 if the cluster does not have it. */
  feature(name: string): number {
    return this.#features.get(name) ?? 0
  }

  /**
   * @param patienceMs how much longer than the ordinary timeout the broker may take
   * @throws {KafkaError} NETWORK_EXCEPTION, REQUEST_TIMED_OUT: the broker may have handled the request all the same
   */
  request<A extends Api<any, any>>(
    api: A,
    version: number,
    request: RequestInput<A>,
    patienceMs = 0,
  ): Promise<ResponseOf<A>> {
    if (this.#closedBy !== undefined) return Promise.reject(this.#closedBy)
    const answered = this.#pass(() => this.#request(api, version, request, patienceMs))
    return events.request.hasSubscribers ? this.#told(answered, api, version) : answered
  }

  /** Starts a request when the session is renewed, and the broker reads on. */
  #pass<T>(start: () => Promise<T>): Promise<T> {
    const throttle = this.#throttle
    const paced = throttle === undefined ? start : () => throttle.pass(start)
    return this.#session === undefined ? paced() : this.#session.pass(paced)
  }

  async #told<T>(answered: Promise<T>, { name: api }: Api, version: number): Promise<T> {
    const { clock } = this.#options
    const startedAt = clock.monotonic()
    const message = () => ({
      address: addressText(this.address),
      api,
      version,
      durationMs: clock.monotonic() - startedAt,
    })
    try {
      const answer = await answered
      events.request.publish(message())
      return answer
    } catch (error) {
      events.request.publish({ ...message(), error })
      throw error
    }
  }

  #request<A extends Api<any, any>>(
    api: A,
    version: number,
    request: RequestInput<A>,
    patienceMs: number,
  ): Promise<ResponseOf<A>> {
    return new Promise((resolve, reject) => {
      if (this.#closedBy !== undefined) return reject(this.#closedBy) // the connection closed while the request waited for its turn
      const correlationId = this.#write(api, version, request)
      this.#hold()
      const timeoutMs = this.#answerTimeoutMs + patienceMs
      const timer = this.#options.clock.after(timeoutMs, () => this.#timeOut(api, timeoutMs))
      this.#waiting.push({ api, version, correlationId, timer, resolve, reject })
    })
  }

  /** Sends a request without an answer (Produce with acks 0). @returns when the kernel has it */
  send<A extends Api<any, any>>(api: A, version: number, request: RequestInput<A>): Promise<void> {
    return this.#pass(() => this.#send(api, version, request))
  }

  #send<A extends Api<any, any>>(api: A, version: number, request: RequestInput<A>): Promise<void> {
    if (this.#closedBy !== undefined) return Promise.reject(this.#closedBy)
    return new Promise((resolve, reject) => {
      this.#hold()
      this.#write(api, version, request, (error) => {
        this.#letGo()
        if (error) reject(explain(this.address, error))
        else resolve()
      })
    })
  }

  /** An idle socket does not keep the process alive; one with calls that wait does. */
  #hold(): void {
    if (this.#holdCount++ === 0) this.#socket.ref()
  }

  #letGo(): void {
    if (--this.#holdCount === 0) this.#socket.unref()
  }

  /** Fails all calls that wait. Idempotent. */
  close(): void {
    const address = addressText(this.address)
    this.#end(new KafkaError('NETWORK_EXCEPTION', `the connection to ${address} was closed`), {})
  }

  async #negotiate(): Promise<void> {
    let offer = await this.#askVersions(apiVersions.versions.to)
    if (offer.errorCode === errors.UNSUPPORTED_VERSION[0]) {
      const max = offer.apiKeys.find((each) => each.apiKey === apiVersions.key)?.maxVersion ?? 0
      offer = await this.#askVersions(Math.min(max, apiVersions.versions.to))
    }
    if (offer.errorCode !== 0) {
      throw new KafkaError(
        'UNSUPPORTED_VERSION',
        `${addressText(this.address)} refused ApiVersions with ${offer.errorCode}`,
      )
    }
    this.#versions = new Map(
      offer.apiKeys.map((each) => [each.apiKey, { min: each.minVersion, max: each.maxVersion }]),
    )
    this.#features = new Map(
      offer.finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]),
    )
  }

  async #logIn(): Promise<void> {
    const { login, clock, logger } = this.#options
    if (login === undefined) return
    const { SaslSession } = await import('./sasl/session.ts')
    const session = new SaslSession({
      login: await login(),
      clock,
      logger,
      wire: {
        where: addressText(this.address),
        version: (api, max, min) => this.version(api, max, min),
        ask: (api, version, request) => this.#request(api, version, request, 0),
      },
      isQuiet: () => this.#waiting.length === 0,
      fail: (error) => this.#fail(error),
    })
    await session.begin()
    this.#session = session
  }

  #askVersions(version: number): Promise<ResponseOf<typeof apiVersions>> {
    return this.request(apiVersions, version, {
      clientSoftwareName: 'millrace',
      clientSoftwareVersion: SOFTWARE_VERSION,
    })
  }

  #write<A extends Api<any, any>>(
    api: A,
    version: number,
    request: RequestInput<A>,
    onWritten?: (error?: Error | null) => void,
  ): number {
    const correlationId = this.#correlationId
    this.#correlationId = (correlationId + 1) & 0x7fffffff
    const chunks = encodeRequestFrame(api, version, correlationId, this.#options.clientId, request)
    const last = chunks.length - 1
    if (last > 0) this.#socket.cork()
    for (let i = 0; i < last; i++) this.#socket.write(chunks[i]!)
    this.#socket.write(chunks[last]!, onWritten)
    if (last > 0) this.#socket.uncork()
    return correlationId
  }

  #receive(chunk: Buffer): void {
    if (!this.#isReady && this.#options.tls === undefined && isTlsRecord(chunk))
      return this.#fail(speaksTls(addressText(this.address)))
    try {
      this.#cutter.push(chunk, (frame) => this.#answer(frame))
    } catch (error) {
      this.#fail(explain(this.address, error))
    }
  }

  /** The receiver keeps the answer's bytes: a frame that is a view of the chunk is copied. */
  #answer(borrowed: Buffer): void {
    const frame = borrowed.buffer === receiveBuffer.buffer ? Buffer.from(borrowed) : borrowed
    const waiting = this.#waiting.shift()
    if (waiting === undefined) throw new KafkaError('INVALID_REQUEST', 'an answer to nothing')
    waiting.timer.cancel()
    this.#letGo()
    try {
      const answer = readAnswer(waiting, new Reader(frame))
      this.#noteThrottle(waiting.api, answer as { readonly throttleTimeMs?: number })
      waiting.resolve(answer)
    } catch (error) {
      waiting.reject(explain(this.address, error))
      throw error
    }
    this.#session?.goOn()
  }

  #noteThrottle(
    { name: api }: Api,
    { throttleTimeMs = 0 }: { readonly throttleTimeMs?: number },
  ): void {
    if (throttleTimeMs <= 0) return
    const message = { address: addressText(this.address), api, throttleTimeMs }
    tell('throttle', message, this.#options.logger, 'info', 'a broker asks to slow down')
    if (!this.#mutesClients) return
    this.#throttle ??= new Throttle(this.#options.clock)
    this.#throttle.hold(throttleTimeMs)
  }

  /** Brokers before Kafka 2.0 had waited already when they answered (KIP-219). */
  get #mutesClients(): boolean {
    return (this.#versions.get(produce.key)?.max ?? 0) >= MUTING_PRODUCE_VERSION_MIN
  }

  /** Answers come in order: if one is missing, those after it cannot come either. */
  #timeOut(api: Api, timeoutMs: number): void {
    const what = `${addressText(this.address)} did not answer ${api.name} within ${timeoutMs} ms`
    this.#fail(new KafkaError('REQUEST_TIMED_OUT', what))
  }

  /** @param error undefined: the broker closed the socket */
  #lose(error: Error | undefined): void {
    const lost = explain(this.address, error)
    const isAtFirst = this.#isReady && this.#waiting[0]?.correlationId === this.#firstId
    this.#fail(isAtFirst && this.#session === undefined ? withoutSasl(lost) : lost)
  }

  #fail(error: KafkaError): void {
    this.#end(error, { error })
  }

  /** @param why for the `millrace:disconnect` event */
  #end(error: KafkaError, why: { readonly error?: KafkaError }): void {
    if (this.#closedBy !== undefined) return
    this.#closedBy = error
    if (this.#isReady) {
      const message = { address: addressText(this.address), ...why }
      const level = why.error === undefined ? 'debug' : 'info'
      tell('disconnect', message, this.#options.logger, level, 'disconnected')
    }
    this.#socket.destroy()
    for (const waiting of this.#waiting.splice(0)) {
      waiting.timer.cancel()
      waiting.reject(error)
    }
    this.#session?.release()
    this.#throttle?.release()
    this.onClose?.()
  }
}

/** Brokers that offer it answer at once, and do not read the client for the time that they name. */
const MUTING_PRODUCE_VERSION_MIN = 6

const SOFTWARE_VERSION = '0.1.0'

/** A server that closes the connection on ApiVersions is perhaps no Kafka listener. */
function strange(error: unknown, { tls }: ConnectionOptions): unknown {
  if (!(error instanceof KafkaError) || error.code !== 'NETWORK_EXCEPTION') return error
  const doubt = tls === undefined ? 'without TLS' : 'that wants no certificate of this client'
  const what = `${error.reason}: is it a Kafka listener, ${doubt}?`
  return new KafkaError('NETWORK_EXCEPTION', what, { cause: error })
}

/** A listener with SASL closes the connection on any other request. */
function withoutSasl(error: KafkaError): KafkaError {
  if (error.code !== 'NETWORK_EXCEPTION') return error
  const what = `${error.reason} at the first request: does the listener ask for SASL? (sasl, --user)`
  return new KafkaError('NETWORK_EXCEPTION', what, { cause: error })
}

function readAnswer({ api, version, correlationId }: Waiting, reader: Reader): unknown {
  const answered = readResponseHeader(reader, api, version)
  if (answered !== correlationId) {
    throw new KafkaError(
      'INVALID_REQUEST',
      `an answer to request ${answered} where ${correlationId} was due`,
    )
  }
  if (api.key === apiVersions.key && isVersionRefusal(reader))
    return decode(api.response, 0, reader)
  return decode(api.response, version, reader)
}

/** A broker that lacks the version of an ApiVersions request answers in version 0 (KIP-511). */
function isVersionRefusal(reader: Reader): boolean {
  return reader.buffer.readInt16BE(reader.position) === errors.UNSUPPORTED_VERSION[0]
}
