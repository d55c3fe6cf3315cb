// The pure parts of the CLI: offset ranges, formats, NDJSON, filters, input cutting, printers, exit codes.

import fc from 'fast-check'
import t from '../../protocol/testing/tap.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { systemClock, type Clock } from '../clock.ts'
import { PartialError } from '../partial-error.ts'
import { CliError, exitOf, explain } from './exit.ts'
import { compileFilter, type FilterOptions } from './filter.ts'
import { partitionList } from './flags.ts'
import { compileFormat, unescape } from './format.ts'
import { compactJson, elementTexts, indentedJson, memberText, parsedJson } from './json-text.ts'
import { lengthPrefixed, lines, pieces, type Values } from './input.ts'
import { parsePoint, parseRange, resolvePoint, startAtOf } from './offset-range.ts'
import { Gathered } from './gathered.ts'
import { Pace } from './pace.ts'
import { placed } from './placed-record.ts'
import { count, size, table } from './print.ts'
import { printerFor, type Printer, type PrinterOptions } from './printers.ts'
import { recordFromJson, recordToJson, type RawRecord } from './record-json.ts'
import { codecFor } from './serdes.ts'
import { jsonLine, paintFor, show as shown, type Paint } from './show.ts'

const NOW = Date.parse('2026-01-31T10:00:00Z')
/** The shape of a usage error. */
const usage = { name: 'CliError', exit: 'usage' }
const plain: Paint = (_, text) => shown`${text}`

function record(fields: Partial<RawRecord> = {}): RawRecord {
  return {
    topic: 'orders',
    partition: 2,
    offset: 42,
    timestamp: NOW + 7,
    key: Buffer.from('ann'),
    value: Buffer.from('{"cents":250}'),
    headers: [
      ['source', Buffer.from('web')],
      ['source', null],
    ],
    ...fields,
  }
}

/** The output after `print` has printed a record. */
function printed(print: Printer, of: RawRecord): Buffer {
  const out = new Gathered()
  print(placed(of), out)
  return out.take()
}

t.test('an offset range is read as kcat and rpk users write it', async (t) => {
  const time = (timestamp: number) => ({ kind: 'time', timestamp })
  const expected: Record<string, object> = {
    end: { from: { kind: 'end' } },
    start: { from: { kind: 'start' } },
    '42': { from: { kind: 'offset', offset: 42 } },
    '-10': { from: { kind: 'beforeEnd', count: 10 } },
    '+5': { from: { kind: 'afterStart', count: 5 } },
    '42:': { from: { kind: 'offset', offset: 42 } },
    ':end': { from: { kind: 'start' }, until: { kind: 'end' } },
    '3:9': { from: { kind: 'offset', offset: 3 }, until: { kind: 'offset', offset: 9 } },
    '-9:-3': { from: { kind: 'beforeEnd', count: 9 }, until: { kind: 'beforeEnd', count: 3 } },
    '@-1h': { from: time(NOW - 3_600_000) },
    '@-90s:-500ms': { from: time(NOW - 90_000), until: time(NOW - 500) },
    '@-2d:end': { from: time(NOW - 2 * 86_400_000), until: { kind: 'end' } },
    '@1769853600': { from: time(1_769_853_600_000) },
    '@1769853600123': { from: time(1_769_853_600_123) },
    '@2026-01-31': { from: time(Date.parse('2026-01-31')) },
    '@2026-01-31T10:00': { from: time(NOW) },
    '@2026-01-31T12:00:00.5+02:00': { from: time(NOW + 500) },
    '@2026-01-31T10:00:@2026-01-31T11:00Z': { from: time(NOW), until: time(NOW + 3_600_000) },
    '@1769853600:1769857200': { from: time(1_769_853_600_000), until: time(1_769_857_200_000) },
  }
  for (const [text, range] of Object.entries(expected))
    t.strictSame(parseRange(text, NOW), range, text)
})

t.test('a place becomes what a group takes, if a group can find it', async (t) => {
  const startAt = (text: string) => startAtOf(parsePoint(text, NOW))
  t.strictSame(['start', 'end', '42', '-10', '-0', '@-1h'].map(startAt), [
    'earliest',
    'latest',
    42,
    -10,
    'latest',
    new Date(NOW - 3_600_000),
  ])
  t.throws(() => startAt('+5'), usage)
})

