// The routes of the HTTP port, by fastify. Network thread.

import type { RequestListener } from 'node:http'
import { fastify } from 'fastify'
import type { HttpAccess } from './access.ts'
import { HttpRefusal } from './refusal.ts'
import { healthRoutes, type Health } from './routes/health.ts'
import { indexRoute } from './routes/index.ts'
import { metricsRoutes } from './routes/metrics.ts'

const BODY_BYTES_MAX = 64 * 1024

export interface Routes extends Health {
  readonly access: HttpAccess
  readonly metricsText: () => Promise<string>
}

/** @returns the listener for requests; it holds nothing that must be closed */
export async function openRoutes(routes: Routes): Promise<RequestListener> {
  const app = fastify({ bodyLimit: BODY_BYTES_MAX })
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof HttpRefusal)) return reply.send(error)
    const { statusCode, headers, message } = error
    return reply
      .code(statusCode)
      .headers(headers)
      .type('text/plain; charset=utf-8')
      .send(`${message}\n`)
  })
  indexRoute(app, routes.access)
  healthRoutes(app, routes.access, routes)
  metricsRoutes(app, routes.access, routes.metricsText)
  await app.ready()
  return (request, response) => app.routing(request, response)
}
