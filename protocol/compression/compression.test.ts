// The codecs: round trips, damage, limits and bombs. batch/batch.test.ts reads other clients' output.

import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from '../testing/tap.ts'
import { KafkaError, type ErrorName } from '../errors.ts'
import { claimedBytes, codecIds, codecOf, compress, decompress, type Codec } from './index.ts'
import { decompressWith, wasmZstd, zlibZstd } from './zstd.ts'

const MIB = 1024 * 1024
const codecs = Object.keys(codecIds) as Codec[]
const compressing = codecs.filter((codec) => codec !== 'none')

/** Repeats itself in part, as records do. */
const blob = fc
  .array(fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 40 })), {
    maxLength: 30,
  })
  .map((parts) =>
    Buffer.concat(parts.flatMap(([bytes, times]) => Array<Uint8Array>(times).fill(bytes))),
  )

function codeOf(action: () => unknown): unknown {
  try {
    action()
    return 'none'
  } catch (error) {
    return error instanceof KafkaError ? error.code : error
  }
}

t.test('every codec gives back what went in', async (t) => {
  for (const codec of codecs) {
    fc.assert(
      fc.property(blob, (bytes) =>
        bytes.equals(decompress(codec, compress(codec, bytes), bytes.length)),
      ),
      { numRuns: 100 },
    )
    t.pass(codec)
  }
})

t.test('every codec takes megabytes, across all its blocks', async (t) => {
  const bytes = Buffer.alloc(5 * MIB)
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * (i >>> 10)) & 0x3f
  for (const codec of codecs) {
    t.ok(bytes.equals(decompress(codec, compress(codec, bytes), bytes.length)), codec)
  }
})

t.test('a codec id that Kafka does not have is refused', async (t) => {
  t.same([0, 1, 2, 3, 4].map(codecOf), codecs)
  for (const id of [5, 6, 7])
    t.equal(
      codeOf(() => codecOf(id)),
      'UNSUPPORTED_COMPRESSION_TYPE',
    )
})

t.test('exactly the limit comes out, one byte more is refused', async (t) => {
  const bytes = Buffer.alloc(200_000, 'abcdefgh')
  for (const codec of codecs) {
    const compressed = compress(codec, bytes)
    t.equal(decompress(codec, compressed, bytes.length).length, bytes.length, codec)
    t.equal(
      codeOf(() => decompress(codec, compressed, bytes.length - 1)),
      'MESSAGE_TOO_LARGE',
      codec,
    )
    t.equal(
      codeOf(() => decompress(codec, compressed, 0)),
      'MESSAGE_TOO_LARGE',
      codec,
    )
  }
})

t.test('input cut off at any byte is reported as damage', async (t) => {
  const bytes = Buffer.from('an apple and a pear and an apple and a pear and an apple'.repeat(3))
  for (const codec of compressing) {
    const compressed = compress(codec, bytes)
    for (let length = 0; length < compressed.length; length++) {
      const code = codeOf(() => decompress(codec, compressed.subarray(0, length), MIB))
      if (code !== 'CORRUPT_MESSAGE') t.fail(`${codec} cut to ${length} bytes`, { code })
    }
    t.pass(codec)
  }
})

t.test('garbage and damaged input give bytes or a KafkaError, never anything else', async (t) => {
  const good = Buffer.from('an apple and a pear and an apple and a pear and an apple'.repeat(20))
  for (const codec of compressing) {
    const compressed = compress(codec, good)
    const damaged = fc
      .array(fc.tuple(fc.nat(compressed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
      .map((edits) =>
        edits.reduce(
          (bytes, [at, value]) => bytes.fill(value, at, at + 1),
          Buffer.from(compressed),
        ),
      )
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        const code = codeOf(() => decompress(codec, bytes, 4 * MIB))
        return code === 'none' || code === 'CORRUPT_MESSAGE' || code === 'MESSAGE_TOO_LARGE'
      }),
      { numRuns: 1000 },
    )
    t.pass(codec)
  }
})