t.test('what is no offset range is refused with what is one', async (t) => {
  for (const text of [
    '',
    ':',
    '@',
    'begin',
    '1:2:3',
    '--5',
    '@yesterday',
    '@-1w',
    '1.5',
    '@2026-13-45',
    '@-1h:42',
    '99999999999999999999',
  ]) {
    t.throws(() => parseRange(text, NOW), usage, text)
  }
  t.throws(() => parsePoint('1:2', NOW), usage)
  t.strictSame(parsePoint('-3', NOW), { kind: 'beforeEnd', count: 3 })
})

t.test('a place is looked up inside the bounds of a partition', async (t) => {
  const bounds = { start: 100, end: 200 }
  const at = (text: string) =>
    resolvePoint(parsePoint(text, NOW), bounds, async (ms) => (ms < NOW ? 150 : undefined))
  t.equal(await at('start'), 100)
  t.equal(await at('end'), 200)
  t.equal(await at('120'), 120)
  t.equal(await at('7'), 100, 'already deleted')
  t.equal(await at('900'), 200, 'not yet written')
  t.equal(await at('+5'), 105)
  t.equal(await at('-500'), 100)
  t.equal(await at('@-1h'), 150)
  t.equal(await at('@2030-01-01'), 200, 'nothing is as young')
})

t.test('a format names fields as kcat does, and adds nothing', async (t) => {
  const show = (format: string, fields?: Partial<RawRecord>) =>
    printed(compileFormat(format), record(fields)).toString()
  t.equal(show('%t/%p@%o %k=%v %S %K'), 'orders/2@42 ann={"cents":250} 13 3')
  t.equal(show('%s\\t%T%n'), `{"cents":250}\t${NOW + 7}\n`)
  t.equal(show('%h'), 'source=web,source=')
  t.equal(show('%d'), '2026-01-31T10:00:00.007Z')
  t.equal(show('%d{yyyy-MM-dd HH:mm:ss.SSS}|%d{HHmmss}'), '2026-01-31 10:00:00.007|100000')
  t.equal(show('%d', { timestamp: 1e18 }), '+275760-09-13T00:00:00.000Z', 'the last there is')
  t.equal(show('100%% \\\\ \\x'), '100% \\ \\x')
  t.equal(show('[%k][%v] %S %K', { key: null, value: null }), '[][] -1 -1')
  const bytes = Buffer.from([0, 255, 10])
  t.strictSame(
    printed(compileFormat('%v'), record({ value: bytes })),
    bytes,
    'binary values stay what they are',
  )
  t.throws(() => compileFormat('%y'), /'%y'.*%t %p %o/)
  t.throws(() => compileFormat('50%'), usage)
  t.equal(unescape('\\t:\\\\'), '\t:\\')
})

t.test('NDJSON carries every record there and back', async (t) => {
  const binary = Buffer.from([0xff, 0x00, 0x80])
  const cases: Partial<RawRecord>[] = [
    {},
    { key: null, value: null, headers: [] },
    { value: Buffer.alloc(0) },
    { value: Buffer.from('\ufeffwith a BOM, "quotes" and \n lines') },
    { key: binary, value: binary, headers: [['bytes', binary]] },
    { value: Buffer.from('"a string in JSON"') },
  ]
  for (const fields of cases) {
    const { key, value, headers, timestamp } = record(fields)
    const line = recordToJson(record(fields)).text
    t.match(line, /^[^\n]*\n$/)
    t.strictSame(recordFromJson(line), { key, value, headers, timestamp }, line)
  }
  t.same(JSON.parse(recordToJson(record({ value: binary })).text), {
    topic: 'orders',
    partition: 2,
    offset: 42,
    timestamp: NOW + 7,
    key: 'ann',
    value: '/wCA',
    headers: [
      ['source', 'web'],
      ['source', null],
    ],
    encoding: { value: 'base64' },
  })
})

