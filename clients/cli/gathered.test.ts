// The output for a record, byte for byte, wherever its fields lie, compared with the simplest code for the same output.

import fc from 'fast-check'
import { budget } from '../../protocol/testing/budget.ts'
import t from '../../protocol/testing/tap.ts'
import { Gathered, type Sink } from './gathered.ts'
import { placed, type PlacedRecord } from './placed-record.ts'
import { printerFor, type PrinterOptions } from './printers.ts'
import { recordToJson, type RawRecord } from './record-json.ts'
import { codecFor } from './serdes.ts'
import { paintFor, Shown } from './show.ts'

/** Text of every kind that the output formats treat specially. */
const text = fc.oneof(
  fc.constantFrom(
    '',
    '{"id":"1","cents":250}',
    'plain text, as most of it is',
    '\u009b31m',
    '\u202e',
  ),
  fc.constantFrom(
    '\x1b[2J\x07',
    '\x7f',
    'tab\tline\nquote"back\\slash',
    'ünï',
    '\ufffd',
    '\ufeffBOM',
  ),
  fc.string({ unit: 'binary' }),
  fc.string({ maxLength: 300 }),
)
const bytes = fc
  .oneof(
    text.map((each) => Buffer.from(each)),
    fc.uint8Array({ maxLength: 40 }).map((each) => Buffer.from(each)),
    fc.constantFrom(Buffer.from([0xff, 0x00, 0x80]), Buffer.from([0xc2]), Buffer.alloc(3000, 'x')),
  )
  .chain((each) => fc.option(fc.constant(each), { nil: null }))
const wholeNumber = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.maxSafeInteger(),
  fc.constantFrom(-1, 0, 9, 10, 999_999_999, 1_000_000_000, 2 ** 31, 2 ** 53, 2 ** 63),
)
const rawRecord: fc.Arbitrary<RawRecord> = fc.record({
  topic: fc.oneof(fc.constantFrom('orders', 'or"d\x1bers', 'ördnung'), text),
  partition: fc.nat(),
  offset: wholeNumber,
  timestamp: wholeNumber,
  key: bytes,
  value: bytes,
  headers: fc.oneof(fc.constant([]), fc.array(fc.tuple(text, bytes), { maxLength: 3 })),
})

/** The records as in a fetched batch: all fields in one buffer, with other bytes between them. */
function together(records: readonly RawRecord[]): PlacedRecord[] {
  const filler = Buffer.from([0, 0xff, 0x22])
  const fields = records.flatMap(({ key, value }) => [filler, key, filler, value])
  const whole = Buffer.concat(fields.map((each) => each ?? filler))
  let at = 0
  const place = (field: Buffer | null): number => {
    at += filler.length
    const start = at
    at += field?.length ?? filler.length
    return start
  }
  return records.map((record) => ({
    ...placed(record),
    keyIn: whole,
    keyAt: place(record.key),
    valueIn: whole,
    valueAt: place(record.value),
  }))
}

function printedBy(print: (record: PlacedRecord, out: Sink) => void, records: PlacedRecord[]) {
  const out = new Gathered()
  for (const record of records) print(record, out)
  return out.take()
}

t.test('any records are printed as if each field were written alone', async (t) => {
  const all = { forTerminal: false, width: 80, paint: paintFor({}, {}), showTopic: false }
  const prints = (options: Partial<PrinterOptions>, expected: (record: RawRecord) => Buffer) => {
    const property = fc.property(fc.array(rawRecord, { maxLength: 5 }), (records) => {
      const bytes = Buffer.concat(records.map(expected))
      for (const way of [records.map(placed), together(records)])
        if (!printedBy(printerFor({ ...all, ...options }), way).equals(bytes)) return false
      return true
    })
    fc.assert(property, { numRuns: budget(100, 500) })
    t.pass(JSON.stringify(options))
  }
  const nothing = Buffer.alloc(0)
  const line = Buffer.from('\n')
  const json = await codecFor('string')
  prints({}, ({ value }) => Buffer.concat([value ?? nothing, line]))
  prints({ raw: true }, ({ value }) => value ?? nothing)
  prints({ lengthPrefixed: true }, ({ value }) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(value?.length ?? 0)
    return Buffer.concat([length, value ?? nothing])
  })
  prints({ json: true }, (record) => Buffer.from(recordToJson(record).text))
  prints({ json: true, codec: json }, (record) => Buffer.from(recordToJson(record, json).text))
  prints({ format: '%t-%p %o|%k=%%%s\\n%n[%T %K %S]' }, (record) => {
    const { topic, partition, offset, timestamp, key, value } = record
    return Buffer.concat([
      Buffer.from(`${topic}-${partition} ${offset}|`),
      key ?? nothing,
      Buffer.from('=%'),
      value ?? nothing,
      Buffer.from(`\n\n[${timestamp} ${key?.length ?? -1} ${value?.length ?? -1}]`),
    ])
  })
})

t.test('what is gathered is what was added, however much and from wherever', async (t) => {
  const sources = [5, 40, 3000, 70_000, 300_000, 5_000_000].map((size, i) =>
    Buffer.alloc(size, `${i}abc`),
  )
  const part = fc.tuple(
    fc.constantFrom(...sources),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.nat(3000),
  )
  type Step = (out: Sink) => Uint8Array
  const step: fc.Arbitrary<Step> = fc.oneof(
    part.map(([source, where, size]): Step => (out) => {
      const at = Math.floor(where * source.length)
      const sizeBytes = Math.min(size, source.length - at)
      out.part(source, at, sizeBytes)
      return source.subarray(at, at + sizeBytes)
    }),
    fc.uint8Array({ maxLength: 100 }).map(
      (added): Step =>
        (out) => (out.bytes(added), added),
    ),
    fc.constantFrom(...sources.slice(0, 5)).map(
      (added): Step =>
        (out) => (out.bytes(added), added),
    ),
    text.map(
      (added): Step =>
        (out) => (out.text(added), Buffer.from(added)),
    ),
    text.map(
      (added): Step =>
        (out) => (out.shown(new Shown(added)), Buffer.from(added)),
    ),
    wholeNumber.map(
      (added): Step =>
        (out) => (out.decimal(added), Buffer.from(`${added}`)),
    ),
    fc.nat(255).map(
      (added): Step =>
        (out) => (out.byte(added), Buffer.from([added])),
    ),
  )
  const property = fc.property(fc.array(fc.array(step)), (flushes) => {
    const out = new Gathered()
    return flushes.every((steps) => {
      const expected = Buffer.concat(steps.map((each) => each(out)))
      return out.sizeBytes === expected.length && out.take().equals(expected)
    })
  })
  fc.assert(property, { numRuns: 300 })
  t.pass()
})

t.test('what goes out as JSON steers no terminal, whatever the field', async (t) => {
  const print = printerFor({
    json: true,
    forTerminal: false,
    width: 80,
    paint: paintFor({}, {}),
    showTopic: true,
  })
  const property = fc.property(rawRecord, (record) => {
    const line = printedBy(print, [placed(record)]).toString()
    return /^[^\n]*\n$/.test(line) && !/[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069]/u.test(line)
  })
  fc.assert(property, { numRuns: 1000 })
  t.pass()
})
