// PEM: text that holds certificates and keys (RFC 7468), as files and properties have it. Pure.

export interface PemBlock {
  /** 'CERTIFICATE', 'ENCRYPTED PRIVATE KEY' */
  readonly label: string
  /** The block alone, with its lines as OpenSSL wants them. */
  readonly text: string
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([^]*?)-----END \1-----/g
/** Of OpenSSL's old format of encrypted keys: lines before the base64. */
const HEADERS = /^[\w-]+: /

/** Text around the blocks is passed over. In a property the lines may be one line, parted by blanks or by `\n`. */
export function pemBlocks(text: string): PemBlock[] {
  return Array.from(text.replaceAll('\\n', '\n').matchAll(BLOCK), ([, label = '', body = '']) => {
    const lines = HEADERS.test(body.trim()) ? body.trim() : linesOf(body)
    return { label, text: `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n` }
  })
}

function linesOf(base64: string): string {
  return (base64.replaceAll(/\s/g, '').match(/.{1,64}/g) ?? []).join('\n')
}

export function certificatesIn(blocks: readonly PemBlock[]): string[] {
  return blocks.filter(({ label }) => label === 'CERTIFICATE').map(({ text }) => text)
}

export function keysIn(blocks: readonly PemBlock[]): string[] {
  return blocks.filter(({ label }) => label.endsWith('PRIVATE KEY')).map(({ text }) => text)
}
