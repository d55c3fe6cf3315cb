// Connections: every open connection of all listeners: how many there may be, what they share, and when what hangs is closed.
// Network thread. Limits: docs/architecture.md, "Overload"

import type { Socket } from 'node:net'
import type { Clock, Timer } from '../../storage/clock.ts'
import { BufferPool } from '../../storage/read/buffer-pool.ts'
import type { Dispatch } from '../call.ts'
import type { ConfigTable, ConfigView } from '../config-view.ts'
import type { ListenerConfig } from '../listener-configs.ts'
import type { ProcessLog } from '../process-log.ts'
import {
  ClientConnection,
  type ConnectionDeps,
  type ConnectionLimits,
} from './client-connection.ts'
import { LoopTurn } from './loop-turn.ts'
import type { Pressure } from './pressure.ts'
import { Transport } from './transport.ts'
import type { Unsent } from '../unsent.ts'

const SWEEP_MS = 1000
/** Memory that frames of all connections were put together in, kept for the next ones. */
const FRAME_BUFFERS_FREE_BYTES_MAX = 16 * 1024 * 1024
/** Taken from a socket at a time. */
const RECEIVE_BYTES = 256 * 1024

export const connectionCounts = {
  countMax: 'max.connections',
  ofAddressMax: 'max.connections.per.ip',
} as const satisfies ConfigTable

type ConnectionCounts = ConfigView<typeof connectionCounts>

export interface ConnectionsDeps {
  readonly dispatch: Dispatch
  readonly pressure: Pressure
  readonly unsent: Unsent
  readonly limits: ConnectionLimits
  readonly counts: ConnectionCounts
  /** Files that may be open as sockets; there are never more connections. */
  readonly socketsMax: number
  readonly clock: Clock
  readonly log: ProcessLog
}

export class Connections {
  readonly #deps: ConnectionsDeps
  readonly #shared: ConnectionDeps
  readonly #receiveBuffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES)
  readonly #open = new Set<ClientConnection>()
  readonly #countByAddress = new Map<string, number>()
  #sweepTimer: Timer | undefined
  #isClosing = false
  #whenNone: (() => void) | undefined

  constructor(deps: ConnectionsDeps) {
    this.#deps = deps
    const frameBuffers = new BufferPool(FRAME_BUFFERS_FREE_BYTES_MAX)
    this.#shared = { ...deps, turn: new LoopTurn(deps.clock), frameBuffers }
  }

  get count(): number {
    return this.#open.size
  }

  /** @param accepted by `listener`, paused */
  add(accepted: Socket, listener: ListenerConfig): void {
    const address = accepted.remoteAddress ?? ''
    const ofAddress = this.#countByAddress.get(address) ?? 0
    const { counts, socketsMax } = this.#deps
    const countMax = Math.min(counts.countMax, socketsMax)
    const isFull = this.count >= countMax || ofAddress >= counts.ofAddressMax
    if (isFull || this.#isClosing) {
      const facts = { remote: address, listener: listener.name, connections: this.count, ofAddress }
      this.#deps.log.warn('connection refused', facts)
      accepted.destroy()
      return
    }
    this.#countByAddress.set(address, ofAddress + 1)
    const transport = Transport.over(accepted, this.#receiveBuffer, this.#deps)
    const onClosed = () => this.#closed(connection, address)
    const connection = new ClientConnection(transport, listener, this.#shared, onClosed)
    this.#open.add(connection)
    this.#sweepTimer ??= this.#deps.clock.after(SWEEP_MS, () => this.#sweep())
  }

  #closed(connection: ClientConnection, address: string): void {
    this.#open.delete(connection)
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
