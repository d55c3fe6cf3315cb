// /healthz: the event loop runs. /readyz: the broker is ready for clients; 503 has the reasons why not.

import type { FastifyInstance } from 'fastify'

export interface Health {
  /** The reasons why clients should not come yet; empty when ready. */
  reasonsNotReady(): Promise<string[]>
  /** What an operator must look after soon; clients may be sent here all the same. */
  warnings(): string[]
}

export function healthRoutes(server: FastifyInstance, health: Health): void {
  server.get('/healthz', () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const reasons = await health.reasonsNotReady()
    const isReady = reasons.length === 0
    return reply
      .code(isReady ? 200 : 503)
      .send({ status: isReady ? 'ready' : 'not ready', reasons, warnings: health.warnings() })
  })
}
