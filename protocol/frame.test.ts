// Primitives, headers and frames: known bytes, every split of a stream, every limit.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from './testing/tap.ts'
import { fetch } from './api/01_fetch.ts'
import { metadata } from './api/03_metadata.ts'
import { apiVersions } from './api/18_api_versions.ts'
import { decode } from './compile.ts'
import {
  encodeRequestFrame,
  encodeResponseFrame,
  FrameCutter,
  readRequestHeader,
  readResponseHeader,
  skipHeaderTags,
} from './frame.ts'
import { UUID_ZERO } from './ids.ts'
import { SEED } from './testing/seed.ts'
import { Reader, Writer } from './wire.ts'

const INVALID = { code: 'INVALID_REQUEST' }

t.comment(`SEED=${SEED}`)

function written(write: (writer: Writer) => void): string {
  const writer = new Writer(1)
  write(writer)
  return hex(writer.chunks())
}

function hex(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString('hex')
}

function readerOf(text: string): Reader {
  return new Reader(Buffer.from(text, 'hex'))
}

t.test('primitives have the bytes of the protocol guide', async (t) => {
  const primitives: [
    text: string,
    write: (w: Writer) => void,
    read: (r: Reader) => unknown,
    value: unknown,
  ][] = [
    ['01', (w) => w.bool(true), (r) => r.bool(), true],
    ['80', (w) => w.int8(-128), (r) => r.int8(), -128],
    ['fffe', (w) => w.int16(-2), (r) => r.int16(), -2],
    ['fffe', (w) => w.uint16(65_534), (r) => r.uint16(), 65_534],
    ['80000000', (w) => w.int32(-0x8000_0000), (r) => r.int32(), -0x8000_0000],
    ['ffffffffffffffff', (w) => w.int64(-1), (r) => r.int64(), -1],
    ['001fffffffffffff', (w) => w.int64(2 ** 53 - 1), (r) => r.int64(), 2 ** 53 - 1],
    ['ffe0000000000001', (w) => w.int64(1 - 2 ** 53), (r) => r.int64(), 1 - 2 ** 53],
    ['7fffffffffffffff', (w) => w.int64(2 ** 63), (r) => r.int64(), 2 ** 63],
    ['8000000000000000', (w) => w.int64(-(2 ** 63)), (r) => r.int64(), -(2 ** 63)],
    ['00'.repeat(16), (w) => w.uuid(UUID_ZERO), (r) => r.uuid(), UUID_ZERO],
    ['00', (w) => w.uvarint(0), (r) => r.uvarint(), 0],
    ['7f', (w) => w.uvarint(127), (r) => r.uvarint(), 127],
    ['8001', (w) => w.uvarint(128), (r) => r.uvarint(), 128],
    ['ac02', (w) => w.uvarint(300), (r) => r.uvarint(), 300],
    ['ffffffff0f', (w) => w.uvarint(0xffff_ffff), (r) => r.uvarint(), 0xffff_ffff],
    ['0002c3a9', (w) => w.string('é'), (r) => r.string(), 'é'],
    ['ffff', (w) => w.nullableString(null), (r) => r.nullableString(), null],
    ['03c3a9', (w) => w.compactString('é'), (r) => r.compactString(), 'é'],
    ['01', (w) => w.compactNullableString(''), (r) => r.compactNullableString(), ''],
    ['00', (w) => w.compactNullableString(null), (r) => r.compactNullableString(), null],
    ['00000001ff', (w) => w.bytes(Buffer.of(255)), (r) => r.bytes(), Buffer.of(255)],
    ['ffffffff', (w) => w.nullableBytes(null), (r) => r.nullableBytes(), null],
    ['02ff', (w) => w.compactBytes(Buffer.of(255)), (r) => r.compactBytes(), Buffer.of(255)],
    ['00', (w) => w.compactNullableBytes(null), (r) => r.compactNullableBytes(), null],
  ]
  for (const [text, write, read, value] of primitives) {
    t.equal(written(write), text)
    const reader = readerOf(text)
    t.same(read(reader), value, text)
    t.equal(reader.remaining, 0)
  }
})

