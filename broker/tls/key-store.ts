// KeyStore: the private key and the certificates by which a listener is known, from PEM or PKCS12. Every way in which they can
// be wrong is refused with its property. Network thread.

import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { certificatesIn, keysIn, pemBlocks } from './pem.ts'
import { readPkcs12, UnknownEncryption, type Pkcs12 } from './pkcs12.ts'
import { codeOf, opensslReason, refused } from './refused.ts'
import { formatOf, jksRefused } from './store-format.ts'
import type { TlsConfig, TlsConfigName } from './tls-configs.ts'

export interface KeyStore {
  /** PEM, PKCS8, not encrypted. */
  readonly key: string
  /** PEM: the listener's own, then those that lead to the root. */
  readonly chain: string
  /** The listener's own. */
  readonly certificate: X509Certificate
}

/** @param file of `ssl.keystore.location`, if it is set. @throws {KafkaError} INVALID_CONFIG */
export function keyStoreOf(config: TlsConfig, file: Buffer | undefined): KeyStore {
  const chain = config.values['ssl.keystore.certificate.chain'].text
  const key = config.values['ssl.keystore.key'].text
  if (chain !== undefined || key !== undefined) return inline(config, chain, key)
  const name = 'ssl.keystore.location'
  if (file === undefined)
    throw refused(
      config,
      name,
      `listener ${config.listener} needs a file with its private key and its certificates, and ssl.keystore.type=PEM`,
    )
  const format = formatOf(file)
  if (format === 'JKS') throw jksRefused(config, name)
  const isPem = config.values['ssl.keystore.type'] === 'PEM'
  if (isPem && format === 'PEM') return fromPem(config, file.toString('latin1'), name)
  if (!isPem && format === 'DER') return fromPkcs12(config, file)
  throw refused(
    config,
    name,
    format === undefined
      ? `no ${isPem ? 'PEM in the file, expected a private key and certificates' : 'PKCS12 store'}`
      : `the file is ${format === 'PEM' ? 'PEM' : 'PKCS12'}: set ssl.keystore.type=${format === 'PEM' ? 'PEM' : 'PKCS12'}`,
  )
}

function inline(config: TlsConfig, chain: string | undefined, key: string | undefined): KeyStore {
  const { values } = config
  if (values['ssl.keystore.type'] !== 'PEM')
    throw refused(config, 'ssl.keystore.type', 'key and certificates as text are PEM: set it so')
  if (values['ssl.keystore.location'] !== '')
    throw refused(config, 'ssl.keystore.location', 'there is ssl.keystore.key, too: use one')
  if (chain === undefined || key === undefined) {
    const missing = chain === undefined ? 'ssl.keystore.certificate.chain' : 'ssl.keystore.key'
    throw refused(config, missing, 'certificate chain and key go together: it is not set')
  }
  const chainName = 'ssl.keystore.certificate.chain'
  if (certificatesIn(pemBlocks(chain)).length === 0)
    throw refused(config, chainName, 'no certificate in PEM, -----BEGIN CERTIFICATE-----')
  return fromPem(config, `${key}\n${chain}`, 'ssl.keystore.key')
}

function fromPem(config: TlsConfig, text: string, name: TlsConfigName): KeyStore {
  if (config.values['ssl.keystore.password'].text !== undefined)
    throw refused(
      config,
      'ssl.keystore.password',
      'PEM has none: the password of the key is ssl.key.password',
    )
  const blocks = pemBlocks(text)
  const [key, another] = keysIn(blocks)
  const certificates = certificatesIn(blocks)
  if (key === undefined || another !== undefined)
    throw refused(config, name, `${keysIn(blocks).length} private keys in PEM, expected one`)
  if (certificates.length === 0)
    throw refused(config, name, 'no certificate in PEM, expected one behind the private key')
  return keyStore(config, name, pemKey(config, key, name), certificates)
}

function pemKey(config: TlsConfig, key: string, name: TlsConfigName): KeyObject {
  const passphrase = config.values['ssl.key.password'].text
  try {
    return createPrivateKey({ key, ...(passphrase !== undefined && { passphrase }) })
  } catch (error) {
    const isPassword = /PASSPHRASE|DECRYPT|INTERRUPTED/.test(codeOf(error))
    throw refused(config, isPassword ? 'ssl.key.password' : name, opensslReason(error), error)
  }
}

function fromPkcs12(config: TlsConfig, file: Buffer): KeyStore {
  const name = 'ssl.keystore.location'
  const password = config.values['ssl.keystore.password'].text
  const keyPassword = config.values['ssl.key.password'].text
  if (password === undefined)
    throw refused(config, 'ssl.keystore.password', 'a PKCS12 store has one: it is not set')
  if (keyPassword !== undefined && keyPassword !== password)
    throw refused(config, 'ssl.key.password', 'a PKCS12 store has one password: leave it out')
  const { key, certificates } = opened(config, file, password)
  const pems = certificates.map((der) => new X509Certificate(der))
  const own = pems.findIndex((certificate) => certificate.checkPrivateKey(key))
  const ordered = own < 0 ? pems : [pems[own]!, ...pems.toSpliced(own, 1)]
  return keyStore(config, name, key, ordered.map(String))
}

function opened(config: TlsConfig, pfx: Buffer, passphrase: string): Pkcs12 {
  const name = 'ssl.keystore.location'
  const old = `the store has an old encryption: openssl pkcs12 -legacy -in ${config.values[name]} -nodes -out FILE.pem writes it as PEM`
  try {
    createSecureContext({ pfx, passphrase }) // checks the password, and that OpenSSL can read the store
    return readPkcs12(pfx, passphrase)
  } catch (error) {
    if (/mac verify failure/i.test(String(error)))
      throw refused(config, 'ssl.keystore.password', 'the password is wrong', error)
    if (error instanceof UnknownEncryption || codeOf(error).includes('UNSUPPORTED'))
      throw refused(config, name, old, error)
    throw refused(config, name, `no PKCS12 store with a key: ${opensslReason(error)}`, error)
  }
}

function keyStore(
  config: TlsConfig,
  name: TlsConfigName,
  key: KeyObject,
  certificates: readonly string[],
): KeyStore {
  try {
    const [certificate] = certificates.map((pem) => new X509Certificate(pem))
    if (certificate?.checkPrivateKey(key) !== true)
      throw refused(
        config,
        name,
        'the private key does not fit the first certificate: first the own one, then its CAs',
      )
    const pem = String(key.export({ type: 'pkcs8', format: 'pem' }))
    return { key: pem, chain: certificates.join(''), certificate }
  } catch (error) {
    if (codeOf(error) === 'INVALID_CONFIG') throw error
    throw refused(config, name, `a certificate cannot be read: ${opensslReason(error)}`, error)
  }
}
