// The HTTP side: metrics and health, on its own port. Network thread.

import { fastify } from 'fastify'
import { healthRoutes, type Health } from './routes/health.ts'
import { metricsRoutes } from './routes/metrics.ts'

const BODY_BYTES_MAX = 64 * 1024
/** For a request to arrive whole. */
const REQUEST_MS_MAX = 10_000

interface HttpServer {
  /** http://127.0.0.1:9644 */
  readonly url: string
  close(): Promise<void>
}

export interface HttpDeps extends Health {
  readonly host: string
  /** 0 for a free one. */
  readonly port: number
  readonly metricsText: () => Promise<string>
}

export async function openHttp(deps: HttpDeps): Promise<HttpServer> {
  const { host, port } = deps
  const server = fastify({
    forceCloseConnections: true,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
  })
  healthRoutes(server, deps)
  metricsRoutes(server, deps.metricsText)
  const url = await server.listen({ host, port })
  return { url, close: () => server.close() }
}
