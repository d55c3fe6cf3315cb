// The routes of the HTTP port, by fastify. Network thread.

import type { RequestListener } from 'node:http'
import { fastify } from 'fastify'
import { healthRoutes, type Health } from './routes/health.ts'
import { indexRoute } from './routes/index.ts'
import { metricsRoutes } from './routes/metrics.ts'

const BODY_BYTES_MAX = 64 * 1024

export interface Routes extends Health {
  readonly metricsText: () => Promise<string>
}

/** @returns the listener for requests; it holds nothing that must be closed */
export async function openRoutes(routes: Routes): Promise<RequestListener> {
  const app = fastify({ bodyLimit: BODY_BYTES_MAX })
  indexRoute(app)
  healthRoutes(app, routes)
  metricsRoutes(app, routes.metricsText)
  await app.ready()
  return (request, response) => app.routing(request, response)
}
