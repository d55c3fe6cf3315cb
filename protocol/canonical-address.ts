// Addresses have several spellings, and Apache Kafka compares the hosts of ACLs as text: the canonical one is Java's. Pure.

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/
const IPV6_CHARACTERS = /^[\da-f:.]+$/i
const IPV6_GROUPS = 8
const MAPPED_IPV4 = /^0:0:0:0:0:ffff:([\da-f]+):([\da-f]+)$/

/**
 * The spelling that Java prints: IPv6 in eight groups, `::ffff:127.0.0.1` as 127.0.0.1.
 *
 * @returns undefined for text that is no address: a name, a range, an address with a zone
 */
export function canonicalAddress(text: string): string | undefined {
  if (IPV4.test(text)) return text
  if (!text.includes(':') || !IPV6_CHARACTERS.test(text)) return undefined
  if (!URL.canParse(`http://[${text}]/`)) return undefined
  const address = inGroups(new URL(`http://[${text}]/`).hostname.slice(1, -1))
  const [, high, low] = MAPPED_IPV4.exec(address) ?? []
  return high === undefined ? address : ipv4Of(Number.parseInt(high, 16), Number.parseInt(low!, 16))
}

/** @param address as a URL has it: lower case, without leading zeros, the longest run of zeros as `::` */
function inGroups(address: string): string {
  const [left = [], right] = address.split('::').map((part) => part.split(':').filter(Boolean))
  if (right === undefined) return address
  const zeros = Array<string>(IPV6_GROUPS - left.length - right.length).fill('0')
  return [...left, ...zeros, ...right].join(':')
}

function ipv4Of(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}
