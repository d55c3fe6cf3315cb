// What a property of TLS is refused with: its name as it was set, where the value comes from, what was expected. Pure.

import { KafkaError } from '../../protocol/errors.ts'
import type { TlsConfig, TlsConfigName } from './tls-configs.ts'

const CHARS_MAX = 4096

/** Quotes no value but a path: others may be secret. */
export function refused(
  { nameOf, values }: TlsConfig,
  name: TlsConfigName,
  why: string,
  cause?: unknown,
): KafkaError {
  const isPath = name === 'ssl.keystore.location' || name === 'ssl.truststore.location'
  const set = isPath && values[name] !== '' ? `${nameOf(name)}=${values[name]}` : nameOf(name)
  return new KafkaError('INVALID_CONFIG', `${set}: ${why}`.slice(0, CHARS_MAX), { cause })
}

/** Hints for OpenSSL's errors, by code. OpenSSL's own text quotes nothing of keys and certificates. */
const reasons: Readonly<Record<string, string>> = {
  ERR_OSSL_BAD_DECRYPT: 'the password is wrong',
  ERR_OSSL_EVP_BAD_DECRYPT: 'the password is wrong',
  ERR_MISSING_PASSPHRASE: 'the key is encrypted: set its password',
  ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: 'the key is encrypted: set its password',
  ERR_SSL_EE_KEY_TOO_SMALL: 'the key is too small: RSA needs 2048 bits',
  ERR_SSL_CA_MD_TOO_WEAK: 'a certificate is signed by a hash that is too weak: SHA-256 is expected',
  ERR_SSL_NO_CIPHER_MATCH: 'none of these cipher suites is known',
}

export function opensslReason(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  return reasons[code] ?? `${message}${code === '' ? '' : ` (${code})`}`
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? ''
}
