// The worked example of a table in docs/hacking.md: it compiles, and reads and writes what the page says.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { root } from '../docs/sources.ts'
import { decode, encode } from './compile.ts'
import {
  api,
  array,
  int16,
  int32,
  string,
  uuid,
  type Encoded,
  type Message,
  type RequestOf,
  type ResponseInput,
} from './schema.ts'
import { valuesOf } from './testing/arbitraries.ts'
import { SEED } from './testing/seed.ts'
import t from './testing/tap.ts'
import { Reader, Writer } from './wire.ts'

export const describeShelves = api({
  key: 999, // Kafka's number of the API
  name: 'DescribeShelves',
  versions: '0-3', // the versions that these tables read and write
  flexible: '2+', // from here on: compact lengths and tagged fields (KIP-482)
  request: {
    shelves: array({
      name: string.in('-2'), // v3 lacks it: it reads as '', and is not written
      id: uuid.in('3+'), // v0 to v2 lack it: it reads as UUID_ZERO
      books: array(int32).orNull('1+'), // null means all books, from v1 on
    }),
    timeoutMs: int32.in('1+').default(1000), // a writer may leave it out; v0 reads it as 1000
  },
  response: {
    errorCode: int16,
    owner: string.orNull().tag(0, '2+').default(null), // written only if it is not null
  },
})
export type DescribeShelvesRequest = RequestOf<typeof describeShelves> // the broker reads it
export type DescribeShelvesResponse = ResponseInput<typeof describeShelves> // and writes this

function bytesOf<M extends Message<any>>(message: M, version: number, value: Encoded<M>): Buffer {
  const writer = new Writer()
  encode(message, version, writer, value)
  return Buffer.concat(writer.chunks())
}

t.test('the table on the page is the one in this file', async (t) => {
  const page = readFileSync(new URL('docs/hacking.md', root), 'utf8').replaceAll('\r\n', '\n')
  const source = readFileSync(new URL('protocol/schema.test.ts', root), 'utf8').replaceAll(
    '\r\n',
    '\n',
  )
  const [, block] = /^```ts\n(.*?)^```$/ms.exec(page) ?? []
  t.ok(block !== undefined && source.includes(block))
})

t.test('its comments are true', async (t) => {
  const { request, response } = describeShelves
  const shelves = [{ name: 'a', id: Buffer.alloc(16, 7).toString('base64url'), books: [5] }]
  t.equal(
    bytesOf(request, 0, { shelves }).toString('hex'),
    '00000001' + '000161' + '0000000100000005',
  )
  t.equal(
    bytesOf(request, 2, { shelves }).toString('hex'),
    '02' + '0261' + '0200000005' + '00' + '000003e8' + '00',
  )
  t.match(bytesOf(request, 3, { shelves }).toString('hex'), /^02(07){16}0200000005/)
  t.throws(() => bytesOf(request, 0, { shelves: [{ ...shelves[0]!, books: null }] }))
  t.equal(
    bytesOf(request, 1, { shelves: [{ ...shelves[0]!, books: null }] }).toString('hex'),
    '00000001' + '000161' + 'ffffffff' + '000003e8',
  )

  const old: DescribeShelvesRequest = decode(
    request,
    0,
    new Reader(bytesOf(request, 0, { shelves })),
  )
  t.same(old, { shelves: [{ name: 'a', id: 'A'.repeat(22), books: [5] }], timeoutMs: 1000 })

  t.equal(bytesOf(response, 2, { errorCode: 3 }).toString('hex'), '0003' + '00')
  const owned: DescribeShelvesResponse = { errorCode: 3, owner: 'a' }
  t.equal(bytesOf(response, 2, owned).toString('hex'), '0003' + '01' + '00' + '02' + '0261')
  t.equal(bytesOf(response, 1, owned).toString('hex'), '0003')
})

t.test('it round-trips in every version', async (t) => {
  for (const message of [describeShelves.request, describeShelves.response])
    for (let version = 0; version <= 3; version++) {
      const roundTrip = fc.property(valuesOf(message, version), (value) => {
        const reader = new Reader(bytesOf(message, version, value))
        assert.deepStrictEqual(decode(message, version, reader), value)
        assert.equal(reader.remaining, 0)
      })
      t.doesNotThrow(
        () => fc.assert(roundTrip, { numRuns: 8, seed: SEED }),
        `${message.name} v${version}`,
      )
    }
})
