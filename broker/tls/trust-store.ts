// TrustStore: the CAs whose certificates a listener takes of its clients. PEM only: Node reads no certificates of other stores.
// Network thread.

import { X509Certificate } from 'node:crypto'
import { certificatesIn, pemBlocks } from './pem.ts'
import { opensslReason, refused } from './refused.ts'
import { formatOf, jksRefused } from './store-format.ts'
import type { TlsConfig } from './tls-configs.ts'

export interface TrustStore {
  /** PEM. */
  readonly authorities: readonly string[]
  /** Subjects of those that are no root: OpenSSL trusts a chain only up to a root. */
  readonly withoutRoot: readonly string[]
}

/** @param file of `ssl.truststore.location`, if it is set. @throws {KafkaError} INVALID_CONFIG */
export function trustStoreOf(config: TlsConfig, file: Buffer | undefined): TrustStore {
  const text = config.values['ssl.truststore.certificates'].text
  const name = text === undefined ? 'ssl.truststore.location' : 'ssl.truststore.certificates'
  if (text !== undefined && file !== undefined)
    throw refused(config, 'ssl.truststore.location', `there is ${name}, too: use one`)
  if (file !== undefined) checkFormat(config, file)
  const pem = text ?? file?.toString('latin1')
  if (pem === undefined)
    throw refused(
      config,
      name,
      `ssl.client.auth=${config.values['ssl.client.auth']} needs the CAs that sign clients' certificates: a file in PEM, and ssl.truststore.type=PEM`,
    )
  if (config.values['ssl.truststore.type'] !== 'PEM')
    throw refused(config, 'ssl.truststore.type', 'the certificates are PEM: set it so')
  const authorities = certificatesIn(pemBlocks(pem))
  if (authorities.length === 0)
    throw refused(config, name, 'no certificate in PEM, -----BEGIN CERTIFICATE-----')
  try {
    const certificates = authorities.map((each) => new X509Certificate(each))
    const withoutRoot = certificates.filter((each) => !each.checkIssued(each))
    return { authorities, withoutRoot: withoutRoot.map(({ subject }) => subject) }
  } catch (error) {
    throw refused(config, name, `a certificate cannot be read: ${opensslReason(error)}`, error)
  }
}

function checkFormat(config: TlsConfig, file: Buffer): void {
  const name = 'ssl.truststore.location'
  const path = config.values[name]
  switch (formatOf(file)) {
    case 'JKS':
      throw jksRefused(config, name)
    case 'DER':
      throw refused(
        config,
        name,
        `the file is PKCS12 or DER, expected PEM: openssl pkcs12 -in ${path} -nokeys -out ${path}.pem, then ssl.truststore.type=PEM`,
      )
    case 'PEM':
      return
    default:
      throw refused(config, name, 'no PEM in the file, expected certificates')
  }
}