t.test('what a field cannot hold is refused and not wrapped', async (t) => {
  t.throws(() => written((w) => w.int8(128)), INVALID)
  t.throws(() => written((w) => w.int16(-32_769)), INVALID)
  t.throws(() => written((w) => w.uint16(65_536)), INVALID)
  t.throws(() => written((w) => w.uint16(-1)), INVALID)
  t.throws(() => written((w) => w.int32(2 ** 31)), INVALID)
  t.throws(() => written((w) => w.int32(1.5)), INVALID)
  t.throws(() => written((w) => w.int32(undefined as never)), INVALID)
  t.throws(() => written((w) => w.int64(NaN)), INVALID)
  t.throws(() => written((w) => w.int64(2 ** 63 + 2048)), INVALID)
  t.throws(() => written((w) => w.string('x'.repeat(32_768))), INVALID)
  t.throws(() => written((w) => w.compactString('x'.repeat(32_768))), INVALID)
  t.throws(() => written((w) => w.uuid('short')), INVALID)
  t.throws(() => written((w) => w.uuid(`${UUID_ZERO}A`)), INVALID)
  t.throws(() => written((w) => w.uuid('!'.repeat(22))), INVALID)
})

t.test('malformed primitives are refused', async (t) => {
  t.throws(() => readerOf('ffffffff10').uvarint(), INVALID, 'more than 32 bits')
  t.throws(() => readerOf('808080808000').uvarint(), INVALID, 'more than 5 bytes')
  t.throws(() => readerOf('fffe').nullableString(), INVALID, 'a length of -2')
  t.throws(() => readerOf('ffff').string(), INVALID, 'null, not allowed')
  t.throws(() => readerOf('00').compactString(), INVALID, 'null, not allowed')
  t.throws(() => readerOf('ffffffff').bytes(), INVALID, 'null, not allowed')
  t.throws(() => readerOf('80000000').nullableBytes(), INVALID, 'a negative length')
  t.throws(() => readerOf('000361').string(), INVALID, 'longer than the frame')
  t.throws(
    () =>
      new Reader(
        Buffer.concat([Buffer.from('818002', 'hex'), Buffer.alloc(32_768)]),
      ).compactString(),
    INVALID,
  )
})

t.test('a tagged field whose value is not as long as declared is refused', async (t) => {
  const head =
    '00000000' + '00000000' + '00000000' + '00' + '00000000' + '00000000' + '01' + '01' + '01'
  const clusterId = (size: string) =>
    readerOf(`ffffffff${head}01` + '00' + size + '02' + '63' + '0000')
  t.equal(decode(fetch.request, 12, clusterId('02')).clusterId, 'c')
  t.throws(() => decode(fetch.request, 12, clusterId('01')), { message: /a tagged field ends at/ })
  t.throws(() => decode(fetch.request, 12, clusterId('03')), { message: /a tagged field ends at/ })
})

t.test('a frame outgrows its buffer at any byte', async (t) => {
  for (let bytesExpected = 1; bytesExpected < 80; bytesExpected++) {
    const writer = new Writer(bytesExpected)
    writer.string('twelve bytes')
    writer.int64(0x0102_0304_0506)
    writer.bytes(Buffer.alloc(5000, 1)) // referenced
    writer.uuid('AAECAwQFBgcICQoLDA0ODw')
    writer.bytes(Buffer.from('small')) // copied
    const reader = new Reader(Buffer.concat(writer.chunks()))
    assert.equal(reader.remaining, 14 + 8 + 5004 + 16 + 9)
    assert.equal(reader.string(), 'twelve bytes')
    assert.equal(reader.int64(), 0x0102_0304_0506)
    assert.deepEqual(reader.bytes(), Buffer.alloc(5000, 1))
    assert.equal(reader.uuid(), 'AAECAwQFBgcICQoLDA0ODw')
    assert.equal(reader.bytes().toString(), 'small')
  }
  t.pass()
})

