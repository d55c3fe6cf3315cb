// Text in messages of SASL: UTF-8, and the escapes of names in SCRAM and OAUTHBEARER (RFC 5801, section 4). Pure.

import { KafkaError } from '../errors.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws {KafkaError} SASL_AUTHENTICATION_FAILED for bytes that are no UTF-8 */
export function saslText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new KafkaError('SASL_AUTHENTICATION_FAILED', 'a message is not in UTF-8', { cause })
  }
}

export function escapedName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C')
}

/** @throws {KafkaError} SASL_AUTHENTICATION_FAILED for any other use of an equals sign, and for NUL */
export function nameIn(escaped: string): string {
  if (!/^(?:[^=,\0]|=2C|=3D)*$/.test(escaped))
    throw new KafkaError('SASL_AUTHENTICATION_FAILED', 'a name is not escaped as RFC 5801 wants it')
  return escaped.replaceAll('=2C', ',').replaceAll('=3D', '=')
}