t.test('NDJSON with a serde shows values as they are meant', async (t) => {
  const msgpack = await codecFor('msgpack')
  const packed = record({ value: msgpack.fromJson('{"cents":250,"tags":["a"]}') })
  const line = recordToJson(packed, msgpack).text
  t.same(JSON.parse(line).value, { cents: 250, tags: ['a'] })
  t.strictSame(recordFromJson(line, msgpack).value, packed.value)
  t.same(JSON.parse(recordToJson(record(), await codecFor('json')).text).value, { cents: 250 })
  t.strictSame(
    recordFromJson('{"value":{"cents":1}}').value,
    Buffer.from('{"cents":1}'),
    'an object is sent as JSON',
  )
  t.strictSame(
    recordFromJson('{"value":"AAE="}', await codecFor('bytes')).value,
    Buffer.from([0, 1]),
  )
})

t.test('numbers pass as the text that they are', async (t) => {
  const value = '{"id":9007199254740993,"price":1.10,"far":1e400,"deep":[{"a":-0}]}'
  const json = await codecFor('json')
  const stored = record({ value: Buffer.from(value), headers: [] })
  const line = recordToJson(stored, json).text
  t.match(line, `"value":${value},"headers"`)
  t.equal(recordFromJson(line, json).value?.toString(), value)
  t.equal(recordFromJson(`{"value": ${value.replaceAll(',', ' , ')} }`).value?.toString(), value)
  const numbers = '{"key":9007199254740993,"headers":[["n", 1e400],["a",[1.10, "]"]]]}'
  const { key, headers } = recordFromJson(numbers)
  t.equal(key?.toString(), '9007199254740993')
  t.strictSame(
    headers.map(([, bytes]) => bytes?.toString()),
    ['1e400', '[1.10,"]"]'],
  )
  const onTerminal = { forTerminal: true, width: 200, paint: plain, showTopic: false }
  t.match(String(printed(printerFor(onTerminal), stored)), value)
  const packed = Buffer.from('81a26964cf0020000000000001', 'hex')
  const msgpack = await codecFor('msgpack')
  t.equal(msgpack.toJson(packed), '{"id":9007199254740993}', 'msgpack, int64')
})

t.test(
  'JSON is laid out, compacted and taken apart as JSON.stringify and JSON.parse would',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.constantFrom(0, 1, 4), async (value, space) => {
        const json = JSON.stringify(value)
        const text = JSON.stringify(value, null, space)
        t.ok(compactJson(text) === json, json)
        t.ok(indentedJson(json) === JSON.stringify(value, null, 2), json)
        const texts = elementTexts(JSON.stringify([value, [value], value], null, space))
        t.strictSame(
          texts.map((each) => JSON.parse(each) as unknown),
          [value, [value], value].map((each) => JSON.parse(JSON.stringify(each)) as unknown),
        )
        const name = 'a "name"'
        const member = memberText(
          JSON.stringify({ a: [name], [name]: value, z: { [name]: 1 } }, null, space),
          name,
        )
        t.ok(compactJson(member!) === json, json)
      }),
      { numRuns: 100 },
    )
    t.equal(memberText('{"a":1}', 'b'), undefined)
    t.equal(memberText('{"a":1,"a":2}', 'a'), '2')
  },
)

t.test('nothing that others wrote steers a terminal, in any shape', async (t) => {
  const hostile = '\u001b[2J\u009b31m\u0007\u202e'
  const wild = /[^\P{Cc}\t\n]|\u202e/u
  const fields = {
    topic: hostile,
    key: Buffer.from(hostile),
    value: Buffer.from(`{"a":"${hostile.slice(4)}"}`),
  }
  const msgpack = await codecFor('msgpack')
  const values = [fields.value, Buffer.from(hostile), msgpack.fromJson(JSON.stringify([hostile]))]
  for (const value of values) {
    for (const codec of [undefined, await codecFor('string'), msgpack]) {
      const read = {
        ...record({ ...fields, value }),
        headers: [[hostile, Buffer.from(hostile)]] as const,
      }
      for (const options of [{ json: true }, { forTerminal: true, showTopic: true }]) {
        const printer = printerFor({
          forTerminal: false,
          width: 80,
          paint: plain,
          showTopic: false,
          codec: value === values[2] ? msgpack : codec === msgpack ? undefined : codec,
          ...options,
        })
        t.notMatch(String(printed(printer, read)), wild)
      }
    }
  }
  t.notMatch(table([hostile], [[hostile]], plain).text, wild)
  const painted = paintFor({ isTTY: true }, {})('red', hostile).text
  t.notMatch(painted.slice(5, -4), wild, 'inside of our own colour')
  t.equal(JSON.parse(jsonLine({ a: hostile }).text).a, hostile, 'JSON still means the same')
  t.notMatch(jsonLine({ a: hostile }).text, wild)
})

