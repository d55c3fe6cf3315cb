// TlsOptions: the certificates that a client uses for TLS, and those that it trusts. Checked at the door.

import { types } from 'node:util'
import {
  either,
  flag,
  listOf,
  orElse,
  rule,
  secret,
  shape,
  text,
  type Rule,
} from '../../options.ts'

export interface TlsOptions {
  /** The CAs that may sign a broker's certificate: PEM, one or several. Default: the CAs that Node knows. */
  readonly ca?: Pem | readonly Pem[] | undefined
  /** The client's certificate, with the chain up to its CA: PEM. For brokers that ask for one (mTLS). */
  readonly cert?: Pem | undefined
  /** The private key of `cert`: PEM. */
  readonly key?: Pem | undefined
  /** Certificate and key in one PKCS12 store, instead of `cert` and `key`. */
  readonly pfx?: Uint8Array | undefined
  /** The passphrase of `key` or `pfx`. */
  readonly passphrase?: string | undefined
  /** Default true; with false any server can pretend to be a broker. */
  readonly rejectUnauthorized?: boolean | undefined
  /** Default true; with false the client accepts any certificate of the CA, for whatever host. */
  readonly verifyHostName?: boolean | undefined
  /** Used instead of each broker's own host name, in SNI and to check its certificate. Wrong for most clusters. */
  readonly serverName?: string | undefined
}

/** The contents of a file, not its path. */
export type Pem = string | Uint8Array

const pem: Rule<Pem> = rule('the contents of a PEM file, with -----BEGIN', (value) => {
  const head = typeof value === 'string' ? value : types.isUint8Array(value) && asText(value)
  return typeof head === 'string' && head.includes('-----BEGIN ')
})

const asText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** DER's SEQUENCE, the first byte of every PKCS12 store. */
const pkcs12: Rule<Uint8Array> = rule(
  'the contents of a PKCS12 file',
  (value) => types.isUint8Array(value) && value[0] === 0x30,
)

const table = shape<TlsOptions>({
  ca: secret(either(`${pem.expected}, or several`, pem, listOf(pem, 1))),
  cert: secret(pem),
  key: secret(pem),
  pfx: secret(pkcs12),
  passphrase: secret(text(0)),
  rejectUnauthorized: flag,
  verifyHostName: flag,
  serverName: text(),
})

export const tlsOptions: Rule<boolean | TlsOptions> = secret(
  orElse(flag, {
    expected: table.expected,
    take(value, call, name): TlsOptions {
      const options = table.take(value, call, name)
      const { cert, key } = options
      if ((cert === undefined) === (key === undefined)) return options
      const missing = `${name}.${cert === undefined ? 'cert' : 'key'}`
      throw new TypeError(
        `${call}: ${missing} is missing: ${name}.cert and ${name}.key go together`,
      )
    },
  }),
)
