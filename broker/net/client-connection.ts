// ClientConnection: one client, from its first bytes to its last answer. Owns its transport, its session and the protocol
// that it speaks, starts and sends what may go on, and bounds what it holds. Network thread.
// Limits: docs/architecture.md, "Overload"

import { strict as assert } from 'node:assert'
import type { Clock } from '../../storage/clock.ts'
import type { ConfigTable, ConfigView } from '../config-view.ts'
import { printable, type ProcessLog } from '../process-log.ts'
import type { ListenerConfig } from '../listener-configs.ts'
import type { SaslListeners } from '../sasl/sasl-listeners.ts'
import { Session } from '../session.ts'
import { Exchanges } from './exchanges.ts'
import { FirstBytes } from './first-bytes.ts'
import { KafkaProtocol, type KafkaDeps } from './kafka-protocol.ts'
import type { LoginRoom } from './login-room.ts'
import { Mute } from './mute.ts'
import type { Pressure } from './pressure.ts'
import type { Protocol } from './protocol.ts'
import type { Transport, TransportEvents } from './transport.ts'

export const connectionLimits = {
  frameBytesMax: 'socket.request.max.bytes',
  /** Of requests that run or wait; above it the socket is not read. */
  heldBytesMax: 'connection.held.max.bytes',
  /** Answers that are ready and that the client has not taken; above it no further request starts. */
  unsentBytesMax: 'connection.unsent.max.bytes',
  frameTimeoutMs: 'connection.frame.timeout.ms',
  writeTimeoutMs: 'connection.write.timeout.ms',
  idleTimeoutMs: 'connections.max.idle.ms',
} as const satisfies ConfigTable

export type ConnectionLimits = ConfigView<typeof connectionLimits>

export interface ConnectionDeps extends KafkaDeps {
  readonly limits: ConnectionLimits
  readonly pressure: Pressure
  readonly clock: Clock
  readonly log: ProcessLog
  readonly sasl: Pick<SaslListeners, 'authenticationOf'>
  readonly loginRoom: LoginRoom
}

/** The listener that the client has dialled. */
type Dialled = Pick<ListenerConfig, 'name' | 'securityProtocol' | 'advertised'>

export class ClientConnection implements TransportEvents {
  readonly session: Session
  readonly #deps: ConnectionDeps
  readonly #transport: Transport
  readonly #exchanges: Exchanges
  readonly #onClosed: () => void
  readonly #gone = new AbortController()
  #protocol: Protocol

  /** Bytes that `pressure` counts for this connection. */
  #heldBytes = 0
  /** Of them, those that `loginRoom` counts. */
  #loginBytes = 0
  /** Made when the client first exceeds a quota. */
  #mute: Mute | undefined
  #hasAppended = false
  #isSettling = false
  /** The client has sent its end, or the broker is stopping: the connection reads nothing more. */
  #isEnding = false

