// /healthz: the event loop runs. /readyz: the broker is ready for clients; 503 has the reasons why not. Both are open to load
// balancers, which have no password; but only some clients see the reasons.

import type { FastifyInstance } from 'fastify'
import type { HttpAccess } from '../access.ts'

export interface Health {
  /** The reasons why clients should not come yet; empty when ready. */
  reasonsNotReady(): Promise<string[]>
  /** What an operator must look after soon; clients may be sent here all the same. */
  warnings(): string[]
}

export function healthRoutes(server: FastifyInstance, access: HttpAccess, health: Health): void {
  server.get('/healthz', () => ({ status: 'ok' }))
  server.get('/readyz', async ({ raw }, reply) => {
    const seesDetails = await access.seesDetails(raw)
    const reasons = await health.reasonsNotReady()
    const isReady = reasons.length === 0
    const status = isReady ? 'ready' : 'not ready'
    const details = seesDetails ? { reasons, warnings: health.warnings() } : {}
    return reply.code(isReady ? 200 : 503).send({ status, ...details })
  })
}
