// CRC-32C and murmur2 against known values and another implementation.

import { createRequire } from 'node:module'
import fc from 'fast-check'
import t from './testing/tap.ts'
import { crc32c } from './crc32c.ts'
import { murmur2, partitionFor } from './murmur2.ts'

const require = createRequire(import.meta.url)
const kafkajsMurmur2 = require('kafkajs/src/producer/partitioners/default/murmur2') as (
  key: Buffer,
) => number
const kafkajsCrc32c = require('kafkajs/src/protocol/recordBatch/crc32C') as (
  bytes: Buffer,
) => number

t.test('CRC-32C gives the check values of RFC 3720', async (t) => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i)
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  t.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
  t.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43)
  t.equal(crc32c(ascending), 0x46dd794e)
  t.equal(crc32c(ascending.toReversed()), 0x113fdb5c)
  t.equal(crc32c(new Uint8Array(0)), 0)
})

t.test(
  'CRC-32C agrees with another implementation at every length around the switch to native code',
  async (t) => {
    const bytes = Buffer.from(Array.from({ length: 600 }, (_, i) => (i * 151 + (i >> 3)) & 0xff))
    for (let length = 0; length < 520; length++) {
      const start = length % 9
      const expected = kafkajsCrc32c(bytes.subarray(start, start + length)) >>> 0
      if (crc32c(bytes, start, start + length) !== expected) t.fail(`length ${length}`)
    }
    t.equal(crc32c(bytes), kafkajsCrc32c(bytes) >>> 0)
  },
)

t.test("murmur2 gives the values of Kafka's own tests", async (t) => {
  const values: [text: string, hash: number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ]
  for (const [text, hash] of values) t.equal(murmur2(Buffer.from(text)), hash, text)
})

t.test('murmur2 and the partition agree with kafkajs for any key', async (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.integer({ min: 1, max: 1000 }),
      (bytes, partitionCount) => {
        const key = Buffer.from(bytes)
        const hash = kafkajsMurmur2(key)
        return (
          murmur2(bytes) === hash &&
          partitionFor(bytes, partitionCount) === (hash & 0x7fffffff) % partitionCount
        )
      },
    ),
    { numRuns: 2000 },
  )
  t.pass('2000 keys')
})
