// Every version of every table, by property: round trips, truncation, unknown tags, hostile bytes.

import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import t from './testing/tap.ts'
import { metadata } from './api/03_metadata.ts'
import { apiByKey, apis } from './apis.ts'
import { decode, decodeInSlices, encode, encodeInSlices } from './compile.ts'
import { KafkaError } from './errors.ts'
import { encodeRequestFrame, readRequestHeader, skipHeaderTags } from './frame.ts'
import { includes, int8, message, string, struct, type Message, type Shape } from './schema.ts'
import { defaultOf, valuesOf, withoutUnknown, withUnknownTags } from './testing/arbitraries.ts'
import { budget } from './testing/budget.ts'
import { mulberry32, mutated, pick } from './testing/mutations.ts'
import { SEED } from './testing/seed.ts'
import { FRAME_ELEMENTS_MAX, Reader, Writer } from './wire.ts'

const RUNS_PER_VERSION = budget(4, 40, 'RUNS')
const HOSTILE_FRAMES = budget(30_000, 1_000_000, 'FRAMES')
const HEAP_GROWTH_BYTES_MAX = 8 << 20

t.comment(`SEED=${SEED}`)

interface Version {
  readonly message: Message<any>
  readonly version: number
  readonly title: string
}

const everyVersion: Version[] = apis.flatMap((api) =>
  [api.request, api.response].flatMap((message) => versionsOf(message)),
)

function versionsOf(message: Message<any>): Version[] {
  const { from, to } = message.versions
  return Array.from({ length: to - from + 1 }, (_, i) => {
    return { message, version: from + i, title: `${message.name} v${from + i}` }
  })
}

function encoded(message: Message<any>, version: number, value: any): Buffer {
  const writer = new Writer()
  encode(message, version, writer, value)
  return Buffer.concat(writer.chunks())
}

function sample({ message, version }: Version, count: number): Buffer[] {
  const values = fc.sample(valuesOf(message, version), { numRuns: count, seed: SEED })
  return values.map((value) => encoded(message, version, value))
}

function isMalformed(error: unknown): boolean {
  return error instanceof KafkaError && error.code === 'INVALID_REQUEST'
}

t.test('the tables are sorted by key, and each is found by its key', async (t) => {
  const keys = apis.map((api) => api.key)
  t.same(
    keys,
    [...new Set(keys)].sort((a, b) => a - b),
  )
  for (const api of apis) t.equal(apiByKey(api.key), api)
  t.equal(apiByKey(999), undefined)
})

t.test('what is encoded decodes to the same value, in every version', async (t) => {
  for (const { message, version, title } of everyVersion) {
    const roundTrip = fc.property(valuesOf(message, version), (value) => {
      const bytes = encoded(message, version, value)
      const reader = new Reader(bytes)
      assert.deepStrictEqual(decode(message, version, reader), value)
      assert.equal(reader.remaining, 0)
      assert.equal(encoded(message, version, value).equals(bytes), true)
    })
    t.doesNotThrow(() => fc.assert(roundTrip, { numRuns: RUNS_PER_VERSION, seed: SEED }), title)
  }
})

t.test('pauses between elements change nothing, in every version', async (t) => {
  for (const { message, version, title } of everyVersion) {
    const paused = fc.property(valuesOf(message, version), (value) => {
      const bytes = encoded(message, version, value)
      let pauseCount = 0
      const isDue = () => pauseCount++ >= 0
      assert.deepStrictEqual(
        finished(decodeInSlices(message, version, new Reader(bytes), isDue)),
        value,
      )
      const writer = new Writer()
      finished(encodeInSlices(message, version, writer, value, isDue))
      assert.equal(Buffer.concat(writer.chunks()).equals(bytes), true)
    })
    t.doesNotThrow(() => fc.assert(paused, { numRuns: RUNS_PER_VERSION / 4, seed: SEED }), title)
  }
  const topics = Array.from({ length: 5 }, () => ({ name: 't' }))
  const bytes = encoded(metadata.request, 12, { topics })
  const steps = decodeInSlices(metadata.request, 12, new Reader(bytes), () => true)
  for (let i = 0; i < topics.length; i++)
    t.equal(steps.next().done, false, 'one after each element')
  t.equal(steps.next().done, true)
})

