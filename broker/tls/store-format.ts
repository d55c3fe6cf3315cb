// What a store is, by its first bytes, whatever its name and its type say. Pure.

import type { KafkaError } from '../../protocol/errors.ts'
import { refused } from './refused.ts'
import type { TlsConfig } from './tls-configs.ts'

const JKS = 0xfeed_feed
const JCEKS = 0xcece_cece
const DER_SEQUENCE = 0x30

/** @returns DER is PKCS12, or a certificate; undefined for what is no store */
export function formatOf(file: Buffer): 'PEM' | 'DER' | 'JKS' | undefined {
  const magic = file.length >= 4 ? file.readUInt32BE() : 0
  if (magic === JKS || magic === JCEKS) return 'JKS'
  if (file[0] === DER_SEQUENCE) return 'DER'
  return file.includes('-----BEGIN ') ? 'PEM' : undefined
}

/** Java alone reads its own format; keytool is where Java is. */
export function jksRefused(
  config: TlsConfig,
  name: 'ssl.keystore.location' | 'ssl.truststore.location',
): KafkaError {
  const path = config.values[name]
  const command =
    name === 'ssl.keystore.location'
      ? `keytool -importkeystore -srckeystore ${path} -destkeystore ${path}.p12 -deststoretype PKCS12, then ssl.keystore.type=PKCS12`
      : `keytool -list -rfc -keystore ${path} > ${path}.pem, then ssl.truststore.type=PEM`
  return refused(config, name, `the file is a JKS store, which only Java reads: ${command}`)
}
