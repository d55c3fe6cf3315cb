// Connections: every open connection of all listeners: how many there may be, what they share, and when what hangs is closed.
// Network thread. Limits: docs/architecture.md, "Overload"

import type { Socket } from 'node:net'
import { canonicalAddress } from '../../protocol/canonical-address.ts'
import type { Clock, Timer } from '../../storage/clock.ts'
import { BufferPool } from '../../storage/read/buffer-pool.ts'
import { plainAddress } from '../addresses.ts'
import type { Dispatch } from '../call.ts'
import type { ConfigTable, ConfigView } from '../config-view.ts'
import type { ListenerConfig } from '../listener-configs.ts'
import type { Throttling } from '../quota/throttling.ts'
import type { ProcessLog } from '../process-log.ts'
import type { ListenerTls } from '../tls/listener-tls.ts'
import {
  ClientConnection,
  type ConnectionDeps,
  type ConnectionLimits,
} from './client-connection.ts'
import type { AcceptLine } from './accept-line.ts'
import { HandshakeRate } from './handshake-rate.ts'
import { LoopTurn } from './loop-turn.ts'
import type { LoginRoom } from './login-room.ts'
import type { Pressure } from './pressure.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import { TlsHandshakes, type HandshakeLimits } from './tls-handshakes.ts'
import { Transport } from './transport.ts'
import type { Unsent } from '../unsent.ts'

const SWEEP_MS = 1000
/** Memory that frames of all connections were put together in, kept for the next ones. */
const FRAME_BUFFERS_FREE_BYTES_MAX = 16 * 1024 * 1024

export const connectionCounts = {
  countMax: 'max.connections',
  ofAddressMax: 'max.connections.per.ip',
  ofAddressOverrides: 'max.connections.per.ip.overrides',
} as const satisfies ConfigTable

type ConnectionCounts = ConfigView<typeof connectionCounts>

export interface ConnectionsDeps {
  readonly dispatch: Dispatch
  readonly pressure: Pressure
  readonly unsent: Unsent
  readonly limits: ConnectionLimits
  readonly counts: ConnectionCounts
  readonly handshakeLimits: HandshakeLimits
  readonly acceptLine: AcceptLine
  readonly throttling: Pick<Throttling, 'connected'>
  /** Of each listener that has it, by its name. */
  readonly tls: ReadonlyMap<string, ListenerTls>
  readonly sasl: ConnectionDeps['sasl']
  readonly loginRoom: LoginRoom
  /** Files that may be open as sockets; there are never more connections. */
  readonly socketsMax: number
  readonly clock: Clock
  readonly log: ProcessLog
}

export class Connections {
  readonly #deps: ConnectionsDeps
  readonly #shared: ConnectionDeps
  readonly #receiveBuffer = new ReceiveBuffer()
  readonly #open = new Set<ClientConnection>()
  readonly #handshakes = new Map<string, TlsHandshakes>()
  readonly #handshakeRate: HandshakeRate
  /** Those that wait for their end. */
  readonly #delayed = new Set<Socket>()
  readonly #countByAddress = new Map<string, number>()
  #sweepTimer: Timer | undefined
  #isClosing = false
  #whenNone: (() => void) | undefined

  constructor(deps: ConnectionsDeps) {
    this.#deps = deps
    const frameBuffers = new BufferPool(FRAME_BUFFERS_FREE_BYTES_MAX)
    this.#shared = { ...deps, turn: new LoopTurn(deps.clock), frameBuffers }
    this.#handshakeRate = new HandshakeRate(deps.handshakeLimits, deps.clock)
  }

  /** Those in the TLS handshake, too. */
  get count(): number {
    let count = this.#open.size + this.#delayed.size
    for (const handshakes of this.#handshakes.values()) count += handshakes.count
    return count
  }

  /** @param accepted by `listener`, paused */
  add(accepted: Socket, listener: ListenerConfig): void {
    let isAdmitted = false
    const admit = () => {
      isAdmitted = true
      if (!accepted.destroyed) this.#admit(accepted, listener)
    }
    if (!this.#deps.acceptLine.pass(admit)) this.#refuse(accepted, listener)
    else if (!isAdmitted) accepted.on('error', () => {}) // it leaves before its turn
  }

  #admit(accepted: Socket, listener: ListenerConfig): void {
    const address = accepted.remoteAddress ?? ''
    const ofAddress = this.#countByAddress.get(address) ?? 0
    const { counts, socketsMax } = this.#deps
    const countMax = Math.min(counts.countMax, socketsMax)
    const isFull = this.count >= countMax || ofAddress >= ofAddressMax(counts, address)
    if (isFull || this.#isClosing) {
      this.#refuse(accepted, listener)
      return
    }
    const delayMs = this.#deps.throttling.connected(plainAddress(address))
    if (delayMs > 0) {
      this.#closeLater(accepted, address, delayMs)
      return
    }
    const tls = this.#deps.tls.get(listener.name)
    if (tls === undefined) {
      this.#counted(address)
      this.#start(Transport.over(accepted, this.#receiveBuffer, this.#deps), listener, address)
    } else this.#shakeHands(accepted, tls, listener, address)
  }

  #refuse(accepted: Socket, { name: listener }: ListenerConfig): void {
    const remote = accepted.remoteAddress ?? ''
    const ofAddress = this.#countByAddress.get(remote) ?? 0
    const facts = { remote, listener, connections: this.count, ofAddress }
    this.#deps.log.warn('connection refused', facts)
    accepted.destroy()
  }

