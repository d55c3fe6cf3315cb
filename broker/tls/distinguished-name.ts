// The subject of a certificate as the text of a principal: RFC 2253 as Java's X500Principal prints it, which Kafka's rules and
// ACLs go by. Node's own text of a subject has another order, other escapes and other names. Pure.
// Compared with Java's by the interop tests.

import { Der, contextTag, tags } from './der.ts'

/** RFC 2253 has names for these types only; another one is written as its number. */
const keywords: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.25': 'DC',
  '0.9.2342.19200300.100.1.1': 'UID',
}

/** PrintableString, T61String, IA5String, GeneralString, BMPString, UTF8String: Java writes their bytes as UTF-8. */
const stringTags = new Set([0x13, 0x14, 0x16, 0x1b, 0x1e, 0x0c])

/** @param certificate in DER. @throws {DerError} */
export function subjectOf(certificate: Buffer): string {
  const fields = Der.read(certificate).as(tags.sequence).child(0).as(tags.sequence).children
  const hasVersion = fields[0]?.tag === contextTag(0)
  const subject = fields[hasVersion ? 5 : 4] ?? Der.read(Buffer.alloc(0))
  return distinguishedName(subject)
}

/** @param name a sequence of sets of attributes. @throws {DerError} */
export function distinguishedName(name: Der): string {
  const sets = name.as(tags.sequence).children.toReversed()
  return sets.map((set) => set.as(tags.set).children.map(attribute).join('+')).join(',')
}

/** Type and value. */
function attribute(pair: Der): string {
  const type = pair.as(tags.sequence).child(0).oid
  const value = pair.child(1)
  const keyword = keywords[type]
  return keyword === undefined || !stringTags.has(value.tag)
    ? `${keyword ?? type}=#${value.bytes.toString('hex')}`
    : `${keyword}=${escaped(value.contents.toString('utf8'))}`
}

function escaped(text: string): string {
  const inner = text.replaceAll(/[,=+<>#;"\\]/g, '\\$&').replaceAll('\0', '\\00')
  const lead = /^[ \r]*/.exec(inner)![0].length
  const trail = /[ \r]*$/.exec(inner.slice(lead))![0].length
  const end = inner.length - trail
  const spaces = (part: string) => part.replaceAll(/[^]/g, '\\$&')
  return spaces(inner.slice(0, lead)) + inner.slice(lead, end) + spaces(inner.slice(end))
}
