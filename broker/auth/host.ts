// Hosts of ACLs and of clients, as addresses: one address has several spellings, of which Kafka compares the text. Any thread.

import { plainAddress } from '../addresses.ts'

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/
const IPV6_CHARACTERS = /^[\da-f:.]+$/i
const MAPPED_IPV4 = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/

/**
 * The one spelling that all spellings of an address share.
 *
 * @returns undefined for text that is no address: a name, a range, an address with a zone
 */
export function canonicalAddress(text: string): string | undefined {
  if (IPV4.test(text)) return text
  if (!text.includes(':') || !IPV6_CHARACTERS.test(text)) return undefined
  if (!URL.canParse(`http://[${text}]/`)) return undefined
  const address = new URL(`http://[${text}]/`).hostname.slice(1, -1)
  const [, high, low] = MAPPED_IPV4.exec(address) ?? []
  return high === undefined ? address : ipv4Of(Number.parseInt(high, 16), Number.parseInt(low!, 16))
}

function ipv4Of(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** Of a client: without the zone of a link-local address, which no ACL has. */
export function clientAddress(remoteAddress: string): string {
  const [address = ''] = remoteAddress.split('%')
  return canonicalAddress(address) ?? plainAddress(address)
}
