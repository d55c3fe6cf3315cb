// The table of topic configurations: accepted values, refused ones, and the messages.

import fc from 'fast-check'
import t from '../protocol/testing/tap.ts'
import { KafkaError } from '../protocol/errors.ts'
import {
  logConfig,
  parseTopicConfig,
  topicConfigNames,
  topicConfigs,
  topicDefaults,
  type ConfigSpec,
} from './config.ts'
import { nearestName } from './nearest-name.ts'

/** The message of the INVALID_CONFIG that `act` is refused with. */
function messageOfRefused(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof KafkaError && error.code === 'INVALID_CONFIG') return error.message
    throw error
  }
  throw new Error('it was not refused')
}

const parse = (name: string, text: string) => parseTopicConfig({ [name]: text })

t.test('every default is allowed, and every row says what it is for', async (t) => {
  for (const name of topicConfigNames) {
    const spec: ConfigSpec = topicConfigs[name]
    t.not(spec.parse(spec.default), undefined, `${name}=${spec.default}`)
    t.match(spec.documentation, /^[A-Z].+\.$/s, name)
    t.not(spec.allowed, '', name)
  }
  t.strictSame(topicConfigNames, [...topicConfigNames].sort(), 'in order of name')
})

t.test('without overrides a topic has the defaults of Kafka', async (t) => {
  const config = parseTopicConfig({})
  t.equal(config['retention.ms'], 604_800_000)
  t.strictSame(config['cleanup.policy'], ['delete'])
  t.equal(config['max.message.bytes'], 1_048_588)
  t.equal(config['min.cleanable.dirty.ratio'], 0.5)
  t.equal(config.preallocate, false)
  t.strictSame(logConfig(config), {
    segmentBytesMax: 1_073_741_824,
    segmentMs: 604_800_000,
    segmentJitterMs: 0,
    indexIntervalBytes: 4096,
    indexBytesMax: 10_485_760,
    flushPolicy: 'fsync',
    timestampType: 'CreateTime',
    fileDeleteDelayMs: 60_000,
    records: {
      isEachChecked: true,
      isKeyRequired: false,
      decompressedBytesMax: 67_108_864,
      timestampBeforeMaxMs: 2 ** 63,
      timestampAfterMaxMs: 3_600_000,
    },
    isCompacted: false,
  })
})

t.test('an override beats the default of the broker, which beats that of Kafka', async (t) => {
  const defaults = { 'segment.bytes': '1000', 'flush.policy': 'os' }
  const config = parseTopicConfig({ 'segment.bytes': '2000' }, defaults)
  t.equal(config['segment.bytes'], 2000)
  t.equal(config['flush.policy'], 'os')
})

t.test('a value is refused with its name, its text and what is allowed', async (t) => {
  const cases: [name: string, texts: string[], allowed: RegExp][] = [
    [
      'segment.bytes',
      ['', '13', '2147483648', '1e9', '1.5', '0x10', 'many'],
      /want 14 to 2147483647 \(int\)/,
    ],
    [
      'retention.ms',
      ['-2', '9223372036854775808', '99999999999999999999'],
      /want -1 to 9223372036854775807 \(long\)/,
    ],
    ['min.cleanable.dirty.ratio', ['', '-0.1', '1.01', 'half', 'NaN'], /want 0 to 1 \(double\)/],
    ['preallocate', ['', 'yes', '1'], /want true or false \(boolean\)/],
    [
      'message.timestamp.type',
      ['', 'createtime', 'CreateTime,LogAppendTime'],
      /want one of CreateTime, LogAppendTime/,
    ],
    [
      'cleanup.policy',
      ['delete,', ',', 'Delete', 'shrink'],
      /want any of delete, compact, or nothing \(list\)/,
    ],
    ['flush.policy', ['never'], /want one of fsync, os/],
  ]
  for (const [name, texts, allowed] of cases) {
    for (const text of texts) {
      const message = messageOfRefused(() => parse(name, text))
      t.match(message, allowed, `${name}=${text}`)
      t.ok(message.includes(`${name}=${text}`), message)
    }
  }
})

t.test(
  'values are taken as Kafka takes them: spaces around them, any case of a boolean',
  async (t) => {
    t.equal(parse('segment.bytes', ' 2147483647 ')['segment.bytes'], 2_147_483_647)
    t.equal(parse('retention.ms', '-1')['retention.ms'], -1)
    t.ok(parse('retention.ms', '9223372036854775807')['retention.ms'] > Number.MAX_SAFE_INTEGER)
    t.equal(parse('preallocate', 'TRUE').preallocate, true)
    t.strictSame(parse('cleanup.policy', 'compact, delete')['cleanup.policy'], [
      'compact',
      'delete',
    ])
  },
)

t.test('an unknown name is refused with the nearest known one', async (t) => {
  t.match(
    messageOfRefused(() => parse('retention.msec', '1')),
    /unknown topic configuration retention.msec; did you mean retention.ms\?/,
  )
  t.match(
    messageOfRefused(() => parse('segment_bytes', '1')),
    /did you mean segment.bytes\?/,
  )
  t.notMatch(
    messageOfRefused(() => parse('colour', 'red')),
    /did you mean/,
  )
  for (const name of ['__proto__', 'constructor', 'toString', 'x'.repeat(10_000)]) {
    t.ok(
      messageOfRefused(() => parseTopicConfig(JSON.parse(`{${JSON.stringify(name)}:"1"}`))).length <
        400,
      name.slice(0, 20),
    )
  }
})

t.test('broker properties set the defaults of topics, the one in ms before hours', async (t) => {
  t.strictSame(
    topicDefaults({
      'log.retention.hours': '2',
      'message.max.bytes': '2000',
      'log.dirs': '/x',
      'flush.policy': 'os',
    }),
    { 'max.message.bytes': '2000', 'flush.policy': 'os', 'retention.ms': '7200000' },
  )
  t.strictSame(topicDefaults({ 'log.retention.ms': '5', 'log.retention.minutes': '3' }), {
    'retention.ms': '5',
  })
  t.strictSame(topicDefaults({ 'log.retention.hours': '-1' }), { 'retention.ms': '-1' })
  t.match(
    messageOfRefused(() => topicDefaults({ 'log.segment.bytes': '1' })),
    /log.segment.bytes=1: want 14 to/,
  )
})

t.test('the nearest name is that with the fewest edits, and only if it is near', async (t) => {
  t.equal(nearestName('port', ['sort', 'ports', 'http.port']), 'sort')
  t.equal(nearestName('flush.polcy', ['flush.policy', 'flush.ms']), 'flush.policy')
  t.equal(nearestName('abcdef', ['uvwxyz']), undefined)
  fc.assert(
    fc.property(
      fc.string({ maxLength: 20 }),
      fc.array(fc.string({ maxLength: 20 })),
      (name, others) => {
        return (
          nearestName(name, [...others, name]) === name ||
          others.includes(nearestName(name, [...others, name]) ?? '')
        )
      },
    ),
  )
})
