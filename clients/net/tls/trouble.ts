// The reasons why TLS failed, as messages that say what to try. Pure. Node reports OpenSSL's codes.

import { KafkaError } from '../../../protocol/errors.ts'

const UNTRUSTED =
  'shows a certificate of a CA that is not trusted here: give the certificate of that CA (tls.ca, --ca)'
const NEEDS_CERTIFICATE =
  'asks for a certificate of this client: give one (tls.cert and tls.key, --cert and --cert-key)'
const DISLIKED =
  "does not take this client's certificate, or wants one: is it of a CA that the broker trusts? (tls.cert, --cert)"
const PLAINTEXT =
  'answers without TLS: it is a plaintext listener (leave out tls, --tls), or the port of something else'

/** Errors that no retry cures. */
const FATAL: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  CERT_UNTRUSTED: UNTRUSTED,
  CERT_HAS_EXPIRED:
    'shows a certificate that has expired: renew it on the broker, or set the clock here',
  CERT_NOT_YET_VALID: 'shows a certificate that is not valid yet: is the clock here right?',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: NEEDS_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: DISLIKED,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: DISLIKED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: DISLIKED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "says that this client's certificate has expired",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: "says that this client's certificate was revoked",
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: DISLIKED,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'speaks another version of TLS than 1.2 and 1.3',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'speaks another version of TLS than 1.2 and 1.3',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE:
    'ends the TLS handshake: no cipher in common, or it wants a certificate of this client (tls.cert, --cert)',
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: 'has no certificate for this name: is tls.serverName right?',
  ERR_SSL_WRONG_VERSION_NUMBER: PLAINTEXT,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: PLAINTEXT,
  ERR_SSL_HTTP_REQUEST: PLAINTEXT,
  ERR_SSL_UNEXPECTED_MESSAGE: PLAINTEXT,
}

const NAMES_CHARS_MAX = 300

/** @returns undefined if the error is not one of TLS */
export function tlsTrouble(where: string, error: unknown): KafkaError | undefined {
  const { code, cert } = (error ?? {}) as { code?: unknown; cert?: PeerCertificate }
  if (typeof code !== 'string') return undefined
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return failed(where, wrongName(cert), code, error)
  const words = FATAL[code]
  if (words !== undefined) return failed(where, words, code, error)
  if (!/^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_)/.test(code)) return undefined
  return failed(where, `ends TLS: ${(error as Error).message}`, code, error)
}

/** A plaintext broker gets no further than this: a TLS hello makes it close the connection. */
export function handshakeCut(where: string, error: unknown): KafkaError {
  const what = `${where} closed the connection in the TLS handshake: is it a listener with TLS, and does it take the certificate of this client?`
  return new KafkaError('NETWORK_EXCEPTION', what, { cause: error })
}

/** The first bytes of a TLS record: an alert or a handshake, of version 3.x. */
export function isTlsRecord(bytes: Uint8Array): boolean {
  return (bytes[0] === 0x15 || bytes[0] === 0x16) && bytes[1] === 3 && bytes[2]! <= 4
}

export function speaksTls(where: string): KafkaError {
  return new KafkaError('TLS_FAILED', `${where} speaks TLS only: set tls (--tls)`)
}

interface PeerCertificate {
  readonly subject?: { readonly CN?: unknown }
  readonly subjectaltname?: string
}

function wrongName(cert: PeerCertificate | undefined): string {
  const names = (cert?.subjectaltname ?? `CN=${String(cert?.subject?.CN)}`).slice(
    0,
    NAMES_CHARS_MAX,
  )
  return `shows a certificate for another host (${names}): dial one of its names, or say which with tls.serverName`
}

function failed(where: string, words: string, code: string, cause: unknown): KafkaError {
  return new KafkaError('TLS_FAILED', `${where} ${words} (${code})`, { cause })
}
