// TlsFront: TLS in front of a server that knows nothing of it, Node's of HTTP: that server is given streams that are through
// with their handshake. Network thread.

import type { Server, Socket } from 'node:net'
import { ANONYMOUS, type Principal } from '../auth/principal.ts'
import type { Clock } from '../../storage/clock.ts'
import type { ProcessLog } from '../process-log.ts'
import type { SecurityProtocol } from '../session.ts'
import type { ListenerTls } from '../tls/listener-tls.ts'
import { HandshakeRate } from './handshake-rate.ts'
import { TlsHandshakes, type HandshakeLimits } from './tls-handshakes.ts'

export interface TlsFrontDeps {
  readonly tls: ListenerTls
  readonly securityProtocol: SecurityProtocol
  readonly limits: HandshakeLimits
  readonly clock: Clock
  readonly log: ProcessLog
}

export class TlsFront {
  readonly #deps: TlsFrontDeps
  readonly #handshakes: TlsHandshakes
  readonly #rate: HandshakeRate
  readonly #principals = new WeakMap<Socket, Principal>()

  /** @param server takes any stream that 'connection' is emitted with, as http.Server does; it has its own listener by now */
  constructor(server: Server, deps: TlsFrontDeps) {
    this.#deps = deps
    const { tls, securityProtocol, limits, clock } = deps
    this.#handshakes = new TlsHandshakes(tls, securityProtocol, deps)
    this.#rate = new HandshakeRate(limits, clock)
    const serve = server.listeners('connection')
    server.removeAllListeners('connection')
    server.on('connection', (accepted) =>
      this.#accept(accepted, (socket) => {
        for (const listener of serve) Reflect.apply(listener, server, [socket])
      }),
    )
  }

  /** The principal of the client's certificate. @param socket that the server was given */
  principalOf(socket: Socket): Principal {
    return this.#principals.get(socket) ?? ANONYMOUS
  }

  /** Cuts off every client that is not through yet. */
  close(): void {
    this.#handshakes.close()
  }

  #accept(accepted: Socket, serve: (socket: Socket) => void): void {
    const { tls, log } = this.#deps
    const remote = accepted.remoteAddress ?? ''
    if (!this.#rate.admits(remote)) {
      tls.failed('rate')
      log.warn('too many TLS handshakes', { remote, listener: tls.config.listener })
      accepted.destroy()
      return
    }
    this.#handshakes.begin(accepted, {
      onSecure: (socket, principal) => {
        this.#principals.set(socket, principal)
        serve(socket)
      },
      onFailed: () => {},
    })
  }
}
