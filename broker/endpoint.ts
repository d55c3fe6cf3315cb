// The one node of this cluster, as clients are told to reach it. Network thread.

import type { Advertised } from './config.ts'
import type { Session } from './session.ts'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/**
 * Where a client is sent: to the address that it dialled, unless the configuration names another.
 *
 * @param advertised `advertised.listeners`
 */
export function endpointFor(advertised: Advertised | null, session: Session): Endpoint {
  if (advertised === null) return { host: session.localHost, port: session.localPort }
  return { host: advertised.host, port: advertised.port ?? session.localPort }
}