t.test('a line that is no record says what is wrong with it', async (t) => {
  const wrong = {
    'plain text': /not a record in JSON/,
    '[1]': /not an object/,
    '{"timestamp":"now"}': /timestamp/,
    '{"headers":{"a":"b"}}': /headers/,
    '{"value":1,"encoding":{"value":"base64"}}': /value is not a base64 string/,
  }
  for (const [line, message] of Object.entries(wrong))
    t.throws(() => recordFromJson(line), { message }, line)
})

t.test('filters hold together: key, grep and a CEL expression', async (t) => {
  const complaints: string[] = []
  const passes = async (options: FilterOptions, fields?: Partial<RawRecord>) =>
    (await compileFilter(options, undefined, (message) => complaints.push(message)))(record(fields))
  t.ok(await passes({}))
  t.ok(await passes({ key: 'ann' }))
  t.notOk(await passes({ key: 'bob' }))
  t.notOk(await passes({ key: 'ann' }, { key: null }))
  t.ok(await passes({ grep: 'cents":2\\d+' }))
  t.notOk(await passes({ grep: 'euros' }))
  t.notOk(await passes({ grep: '.*' }, { value: null }), 'a tombstone has nothing to match')
  t.ok(await passes({ filter: 'value.cents > 100 && key == "ann" && headers.source == null' }))
  t.ok(
    await passes({
      filter: 'topic == "orders" && partition == 2 && offset >= 42 && timestamp > 0',
    }),
  )
  t.ok(await passes({ filter: 'value == null' }, { value: null }))
  t.ok(await passes({ filter: 'value.startsWith("plain")' }, { value: Buffer.from('plain text') }))
  t.notOk(await passes({ key: 'ann', grep: 'cents', filter: 'value.cents > 1000' }))
  t.same(complaints, [])
  t.notOk(await passes({ filter: 'value.euros > 1' }), 'what cannot be told does not pass')
  t.same(complaints, ['No such key: euros'])
  await t.rejects(passes({ filter: 'value.cents >' }), usage)
  await t.rejects(passes({ filter: 'process.exit(1)' }), /process/)
  await t.rejects(passes({ grep: '(' }), usage)
  await t.rejects(passes({ grep: 'x'.repeat(1025) }), /1024/)
})

t.test('a filter sees JSON where a value is JSON, else its text, else its bytes', async (t) => {
  const passes = async (filter: string, fields: Partial<RawRecord>) =>
    (await compileFilter({ filter }, undefined, (message) => t.fail(message)))(record(fields))
  const value = (text: string) => ({ value: Buffer.from(text) })
  t.ok(await passes('value == null', value('null')))
  t.ok(await passes('value == 25.0 && value < 26.0', value(' 25\n')))
  t.ok(await passes('value[1] == "b"', value('["a", "b"]')))
  t.ok(await passes('value == "quoted"', value('"quoted"')))
  t.ok(await passes('value == "0 the quick"', value('0 the quick')))
  t.ok(await passes('value == "{cents: 1}"', value('{cents: 1}')))
  t.ok(await passes('type(value) == bytes', { value: Buffer.from([0xff]) }))
  t.ok(
    await passes('headers.n == null && headers.s == "x"', {
      headers: [
        ['n', null],
        ['s', Buffer.from('x')],
      ],
    }),
  )
})