  /** Above its `connection_creation_rate` an address waits for the end, so that it does not come again at once. */
  #closeLater(accepted: Socket, address: string, ms: number): void {
    this.#counted(address)
    this.#delayed.add(accepted)
    const timer = this.#deps.clock.after(ms, () => accepted.destroy())
    accepted.on('error', () => {}) // it is about to be closed
    accepted.on('close', () => {
      timer.cancel()
      this.#delayed.delete(accepted)
      this.#left(address)
    })
  }

  #shakeHands(accepted: Socket, tls: ListenerTls, listener: ListenerConfig, address: string): void {
    if (!this.#handshakeRate.admits(address)) {
      tls.failed('rate')
      this.#deps.log.warn('too many TLS handshakes', { remote: address, listener: listener.name })
      accepted.destroy()
      return
    }
    this.#counted(address)
    this.#handshakesOf(tls, listener).begin(accepted, {
      onSecure: (socket, principal) =>
        this.#start(
          Transport.overTls(socket, principal, this.#receiveBuffer, this.#deps),
          listener,
          address,
        ),
      onFailed: () => this.#left(address),
    })
  }

  #handshakesOf(tls: ListenerTls, { name, securityProtocol }: ListenerConfig): TlsHandshakes {
    const known = this.#handshakes.get(name)
    if (known !== undefined) return known
    const { clock, log, handshakeLimits: limits } = this.#deps
    const handshakes = new TlsHandshakes(tls, securityProtocol, { clock, log, limits })
    this.#handshakes.set(name, handshakes)
    return handshakes
  }

  #start(transport: Transport, listener: ListenerConfig, address: string): void {
    const onClosed = () => {
      this.#open.delete(connection)
      this.#left(address)
    }
    const connection = new ClientConnection(transport, listener, this.#shared, onClosed)
    this.#open.add(connection)
    this.#sweepTimer ??= this.#deps.clock.after(SWEEP_MS, () => this.#sweep())
    if (this.#isClosing) connection.end()
  }

  #counted(address: string): void {
    this.#countByAddress.set(address, (this.#countByAddress.get(address) ?? 0) + 1)
  }

  #left(address: string): void {
    const count = this.#countByAddress.get(address)! - 1
    if (count === 0) this.#countByAddress.delete(address)
    else this.#countByAddress.set(address, count)
    if (this.count === 0) this.#whenNone?.()
  }

  #sweep(): void {
    const now = this.#deps.clock.monotonic()
    for (const connection of this.#open) connection.sweep(now)
    this.#deps.unsent.relieve()
    const isNeeded = this.count > 0
    this.#sweepTimer = isNeeded ? this.#deps.clock.after(SWEEP_MS, () => this.#sweep()) : undefined
  }

  /**
   * Reads nothing more, answers what has arrived, closes every connection.
   *
   * @param graceMs connections that still have answers to send after it are cut off
   */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true
    this.#deps.acceptLine.close()
    for (const socket of this.#delayed) socket.destroy()
    for (const handshakes of this.#handshakes.values()) handshakes.close()
    for (const connection of this.#open) connection.end()
    if (this.count > 0) await this.#none(graceMs)
    for (const connection of this.#open) connection.close('the broker is stopping')
    this.#sweepTimer?.cancel()
  }

  #none(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#deps.clock.after(graceMs, resolve)
      this.#whenNone = () => {
        timer.cancel()
        resolve()
      }
    })
  }
}

function ofAddressMax(counts: ConnectionCounts, address: string): number {
  const { ofAddressOverrides } = counts
  if (ofAddressOverrides.size === 0) return counts.ofAddressMax
  const canonical = canonicalAddress(plainAddress(address))
  return ofAddressOverrides.get(canonical ?? address) ?? counts.ofAddressMax
}
