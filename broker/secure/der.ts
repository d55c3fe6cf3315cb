// DER: writes the values of ASN.1 that a certificate consists of (X.690). Pure.

/** The longest value: a certificate is much shorter. */
const LENGTH_MAX = 0xffff

/** Tag, length, contents. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents)
  const { length } = body
  if (length > LENGTH_MAX) throw new Error(`${length} bytes are too many for a certificate`)
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), body])
}

export function sequence(...contents: readonly Uint8Array[]): Buffer {
  return der(0x30, ...contents)
}

/** @param hex the encoded contents */
export function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

/** @param unsigned big-endian, not 0 at the front */
export function integer(unsigned: Uint8Array): Buffer {
  return (unsigned[0]! & 0x80) === 0 ? der(0x02, unsigned) : der(0x02, Buffer.of(0), unsigned)
}

/** @param unusedBits at the end of the last byte */
export function bitString(unusedBits: number, bits: Uint8Array): Buffer {
  return der(0x03, Buffer.of(unusedBits), bits)
}

export function octetString(bytes: Uint8Array): Buffer {
  return der(0x04, bytes)
}

export function utf8String(text: string): Buffer {
  return der(0x0c, Buffer.from(text))
}

/** UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5). */
export function time(date: Date): Buffer {
  const digits = `${date.toISOString().replaceAll(/\D/g, '').slice(0, 14)}Z`
  return date.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(digits.slice(2)))
    : der(0x18, Buffer.from(digits))
}

export const TRUE = der(0x01, Buffer.of(0xff))
