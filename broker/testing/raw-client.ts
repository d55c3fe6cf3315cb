// RawClient: a socket that speaks frames of our own tables, in any version and order, right or wrong.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { decode } from '../../protocol/compile.ts'
import { encodeRequestFrame, FrameCutter, readResponseHeader } from '../../protocol/frame.ts'
import type { Api, RequestInput, ResponseOf } from '../../protocol/schema.ts'
import { Reader } from '../../protocol/wire.ts'

const FRAME_BYTES_MAX = 256 * 1024 * 1024

export class RawClient {
  readonly socket: Socket
  /** Every frame that has arrived, in order, without its size. */
  readonly #frames: Buffer[] = []
  #wanted: { resolve: (frame: Buffer) => void; reject: (error: Error) => void }[] = []
  #correlationId = 0
  /** Resolves when the broker has closed the connection. */
  readonly closed: Promise<void>

  /** @param socket connected; a TLS socket, too */
  constructor(socket: Socket) {
    this.socket = socket
    const cutter = new FrameCutter(FRAME_BYTES_MAX)
    socket.on('data', (chunk) => cutter.push(chunk, (frame) => this.#arrived(Buffer.from(frame))))
    socket.on('error', () => {})
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        for (const { reject } of this.#wanted) reject(new Error('the broker closed the connection'))
        this.#wanted = []
        resolve()
      })
    })
  }

  /** @param bootstrap HOST:PORT */
  static async connect(bootstrap: string): Promise<RawClient> {
    const url = new URL(`kafka://${bootstrap}`)
    const host = url.hostname.replaceAll(/[[\]]/g, '')
    const socket = connect({ host, port: Number(url.port), noDelay: true })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  /** Sends one request and waits for its answer. @param version default: the newest */
  async send<A extends Api<any, any>>(
    api: A,
    request: RequestInput<A>,
    version: number = api.versions.to,
  ): Promise<ResponseOf<A>> {
    return this.answerTo(api, version, this.write(api, request, version))
  }

  /** The next answer, which is to this API. @param correlationId of the request, if it matters */
  async answerTo<A extends Api<any, any>>(
    api: A,
    version: number,
    correlationId?: number,
  ): Promise<ResponseOf<A>> {
    const reader = new Reader(await this.nextFrame())
    const answered = readResponseHeader(reader, api, version)
    if (answered !== (correlationId ?? answered))
      throw new Error(`answer to ${answered}, not to ${correlationId}`)
    return decode(api.response, version, reader) as ResponseOf<A>
  }

  /** Sends one request without waiting. @returns its correlation id */
  write<A extends Api<any, any>>(
    api: A,
    request: RequestInput<A>,
    version: number = api.versions.to,
  ): number {
    const correlationId = ++this.#correlationId
    this.socket.cork()
    for (const chunk of encodeRequestFrame(api, version, correlationId, 'raw', request)) {
      this.socket.write(chunk)
    }
    this.socket.uncork()
    return correlationId
  }

  /** Answers that have arrived and were not taken. */
  get frameCount(): number {
    return this.#frames.length
  }

  /** @throws when the broker closes the connection first */
  nextFrame(): Promise<Buffer> {
    const frame = this.#frames.shift()
    if (frame !== undefined) return Promise.resolve(frame)
    if (this.socket.destroyed) return Promise.reject(new Error('the connection is closed'))
    return new Promise((resolve, reject) => this.#wanted.push({ resolve, reject }))
  }

  close(): Promise<void> {
    this.socket.destroy()
    return this.closed
  }

  #arrived(frame: Buffer): void {
    const wanted = this.#wanted.shift()
    if (wanted === undefined) this.#frames.push(frame)
    else wanted.resolve(frame)
  }
}
