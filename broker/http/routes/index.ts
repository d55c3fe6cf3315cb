// /: lists the other paths, for a browser.

import type { FastifyInstance } from 'fastify'
import type { HttpAccess } from '../access.ts'
import { packageVersion } from '../../../protocol/version.ts'

const text = `millrace ${packageVersion()}

/metrics   for Prometheus
/healthz   it runs
/readyz    clients may be sent here; 503 says why not
`

export function indexRoute(server: FastifyInstance, access: HttpAccess): void {
  server.get('/', async ({ raw }, reply) => {
    await access.requireDescribe(raw)
    return reply.type('text/plain; charset=utf-8').send(text)
  })
}
