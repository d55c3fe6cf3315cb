// Transport: the bytes of one client, in and out of its socket, which it owns. Received bytes go straight to the protocol
// that the connection names. Answers leave in slices and count as unsent until the kernel has taken them. Network thread.
// Limits: docs/architecture.md, "Overload"

import { strict as assert } from 'node:assert'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { KafkaError } from '../../protocol/errors.ts'
import type { Clock } from '../../storage/clock.ts'
import { ANONYMOUS, type Principal } from '../auth/principal.ts'
import { Disconnect } from '../disconnect.ts'
import type { Endpoint } from '../session.ts'
import { plainAddress } from '../addresses.ts'
import type { ReceiveBuffer } from './receive-buffer.ts'
import { AnswerRoom, isProven, newHolder, type Holder, type Unsent } from '../unsent.ts'

/** Handed to the socket at a time: what a slow reader must take within the write timeout to stay connected. */
const SLICE_BYTES_MIN = 256 * 1024
/** For a client that takes much, and took its last slice at once: larger slices wake the loop less often. Measured: docs/decisions/0006 */
const SLICE_BYTES_MAX = 1024 * 1024
const AT_ONCE_MS_MAX = 100
/** Up to here one copy is cheaper than a list of parts for the kernel. */
const JOINED_BYTES_MAX = 16 * 1024

/** What reads the bytes of a client: a protocol. */
export interface Receiver {
  /** @param chunk borrowed. @throws {KafkaError | Disconnect} to close the connection */
  receive(chunk: Buffer): void
}

/** What happens to the socket, for the connection that has it. */
export interface TransportEvents {
  /** The receiver has read a chunk. */
  onReceived(): void
  /** The kernel has taken a slice. */
  onTaken(): void
  /** The client sends nothing more. */
  onEnd(): void
  /** @param reason none when the client simply left */
  onGone(reason?: string): void
}

/** The exchange that an answer belongs to. */
interface Answered {
  /** Counts the requests of a connection, from 0. */
  readonly ordinal: number
  /** The client has taken the answer, or never will. */
  wasSent(): void
}

interface TransportDeps {
  readonly unsent: Unsent
  readonly limits: { readonly unsentBytesMax: number; readonly writeTimeoutMs: number }
  readonly clock: Clock
}

/** A part of an answer on its way to the socket. */
interface Part {
  readonly bytes: Uint8Array
  /** The exchange that this part ends, if it is the last of its answer. */
  readonly answered: Answered | undefined
}

export class Transport {
  /** The name that the client has proved by its certificate; else ANONYMOUS. */
  readonly principal: Principal
  readonly #socket: Socket
  readonly #deps: TransportDeps
  /** What this client's answers hold, of what the answers of all clients hold. */
  readonly #holder: Holder
  #events: TransportEvents | undefined
  #receiver: Receiver | undefined
  /** Monotonic ms: when bytes last came. */
  #receivedAt: number
  #isPaused = false
  #isClosed = false

  /** Ordinal of the answer whose turn is next. */
  #nextOrdinal = 0
  #outgoing: Part[] = []
  #unsentBytes = 0
  #isWriting = false
  /** Monotonic ms: when the slice that the kernel is taking was handed over. */
  #sliceStartedAt = 0
  #sliceBytes = SLICE_BYTES_MIN

  /** @param accepted by a server with `pauseOnConnect` */
  static over(accepted: Socket, receiveBuffer: ReceiveBuffer, deps: TransportDeps): Transport {
    const onRead = (byteCount: number) => transport.#onRead(receiveBuffer, byteCount)
    const transport = new Transport(receiveBuffer.readInto(accepted, onRead), deps)
    return transport
  }

  /** @param socket its handshake is done, and nothing was read */
  static overTls(
    socket: TLSSocket,
    principal: Principal,
    receiveBuffer: ReceiveBuffer,
    deps: TransportDeps,
  ): Transport {
    const transport = new Transport(socket, deps, principal)
    receiveBuffer.decryptInto(socket, (byteCount) => transport.#onRead(receiveBuffer, byteCount))
    return transport
  }

  constructor(socket: Socket, deps: TransportDeps, principal = ANONYMOUS) {
    this.principal = principal
    this.#socket = socket
    this.#deps = deps
    this.#receivedAt = deps.clock.monotonic()
    this.#holder = newHolder((reason) => {
      if (this.#isWriting) this.#events!.onGone(reason)
    })
  }

  /** Begins to listen to the socket. @param receiver of the first bytes */
  open(receiver: Receiver, events: TransportEvents): void {
    this.#receiver = receiver
    this.#events = events
    this.#socket.on('end', () => events.onEnd())
    this.#socket.on('error', (error) => events.onGone(reasonOf(error)))
    this.#socket.on('close', () => events.onGone())
  }

  /** Received bytes go to `receiver` from now on. */
  handTo(receiver: Receiver): void {
    this.#receiver = receiver
  }

