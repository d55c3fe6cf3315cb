// Why a handshake has failed: a word for metrics, and a sentence for the log. Pure. Codes are OpenSSL's, as Node tells them.

export type HandshakeFailure =
  | 'rate'
  | 'timeout'
  | 'left'
  | 'plaintext'
  /** The client does not trust the listener. */
  | 'untrusted'
  /** The listener does not trust the client. */
  | 'certificate'
  | 'protocol'

export interface HandshakeTrouble {
  readonly failure: HandshakeFailure
  readonly reason: string
}

/** Scans and health checks do, too. */
export const LEFT = 'the client left in the TLS handshake'

const plaintext = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_RECORD_TOO_SMALL',
])

const left = new Set(['ECONNRESET', 'EPIPE', 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING'])

/** The client's own verdict on the certificate that it was shown. */
const UNTRUSTED = /ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE)$/

/** @param securityProtocol of the listener */
export function troubleOf(
  { code = '', message }: NodeJS.ErrnoException,
  securityProtocol: string,
): HandshakeTrouble {
  if (left.has(code)) return { failure: 'left', reason: LEFT }
  if (plaintext.has(code))
    return {
      failure: 'plaintext',
      reason: `plaintext on a TLS listener: its clients use security.protocol=${securityProtocol}`,
    }
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
    return { failure: 'certificate', reason: 'no certificate, and ssl.client.auth=required' }
  if (UNTRUSTED.test(code)) {
    const reason = `the client does not take the certificate of this listener (${code})`
    return { failure: 'untrusted', reason }
  }
  return { failure: 'protocol', reason: `no TLS: ${message}` }
}