t.test('a bomb is refused without room being made for it', async (t) => {
  const bombs: [codec: Codec, bytes: Buffer, code: ErrorName][] = [
    [
      'gzip',
      Buffer.concat(Array<Buffer>(1024).fill(gzipSync(Buffer.alloc(MIB)))),
      'MESSAGE_TOO_LARGE',
    ],
    // A size that so few bytes cannot have, and one that they could.
    ['snappy', Buffer.from('ffffffff0f0000', 'hex'), 'CORRUPT_MESSAGE'],
    ['snappy', snappyBomb(1024 * MIB), 'MESSAGE_TOO_LARGE'],
    ['lz4', lz4Bomb(256), 'MESSAGE_TOO_LARGE'],
    ['zstd', zstdBomb(8192), 'MESSAGE_TOO_LARGE'],
    ['zstd', Buffer.concat(Array<Buffer>(64).fill(zstdBomb(128))), 'MESSAGE_TOO_LARGE'],
    // Content size 2^62, and a window of 2^41 bytes.
    ['zstd', Buffer.from('28b52ffde00000000000000040010000', 'hex'), 'CORRUPT_MESSAGE'],
    ['zstd', Buffer.from('28b52ffd00f8010000', 'hex'), 'CORRUPT_MESSAGE'],
  ]
  for (const [codec, bytes, code] of bombs) {
    codeOf(() => decompress(codec, bytes.subarray(0, 20), MIB)) // loads the library
    const maxRssBefore = process.resourceUsage().maxRSS
    t.equal(
      codeOf(() => decompress(codec, bytes, MIB)),
      code,
      `${codec}, ${bytes.length} bytes`,
    )
    const grownKib = process.resourceUsage().maxRSS - maxRssBefore
    t.ok(grownKib < 32 * 1024, `${codec} took ${grownKib} KiB`)
  }
})

/** A declared size of `sizeBytes` with input long enough that it might be true. */
function snappyBomb(sizeBytes: number): Buffer {
  const size = Buffer.from(
    [0, 7, 14, 21, 28].map((shift) => ((sizeBytes / 2 ** shift) & 0x7f) | (shift < 28 ? 0x80 : 0)),
  )
  return Buffer.concat([size, Buffer.alloc(Math.ceil(sizeBytes / 20))])
}

/** Blocks that each stand for 4 MiB of one letter. */
function lz4Bomb(blockCount: number): Buffer {
  const matchBytes = 4 * MIB - 1 - 5 - 19
  const match = Buffer.alloc(Math.floor(matchBytes / 255) + 1, 255)
  match[match.length - 1] = matchBytes % 255
  const last = Buffer.concat([Buffer.from([0x50]), Buffer.from('aaaaa')])
  const block = Buffer.concat([Buffer.from([0x1f, 0x61, 1, 0]), match, last])
  const size = Buffer.alloc(4)
  size.writeUInt32LE(block.length)
  const blocks = Array<Buffer>(blockCount).fill(Buffer.concat([size, block]))
  return Buffer.concat([Buffer.from('04224d18607073', 'hex'), ...blocks, Buffer.alloc(4)])
}

/** A frame without content size: run-length blocks of 128 KiB. */
function zstdBomb(blockCount: number): Buffer {
  const block = (isLast: boolean) => {
    const header = ((128 * 1024) << 3) | (1 << 1) | (isLast ? 1 : 0)
    return Buffer.from([header & 0xff, (header >> 8) & 0xff, header >> 16, 0x61])
  }
  const blocks = Array.from({ length: blockCount }, (_, i) => block(i === blockCount - 1))
  return Buffer.concat([Buffer.from('28b52ffd0058', 'hex'), ...blocks])
}

t.test('the bombs are real: with room enough they go off', async (t) => {
  t.equal(decompress('lz4', lz4Bomb(1), 4 * MIB).length, 4 * MIB)
  t.equal(decompress('zstd', zstdBomb(8), MIB).length, MIB)
})