function finished<Result>(steps: Generator<void, Result>): Result {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

t.test('an optional field that is left out is sent as its default', async (t) => {
  for (const { message, version, title } of everyVersion) {
    const fields = Object.entries(message.fields as Shape)
    const required = Object.fromEntries(
      fields
        .filter(([, field]) => !field.options.optional)
        .map(([name, field]) => [name, defaultOf(field)]),
    )
    const full = Object.fromEntries(fields.map(([name, field]) => [name, defaultOf(field)]))
    t.same(encoded(message, version, required), encoded(message, version, full), title)
  }
})

t.test('a message cut off at any byte is refused', async (t) => {
  for (const each of everyVersion) {
    for (const bytes of sample(each, 2)) {
      for (let end = 0; end < bytes.length; end++) {
        const reader = new Reader(bytes.subarray(0, end))
        assert.throws(
          () => decode(each.message, each.version, reader),
          isMalformed,
          `${each.title} at ${end}`,
        )
      }
    }
    t.pass(each.title)
  }
})

t.test('unknown tagged fields are skipped, in every struct', async (t) => {
  for (const { message, version, title } of everyVersion) {
    if (!includes(message.flexible, version)) continue
    const later = withUnknownTags(message)
    const skipped = fc.property(valuesOf(later, version), (value) => {
      const reader = new Reader(encoded(later, version, value))
      assert.deepStrictEqual(decode(message, version, reader), withoutUnknown(value))
      assert.equal(reader.remaining, 0)
    })
    t.doesNotThrow(() => fc.assert(skipped, { numRuns: RUNS_PER_VERSION / 2, seed: SEED }), title)
  }
})

t.test(
  'a nullable struct is preceded by a byte, and by nothing where it may not be null',
  async (t) => {
    const table = message({
      name: 'Cursor',
      versions: '0-2',
      flexible: '1+',
      fields: { cursor: struct({ topic: string }).orNull('1+'), end: int8 },
    })
    const hex = (version: number, value: any) => encoded(table, version, value).toString('hex')
    t.equal(hex(0, { cursor: { topic: 't' }, end: 7 }), '000174' + '07')
    t.equal(hex(1, { cursor: { topic: 't' }, end: 7 }), '01' + '0274' + '00' + '07' + '00')
    t.equal(hex(1, { cursor: null, end: 7 }), 'ff' + '07' + '00')
    t.throws(() => hex(0, { cursor: null, end: 7 }), { code: 'UNSUPPORTED_VERSION' })
    for (const value of [
      { cursor: null, end: 7 },
      { cursor: { topic: 't' }, end: 7 },
    ]) {
      t.same(decode(table, 2, new Reader(encoded(table, 2, value))), value)
    }
  },
)

t.test('a version that the table lacks is refused by name', async (t) => {
  for (const version of [-1, 14, 1.5, NaN]) {
    t.throws(() => decode(metadata.request, version, new Reader(Buffer.alloc(9))), {
      code: 'UNSUPPORTED_VERSION',
      message: /MetadataRequest version .*, 0 to 13 are known/,
    })
  }
})

t.test('a count is believed only as far as the frame can hold it', async (t) => {
  const huge = { classic: '7fffffff', compact: 'ffffffff0f' }
  const heapBefore = process.memoryUsage().heapUsed
  for (const [version, count] of [
    [1, huge.classic],
    [12, huge.compact],
  ] as const) {
    const bytes = Buffer.concat([Buffer.from(count, 'hex'), Buffer.alloc(1000)])
    t.throws(() => decode(metadata.request, version, new Reader(bytes)), {
      code: 'INVALID_REQUEST',
    })
  }
  t.throws(() => decode(metadata.request, 1, new Reader(Buffer.from('fffffffe', 'hex'))), {
    code: 'INVALID_REQUEST',
    message: /array of -2 elements/,
  })
  t.ok(process.memoryUsage().heapUsed - heapBefore < 1 << 20)

  const elements = FRAME_ELEMENTS_MAX + 1
  const full = Buffer.alloc(4 + 2 * elements)
  full.writeInt32BE(elements)
  t.throws(() => decode(metadata.request, 1, new Reader(full)), {
    message: /more than 2000000 array elements/,
  })
  t.throws(
    () => decode(metadata.request, 1, new Reader(full.fill(0, 0, 2).fill(1, 2, 4), 0, 200)),
    {
      message: /more than 200 array elements/,
    },
  )
})

t.test('a struct has 10,000 tagged fields at most, known and unknown ones', async (t) => {
  const tags = (count: number) => {
    const writer = new Writer()
    writer.uvarint(count)
    return Buffer.concat([...writer.chunks(), Buffer.alloc(2 * count).fill('7f00', 'hex')])
  }
  for (const skip of [true, false]) {
    const read = (count: number) => {
      const head = skip ? '01' + '01' + '00' : '01'
      const bytes = Buffer.concat([Buffer.from(head, 'hex'), tags(count)])
      const table = skip ? metadata.request : tagged
      return decode(table as Message<any>, 12, new Reader(bytes))
    }
    t.ok(read(10_000))
    t.throws(() => read(10_001), { message: /10001 tagged fields, 10000 are allowed/ })
  }
})

const tagged = message({
  name: 'Tagged',
  versions: '0-12',
  flexible: '0+',
  fields: { text: string, known: string.tag(0) },
})

t.test(
  'hostile frames neither crash nor stay in memory: a million with the full budget',
  async (t) => {
    Error.stackTraceLimit = 0
    t.teardown(() => (Error.stackTraceLimit = 10))
    const random = mulberry32(SEED)
    const requests = apis.flatMap((api) =>
      versionsOf(api.request).flatMap((each) => {
        const values = fc.sample(valuesOf(each.message, each.version), { numRuns: 4, seed: SEED })
        return values.map((value) => frameOf(api.key, each.version, value))
      }),
    )
    const responses = apis.flatMap((api) => versionsOf(api.response))
    const answers = responses.flatMap((each) =>
      sample(each, 4).map((bytes) => ({ ...each, bytes })),
    )
    const scratch = Buffer.alloc(64 * 1024)

    function attack(): boolean {
      try {
        if (random() < 0.5) readRequest(mutated(pick(requests, random), scratch, random))
        else {
          const { message, version, bytes } = pick(answers, random)
          decode(message, version, new Reader(mutated(bytes, scratch, random)))
        }
        return true
      } catch (error) {
        if (isMalformed(error)) return false
        if (error instanceof KafkaError && error.code === 'UNSUPPORTED_VERSION') return false
        throw error
      }
    }

    let decoded = 0
    let frames = 0
    for (; frames < HOSTILE_FRAMES / 10; frames++) if (attack()) decoded++
    const heapBefore = heapBytes()
    for (; frames < HOSTILE_FRAMES; frames++) if (attack()) decoded++
    t.comment(`${frames} frames, ${decoded} of them still decode`)
    t.ok(decoded > 0 && decoded < frames)
    t.ok(heapBytes() - heapBefore < HEAP_GROWTH_BYTES_MAX, 'the heap has not grown')
  },
)

function frameOf(key: number, version: number, value: any): Buffer {
  return Buffer.concat(encodeRequestFrame(apiByKey(key)!, version, 1, 'me', value)).subarray(4)
}

function readRequest(frame: Buffer): void {
  const reader = new Reader(frame)
  const { apiKey, apiVersion } = readRequestHeader(reader)
  const api = apiByKey(apiKey)
  if (api === undefined) throw new KafkaError('INVALID_REQUEST', `key ${apiKey}`)
  skipHeaderTags(reader, api, apiVersion)
  decode(api.request, apiVersion, reader)
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}
