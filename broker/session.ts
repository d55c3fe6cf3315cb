// Session: what a broker knows of one client between its requests. Whoever carries the client's requests owns it: a
// connection, or a caller in this process, which needs no socket. Network thread.

import { ANONYMOUS, type Principal } from './auth/principal.ts'

/** Kafka's names of what lies between a listener and its clients. */
export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'

/** How the client has come in. */
export interface Entrance {
  /** The name of the listener in `listeners`. */
  readonly listener: string
  readonly securityProtocol: SecurityProtocol
  /** The address and port that the client dialled. */
  readonly localHost: string
  readonly localPort: number
  readonly remoteAddress: string
  /** Aborted when the client hangs up or the broker stops: a waiting request answers at once with what it has. */
  readonly gone: AbortSignal
}

/** What a client says of itself in ApiVersions (KIP-511). */
interface ClientSoftware {
  readonly name: string
  readonly version: string
}

export class Session {
  readonly listener: string
  readonly securityProtocol: SecurityProtocol
  readonly localHost: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly gone: AbortSignal
  principal: Principal = ANONYMOUS
  /** Of the latest request; each request has its own. */
  clientId: string | null = null
  software: ClientSoftware | undefined

  constructor(entrance: Entrance) {
    this.listener = entrance.listener
    this.securityProtocol = entrance.securityProtocol
    this.localHost = entrance.localHost
    this.localPort = entrance.localPort
    this.remoteAddress = entrance.remoteAddress
    this.gone = entrance.gone
  }
}