  constructor(transport: Transport, listener: Dialled, deps: ConnectionDeps, onClosed: () => void) {
    this.#transport = transport
    this.#deps = deps
    this.#onClosed = onClosed
    this.session = new Session({
      listener: listener.name,
      securityProtocol: listener.securityProtocol,
      endpoint: { ...transport.localEndpoint, ...listener.advertised },
      remoteAddress: transport.remoteAddress,
      principal: transport.principal,
      gone: this.#gone.signal,
    })
    this.#exchanges = new Exchanges(transport, (...done) => this.#onDone(...done))
    this.#protocol = new FirstBytes(transport, this.session, (bytes) => this.#speakKafka(bytes))
    this.session.mute = (ms) => this.#muteFor(ms)
    this.session.authentication = deps.sasl.authenticationOf(this.session)
    transport.open(this.#protocol, this)
  }

  /** @param bytes the first ones */
  #speakKafka(bytes: Buffer): void {
    const [transport, exchanges, session] = [this.#transport, this.#exchanges, this.session]
    const isMuted = () => this.#isMuted
    const owner = { transport, exchanges, session, isMuted, settle: this.#settle }
    this.#protocol = new KafkaProtocol(this.#deps, owner)
    transport.handTo(this.#protocol)
    this.#protocol.receive(bytes)
  }

  onReceived(): void {
    this.#account()
    this.#throttle()
  }

  onTaken(): void {
    this.#settle()
  }

  onEnd(): void {
    this.end()
  }

  onGone(reason?: string): void {
    this.close(reason)
  }

  /** A request is done. @param failure closes the connection. @param isLast nothing is answered after it */
  #onDone(failure: Error | undefined, isLast: boolean): void {
    if (this.#transport.isClosed) this.#account()
    else if (failure !== undefined) this.close(failure.message)
    else if (isLast) this.#endAfterAnswer()
    else this.#settleSoon()
  }

  /** What has arrived behind the request is forgotten. */
  #endAfterAnswer(): void {
    this.#protocol.close()
    this.end()
  }

  /** Settles once for all requests that finish in this turn, so that their answers leave together. */
  #settleSoon(): void {
    if (this.#isSettling) return
    this.#isSettling = true
    process.nextTick(this.#settle)
  }

  readonly #settle = (): void => {
    this.#isSettling = false
    if (this.#transport.isClosed) return
    this.#protocol.startWaiting()
    if (this.#transport.isClosed) return // one of the requests that waited has closed it
    this.#exchanges.sendAnswers()
    this.#transport.write()
    this.#account()
    if (this.#transport.isClosed) return
    this.#throttle()
    if (this.#isQuiet) this.#rest()
  }

  /** Every request that has arrived has its answer, and the client has every answer. */
  get #isQuiet(): boolean {
    return this.#transport.isQuiet && this.#exchanges.isQuiet && this.#protocol.waitingBytes === 0
  }

  #rest(): void {
    assert(this.#transport.unsentBytes === 0, 'a client that has every answer is owed nothing')
    assert(this.#exchanges.runningBytes === 0, 'a client that has every answer asks for nothing')
    if (this.#isEnding) this.close()
  }

  #account(): void {
    const { pressure } = this.#deps
    if (this.#exchanges.hasAppended && !this.#hasAppended) {
      this.#hasAppended = true
      pressure.hold(-this.#heldBytes, false)
      pressure.hold(this.#heldBytes, true)
    }
    const { partBytes, waitingBytes } = this.#protocol
    const unstartedBytes = this.#transport.isClosed ? 0 : partBytes + waitingBytes
    const heldBytes = unstartedBytes + this.#exchanges.runningBytes // a request that runs outlives the connection
    const change = heldBytes - this.#heldBytes
    if (change !== 0) {
      this.#heldBytes = heldBytes
      pressure.hold(change, this.#hasAppended)
    }
    if (this.session.authentication !== undefined) this.#accountLogin()
  }

  #accountLogin(): void {
    const isAtLogin = this.#isAtLogin && !this.#transport.isClosed
    const loginBytes = isAtLogin ? this.#heldBytes : 0
    const change = loginBytes - this.#loginBytes
    this.#loginBytes = loginBytes
    if (!this.#deps.loginRoom.hold(change)) this.close('too many clients are about to log in')
  }

  /** The client must log in, and has not. */
  get #isAtLogin(): boolean {
    return this.session.authentication?.isDone === false
  }

  #muteFor(ms: number): void {
    if (this.#isEnding) return
    this.#mute ??= new Mute(this.#deps.clock, this.#settle)
    this.#mute.start(ms)
  }

  get #isMuted(): boolean {
    return this.#mute?.isOn === true
  }

  /** Pauses or resumes the socket, as the limits say. */
  #throttle(): void {
    if (this.#isEnding) return
    const { pressure, limits } = this.#deps
    const heldBytes = this.#protocol.waitingBytes + this.#exchanges.runningBytes
    const isFull = heldBytes > limits.heldBytesMax || !pressure.admits(this)
    this.#transport.setPaused(isFull || this.#isMuted)
  }

  /** Whether the client has ever sent a request that appends: only those fill the writer's inbox. */
  get hasAppended(): boolean {
    return this.#hasAppended
  }

  /** A request has arrived in part: reading on may free what the connection holds. Of a stranger nobody knows. */
  get isMidRequest(): boolean {
    return this.#protocol.partBytes > 0 && !this.#isAtLogin && !this.#isMuted
  }

  /** The pressure that has paused the connection may be gone. */
  resume(): void {
    this.#throttle()
  }

  /** Reads nothing more, answers what has arrived, then closes. Waiting fetches answer at once. */
  end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#mute?.end()
    this.#transport.endReceiving()
    this.#gone.abort()
    this.#settleSoon()
  }

  /** @param reason for the log; none when the client simply left. Idempotent */
  close(reason?: string): void {
    if (this.#transport.isClosed) return
    this.#isEnding = true
    if (reason !== undefined) {
      const { remoteAddress: remote, listener } = this.session
      this.#deps.log.warn('connection closed', { remote, listener, reason: printable(reason) })
    }
    this.#mute?.end()
    this.#transport.close()
    this.#gone.abort()
    this.#exchanges.close()
    this.#protocol.close()
    this.#account()
    this.#deps.pressure.forget(this)
    this.#onClosed()
  }

  /** Closes the connection if it hangs; called about once a second. @param now monotonic ms */
  sweep(now: number): void {
    const { frameTimeoutMs, writeTimeoutMs, idleTimeoutMs } = this.#deps.limits
    const waitingSince = Math.max(this.#protocol.partStartedAt, this.#mute?.endedAt ?? -Infinity)
    if (this.isMidRequest && now - waitingSince > frameTimeoutMs) {
      this.close(`no complete frame within ${frameTimeoutMs} ms`)
    } else if (this.session.authentication?.isOverdue(now) === true) {
      this.close('the client has not logged in in time')
    } else if (this.#transport.isStalled(now)) {
      this.close(`the client has read nothing for ${writeTimeoutMs} ms`)
    } else if (this.#exchanges.isQuiet && now - this.#transport.receivedAt > idleTimeoutMs) {
      this.close()
    }
  }
}
