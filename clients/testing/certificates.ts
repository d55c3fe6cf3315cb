// Certificates for tests: those of `start --secure`, with a day to live unless told.

import { Authority as OwnAuthority, type Identity } from '../../broker/secure/authority.ts'
import { der, oid, sequence } from '../../broker/secure/der.ts'

export type { Identity }

export interface IdentityOptions {
  /** The common name. */
  readonly name: string
  /** The whole subject instead, in DER. */
  readonly subject?: Buffer
  /** The host names and addresses of its owner. */
  readonly hosts?: readonly string[]
  readonly notBefore?: Date
  readonly notAfter?: Date
}

const DAY_MS = 86_400_000

/** Signs certificates of others with its own. */
export class Authority {
  readonly #own: OwnAuthority

  constructor(name: string) {
    this.#own = OwnAuthority.create(name, lifetime())
  }

  get cert(): string {
    return this.#own.identity.cert
  }

  issue({ hosts = [], ...options }: IdentityOptions): Identity {
    return this.#own.issue({ ...lifetime(), ...options, hosts })
  }
}

/** An attribute of a subject. @param type an object identifier, its bytes in hex. @param tag of the value: 0x0c for UTF-8 */
export function attribute(type: string, tag: number, value: string | Buffer): Buffer {
  return sequence(oid(type), der(tag, Buffer.from(value as string)))
}

/** @param names each one attribute, or several that count as one */
export function subjectOf(...names: readonly Buffer[][]): Buffer {
  return sequence(...names.map((attributes) => der(0x31, ...attributes)))
}

function lifetime() {
  return {
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
  }
}