t.test('large records are referenced by the frame, small ones copied', async (t) => {
  const large = Buffer.alloc(4096, 1)
  const small = Buffer.alloc(4095, 2)
  const partition = { errorCode: 0, highWatermark: 1, abortedTransactions: null }
  const partitions = [
    { ...partition, partitionIndex: 0, records: large },
    { ...partition, partitionIndex: 1, records: small },
  ]
  const chunks = encodeResponseFrame(fetch, 12, 1, { responses: [{ topic: 'logs', partitions }] })
  t.equal(chunks.length, 3)
  t.equal(chunks[1], large)
  t.equal(Buffer.concat(chunks).readInt32BE(0), Buffer.concat(chunks).length - 4)
})

t.test('a request frame: the client id stays classic in flexible versions', async (t) => {
  const frame = (version: number, clientId: string | null) =>
    hex(encodeRequestFrame(metadata, version, 7, clientId, { topics: [] }))
  t.equal(frame(1, 'me'), '00000010' + '0003' + '0001' + '00000007' + '00026d65' + '00000000')
  t.equal(frame(1, null), '0000000e' + '0003' + '0001' + '00000007' + 'ffff' + '00000000')
  // tags of the header; no topics, allowAutoTopicCreation, no operations, tags of the request
  t.equal(
    frame(12, 'me'),
    '00000011' + '0003' + '000c' + '00000007' + '00026d65' + '00' + '01010000',
  )
})

t.test('a request header reads back, with unknown tags', async (t) => {
  const reader = readerOf(
    '0003' + '000c' + '00000007' + '00026d65' + '01' + '05' + '02' + 'abcd' + '01010000',
  )
  t.same(readRequestHeader(reader), { apiKey: 3, apiVersion: 12, correlationId: 7, clientId: 'me' })
  skipHeaderTags(reader, metadata, 12)
  t.same(decode(metadata.request, 12, reader).topics, [])
  t.equal(reader.remaining, 0)
})

t.test('a response header has tags in flexible versions, except that of ApiVersions', async (t) => {
  const answer = { errorCode: 0, apiKeys: [] }
  t.equal(
    hex(encodeResponseFrame(apiVersions, 0, 7, answer)),
    '0000000a' + '00000007' + '0000' + '00000000',
  )
  t.equal(
    hex(encodeResponseFrame(apiVersions, 3, 7, answer)),
    '0000000c' + '00000007' + '0000' + '01' + '00000000' + '00',
  )
  t.equal(
    hex(encodeResponseFrame(metadata, 12, 7, { brokers: [], topics: [] })),
    // throttle, no brokers, null cluster, no controller, no topics, tags of the response
    '00000011' + '00000007' + '00' + '00000000' + '01' + '00' + 'ffffffff' + '01' + '00',
  )
  for (const [api, version] of [
    [metadata, 8],
    [metadata, 12],
    [apiVersions, 3],
  ] as const) {
    const reader = readerOf('00000007' + '00' + '00000000')
    t.equal(readResponseHeader(reader, api, version), 7)
    t.equal(reader.position, api === metadata && version === 12 ? 5 : 4)
  }
})

function framesOf(...bodies: string[]): Buffer {
  const frames = bodies.map((body) => {
    const prefix = Buffer.alloc(4)
    prefix.writeInt32BE(body.length)
    return Buffer.concat([prefix, Buffer.from(body)])
  })
  return Buffer.concat(frames)
}

/** One buffer, overwritten as soon as it is returned. */
function poisonedBuffer() {
  let kept: Buffer = Buffer.alloc(0)
  return {
    take: (bytes: number) => (kept.length >= bytes ? kept : Buffer.alloc(2 * bytes)),
    give: (buffer: Buffer) => void (kept = buffer.fill(0xee)),
  }
}

