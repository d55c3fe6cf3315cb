// HttpAccess: who asks, and what they may see: pages about topics and groups need Describe on the cluster. Network thread.
// For users: docs/guide/security.md, "Metrics and health"

import type { IncomingMessage } from 'node:http'
import { CLUSTER_NAME } from '../../protocol/acl-codes.ts'
import { isLoopback, plainAddress } from '../addresses.ts'
import type { AuditLog } from '../auth/audit.ts'
import type { Authorizer } from '../auth/permissions.ts'
import { principalText, type Principal, type Requester } from '../auth/principal.ts'
import { printable } from '../process-log.ts'
import type { HttpLogins } from './http-logins.ts'
import { HttpRefusal } from './refusal.ts'

export interface HttpAccessDeps {
  /** Undefined: the server asks for no password. */
  readonly logins: HttpLogins | undefined
  /** By its certificate. */
  readonly principalOf: (socket: IncomingMessage['socket']) => Principal
  readonly authorizer: Authorizer
  readonly audit: Pick<AuditLog, 'allowed' | 'denied'>
}

const question = { operation: 'Describe', resourceType: 'Cluster', name: CLUSTER_NAME } as const

export class HttpAccess {
  readonly #deps: HttpAccessDeps

  constructor(deps: HttpAccessDeps) {
    this.#deps = deps
  }

  /** @throws {HttpRefusal} 401 or 503; 403 for a client that may not describe the cluster */
  async requireDescribe(request: IncomingMessage): Promise<void> {
    const { audit } = this.#deps
    const requester = await this.#requesterOf(request)
    if (this.#mayDescribe(requester)) return audit.allowed()
    audit.denied(requester, 'HTTP', question)
    const who = printable(principalText(requester.principal))
    throw new HttpRefusal(403, `${who} needs the permission Describe on the cluster`)
  }

  /**
   * May the client see why the broker is not ready? One on this machine always may; a load balancer elsewhere has no password.
   *
   * @throws {HttpRefusal} 401 or 503, for a client that tries to log in
   */
  async seesDetails(request: IncomingMessage): Promise<boolean> {
    const isUnknown = this.#deps.logins !== undefined && request.headers.authorization === undefined
    if (isUnknown) return isLoopback(remoteOf(request))
    const requester = await this.#requesterOf(request)
    return isLoopback(requester.remoteAddress) || this.#mayDescribe(requester)
  }

  #mayDescribe(requester: Requester): boolean {
    const { operation, resourceType, name } = question
    return this.#deps.authorizer.allows(requester, operation, resourceType, name)
  }

  async #requesterOf(request: IncomingMessage): Promise<Requester> {
    const { logins, principalOf } = this.#deps
    const { socket, headers } = request
    const remoteAddress = remoteOf(request)
    if (logins === undefined) return { principal: principalOf(socket), remoteAddress }
    const gone = new AbortController()
    const leave = () => gone.abort()
    socket.once('close', leave)
    try {
      const principal = await logins.principalOf(headers.authorization, remoteAddress, gone.signal)
      return { principal, remoteAddress }
    } finally {
      socket.off('close', leave)
    }
  }
}

function remoteOf({ socket }: IncomingMessage): string {
  return plainAddress(socket.remoteAddress ?? '')
}
