// Connection: one client's socket. Cuts frames, starts requests in order, writes answers in order, and bounds what it
// holds of either. Owns its socket. Network thread. Limits: docs/architecture.md, "Overload"

import type { Socket } from 'node:net'
import { FrameCutter } from '../../protocol/frame.ts'
import type { BufferPool } from '../../storage/read/buffer-pool.ts'
import type { Clock } from '../../storage/clock.ts'
import { printable, type ProcessLog } from '../process-log.ts'
import type { Dispatch, Exchange } from '../call.ts'
import { Session } from '../session.ts'
import type { LoopTurn } from './loop-turn.ts'
import type { Pressure } from './pressure.ts'
import { AnswerRoom, isProven, newHolder, type Holder, type Unsent } from './unsent.ts'

/** Handed to the socket at a time: what a slow reader must take within the write timeout to stay connected. */
const SLICE_BYTES_MIN = 256 * 1024
/** To one that takes much, and has just taken a slice at once: the fewer slices, the fewer times it is woken. Measured: docs/decisions/0006 */
const SLICE_BYTES_MAX = 1024 * 1024
const AT_ONCE_MS_MAX = 100
/** Up to here one copy is cheaper than a list of parts for the kernel. */
const JOINED_BYTES_MAX = 16 * 1024
/** What a small waiting frame costs beside its bytes. */
const FRAME_OVERHEAD_BYTES = 256

export interface ConnectionLimits {
  readonly frameBytesMax: number
  /** Requests that run or wait; above it the socket is not read. */
  readonly heldBytesMax: number
  /** Answers that are ready but not yet taken by the client; above it no further request starts. */
  readonly unsentBytesMax: number
  readonly frameTimeoutMs: number
  readonly writeTimeoutMs: number
  readonly idleTimeoutMs: number
}

interface ConnectionDeps {
  readonly dispatch: Dispatch
  readonly pressure: Pressure
  readonly unsent: Unsent
  readonly turn: LoopTurn
  /** For frames that span chunks; shared by all connections. */
  readonly frameBuffers: BufferPool
  readonly limits: ConnectionLimits
  readonly clock: Clock
  readonly log: ProcessLog
  readonly onClosed: (connection: Connection) => void
}

/** A part of an answer on its way to the socket. */
interface Part {
  readonly bytes: Uint8Array
  /** What ends with it, when it is the last. */
  readonly exchange: Exchange | undefined
}

export class Connection {
  readonly session: Session
  /** It has sent requests that overlap, and those go to the writer. */
  isProducer = false
  readonly #deps: ConnectionDeps
  readonly #socket: Socket
  readonly #cutter: FrameCutter
  readonly #gone = new AbortController()
  /** Its answers, among those of all connections. */
  readonly #holder: Holder

  /** Frames that arrived while the connection was not allowed to start them, oldest first; copied. */
  #waiting: Buffer[] = []
  #waitingBytes = 0
  /** Requests not yet answered, and answers not yet handed on, in order of arrival. */
  #exchanges: Exchange[] = []
  #runningCount = 0
  #runningBytes = 0
  #isExclusiveRunning = false

  #outgoing: Part[] = []
  #unsentBytes = 0
  #isWriting = false
  #sliceBytes = SLICE_BYTES_MIN

  #isSettling = false
  #isPaused = false
  /** The client sent its end, or the broker is stopping: nothing more is read. */
  #isEnding = false
  #isClosed = false
  /** What `pressure` was told. */
  #heldBytes = 0

  /** Monotonic ms. */
  #activeAt: number
  #frameStartedAt: number
  #writeProgressAt = 0