t.test('text is JSON exactly where JSON.parse says so', async (t) => {
  const near = fc.stringMatching(/^[ \t\n\r\v]*[-+]?[[\]{}"0-9.eEtrufalsn:, \\]*[ \n]*$/)
  fc.assert(
    fc.property(fc.oneof(fc.json(), near, fc.string()), (text) => {
      let expected: unknown
      try {
        expected = JSON.parse(text)
      } catch {
        expected = undefined
      }
      return JSON.stringify(parsedJson(text)) === JSON.stringify(expected)
    }),
    { numRuns: 3000 },
  )
  t.equal(Error.stackTraceLimit > 0, true)
})

/** The cutter's values of `input`, however it is cut into chunks. */
async function cut(
  cutter: (input: AsyncIterable<Buffer>) => Values,
  input: Buffer,
  chunkBytes: number,
): Promise<Buffer[]> {
  async function* chunks(): AsyncIterable<Buffer> {
    for (let at = 0; at < input.length; at += chunkBytes) yield input.subarray(at, at + chunkBytes)
  }
  const values: Buffer[] = []
  for await (const some of cutter(chunks())) values.push(...some)
  return values
}

t.test('input is cut into the same values at every chunk size', async (t) => {
  const text = Buffer.from('one\n\ntwo\r\nünï\nlast')
  const texts = ['one', '', 'two\r', 'ünï', 'last']
  const prefixed = Buffer.concat(
    texts.flatMap((value) => [
      Buffer.from([0, 0, 0, Buffer.byteLength(value)]),
      Buffer.from(value),
    ]),
  )
  for (let chunkBytes = 1; chunkBytes <= prefixed.length; chunkBytes++) {
    t.same(
      (await cut(lines, text, chunkBytes)).map(String),
      texts,
      `lines, chunks of ${chunkBytes}`,
    )
    t.same(
      (await cut(lengthPrefixed, prefixed, chunkBytes)).map(String),
      texts,
      `prefixed, chunks of ${chunkBytes}`,
    )
    const parts = await cut((input) => pieces(input, 7), text, chunkBytes)
    t.same(
      parts.map(({ length }) => length),
      [7, 7, text.length - 14],
    )
    t.ok(Buffer.concat(parts).equals(text))
  }
  t.same(
    (await cut(lines, Buffer.from('a\n'), 10)).map(String),
    ['a'],
    'a last newline begins no value',
  )
  t.same(await cut(lines, Buffer.alloc(0), 10), [])
  await t.rejects(cut(lengthPrefixed, prefixed.subarray(0, -1), 5), {
    message: /ends inside a value: 1 bytes/,
  })
  await t.rejects(cut(lengthPrefixed, Buffer.from([255, 0, 0, 0]), 5), { message: /--raw/ })
})

t.test('records are printed for a person, a pipe or a program', async (t) => {
  const show = (options: Partial<PrinterOptions>, fields?: Partial<RawRecord>) =>
    printed(
      printerFor({ forTerminal: false, width: 80, paint: plain, showTopic: false, ...options }),
      record(fields),
    ).toString()
  t.equal(show({}), '{"cents":250}\n', 'a pipe gets the value and a newline')
  t.equal(show({}, { value: null }), '\n')
  t.equal(show({ raw: true }), '{"cents":250}')
  t.equal(show({ lengthPrefixed: true }, { value: Buffer.from('ab') }), '\0\0\0\x02ab')
  t.equal(show({ format: '%k' }), 'ann')
  t.equal(JSON.parse(show({ json: true })).offset, 42)
  t.equal(
    show({ codec: await codecFor('json') }, { value: Buffer.from('{ "a" : 1 }') }),
    '{"a":1}\n',
  )
  const head = '2:42  10:00:00.007  ann'
  const forTerminal = true
  t.equal(show({ forTerminal }), `${head}  source=web  source=  {"cents":250}\n`)
  t.match(show({ forTerminal, width: 20 }, { headers: [] }), `${head}  {\n  "cents": 250\n}\n`)
  t.equal(
    show({ forTerminal, showTopic: true }, { headers: [], value: null }),
    `orders ${head}  (tombstone)\n`,
  )
  t.equal(
    show({ forTerminal }, { headers: [], value: Buffer.from('\u001b[2Jboo\u0007') }),
    `${head}  \\x1b[2Jboo\\x07\n`,
  )
  t.match(show({ forTerminal }, { headers: [], value: Buffer.alloc(99, 255) }), '0xffff')
  const aligned = printerFor({ forTerminal, width: 80, paint: plain, showTopic: false })
  printed(aligned, record({ offset: 1000, key: Buffer.from('longer key') }))
  t.match(String(printed(aligned, record({ headers: [] }))), /^2:42    10:00:00.007  ann {9}\{/)
})

t.test('colour is for terminals, unless the environment says otherwise', async (t) => {
  const isPainted = (isTTY: boolean, env: NodeJS.ProcessEnv) =>
    paintFor({ isTTY }, env)('red', 'x').text !== 'x'
  t.equal(isPainted(true, {}), true)
  t.equal(isPainted(false, {}), false)
  t.equal(isPainted(true, { NO_COLOR: '1' }), false)
  t.equal(isPainted(true, { NO_COLOR: '' }), true)
  t.equal(isPainted(false, { FORCE_COLOR: '1' }), true)
  t.equal(isPainted(true, { FORCE_COLOR: '0' }), false)
  t.equal(isPainted(true, { FORCE_COLOR: '1', NO_COLOR: '1' }), false)
  t.match(
    printed(
      printerFor({
        forTerminal: true,
        width: 80,
        paint: paintFor({ isTTY: true }, {}),
        showTopic: false,
      }),
      record(),
    ).toString(),
    '\u001b[34m"cents"\u001b[0m:\u001b[33m250\u001b[0m',
  )
})

t.test('tables align text to the left and numbers to the right', async (t) => {
  t.equal(
    table(
      ['TOPIC', 'RECORDS'],
      [
        ['a', 1],
        ['longer', 1_234_567],
      ],
      plain,
    ).text,
    'TOPIC     RECORDS\na               1\nlonger  1,234,567\n',
  )
  for (const n of [0, 12, 999, 1_000, -1_234, 12_345_678.000_4, 0.123_4, 1e15, 2_500.5])
    t.equal(count(n), n.toLocaleString('en-US'))
  t.equal(size(512), '512 B')
  t.equal(size(1536), '1.5 KiB')
  t.equal(size(3 * 1024 ** 4 * 1024), '3072.0 TiB')
  t.equal(shown`${'a\tb\nc\r\u009b\u202e'}`.text, 'a\tb\nc\\x0d\\x9b\\u202e')
})

t.test('an error decides the exit code', async (t) => {
  const unknown = new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', 'no topic t')
  t.equal(exitOf(new CliError('usage', 'x')), 'usage')
  t.equal(exitOf(unknown), 'notFound')
  t.equal(exitOf(new KafkaError('TOPIC_AUTHORIZATION_FAILED', 'x')), 'notAuthorised')
  t.equal(exitOf(new KafkaError('BROKER_NOT_AVAILABLE', 'x')), 'unreachable')
  t.equal(exitOf(new KafkaError('REQUEST_TIMED_OUT', 'x')), 'unreachable')
  t.equal(exitOf(new KafkaError('MESSAGE_TOO_LARGE', 'x')), 'failed')
  t.equal(exitOf(new TypeError('x')), 'failed')
  t.equal(exitOf(new PartialError([unknown, unknown])), 'notFound', 'all failed')
  t.equal(exitOf(new PartialError([unknown, {}])), 'partial')
  t.equal(
    explain(new PartialError([unknown, {}, unknown]), false),
    `${unknown.message}\n${unknown.message}`,
  )
  t.equal(
    explain(new PartialError([unknown]), false),
    unknown.message,
    'a single failure is told as itself',
  )
  const caused = new Error('outer', { cause: new Error('inner') })
  t.equal(explain(caused, false), 'outer')
  t.match(explain(caused, true), /outer\n[^]*caused by Error: inner/)
})

t.test('flags that name partitions take lists and ranges', async (t) => {
  t.same(partitionList('0'), [0])
  t.same(partitionList('0,2-4', [9]), [9, 0, 2, 3, 4])
  t.throws(() => partitionList('first'), { code: 'commander.invalidArgument' })
})

t.test('a pace spreads records evenly over the second', async (t) => {
  let now = 5_000
  const clock: Clock = { ...systemClock, monotonic: () => now }
  const pace = new Pace(100, clock)
  t.equal(pace.take(), 0)
  t.equal(pace.take(), 10)
  t.equal(pace.take(), 20)
  now += 1_000
  t.equal(pace.take(), -970, 'late: goes at once')
})
