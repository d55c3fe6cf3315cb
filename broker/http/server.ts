// The HTTP side: metrics and health, on its own port. Loaded after the Kafka port listens. Network thread.

import { fastify } from 'fastify'
import { healthRoutes, type Health } from './routes/health.ts'
import { metricsRoutes } from './routes/metrics.ts'

const BODY_BYTES_MAX = 64 * 1024
/** For a request to arrive whole. */
const REQUEST_MS_MAX = 10_000

export interface HttpServer {
  /** http://127.0.0.1:9644 */
  readonly url: string
  close(): Promise<void>
}

interface HttpDeps extends Health {
  readonly metricsText: () => Promise<string>
}

/** @param port 0 for a free one */
export async function openHttp(host: string, port: number, deps: HttpDeps): Promise<HttpServer> {
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
