// Byte vectors written by hand from Kafka's message definitions, one dump for all versions of a message. Tests only.

import assert from 'node:assert/strict'
import t from './tap.ts'
import { decode, encode } from '../compile.ts'
import { includes, versionRange, type Encoded, type Message } from '../schema.ts'
import { Reader, Writer } from '../wire.ts'

/** The topic id of the dumps: bytes 0 to 15. */
export const ID = 'AAECAwQFBgcICQoLDA0ODw'

const ID_HEX = '000102030405060708090a0b0c0d0e0f'

/**
 * Compares every version of `message` with `dump`: `value` encodes to its bytes, and these decode and encode to the same bytes.
 *
 * @param dump lines of `versions bytes -- comment`: versions as in a table or `*`, bytes as hex, 'text' or ID
 */
export function vector<M extends Message<any>>(message: M, value: Encoded<M>, dump: string): void {
  const lines = dump
    .split('\n')
    .map(parsedLine)
    .filter((line) => line !== undefined)
  const { from, to } = message.versions
  t.test(`${message.name} ${from} to ${to} has the bytes of the dump`, async (t) => {
    for (let version = from; version <= to; version++) {
      const hex = lines.map((line) => (includes(line.versions, version) ? line.hex : '')).join('')
      t.equal(encodedHex(message, version, value), hex, `version ${version} encodes`)
      const reader = new Reader(Buffer.from(hex, 'hex'))
      const decoded = decode(message, version, reader) as Encoded<M>
      t.equal(reader.remaining, 0, `version ${version} decodes to the end`)
      t.equal(
        encodedHex(message, version, decoded),
        hex,
        `version ${version} decodes to the same value`,
      )
    }
  })
}

export function encodedHex<M extends Message<any>>(
  message: M,
  version: number,
  value: Encoded<M>,
): string {
  const writer = new Writer()
  encode(message, version, writer, value)
  return Buffer.concat(writer.chunks()).toString('hex')
}

function parsedLine(text: string) {
  const line = text.replace(/--.*/, '').trim()
  if (line === '') return undefined
  const [versions, ...bytes] = line.split(/ +/)
  return {
    versions: versionRange(versions === '*' ? '0+' : versions!),
    hex: bytes.map(hexOf).join(''),
  }
}

function hexOf(token: string): string {
  if (token === 'ID') return ID_HEX
  if (token.startsWith("'")) return Buffer.from(token.slice(1, -1)).toString('hex')
  assert.match(token, /^([0-9a-f]{2})+$/, 'bytes of a dump')
  return token
}
