// TlsHandshakes: of one listener: makes a TLS socket and a principal of an accepted socket, or closes it and says why. Nothing
// that a client sends is read before its certificate was judged. Network thread. Certificates: broker/tls/

import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { Clock, Timer } from '../../storage/clock.ts'
import { plainAddress } from '../addresses.ts'
import { ANONYMOUS, type Principal } from '../auth/principal.ts'
import type { ConfigTable, ConfigView } from '../config-view.ts'
import { printable, type ProcessLog } from '../process-log.ts'
import type { SecurityProtocol } from '../session.ts'
import { certificateAge } from '../tls/certificate-age.ts'
import { principalOf } from '../tls/client-principal.ts'
import { LEFT, troubleOf, type HandshakeTrouble } from '../tls/handshake-trouble.ts'
import type { ListenerTls } from '../tls/listener-tls.ts'

/** Node's own timeout, which no test could move on, never passes. */
const NODE_TIMEOUT_MS = 2 ** 31 - 1

export const handshakeLimits = {
  timeoutMs: 'connection.handshake.timeout.ms',
  ratePerAddress: 'max.handshake.rate.per.ip',
} as const satisfies ConfigTable

export type HandshakeLimits = ConfigView<typeof handshakeLimits>

interface HandshakesDeps {
  readonly limits: HandshakeLimits
  readonly clock: Clock
  readonly log: ProcessLog
}

/** What a handshake comes to: one of them is called, once. */
export interface HandshakeEvents {
  /** @param socket not read yet */
  onSecure(socket: TLSSocket, principal: Principal): void
  /** The socket is closed. */
  onFailed(): void
}

/** What Node does not document: the socket below a TLS socket. */
interface OverSocket {
  readonly _parent?: Socket
}

type Pending = HandshakeEvents & { readonly remote: string; readonly timer: Timer }

export class TlsHandshakes {
  readonly #tls: ListenerTls
  readonly #securityProtocol: SecurityProtocol
  readonly #deps: HandshakesDeps
  /** Listens nowhere: it is given sockets. */
  readonly #server: Server
  /** By the accepted socket. */
  readonly #pending = new Map<Socket, Pending>()

  constructor(tls: ListenerTls, securityProtocol: SecurityProtocol, deps: HandshakesDeps) {
    this.#tls = tls
    this.#securityProtocol = securityProtocol
    this.#deps = deps
    const clientAuth = tls.config.values['ssl.client.auth']
    this.#server = createServer({
      ...tls.contextOptions,
      handshakeTimeout: NODE_TIMEOUT_MS,
      requestCert: clientAuth !== 'none',
      rejectUnauthorized: clientAuth === 'required',
    })
    tls.onChange(() => this.#server.setSecureContext(tls.contextOptions))
    this.#server.on('secureConnection', (socket) => this.#secured(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
  }

  get count(): number {
    return this.#pending.size
  }

  /** @param accepted paused, of no further use */
  begin(accepted: Socket, events: HandshakeEvents): void {
    const { clock, limits } = this.#deps
    const { timeoutMs } = limits
    const remote = plainAddress(accepted.remoteAddress ?? '')
    const timer = clock.after(timeoutMs, () => {
      this.#refuse(accepted, { failure: 'timeout', reason: `no TLS within ${timeoutMs} ms` })
    })
    this.#pending.set(accepted, { ...events, remote, timer })
    accepted.on('error', ignored) // the TLS socket hears of it, too
    accepted.once('close', () => {
      // Node tells why it has closed a socket only after it has closed it.
      setImmediate(() => this.#refuse(accepted, { failure: 'left', reason: LEFT }))
    })
    this.#server.emit('connection', accepted)
  }

  /** Cuts off every client that is not through yet. */
  close(): void {
    for (const accepted of this.#pending.keys()) accepted.destroy()
  }

  #secured(socket: TLSSocket): void {
    socket.on('error', ignored) // of a client that leaves while it is refused
    const accepted = (socket as OverSocket)._parent
    const principal = this.#principalOf(socket)
    if (accepted === undefined || !this.#pending.has(accepted)) {
      socket.destroy()
    } else if (typeof principal === 'string') {
      this.#refuse(accepted, { failure: 'certificate', reason: principal })
    } else {
      this.#tls.handshakeCount++
      this.#ended(accepted)!.onSecure(socket, principal)
    }
  }

  /** @returns or why the client must be refused */
  #principalOf(socket: TLSSocket): Principal | string {
    const clientAuth = this.#tls.config.values['ssl.client.auth']
    if (clientAuth === 'none') return ANONYMOUS
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined)
      return clientAuth === 'requested' ? ANONYMOUS : 'no certificate, and ssl.client.auth=required'
    if (!socket.authorized) return untrusted(socket)
    // A session that is resumed was judged when it began.
    const age = certificateAge(certificate, this.#deps.clock.now())
    if (age === 'has expired') return `its certificate ${age}`
    return principalOf(certificate, this.#tls.rules)
  }

  #failed(error: Error, socket: TLSSocket): void {
    const accepted = (socket as OverSocket)._parent
    if (accepted === undefined) return
    const { authorizationError } = socket as { authorizationError?: unknown }
    this.#refuse(
      accepted,
      authorizationError
        ? { failure: 'certificate', reason: untrusted(socket) }
        : troubleOf(error, this.#securityProtocol),
    )
  }

  /** @returns undefined when it has ended before */
  #ended(accepted: Socket): Pending | undefined {
    const pending = this.#pending.get(accepted)
    this.#pending.delete(accepted)
    pending?.timer.cancel()
    return pending
  }

  /** Idempotent: the first reason counts. */
  #refuse(accepted: Socket, { failure, reason }: HandshakeTrouble): void {
    const pending = this.#ended(accepted)
    if (pending === undefined) return
    this.#tls.failed(failure)
    const { listener } = this.#tls.config
    const facts = { remote: pending.remote, listener, reason: printable(reason) }
    if (failure === 'left') this.#deps.log.debug('TLS handshake failed', facts)
    else this.#deps.log.warn('TLS handshake failed', facts)
    accepted.destroy()
    pending.onFailed()
  }
}

/** Without a listener an error would end the process. */
function ignored(): void {}

function untrusted(socket: TLSSocket): string {
  return `its certificate is not trusted: ${String(socket.authorizationError)}`
}
