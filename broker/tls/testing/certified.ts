// Listeners with TLS for tests: certificates in files, and the properties that name them.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Authority, type Identity } from '../../../clients/testing/certificates.ts'
import { readSettings } from '../../config.ts'
import type { TlsConfig } from '../tls-configs.ts'

export const authority = new Authority('the test CA')

/** A broker's, for this machine. */
export const local = authority.issue({ name: 'broker', hosts: ['localhost', '127.0.0.1'] })

interface Test {
  testdir(): string
}

/** Where the stores of a test are. */
export class StoreDirectory {
  readonly #directory: string
  #count = 0

  constructor(test: Test) {
    this.#directory = test.testdir()
  }

  /** @returns the path, which no other file has had */
  write(name: string, contents: string | Buffer): string {
    const path = join(this.#directory, `${++this.#count}-${name}`)
    writeFileSync(path, contents)
    return path
  }

  /** Of listeners that know each other's CA. */
  properties(identity: Identity = local, ca = authority.cert) {
    return {
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': this.write('broker.pem', identity.key + identity.cert),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': this.write('ca.pem', ca),
    }
  }
}

/** What the properties come to for one listener, SSL. */
export function tlsConfigFor(properties: Readonly<Record<string, string>>): TlsConfig {
  const listeners = 'SSL://127.0.0.1:0'
  const settings = readSettings([{ origin: 'test', properties: { listeners, ...properties } }])
  return settings.listeners[0]!.tls!
}
