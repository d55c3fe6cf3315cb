// OAUTHBEARER (RFC 7628, KIP-255): the client's messages. Pure.

/** Each pair of the message, and the message itself, ends with it. */
const END = '\x01'

/** The client's answer to a refusal: only then does the broker say in its own words that it refuses. */
export const oauthAbort = Buffer.from(END)

/** @param extensions go along as pairs (KIP-342) */
export function oauthMessage(token: string, extensions: Readonly<Record<string, string>>): Buffer {
  const pairs = Object.entries({ auth: `Bearer ${token}`, ...extensions })
  const text = pairs.map(([name, value]) => `${name}=${value}${END}`).join('')
  return Buffer.from(`n,,${END}${text}${END}`)
}
