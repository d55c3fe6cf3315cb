// /metrics, for Prometheus. Meaning of each metric: docs/reference/metrics.md

import type { FastifyInstance } from 'fastify'
import type { HttpAccess } from '../access.ts'

const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8'

export function metricsRoutes(
  server: FastifyInstance,
  access: HttpAccess,
  metricsText: () => Promise<string>,
): void {
  server.get('/metrics', async ({ raw }, reply) => {
    await access.requireDescribe(raw)
    return reply.type(TEXT_FORMAT).send(await metricsText())
  })
}
