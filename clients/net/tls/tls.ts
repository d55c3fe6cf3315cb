// Tls: the TLS settings that all sockets of a client share. Node's TLS is loaded only if it is used.

import type { OnReadOpts, Socket } from 'node:net'
import type { ConnectionOptions, SecureContext, SecureContextOptions } from 'node:tls'
import { require } from '../../../protocol/require.ts'
import type { Address } from '../address.ts'
import type { TlsOptions } from './options.ts'

export class Tls {
  readonly #options: TlsOptions
  readonly #context: SecureContext
  readonly #tls: typeof import('node:tls')

  /** @throws {TypeError} for certificates and keys that OpenSSL refuses, or that do not belong together */
  constructor({ ca, cert, key, pfx, passphrase, ...others }: TlsOptions) {
    this.#tls = require('node:tls') as typeof import('node:tls')
    this.#options = others
    const given = { ca, cert, key, pfx, passphrase } as SecureContextOptions // Node accepts any bytes
    try {
      this.#context = this.#tls.createSecureContext(given)
    } catch (error) {
      throw new TypeError(`new Client: tls: ${hintOf(error)}`)
    }
  }

  /** Does the client accept any certificate? */
  get isBlind(): boolean {
    return this.#options.rejectUnauthorized === false
  }

  /** Dials. SNI and the name in the certificate are the broker's own host, unless the options give another. */
  connect({ host, port }: Address, onread: OnReadOpts): Socket {
    const { serverName = host, rejectUnauthorized = true, verifyHostName = true } = this.#options
    const options: ConnectionOptions & { readonly onread: OnReadOpts } = {
      host,
      port,
      onread,
      secureContext: this.#context,
      rejectUnauthorized,
      // SNI is for names only (RFC 6066).
      servername: isAddress(serverName) ? '' : serverName,
      checkServerIdentity: (_, certificate) =>
        verifyHostName ? this.#tls.checkServerIdentity(serverName, certificate) : undefined,
    }
    return this.#tls.connect(options)
  }
}

function isAddress(host: string): boolean {
  return host.includes(':') || /^[\d.]+$/.test(host)
}

/** Hints for OpenSSL's errors about certificates and keys, by code. OpenSSL's own text quotes nothing of them. */
const HINTS: Readonly<Record<string, string>> = {
  ERR_OSSL_BAD_DECRYPT: 'the passphrase is wrong',
  ERR_OSSL_EVP_BAD_DECRYPT: 'the passphrase is wrong',
  ERR_OSSL_PKCS12_MAC_VERIFY_FAILURE: 'the passphrase of pfx is wrong',
  ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: 'the key is encrypted: give its passphrase',
  ERR_MISSING_PASSPHRASE: 'the key is encrypted: give its passphrase',
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: 'the key does not belong to the certificate',
  ERR_OSSL_UNSUPPORTED:
    'encrypted in an old way that this Node refuses: `openssl pkcs12 -legacy` can convert it',
}

function hintOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  return HINTS[code] ?? `ca, cert, key or pfx cannot be read: ${message} (${code})`
}
