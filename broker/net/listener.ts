// Listener: the addresses that the broker listens on, and every open connection. Network thread.
// One port for all addresses; port 0 finds one that is free on all of them.

import { createServer, isIP, type AddressInfo, type Server, type Socket } from 'node:net'
import { BufferPool } from '../../storage/read/buffer-pool.ts'
import type { Clock, Timer } from '../../storage/clock.ts'
import type { ProcessLog } from '../process-log.ts'
import { ClientConnection, type ConnectionLimits } from './connection.ts'
import type { Dispatch } from '../call.ts'
import { LoopTurn } from './loop-turn.ts'
import type { Pressure } from './pressure.ts'
import { Transport } from './transport.ts'
import type { Unsent } from './unsent.ts'

const SWEEP_MS = 1000
/** Memory that frames of all connections were put together in, kept for the next ones. */
const FRAME_BUFFERS_FREE_BYTES_MAX = 16 * 1024 * 1024
/** Taken from a socket at a time. */
const RECEIVE_BYTES = 256 * 1024
const SOCKET_OPTIONS = { allowHalfOpen: true, noDelay: true, keepAlive: true }
/** A port that is free on one address is rarely taken on the other. */
const FREE_PORT_TRIES_MAX = 20

interface ListenerDeps {
  readonly dispatch: Dispatch
  readonly pressure: Pressure
  readonly unsent: Unsent
  readonly limits: ConnectionLimits
  readonly connectionsMax: number
  readonly connectionsPerAddressMax: number
  readonly clock: Clock
  readonly log: ProcessLog
}

export class Listener {
  readonly #deps: ListenerDeps
  readonly #receiveBuffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES)
  readonly #turn: LoopTurn
  readonly #frameBuffers = new BufferPool(FRAME_BUFFERS_FREE_BYTES_MAX)
  readonly #servers: Server[] = []
  readonly #connections = new Set<ClientConnection>()
  readonly #countByAddress = new Map<string, number>()
  #sweepTimer: Timer | undefined
  #isClosing = false
  #whenQuiet: (() => void) | undefined

  private constructor(deps: ListenerDeps) {
    this.#deps = deps
    this.#turn = new LoopTurn(deps.clock)
  }

  /**
   * @param hosts addresses to bind; ::1 is left out where there is no IPv6
   * @param port 0 for one that is free on all hosts
   */
  static async open(hosts: readonly string[], port: number, deps: ListenerDeps): Promise<Listener> {
    const listener = new Listener(deps)
    for (let tries = 1; ; tries++) {
      try {
        await listener.#bindAll(hosts, port)
        return listener
      } catch (error) {
        await listener.#unbind()
        const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
        if (port !== 0 || !isTaken || tries === FREE_PORT_TRIES_MAX) throw error
      }
    }
  }

  /** HOST:PORT of the first address. */
  get bootstrap(): string {
    const { address, family, port } = this.#servers[0]!.address() as AddressInfo
    return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  async #bindAll(hosts: readonly string[], port: number): Promise<void> {
    let chosen = port
    for (const host of hosts) {
      const server = createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true })
      server.on('connection', (socket) => this.#accept(socket))
      try {
        await bind(server, host, chosen)
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        const isNoIpv6 = isIP(host) === 6 && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')
        if (isNoIpv6 && this.#servers.length > 0) continue
        throw error
      }
      server.on('error', (error) =>
        this.#deps.log.error('a connection could not be accepted', { error }),
      )
      this.#servers.push(server)
      chosen = (server.address() as AddressInfo).port
    }
  }

  #accept(accepted: Socket): void {
    const address = accepted.remoteAddress ?? ''
    const count = this.#countByAddress.get(address) ?? 0
    const { connectionsMax, connectionsPerAddressMax, log } = this.#deps
    if (
      this.#isClosing ||
      this.#connections.size >= connectionsMax ||
      count >= connectionsPerAddressMax
    ) {
      log.warn('connection refused', {
        remote: address,
        connections: this.#connections.size,
        ofAddress: count,
      })
      accepted.destroy()
      return
    }
    this.#countByAddress.set(address, count + 1)
    const shared = { ...this.#deps, turn: this.#turn, frameBuffers: this.#frameBuffers }
    const transport = Transport.over(accepted, this.#receiveBuffer, this.#deps)
    const door = { listener: 'PLAINTEXT', securityProtocol: 'PLAINTEXT' } as const
    const onClosed = () => this.#closed(connection, address)
    const connection = new ClientConnection(transport, door, shared, onClosed)
    this.#connections.add(connection)
    this.#sweepTimer ??= this.#deps.clock.after(SWEEP_MS, () => this.#sweep())
  }

  #closed(connection: ClientConnection, address: string): void {
    this.#connections.delete(connection)
    const count = this.#countByAddress.get(address)! - 1
    if (count === 0) this.#countByAddress.delete(address)
    else this.#countByAddress.set(address, count)
    if (this.#connections.size === 0) this.#whenQuiet?.()
  }

  #sweep(): void {
    const now = this.#deps.clock.monotonic()
    for (const connection of this.#connections) connection.sweep(now)
    this.#deps.unsent.relieve()
    const isNeeded = this.#connections.size > 0
    this.#sweepTimer = isNeeded ? this.#deps.clock.after(SWEEP_MS, () => this.#sweep()) : undefined
  }

  /**
   * Accepts and reads nothing more, answers what has arrived, closes every connection.
   *
   * @param graceMs connections that still have answers to send after it are cut off
   */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true
    const unbound = this.#unbind()
    for (const connection of this.#connections) connection.end()
    if (this.#connections.size > 0) await this.#quiet(graceMs)
    for (const connection of this.#connections) connection.close('the broker is stopping')
    this.#sweepTimer?.cancel()
    await unbound
  }

  #quiet(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#deps.clock.after(graceMs, resolve)
      this.#whenQuiet = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  async #unbind(): Promise<void> {
    const servers = this.#servers.splice(0)
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, ipv6Only: isIP(host) === 6 }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** 127.0.0.0/8, ::1 and localhost. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
