// Listener: one entry of `listeners`: the addresses that it binds, all at one port. Network thread.

import { createServer, isIP, type AddressInfo, type Server, type Socket } from 'node:net'
import type { ListenerConfig } from '../listener-configs.ts'
import type { ProcessLog } from '../process-log.ts'
import { addressText } from '../addresses.ts'

const SOCKET_OPTIONS = { allowHalfOpen: true, noDelay: true, keepAlive: true }
/** A port that is free on one address is rarely taken on the other. */
const FREE_PORT_TRIES_MAX = 20

/** What keeps an address from being bound, in words. */
const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'the port needs more rights',
  ENOTFOUND: 'no address is known by that name',
}

/** An address that a listener cannot bind. */
export class CannotListen extends Error {
  override readonly name = 'CannotListen'
  /** EADDRINUSE and others. */
  readonly code: string | undefined
  readonly listener: string
  readonly host: string
  readonly port: number

  constructor(listener: string, host: string, port: number, cause: NodeJS.ErrnoException) {
    const reason = reasons[cause.code ?? ''] ?? cause.message
    super(`listener ${listener} cannot listen on ${addressText(host, port)}: ${reason}`, { cause })
    this.code = cause.code
    this.listener = listener
    this.host = host
    this.port = port
  }
}

interface ListenerDeps {
  /** @param socket paused */
  readonly onConnection: (socket: Socket, listener: ListenerConfig) => void
  readonly log: ProcessLog
}

export class Listener {
  readonly #config: ListenerConfig
  readonly #deps: ListenerDeps
  readonly #servers: Server[] = []

  private constructor(config: ListenerConfig, deps: ListenerDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** @throws {CannotListen} */
  static async open(config: ListenerConfig, deps: ListenerDeps): Promise<Listener> {
    const listener = new Listener(config, deps)
    for (let tries = 1; ; tries++) {
      try {
        await listener.#bindAll()
        return listener
      } catch (error) {
        await listener.close()
        const isTaken = (error as CannotListen).code === 'EADDRINUSE'
        if (config.port !== 0 || !isTaken || tries === FREE_PORT_TRIES_MAX) throw error
      }
    }
  }

  get name(): string {
    return this.#config.name
  }

  /** HOST:PORT of the first address. */
  get address(): string {
    const { address, port } = this.#servers[0]!.address() as AddressInfo
    return addressText(address, port)
  }

  async #bindAll(): Promise<void> {
    const { name, hosts } = this.#config
    let { port } = this.#config
    for (const host of hosts) {
      const server = createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true })
      server.on('connection', (socket) => this.#deps.onConnection(socket, this.#config))
      try {
        await bind(server, host, port)
      } catch (cause) {
        const { code } = cause as NodeJS.ErrnoException
        const isNoIpv6 = isIP(host) === 6 && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')
        if (isNoIpv6 && this.#servers.length > 0) continue // a machine without IPv6 has no ::1
        throw new CannotListen(name, host, port, cause as NodeJS.ErrnoException)
      }
      server.on('error', (error) =>
        this.#deps.log.error('a connection could not be accepted', { listener: name, error }),
      )
      this.#servers.push(server)
      port = (server.address() as AddressInfo).port
    }
  }

  /** Accepts nothing more. Resolves when every connection that it accepted is closed. */
  async close(): Promise<void> {
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
