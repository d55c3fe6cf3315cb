// Session: what the broker knows of one client between its requests. A connection owns it, or a caller in this process, which
// has no socket. Network thread.

import type { Principal, Requester } from './auth/principal.ts'

/** Kafka's names of what lies between a listener and its clients. */
export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** How the client has come in. */
export interface Entrance {
  /** The name of the listener in `listeners`. */
  readonly listener: string
  readonly securityProtocol: SecurityProtocol
  /** Where the client is told to come again: what its listener advertises, or the address that it dialled. */
  readonly endpoint: Endpoint
  readonly remoteAddress: string
  /** By the client's certificate, if its listener asks for one; else ANONYMOUS. */
  readonly principal: Principal
  /** Aborted when the client hangs up or the broker stops: a waiting request answers at once with what it has. */
  readonly gone: AbortSignal
}

/** What a client says of itself in ApiVersions (KIP-511). */
interface ClientSoftware {
  readonly name: string
  readonly version: string
}

/** An answer of SASL's APIs. */
interface SaslAnswer {
  readonly errorCode: number
  /** The connection ends with it. */
  readonly isLast: boolean
}

export interface HandshakeAnswer extends SaslAnswer {
  /** Those that the listener offers. */
  readonly mechanisms: readonly string[]
}

export interface MessageAnswer extends SaslAnswer {
  readonly errorMessage: string | null
  readonly authBytes: Uint8Array
  /** 0: the session ends with the connection. */
  readonly sessionLifetimeMs: number
}

/** How the client of a SASL listener logs in: broker/sasl/authentication.ts */
export interface Authentication {
  /** The client has shown who it is. It may have to do so again. */
  readonly isDone: boolean
  /** The largest frame that the client may send; undefined: as large as any client's. */
  readonly frameBytesMax: number | undefined
  /** The next frame is a message of the mechanism alone, without a header: broker/bare-messages.ts */
  readonly takesBareMessage: boolean
  /**
   * Every request asks before it is decoded.
   *
   * @returns false: the request is refused with ILLEGAL_SASL_STATE, and the connection ends
   * @throws {Disconnect}
   */
  admits(apiKey: number): boolean
  /** The client knows the versions of all APIs. */
  toldVersions(): void
  shakeHands(mechanism: string, version: number): HandshakeAnswer
  /** @param message copied */
  receive(message: Buffer): Promise<MessageAnswer>
  /** Has the client taken too long? @param now monotonic ms */
  isOverdue(now: number): boolean
}

export class Session implements Requester {
  readonly listener: string
  readonly securityProtocol: SecurityProtocol
  readonly endpoint: Endpoint
  readonly remoteAddress: string
  readonly gone: AbortSignal
  principal: Principal
  /** Undefined on a listener without SASL. */
  authentication: Authentication | undefined
  /** Of the latest request; each request has its own. */
  clientId: string | null = null
  software: ClientSoftware | undefined
  /** Keeps the client from sending more for so long. Undefined for a caller without a socket. */
  mute: ((ms: number) => void) | undefined

  constructor(entrance: Entrance) {
    this.listener = entrance.listener
    this.securityProtocol = entrance.securityProtocol
    this.endpoint = entrance.endpoint
    this.remoteAddress = entrance.remoteAddress
    this.principal = entrance.principal
    this.gone = entrance.gone
  }
}