  constructor(socket: Socket, deps: ConnectionDeps) {
    this.#socket = socket
    this.#deps = deps
    this.#cutter = new FrameCutter(deps.limits.frameBytesMax, deps.frameBuffers)
    this.#activeAt = this.#frameStartedAt = deps.clock.monotonic()
    this.#holder = newHolder((reason) => {
      if (this.#isWriting) this.close(reason)
    })
    this.session = new Session({
      listener: 'PLAINTEXT',
      securityProtocol: 'PLAINTEXT',
      localHost: plainAddress(socket.localAddress ?? ''),
      localPort: socket.localPort ?? 0,
      remoteAddress: plainAddress(socket.remoteAddress ?? ''),
      gone: this.#gone.signal,
    })
    socket.on('end', () => this.end())
    socket.on('error', (error) => this.close(hasLeft(error) ? undefined : error.message))
    socket.on('close', () => this.close())
  }

  /** Bytes from the socket. @param chunk borrowed */
  receive(chunk: Buffer): void {
    if (this.#isEnding) return
    const now = this.#deps.clock.monotonic()
    this.#activeAt = now
    if (!this.isMidFrame) this.#frameStartedAt = now
    this.#deps.turn.begin()
    try {
      this.#cutter.push(chunk, this.#onFrame)
    } catch (error) {
      this.close((error as Error).message)
      return
    }
    this.#account()
    this.#throttle()
  }

  readonly #onFrame = (frame: Buffer): void => {
    if (this.#isClosed) return
    this.#frameStartedAt = this.#activeAt
    if (this.#waiting.length === 0 && this.#mayStart(frame)) {
      this.#start(frame)
      return
    }
    this.#waiting.push(Buffer.from(frame))
    this.#waitingBytes += frame.length + FRAME_OVERHEAD_BYTES
  }

  #mayStart(frame: Buffer): boolean {
    const { limits, unsent, turn } = this.#deps
    if (turn.isOver) {
      turn.later(this.#settle)
      return false
    }
    if (this.#unsentBytes > limits.unsentBytesMax) return false
    if (this.#holder.heldBytes > 0 && unsent.isFullFor(this.#holder)) return false
    if (this.#runningCount === 0) return true
    return !this.#isExclusiveRunning && this.#deps.dispatch.overlaps(frame)
  }

  #start(frame: Buffer): void {
    const room = new AnswerRoom(this.#deps.unsent, this.#holder)
    const exchange: Exchange = { answer: undefined, sent: undefined, room }
    this.#exchanges.push(exchange)
    this.#runningCount++
    this.#runningBytes += frame.length
    this.#isExclusiveRunning = !this.#deps.dispatch.overlaps(frame)
    if (!this.#isExclusiveRunning && !this.isProducer) this.#becomeProducer()
    this.#deps.dispatch.start(frame, exchange, this.session, (failure) => {
      this.#runningCount--
      this.#runningBytes -= frame.length
      if (this.#isClosed) {
        wasSent(exchange)
        this.#account()
      } else if (failure !== undefined) {
        wasSent(exchange)
        this.close(failure.message)
      } else {
        this.#hasAnswer(exchange)
        this.#settleSoon()
      }
    })
  }

  #hasAnswer({ answer, room }: Exchange): void {
    let byteCount = 0
    for (const part of answer!) byteCount += part.length
    this.#unsentBytes += byteCount
    room.fill(byteCount)
  }

  #becomeProducer(): void {
    const { pressure } = this.#deps
    pressure.hold(-this.#heldBytes, false)
    pressure.hold(this.#heldBytes, true)
    this.isProducer = true
  }

  /** Everything that a finished request allows happens once per turn, so that answers leave together. */
  #settleSoon(): void {
    if (this.#isSettling) return
    this.#isSettling = true
    process.nextTick(this.#settle)
  }

  readonly #settle = (): void => {
    this.#isSettling = false
    if (this.#isClosed) return
    this.#startWaiting()
    this.#collectAnswers()
    this.#write()
    this.#account()
    this.#throttle()
    if (this.#isEnding) this.#closeWhenQuiet()
  }

  #startWaiting(): void {
    if (this.#waiting.length === 0) return
    this.#deps.turn.begin()
    let started = 0
    for (const frame of this.#waiting) {
      if (this.#isClosed || !this.#mayStart(frame)) break
      started++
      this.#waitingBytes -= frame.length + FRAME_OVERHEAD_BYTES
      this.#start(frame)
    }
    if (started > 0) this.#waiting.splice(0, started)
  }

  /** Moves the answers that are next in order to the outgoing parts. */
  #collectAnswers(): void {
    let answered = 0
    for (const exchange of this.#exchanges) {
      const { answer } = exchange
      if (answer === undefined) break
      answered++
      const last = answer.length - 1
      if (last < 0) wasSent(exchange)
      for (let i = 0; i <= last; i++)
        this.#outgoing.push({ bytes: answer[i]!, exchange: i === last ? exchange : undefined })
    }
    if (answered > 0) this.#exchanges.splice(0, answered)
  }

  /** Hands the next slice to the socket; the one after it goes when the kernel has taken this one. */
  #write(): void {
    if (this.#isWriting || this.#outgoing.length === 0) return
    const parts = this.#takeSlice()
    const byteCount = parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
    this.#isWriting = true
    this.#writeProgressAt = this.#deps.clock.monotonic()
    this.#writeTogether(parts, byteCount, () => {
      this.#isWriting = false
      this.#sliceWasTaken(byteCount)
      this.#unsentBytes -= byteCount
      this.#deps.unsent.took(this.#holder, byteCount)
      for (const { exchange } of parts) wasSent(exchange)
      if (!this.#isClosed) this.#settle()
    })
  }

  #sliceWasTaken(byteCount: number): void {
    const tookMs = this.#deps.clock.monotonic() - this.#writeProgressAt
    if (tookMs > AT_ONCE_MS_MAX || !isProven(this.#holder)) this.#sliceBytes = SLICE_BYTES_MIN
    else if (byteCount >= SLICE_BYTES_MIN) this.#sliceBytes = SLICE_BYTES_MAX
  }

  #writeTogether(parts: readonly Part[], byteCount: number, onTaken: () => void): void {
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
      const { bytes, exchange } = this.#outgoing[count]!
      const room = this.#sliceBytes - byteCount
      if (bytes.length > room) {
        const first = { bytes: bytes.subarray(0, room), exchange: undefined }
        this.#outgoing.splice(count, 1, first, { bytes: bytes.subarray(room), exchange })
      }
      byteCount += this.#outgoing[count]!.bytes.length
      count++
    }
    return this.#outgoing.splice(0, count)
  }

  #account(): void {
    const unstartedBytes = this.#isClosed ? 0 : this.#cutter.heldBytes + this.#waitingBytes
    const heldBytes = unstartedBytes + this.#runningBytes // what runs, runs on after a close
    const change = heldBytes - this.#heldBytes
    if (change === 0) return
    this.#heldBytes = heldBytes
    this.#deps.pressure.hold(change, this.isProducer)
  }

  /** Reads on, or stops reading, as the limits say. */
  #throttle(): void {
    if (this.#isClosed) return
    const { pressure, limits } = this.#deps
    const isOverLimit = this.#waitingBytes + this.#runningBytes > limits.heldBytesMax
    const mustPause = this.#isEnding || isOverLimit || !pressure.admits(this)
    if (mustPause === this.#isPaused) return
    this.#isPaused = mustPause
    if (mustPause) this.#socket.pause()
    else this.#socket.resume()
  }

  get isMidFrame(): boolean {
    return this.#cutter.heldBytes > 0
  }

  /** The pressure may be gone. */
  resume(): void {
    this.#throttle()
  }

  /** Reads nothing more, answers what has arrived, then closes. Waiting fetches answer at once. */
  end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#gone.abort()
    this.#settleSoon()
  }

  #closeWhenQuiet(): void {
    if (
      this.#exchanges.length > 0 ||
      this.#waiting.length > 0 ||
      this.#outgoing.length > 0 ||
      this.#isWriting
    )
      return
    this.close()
  }

  /** @param reason for the log; none when the client simply left. Idempotent */
  close(reason?: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isEnding = true
    if (reason !== undefined) {
      this.#deps.log.warn('connection closed', {
        remote: this.session.remoteAddress,
        reason: printable(reason),
      })
    }
    this.#gone.abort()
    this.#deps.unsent.leave(this.#holder)
    for (const exchange of this.#exchanges) if (exchange.answer !== undefined) wasSent(exchange)
    for (const { exchange } of this.#outgoing) wasSent(exchange)
    this.#exchanges = []
    this.#waiting = []
    this.#outgoing = []
    this.#account()
    this.#deps.pressure.forget(this)
    if (this.#isWriting) this.#socket.destroy()
    else this.#socket.destroySoon()
    this.#deps.onClosed(this)
  }

  /** Closes what hangs; called about once a second. @param now monotonic ms */
  sweep(now: number): void {
    const { limits } = this.#deps
    if (this.isMidFrame && now - this.#frameStartedAt > limits.frameTimeoutMs) {
      this.close(`no complete frame within ${limits.frameTimeoutMs} ms`)
    } else if (this.#isWriting && now - this.#writeProgressAt > limits.writeTimeoutMs) {
      this.close(`the client has read nothing for ${limits.writeTimeoutMs} ms`)
    } else if (this.#exchanges.length === 0 && now - this.#activeAt > limits.idleTimeoutMs) {
      this.close()
    }
  }
}

/** The answer of this exchange was taken, or never will be. */
function wasSent(exchange: Exchange | undefined): void {
  if (exchange === undefined) return
  if (exchange.sent !== undefined) for (const callback of exchange.sent) callback()
  exchange.room.release()
}

/** Clients leave as they like. */
function hasLeft({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE'
}

/** ::ffff:127.0.0.1 -> 127.0.0.1 */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
