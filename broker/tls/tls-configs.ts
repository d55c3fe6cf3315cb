// The properties of TLS, by Kafka's names: any listener may have its own. Network thread. What they are made into: listener-tls.ts

import { listItems, oneOf, row, type ConfigSpec, type Prose } from '../../storage/config.ts'
import type { ListenerProperties, ValuesOf } from '../listener-properties.ts'

const storeTypes = ['JKS', 'PKCS12', 'PEM'] as const
type StoreType = (typeof storeTypes)[number]

export const tlsVersions = ['TLSv1.2', 'TLSv1.3'] as const
type TlsVersion = (typeof tlsVersions)[number]

/** Java's names of types of stores are the same in either case. */
function storeType(says: string): ConfigSpec<StoreType> {
  const prose = { says, readOnly: true } as const
  return row('string', 'JKS', `one of ${storeTypes.join(', ')}`, prose, (text) =>
    storeTypes.find((type) => type === text.trim().toUpperCase()),
  )
}

function path(says: string): ConfigSpec<string> {
  return row('string', '', 'a path', { says, readOnly: true }, (text) => text.trim())
}

/** Never shown; undefined when it is not set. */
function secret(allowed: string, says: string): ConfigSpec<{ readonly text: string | undefined }> {
  return row('password', '', allowed, { says, readOnly: true }, (text) => ({
    text: text === '' ? undefined : text,
  }))
}

function versions(prose: Prose): ConfigSpec<readonly TlsVersion[]> {
  const allowed = `one or both of ${tlsVersions.join(', ')}`
  return row('list', tlsVersions.join(','), allowed, prose, (text) => {
    const given = listItems(text)
    const known = tlsVersions.filter((version) => given.includes(version))
    return known.length > 0 && known.length === new Set(given).size ? known : undefined
  })
}

/** In order of name. */
export const tlsConfigs = {
  'ssl.cipher.suites': row(
    'list',
    '',
    "Java's or OpenSSL's names, comma-separated",
    { says: 'The cipher suites that a TLS listener offers. Empty: those of Node.', readOnly: true },
    listItems,
  ),
  'ssl.client.auth': oneOf(['none', 'requested', 'required'], 'none', {
    says: 'Whether a TLS listener asks clients for a certificate (mTLS), which makes their principal; `requested`: a client without one is ANONYMOUS. For SASL_SSL only as `listener.name.NAME.ssl.client.auth`.',
    readOnly: true,
  }),
  'ssl.enabled.protocols': versions({
    says: 'The versions of TLS that a TLS listener speaks.',
    readOnly: true,
  }),
  'ssl.key.password': secret('a password', 'The password of an encrypted private key.'),
  'ssl.keystore.certificate.chain': secret(
    'PEM',
    'The certificate of a TLS listener, then those of the CAs between it and the root: text instead of a file.',
  ),
  'ssl.keystore.key': secret(
    'PEM',
    'The private key of `ssl.keystore.certificate.chain`: text instead of a file.',
  ),
  'ssl.keystore.location': path(
    'The file with the private key and the certificate chain of a TLS listener. The broker takes a changed file within ten seconds.',
  ),
  'ssl.keystore.password': secret('a password', 'The password of a PKCS12 key store.'),
  'ssl.keystore.type': storeType(
    'The format of the key store: PEM or PKCS12. JKS is refused with the command that converts it.',
  ),
  'ssl.principal.mapping.rules': row(
    'string',
    'DEFAULT',
    'RULE:PATTERN/REPLACEMENT/[LU] or DEFAULT, comma-separated',
    {
      says: "Make the name of a principal of the subject of a client's certificate; the first rule whose pattern matches all of it. DEFAULT: the subject itself, `CN=...,OU=...`.",
      readOnly: true,
    },
    (text) => text,
  ),
  'ssl.truststore.certificates': secret(
    'PEM',
    "The CAs that may sign clients' certificates: text instead of a file.",
  ),
  'ssl.truststore.location': path(
    "The file with the CAs that may sign clients' certificates. The broker takes a changed file within ten seconds.",
  ),
  'ssl.truststore.type': storeType(
    'The format of the trust store: PEM only. Others are refused with the command that converts them.',
  ),
} as const satisfies Record<string, ConfigSpec>

export type TlsConfigName = keyof typeof tlsConfigs

/** TLS of one listener, as its properties say. */
export interface TlsConfig {
  /** Its name, in capitals. */
  readonly listener: string
  readonly values: ValuesOf<typeof tlsConfigs>
  /** The name under which a property is set for this listener, for messages. */
  readonly nameOf: (name: TlsConfigName) => string
}

/** @param isSasl the principal is SASL's: only a property of the listener's own asks for certificates as well (KIP-684) */
export function tlsConfigOf(
  listener: string,
  properties: ListenerProperties,
  isSasl: boolean,
): TlsConfig {
  const read = properties.read(tlsConfigs)
  const nameOf = (name: TlsConfigName) => properties.nameOf(name)
  const isForOthers = isSasl && nameOf('ssl.client.auth') === 'ssl.client.auth'
  const values = isForOthers ? ({ ...read, 'ssl.client.auth': 'none' } as const) : read
  return { listener, values, nameOf }
}
