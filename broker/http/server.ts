// The HTTP server for metrics and health, on its own port. The port is open from the start; fastify and the routes
// load at the first request, because they would take a quarter of the start. Network thread.

import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { ANONYMOUS } from '../auth/principal.ts'
import { TlsFront, type TlsFrontDeps } from '../net/tls-front.ts'
import { HttpAccess, type HttpAccessDeps } from './access.ts'
import { hostCheck } from './hosts.ts'
import type { Routes } from './routes.ts'

/** The time limit for a request to arrive whole. */
const REQUEST_MS_MAX = 10_000

interface HttpServer {
  /** http://127.0.0.1:9644 or https://... */
  readonly url: string
  close(): Promise<void>
}

export interface HttpDeps extends Omit<Routes, 'access'>, Omit<HttpAccessDeps, 'principalOf'> {
  readonly host: string
  /** 0 for a free one. */
  readonly port: number
  /** Further connections are closed. */
  readonly connectionsMax: number
  /** The names of this address besides loopback's; undefined: it answers to any name. */
  readonly names: readonly string[] | undefined
  /** Undefined without TLS. */
  readonly tls: TlsFrontDeps | undefined
}

/** @throws the error of listening */
export async function openHttp(deps: HttpDeps): Promise<HttpServer> {
  const { host, port, names } = deps
  const isKnown = names === undefined ? () => true : hostCheck(names)
  let routes: Promise<RequestListener> | undefined
  const server = createServer({ requestTimeout: REQUEST_MS_MAX }, (request, response) => {
    if (!isKnown(request.headers.host)) {
      refuseHost(response)
      return
    }
    routes ??= import('./routes.ts').then(({ openRoutes }) => openRoutes({ ...deps, access }))
    routes.then(
      (handle) => handle(request, response),
      (error: Error) => response.destroy(error),
    )
  })
  server.maxConnections = deps.connectionsMax
  const front = deps.tls && new TlsFront(server, deps.tls)
  const principalOf: HttpAccessDeps['principalOf'] = (socket) =>
    front?.principalOf(socket) ?? ANONYMOUS
  const access = new HttpAccess({ ...deps, principalOf })
  await listen(server, host, port)
  const close = () => {
    front?.close()
    return closed(server)
  }
  return { url: urlOf(server, front === undefined ? 'http' : 'https'), close }
}

function refuseHost(response: ServerResponse): void {
  const advice = 'ask for localhost, or name the host in http.host or advertised.listeners'
  response.writeHead(421, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
  response.end(`this address does not answer to that host: ${advice}\n`)
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function urlOf(server: Server, scheme: 'http' | 'https'): string {
  const { address, family, port } = server.address() as Exclude<
    ReturnType<Server['address']>,
    string | null
  >
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
