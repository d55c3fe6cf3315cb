// /healthz: the loop turns. /readyz: clients may be sent here; 503 says why not.

import type { FastifyInstance } from 'fastify'

export interface Health {
  /** What speaks against sending clients here; empty when ready. */
  reasonsNotReady(): Promise<string[]>
}

export function healthRoutes(server: FastifyInstance, health: Health): void {
  server.get('/healthz', () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const reasons = await health.reasonsNotReady()
    const isReady = reasons.length === 0
    return reply
      .code(isReady ? 200 : 503)
      .send({ status: isReady ? 'ready' : 'not ready', reasons })
  })
}