/** Pushes `stream` cut at `cuts`, through one buffer that each chunk overwrites, as a socket with `onread` does. */
function cut(stream: Buffer, cuts: readonly number[], cutter = new FrameCutter(1 << 20)): string[] {
  const chunk = Buffer.alloc(stream.length)
  const bodies: string[] = []
  let start = 0
  for (const end of [...cuts, stream.length]) {
    const size = stream.copy(chunk, 0, start, end)
    cutter.push(chunk.subarray(0, size), (frame) => bodies.push(frame.toString('latin1')))
    chunk.fill(0xee)
    start = end
  }
  assert.equal(cutter.heldBytes, 0)
  return bodies
}

t.test('frames come out whole whatever the chunks', async (t) => {
  const bodies = ['hello', '', 'x', 'a longer frame', '']
  const stream = framesOf(...bodies)
  for (let first = 0; first <= stream.length; first++) {
    for (let second = first; second <= stream.length; second++) {
      assert.deepEqual(cut(stream, [first, second]), bodies, `cut at ${first} and ${second}`)
    }
  }
  t.same(cut(stream, [...stream.keys()]), bodies, 'byte by byte')
})

t.test('a frame that spans chunks is given, and survives the next ones', async (t) => {
  const bodies = ['first', 'second', 'third']
  const stream = framesOf(...bodies)
  const cutter = new FrameCutter(100)
  const frames: Buffer[] = []
  for (const byte of stream) cutter.push(Buffer.of(byte), (frame) => frames.push(frame))
  t.same(frames.map(String), bodies)
})

t.test('large frames come out whole at random cuts, in fresh and in reused buffers', async (t) => {
  const bodies = fc.array(
    fc.integer({ min: 0, max: 300_000 }).map((size) => 'z'.repeat(size)),
    { maxLength: 4 },
  )
  const reusing = new FrameCutter(1 << 20, poisonedBuffer())
  const property = fc.property(bodies, fc.array(fc.nat(), { maxLength: 40 }), (sent, positions) => {
    const stream = framesOf(...sent)
    const cuts = positions.map((position) => position % (stream.length + 1)).sort((a, b) => a - b)
    assert.deepEqual(cut(stream, cuts), sent)
    assert.deepEqual(cut(stream, cuts, reusing), sent)
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: 50, seed: SEED }))
})

t.test('memory for a frame grows as its bytes arrive', async (t) => {
  const cutter = new FrameCutter(100 << 20)
  const frames: number[] = []
  const push = (chunk: Buffer) => cutter.push(chunk, (frame) => frames.push(frame.length))
  push(Buffer.from('06400000' + '00', 'hex')) // 100 MiB declared, one byte sent
  t.equal(cutter.heldBytes, 64 * 1024)
  let arrived = 1
  while (arrived < 1 << 20) {
    push(Buffer.alloc(10_000))
    arrived += 10_000
    assert.ok(cutter.heldBytes <= Math.max(64 * 1024, 2 * arrived))
  }
  push(Buffer.alloc((100 << 20) - arrived))
  t.same(frames, [100 << 20])
  t.equal(cutter.heldBytes, 0)
})

t.test('a frame of negative size, or over the limit, is refused before it is kept', async (t) => {
  const refusedAs = (text: string, message: RegExp) => {
    for (const size of [1, 2, 3, 4]) {
      const cutter = new FrameCutter(100)
      t.throws(
        () => {
          const bytes = Buffer.from(text, 'latin1')
          for (let at = 0; at < bytes.length; at += size)
            cutter.push(bytes.subarray(at, at + size), () => {})
        },
        { code: 'INVALID_REQUEST', message },
      )
    }
  }
  refusedAs('\xff\xff\xff\xff', /frame of -1 bytes, 0 to 100 are allowed/)
  refusedAs('\x00\x00\x00\x65', /frame of 101 bytes/)
  refusedAs('HTTP/1.1 400 Bad Request\r\n', /HTTP/)
  refusedAs('\x15\x03\x01\x02\x00', /TLS/)
  t.same(
    cut(framesOf('x'.repeat(100)), [50], new FrameCutter(100)),
    ['x'.repeat(100)],
    'the limit itself is allowed',
  )
})
