// TlsListener: a listener with TLS of a peer with Kafka's protocol, two ports above the one without: its certificate, its
// properties and what librdkafka needs to use it. P-256 and the suite that both servers choose, so both do the same arithmetic.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Authority } from '../../broker/secure/authority.ts'

const DAY_MS = 86_400_000
/** The port after the plaintext one is Kafka's controller's. */
const PORTS_ABOVE = 2

export class TlsListener {
  /** Kafka's, which millrace shares. */
  readonly properties: readonly string[]
  readonly #caPath: string

  /** @param dir of the server's files */
  constructor(dir: string) {
    const lifetime = {
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAY_MS),
    }
    const authority = Authority.create('bench', lifetime)
    const { key, cert } = authority.issue({ name: 'peer', hosts: ['127.0.0.1'], ...lifetime })
    this.#caPath = join(dir, 'ca.pem')
    const store = join(dir, 'peer.pem')
    writeFileSync(this.#caPath, authority.identity.cert)
    writeFileSync(store, key + cert, { mode: 0o600 })
    this.properties = ['ssl.keystore.type=PEM', `ssl.keystore.location=${store}`]
  }

  /** The listener, as `listeners` wants it. */
  at(port: number): string {
    return `SSL://${this.address(port)}`
  }

  address(port: number): string {
    return `127.0.0.1:${port + PORTS_ABOVE}`
  }

  get clientSettings(): Readonly<Record<string, string>> {
    return { 'security.protocol': 'ssl', 'ssl.ca.location': this.#caPath }
  }
}
