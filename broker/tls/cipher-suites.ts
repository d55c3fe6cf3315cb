// Cipher suites by Java's names, which Kafka's configurations have, as OpenSSL's. Pure.

import { getCiphers } from 'node:tls'
import { refused } from './refused.ts'
import type { TlsConfig } from './tls-configs.ts'

/** TLS 1.2: the exchange of keys, then the cipher. */
const JAVA_NAME =
  /^TLS_(?:(ECDHE)_(RSA|ECDSA)|RSA)_WITH_(?:AES_(128|256)_(?:(GCM)|CBC)_(SHA\d*)|(CHACHA20_POLY1305)_SHA256)$/
/** OpenSSL knows others, too: without certificates, or with keys that both sides share. */
const OPENSSL_NAME = /^(?:ECDHE-(?:RSA|ECDSA)-|AES(?:128|256)-)/

/** @returns undefined for one that is not known here */
function opensslName(suite: string): string | undefined {
  const [, exchange, signature, keyBits, gcm, digest, chacha] = JAVA_NAME.exec(suite) ?? []
  const cipher =
    chacha === undefined
      ? [`AES${keyBits}`, ...(gcm === undefined ? [] : [gcm]), digest]
      : ['CHACHA20', 'POLY1305']
  const isJava = keyBits !== undefined || chacha !== undefined
  const isTls13 = /^TLS_(?:AES|CHACHA20)_/.test(suite)
  const name = isJava ? [...(exchange ? [exchange, signature] : []), ...cipher].join('-') : suite
  if (!isJava && !isTls13 && !OPENSSL_NAME.test(suite)) return undefined
  return getCiphers().includes(name.toLowerCase()) ? name : undefined
}

/** @returns OpenSSL's list; undefined for Node's own. @throws {KafkaError} INVALID_CONFIG for suites that are not known */
export function cipherList(config: TlsConfig): string | undefined {
  const suites = config.values['ssl.cipher.suites']
  if (suites.length === 0) return undefined
  const names = suites.map(opensslName)
  const unknown = suites.filter((_, i) => names[i] === undefined)
  if (unknown.length > 0)
    throw refused(
      config,
      'ssl.cipher.suites',
      `${unknown.join(', ')}: not served here; want suites of AES or CHACHA20 with ECDHE or RSA, like TLS_AES_256_GCM_SHA384 or TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384`,
    )
  return names.join(':')
}
