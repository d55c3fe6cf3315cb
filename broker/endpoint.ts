// The one node of this cluster, as clients are told to reach it. Network thread.

import type { Advertised } from './config.ts'
import type { Peer } from './handler.ts'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/**
 * Where a client is sent: to the address that it dialled, unless the configuration names another.
 *
 * @param advertised `advertised.listeners`
 */
export function endpointFor(advertised: Advertised | null, peer: Peer): Endpoint {
  if (advertised === null) return { host: peer.localHost, port: peer.localPort }
  return { host: advertised.host, port: advertised.port ?? peer.localPort }
}
