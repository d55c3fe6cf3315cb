// FirstBytes: tells by a client's first bytes which protocol it speaks. A frame of Kafka's begins with its size, which is
// never so large that its first byte is that of a TLS hello or of text. Network thread.

import { Disconnect } from '../disconnect.ts'
import type { Session } from '../session.ts'
import type { Protocol } from './protocol.ts'
import type { Transport } from './transport.ts'

/** Of a TLS record that holds a handshake. */
const TLS_HANDSHAKE = 0x16

const httpMethods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT', 'TRACE']
const httpStarts = [...httpMethods.map((method) => `${method} `), 'PRI * HTTP/2']
const HTTP_START_BYTES = 12

/** For a person who opens this port in a browser or with curl. */
const HTTP_ANSWER = [
  'HTTP/1.1 400 Bad Request',
  'Content-Type: text/plain; charset=utf-8',
  'Connection: close',
  '',
  "This port speaks Kafka's protocol. Metrics and health are at the broker's HTTP port (http.port).",
  '',
].join('\r\n')

type Spoken = 'kafka' | 'tls' | 'http' | 'text'

/** @returns undefined when it takes more bytes to tell */
function spokenIn(bytes: Buffer): Spoken | undefined {
  const [first = 0] = bytes
  if (first === TLS_HANDSHAKE) return 'tls'
  if (first < 0x20 || first > 0x7e) return 'kafka'
  const text = bytes.toString('latin1', 0, HTTP_START_BYTES)
  if (httpStarts.some((start) => text.startsWith(start))) return 'http'
  return httpStarts.some((start) => start.startsWith(text)) ? undefined : 'text'
}

export class FirstBytes implements Protocol {
  readonly waitingBytes = 0
  readonly #transport: Transport
  readonly #session: Session
  readonly #onKafka: (bytes: Buffer) => void
  /** What has come, as long as it does not tell. */
  #bytes = Buffer.alloc(0)
  #partStartedAt = 0

  /** @param onKafka hears, once, that the client speaks Kafka's protocol, and all that has come, borrowed */
  constructor(transport: Transport, session: Session, onKafka: (bytes: Buffer) => void) {
    this.#transport = transport
    this.#session = session
    this.#onKafka = onKafka
  }

  get partBytes(): number {
    return this.#bytes.length
  }

  get partStartedAt(): number {
    return this.#partStartedAt
  }

  receive(chunk: Buffer): void {
    if (this.#bytes.length === 0) this.#partStartedAt = this.#transport.receivedAt
    const bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    const spoken = spokenIn(bytes)
    if (spoken === 'kafka') this.#onKafka(bytes)
    else if (spoken === undefined) this.#bytes = Buffer.from(bytes)
    else this.#turnAway(spoken)
  }

  /** @throws {Disconnect} */
  #turnAway(spoken: Exclude<Spoken, 'kafka'>): never {
    const { listener, securityProtocol } = this.#session
    if (spoken === 'http') this.#transport.sayLast(HTTP_ANSWER)
    throw new Disconnect(
      spoken === 'tls'
        ? `a TLS hello on listener ${listener}: its clients use security.protocol=${securityProtocol}`
        : `${spoken === 'http' ? 'an HTTP request' : 'text'} on listener ${listener}, which speaks Kafka's protocol`,
    )
  }

  startWaiting(): void {}
  close(): void {}
}