  /** Nothing is read any more. */
  endReceiving(): void {
    this.#receiver = undefined
    this.setPaused(true)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** The address that the client dialled. */
  get localEndpoint(): Endpoint {
    const { localAddress = '', localPort = 0 } = this.#socket
    return { host: plainAddress(localAddress), port: localPort }
  }

  get remoteAddress(): string {
    return plainAddress(this.#socket.remoteAddress ?? '')
  }

  /** Monotonic ms: when bytes last came, at first when it was opened. */
  get receivedAt(): number {
    return this.#receivedAt
  }

  #onRead({ bytes }: ReceiveBuffer, byteCount: number): true {
    this.receive(bytes.subarray(0, byteCount))
    return true
  }

  /** Bytes from the socket. @param chunk borrowed */
  receive(chunk: Buffer): void {
    if (this.#receiver === undefined) return
    this.#receivedAt = this.#deps.clock.monotonic()
    try {
      this.#receiver.receive(chunk)
    } catch (error) {
      if (!(error instanceof KafkaError || error instanceof Disconnect)) throw error
      this.#events!.onGone(error.message)
      return
    }
    this.#events!.onReceived()
  }

  /** Reads on, or leaves what comes to the kernel. */
  setPaused(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    if (isPaused) this.#socket.pause()
    else this.#socket.resume()
  }

  /** For an answer to come. */
  newRoom(): AnswerRoom {
    return new AnswerRoom(this.#deps.unsent, this.#holder)
  }

  /** The client, or all clients together, take too little of their answers: no further request may start. */
  get isFull(): boolean {
    const { limits, unsent } = this.#deps
    if (this.#unsentBytes > limits.unsentBytesMax) return true
    return this.#holder.heldBytes > 0 && unsent.isFullFor(this.#holder)
  }

  /** Nothing is on its way to the socket. */
  get isQuiet(): boolean {
    return this.#outgoing.length === 0 && !this.#isWriting
  }

  /** Of answers that are ready, those that wait for earlier ones among them. */
  get unsentBytes(): number {
    return this.#unsentBytes
  }

  /** An answer is ready; it is sent when its turn comes. */
  owe(byteCount: number): void {
    this.#unsentBytes += byteCount
  }

  /** Puts an answer that is owed behind those before it; `write` hands it on. @param parts given */
  send(parts: readonly Uint8Array[], answered: Answered): void {
    assert(answered.ordinal === this.#nextOrdinal, 'answers leave in the order of their requests')
    this.#nextOrdinal++
    const last = parts.length - 1
    if (last < 0) answered.wasSent()
    for (let i = 0; i <= last; i++)
      this.#outgoing.push({ bytes: parts[i]!, answered: i === last ? answered : undefined })
  }

  /** Hands the next slice to the socket; the one after it goes when the kernel has taken this one. */
  write(): void {
    if (this.#isWriting || this.#outgoing.length === 0) return
    const parts = this.#takeSlice()
    const byteCount = parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
    this.#isWriting = true
    this.#sliceStartedAt = this.#deps.clock.monotonic()
    this.#writeTogether(parts, byteCount, (error) => {
      if (!error) this.#wasTaken(byteCount)
      for (const { answered } of parts) answered?.wasSent()
      if (error) this.#events!.onGone(reasonOf(error))
      else this.#events!.onTaken()
    })
  }

  #wasTaken(byteCount: number): void {
    this.#isWriting = false
    this.#unsentBytes -= byteCount
    assert(this.#unsentBytes >= 0, 'an answer is owed before it is sent')
    const tookMs = this.#deps.clock.monotonic() - this.#sliceStartedAt
    if (tookMs > AT_ONCE_MS_MAX || !isProven(this.#holder)) this.#sliceBytes = SLICE_BYTES_MIN
    else if (byteCount >= SLICE_BYTES_MIN) this.#sliceBytes = SLICE_BYTES_MAX
    this.#deps.unsent.took(this.#holder, byteCount)
  }

  /** @param onTaken hears of an error, too: a write in it would make Node call the callbacks of a failed socket twice */
  #writeTogether(
    parts: readonly Part[],
    byteCount: number,
    onTaken: (error?: Error | null) => void,
  ): void {
    const last = parts.at(-1)!.bytes
    if (parts.length === 1) {
      this.#socket.write(last, onTaken)
    } else if (byteCount <= JOINED_BYTES_MAX) {
      const chunks = parts.map(({ bytes }) => bytes)
      this.#socket.write(Buffer.concat(chunks, byteCount), onTaken)
    } else {
      this.#socket.cork()
      for (let i = 0; i < parts.length - 1; i++) this.#socket.write(parts[i]!.bytes)
      this.#socket.write(last, onTaken)
      this.#socket.uncork()
    }
  }

  #takeSlice(): Part[] {
    let byteCount = 0
    let count = 0
    while (count < this.#outgoing.length && byteCount < this.#sliceBytes) {
      const { bytes, answered } = this.#outgoing[count]!
      const room = this.#sliceBytes - byteCount
      if (bytes.length > room) {
        const first = { bytes: bytes.subarray(0, room), answered: undefined }
        this.#outgoing.splice(count, 1, first, { bytes: bytes.subarray(room), answered })
      }
      byteCount += this.#outgoing[count]!.bytes.length
      count++
    }
    return this.#outgoing.splice(0, count)
  }

  /** A last word to a client whose protocol is not spoken here: `close` follows. */
  sayLast(text: string): void {
    this.#socket.write(text)
  }

  /** Has the client taken too long for a slice? @param now monotonic ms */
  isStalled(now: number): boolean {
    return this.#isWriting && now - this.#sliceStartedAt > this.#deps.limits.writeTimeoutMs
  }

  /** The slice that the kernel is taking is cut off; what was written before it still leaves. Later parts do not. */
  close(): void {
    this.#isClosed = true
    this.#receiver = undefined
    this.#deps.unsent.leave(this.#holder)
    for (const { answered } of this.#outgoing) answered?.wasSent()
    this.#outgoing = []
    if (this.#isWriting) this.#socket.destroy()
    else this.#socket.destroySoon()
  }
}

/** For the log; a client that hangs up, however it does, is no trouble to report. */
function reasonOf(error: NodeJS.ErrnoException): string | undefined {
  return error.code === 'ECONNRESET' || error.code === 'EPIPE' ? undefined : error.message
}
