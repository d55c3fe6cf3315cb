// /metrics, for Prometheus. Meaning of each metric: docs/reference/metrics.md

import type { FastifyInstance } from 'fastify'

const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8'

export function metricsRoutes(server: FastifyInstance, metricsText: () => Promise<string>): void {
  server.get('/metrics', async (_request, reply) =>
    reply.type(TEXT_FORMAT).send(await metricsText()),
  )
}
