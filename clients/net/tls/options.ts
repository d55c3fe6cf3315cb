// TlsOptions: with which certificates a client speaks TLS, and whom it believes. Checked at the door.

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
  /** Whose signature a broker's certificate must bear: PEM, one or several. Default: the CAs that Node knows. */
  readonly ca?: Pem | readonly Pem[] | undefined
  /** Of this client, with the chain up to its CA: PEM. For brokers that ask for one (mTLS). */
  readonly cert?: Pem | undefined
  /** Of `cert`: PEM. */
  readonly key?: Pem | undefined
  /** Certificate and key in one PKCS12 store, in place of `cert` and `key`. */
  readonly pfx?: Uint8Array | undefined
  /** Of `key` or `pfx`. */
  readonly passphrase?: string | undefined
  /** Default true; with false anybody may pass for a broker. */
  readonly rejectUnauthorized?: boolean | undefined
  /** Default true; with false any certificate of the CA is taken, whatever host it is for. */
  readonly verifyHostName?: boolean | undefined
  /** In place of each broker's own host name, in SNI and in the check of its certificate. Wrong for most clusters. */
  readonly serverName?: string | undefined
}

/** The contents of a file, not its path. */
export type Pem = string | Uint8Array

const pem: Rule<Pem> = rule('the contents of a PEM file, with -----BEGIN', (value) => {
  const head = typeof value === 'string' ? value : types.isUint8Array(value) && asText(value)
  return typeof head === 'string' && head.includes('-----BEGIN ')
})

const asText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** DER's SEQUENCE, which every PKCS12 store begins with. */
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