t.test('what headers claim bounds what comes out, after a look at some blocks only', async (t) => {
  for (const codec of codecs) {
    fc.assert(
      fc.property(blob, (bytes) => claimedBytes(codec, compress(codec, bytes)) >= bytes.length),
      { numRuns: 50 },
    )
    const bytes = Buffer.alloc(20_000, 'abc')
    const claimed = claimedBytes(codec, compress(codec, bytes))
    const isExact = codec === 'none' || codec === 'gzip' || codec === 'snappy'
    t.ok(isExact ? claimed === bytes.length : claimed <= 128 * 1024, `${codec}: ${claimed}`)
    if (codec !== 'none') t.equal(claimedBytes(codec, Buffer.from('no')), Infinity, codec)
  }
  const manyFrames = (codec: Codec) =>
    Buffer.concat(Array<Uint8Array>(300).fill(compress(codec, Buffer.from('a few bytes'))))
  for (const codec of ['lz4', 'zstd'] as const)
    t.equal(claimedBytes(codec, manyFrames(codec)), Infinity, `${codec} of many frames`)
  t.equal(claimedBytes('lz4', lz4Bomb(300)), Infinity)
  t.equal(claimedBytes('zstd', zstdBomb(300)), Infinity)
  const block = Buffer.from(compress('snappy', Buffer.from('x')))
  const size = Buffer.from([0, 0, 0, block.length])
  const blocks = Array<Buffer>(300).fill(Buffer.concat([size, block]))
  const xerial = Buffer.from('82534e415050590000000001' + '00000001', 'hex')
  t.equal(claimedBytes('snappy', Buffer.concat([xerial, ...blocks])), Infinity)
})

t.test('zstd frames follow each other, with frames to skip between', async (t) => {
  const one = compress('zstd', Buffer.from('one'))
  const two = Buffer.from('28b52ffd0058190000' + Buffer.from('two').toString('hex'), 'hex') // no content size
  const skipped = Buffer.from('522a4d180300000000ffff', 'hex')
  const bytes = Buffer.concat([skipped, one, skipped, two, skipped])
  t.equal(decompress('zstd', bytes, 6).toString(), 'onetwo')
  t.equal(
    codeOf(() => decompress('zstd', bytes, 5)),
    'MESSAGE_TOO_LARGE',
  )
  t.equal(
    codeOf(() => decompress('zstd', bytes.subarray(0, -1), 6)),
    'CORRUPT_MESSAGE',
  )
})

t.test('each zstd library of this Node reads what the other wrote', async (t) => {
  const bytes = Buffer.from('an apple and a pear '.repeat(10_000))
  const libraries = [wasmZstd(), zlibZstd()].filter((library) => library !== undefined)
  t.ok(libraries.length >= 1)
  for (const writer of libraries) {
    for (const reader of libraries) {
      const compressed = writer.compress(bytes)
      t.ok(bytes.equals(decompressWith(reader, compressed, bytes.length)))
      t.equal(
        codeOf(() => decompressWith(reader, compressed, bytes.length - 1)),
        'MESSAGE_TOO_LARGE',
      )
      t.equal(
        codeOf(() => decompressWith(reader, zstdBomb(8192), MIB)),
        'MESSAGE_TOO_LARGE',
      )
    }
  }
})

t.test('lz4 frames follow each other', async (t) => {
  const bytes = Buffer.concat([
    compress('lz4', Buffer.from('one')),
    compress('lz4', Buffer.from('two')),
  ])
  t.equal(decompress('lz4', bytes, 6).toString(), 'onetwo')
  t.equal(
    codeOf(() => decompress('lz4', bytes, 5)),
    'MESSAGE_TOO_LARGE',
  )
})

t.test(
  'lz4 is written as independent blocks without checksums: all that the Java client reads',
  async (t) => {
    const frame = Buffer.from(compress('lz4', Buffer.from('one')))
    t.equal(frame.readUInt32LE(0), 0x184d2204)
    t.equal(
      frame[4],
      0b0110_0000,
      'version 1, independent, no checksums, no content size, no dictionary',
    )
  },
)

t.test("snappy is read raw and in xerial's framing, one block or several", async (t) => {
  const header = Buffer.from('82534e415050590000000001' + '00000001', 'hex')
  const block = (text: string) => {
    const raw = compress('snappy', Buffer.from(text))
    const size = Buffer.alloc(4)
    size.writeInt32BE(raw.length)
    return Buffer.concat([size, raw])
  }
  const framed = Buffer.concat([header, block('one'), block('two')])
  t.equal(decompress('snappy', framed, 6).toString(), 'onetwo')
  t.equal(
    codeOf(() => decompress('snappy', framed, 5)),
    'MESSAGE_TOO_LARGE',
  )
  t.equal(
    codeOf(() => decompress('snappy', framed.subarray(0, -1), 6)),
    'CORRUPT_MESSAGE',
  )
  t.equal(decompress('snappy', header, 6).length, 0, 'no blocks')
})
