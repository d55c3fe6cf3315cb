// The cost of record batches in process: building, reading, checksums, codecs.

import { BatchBuilder } from '../protocol/batch/build.ts'
import { crcMatches, readBatchHeader } from '../protocol/batch/header.ts'
import { recordsOf, type RecordView } from '../protocol/batch/record.ts'
import { codecIds, compress, decompress, type Codec } from '../protocol/compression/index.ts'
import { crc32c } from '../protocol/crc32c.ts'
import { murmur2 } from '../protocol/murmur2.ts'
import { nanosecondsOf, type Bench, type Row } from './report.ts'

const RECORD_COUNT = 600
const VALUE_BYTES = 80
const limits = { decompressedBytesMax: 2 ** 24 }

export const batch: Bench = {
  name: 'batch',
  title: `batches of ${RECORD_COUNT} records with values of ${VALUE_BYTES} bytes, in process`,

  *run() {
    yield* records()
    yield* codecs()
    yield* hashes()
  },
}

function* records(): Generator<Row> {
  const key = Buffer.from('key-0001')
  const value = Buffer.alloc(VALUE_BYTES, 'abcdefgh')
  const text = value.toString()
  yield perRecord('build', () => build((timestamp) => ({ timestamp, key: null, value })))
  yield perRecord('build, with keys', () => build((timestamp) => ({ timestamp, key, value })))
  yield perRecord('build, from strings', () =>
    build((timestamp) => ({ timestamp, key: Buffer.from('key-0001'), value: Buffer.from(text) })),
  )
  const bytes = build((timestamp) => ({ timestamp, key, value }))
  const header = readBatchHeader(bytes)
  const readEach = (look: (record: RecordView) => number) => () => {
    let sum = 0
    for (const record of recordsOf(bytes, 0, header, limits)) sum += look(record)
    return sum
  }
  yield perRecord(
    'read, offsets',
    readEach(({ offset }) => offset),
  )
  yield perRecord(
    'read, offsets and values',
    readEach(({ offset, value }) => offset + value!.length),
  )
  yield perRecord('check the CRC', () => crcMatches(bytes, 0, bytes.length))
}

function build(record: (timestamp: number) => Parameters<BatchBuilder['append']>[0]): Uint8Array {
  const builder = new BatchBuilder({ bytesExpected: RECORD_COUNT * (VALUE_BYTES + 40) })
  for (let i = 0; i < RECORD_COUNT; i++) builder.append(record(1_700_000_000_000 + i))
  return builder.finish()
}

function perRecord(title: string, call: () => unknown): Row {
  const ns = nanosecondsOf(call) / RECORD_COUNT
  return {
    title,
    figures: [
      { name: '', value: ns, unit: 'ns/record' },
      { name: '', value: 1000 / ns, unit: 'M records/s' },
    ],
  }
}

function* codecs(): Generator<Row> {
  const lines = Array.from(
    { length: 700 },
    (_, i) => `{"id":${i * 7919},"name":"record ${i % 50}","price":${(i * 31) % 997}}\n`,
  )
  const bytes = Buffer.from(lines.join(''))
  for (const codec of Object.keys(codecIds).filter((name): name is Codec => name !== 'none')) {
    const compressed = compress(codec, bytes)
    const rate = (ns: number) => (bytes.length / ns) * 1000
    yield {
      title: `${codec}, ${bytes.length} bytes of JSON`,
      figures: [
        {
          name: 'compress',
          value: rate(nanosecondsOf(() => compress(codec, bytes))),
          unit: 'MB/s',
        },
        {
          name: 'decompress',
          value: rate(nanosecondsOf(() => decompress(codec, compressed, bytes.length))),
          unit: 'MB/s',
        },
        { name: 'ratio', value: bytes.length / compressed.length, unit: 'x' },
      ],
    }
  }
}

function* hashes(): Generator<Row> {
  for (const sizeBytes of [100, 250, 1000, 16_384, 1_048_576]) {
    const bytes = Buffer.alloc(sizeBytes + 32, 'abcdefgh')
    const ns = nanosecondsOf(() => crc32c(bytes, 21, 21 + sizeBytes))
    yield perInput(`crc32c of ${sizeBytes} bytes`, sizeBytes, ns)
  }
  const key = Buffer.from('customer-000123')
  yield perInput(
    `murmur2 of ${key.length} bytes`,
    key.length,
    nanosecondsOf(() => murmur2(key)),
  )
}

function perInput(title: string, sizeBytes: number, ns: number): Row {
  return {
    title,
    figures: [
      { name: '', value: ns, unit: 'ns' },
      { name: '', value: (sizeBytes / ns) * 1000, unit: 'MB/s' },
    ],
  }
}
