// /: lists the other paths, for a browser.

import type { FastifyInstance } from 'fastify'
import { packageVersion } from '../../../protocol/version.ts'

const text = `millrace ${packageVersion()}

/metrics   for Prometheus
/healthz   it runs
/readyz    clients may be sent here; 503 says why not
`

export function indexRoute(server: FastifyInstance): void {
  server.get('/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(text))
}
