// The calculations, parsers and charts of the comparison: no server is started.

import t from '../../protocol/testing/tap.ts'
import { Unavailable } from '../report.ts'
import { busySecondsIn, cpuSecondsIn } from '../usage.ts'
import type { Case, Sample } from './case.ts'
import { caseNames, choose } from './cases/index.ts'
import { barChart } from './chart.ts'
import {
  parseConsumerPerformance,
  parseEndToEndLatency,
  parseProducerPerformance,
} from './java-tools.ts'
import { kafkaSynced } from './kafka.ts'
import { millrace } from './millrace.ts'
import { meaningOfNatsLine, nats } from './nats.ts'
import type { Setting } from './peer.ts'
import { meaningOfRedisLine } from './redis.ts'
import {
  baselineOf,
  caseNameIn,
  caseResult,
  missingIn,
  worseThan,
  type Results,
} from './results.ts'
import { PeerWorld, runCase } from './rounds.ts'
import { isMet, isNoisy, ratioOf } from './statistics.ts'
import { caseMarkdown, digits, readmeMarkdown, resultsMarkdown, verdict } from './table.ts'

const example: Case = {
  name: 'produce-64k-100b-1p',
  title: 'an example',
  settings: [millrace, kafkaSynced],
  metrics: [
    { name: 'rate', unit: 'records/s', better: 'more' },
    { name: 'CPU', unit: 'CPU-s/GiB', better: 'less' },
  ],
  ratios: [
    { metric: 'rate', of: millrace, to: kafkaSynced, atLeast: 1.3 },
    { metric: 'CPU', of: millrace, to: kafkaSynced, atMost: 0.5 },
  ],
  measure: async () => ({}),
}

const samples = new Map<string, Sample[]>([
  ['millrace', [200, 300, 400].map((rate) => ({ rate, CPU: 1 }))],
  ['kafka, synced', [100, 150, 400].map((rate) => ({ rate, CPU: 4 }))],
])

function results(coresOfOthers = 0): Results {
  const machine = { cpu: '2 x something', node: 'v20' }
  return { machine, rounds: 3, cases: [caseResult(example, samples, coresOfOthers)] }
}

t.test('ratios are taken pair by pair', async (t) => {
  t.strictSame(ratioOf([2, 3, 8], [1, 3, 2]), { median: 2, least: 1, most: 4 })
})

t.test('what is wanted is at most or at least, or nothing', async (t) => {
  t.equal(isMet(0.5, { atMost: 0.5 }), true)
  t.equal(isMet(0.6, { atMost: 0.5 }), false)
  t.equal(isMet(1.2, { atLeast: 1.3 }), false)
  t.equal(isMet(1.2, {}), undefined)
})

t.test(
  'a ratio that changes from round to round is noisy; of five one accident each way is not',
  async (t) => {
    t.equal(isNoisy([10, 10, 11], [10, 10, 10]), false)
    t.equal(isNoisy([10, 10, 20], [10, 10, 10]), true)
    t.equal(isNoisy([5, 10, 10, 10, 90], [10, 10, 10, 10, 10]), false)
    t.equal(isNoisy([NaN, NaN], [1, 1]), true)
  },
)

t.test('a result has medians, and only the ratios of what was measured', async (t) => {
  const result = caseResult(example, samples, 0)
  t.strictSame(result.settings[0]!.medians, { rate: 300, CPU: 1 })
  t.match(result.ratios, [
    { metric: 'rate', median: 2, least: 1, most: 2, isMet: true, isNoisy: true },
    { metric: 'CPU', median: 0.25, isMet: true, isNoisy: false },
  ])
  const alone = new Map([...samples].slice(0, 1))
  t.strictSame(caseResult(example, alone, 0).ratios, [])
})

t.test(
  'settings take turns, forwards and backwards; what is not installed is left out',
  async (t) => {
    const turns: string[] = []
    const bench: Case = {
      ...example,
      settings: [millrace, kafkaSynced, nats],
      async measure(setting) {
        turns.push(setting.name)
        if (setting === nats) throw new Unavailable('install it')
        return { rate: turns.length, CPU: 1 }
      },
    }
    await using world = new PeerWorld(t.testdir(), 1)
    const missing: string[] = []
    const onUnavailable = (_setting: Setting, reason: string) => missing.push(reason)
    const { settings } = await runCase(bench, world, { warmUps: 1, rounds: 2, onUnavailable })
    t.equal(
      turns.join('; '),
      'nats, not synced; kafka, synced; millrace; millrace; kafka, synced; kafka, synced; millrace',
    )
    t.strictSame(missing, ['install it'])
    t.strictSame(
      settings.map(({ name, rounds }) => [name, rounds.map(({ rate }) => rate)]),
      [
        ['millrace', [4, 7]],
        ['kafka, synced', [5, 6]],
      ],
      'the warm-up does not count',
    )
  },
)

t.test('the baseline keeps ratios, and hears of those that became clearly worse', async (t) => {
  const rate = 'produce-64k-100b-1p: rate, millrace / kafka, synced'
  const cpu = 'produce-64k-100b-1p: CPU, millrace / kafka, synced'
  t.strictSame(baselineOf(results()), { [cpu]: 0.25 }, 'the other one is noisy')
  t.equal(caseNameIn(rate), 'produce-64k-100b-1p')
  t.strictSame(worseThan({ [rate]: 2.4, [cpu]: 0.21 }, results()), [])
  t.strictSame(missingIn(results(), { [rate]: 3, other: 1 }), ['other'])
  t.strictSame(worseThan({ [rate]: 3, [cpu]: 0.1, other: 1 }, results()), [
    { key: rate, was: 3, is: 2 },
    { key: cpu, was: 0.1, is: 0.25 },
  ])
})

t.test('tables say what was wanted, what is noisy and when the machine was busy', async (t) => {
  t.equal(digits(1234567), '1,230,000')
  t.equal(digits(0.012345), '0.012')
  t.equal(digits(NaN), '-')
  const text = caseMarkdown(results(1.5).cases[0]!)
  t.match(text, '| millrace | 300 | 1 |')
  t.match(text, '- rate, millrace / kafka, synced: 2 (1 to 2), as wanted (>= 1.3), noisy')
  t.match(text, 'others kept 1.5 cores busy')
  t.notMatch(caseMarkdown(results().cases[0]!), 'Too busy')
  t.match(verdict(results(1.5)), /^Noisy: 1 of 1 cases .* 1 of 2 ratios/)
  t.match(resultsMarkdown(results()), '| cpu | 2 x something |')
})

t.test('the README shows one row a figure, one column a setting', async (t) => {
  const text = readmeMarkdown(results())
  t.match(text, '|  | millrace | kafka, synced |')
  t.match(text, '| CPU-s per GiB produced, 100 bytes | 1 | 4 |')
  t.notMatch(text, 'idle', 'what was not measured is not shown')
})

t.test('a chart has a bar for each setting, in proportion, and escapes names', async (t) => {
  const svg = barChart({ ...results().cases[0]!, name: 'a<b' }, 'CPU')
  const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width))
  t.equal(widths.length, 2)
  t.equal(widths[1]! / widths[0]!, 4)
  t.match(svg, 'a&lt;b: CPU, CPU-s/GiB (less is better)')
})

t.test('every case has a name of its own; names and beginnings choose', async (t) => {
  t.equal(new Set(caseNames).size, caseNames.length)
  t.ok(choose([])!.length < caseNames.length, 'long ones only when they are asked for')
  t.ok(choose(['produce-64k'])!.length >= 4)
  t.strictSame(
    choose(['partitions-100'])!.map(({ name }) => name),
    ['partitions-100'],
  )
  t.equal(choose(['produce-64k', 'no-such-case']), undefined)
})

t.test("what Kafka's tools print is understood, or refused", async (t) => {
  const produced = [
    '382105 records sent, 76359.9 records/sec (7.28 MB/sec), 2120.7 ms avg latency, 2812.0 ms max latency.',
    '2000000 records sent, 134300.295461 records/sec (12.81 MB/sec), 1513.76 ms avg latency, 3309.00 ms max latency, 1666 ms 50th, 2928 ms 95th, 3163 ms 99th, 3303 ms 99.9th.',
    '1800000 steady state records sent, 149080.669207 records/sec (14.22 MB/sec), 1407.07 ms avg latency, 2812.00 ms max latency, 1562 ms 50th, 2513 ms 95th, 2767 ms 99th, 2777 ms 99.9th.',
  ].join('\n')
  const found = { recordsPerSecond: 149080.669207, p50Ms: 1562, p99Ms: 2767 }
  t.strictSame(parseProducerPerformance(`${produced}\n`), found)
  t.throws(() => parseProducerPerformance('Error'), /printed: Error/)
  const consumed = [
    'start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec',
    '2026-11-21 13:01:01:587, 2026-11-21 13:01:03:650, 286.1023, 138.6826, 3000000, 1454192.9229, 347, 1716, 166.7263, 1748251.7483',
  ].join('\n')
  t.equal(parseConsumerPerformance(`${consumed}\n`), 1748251.7483)
  t.throws(() => parseConsumerPerformance(''), /printed/)
  t.equal(parseEndToEndLatency('0\t167.3\nAvg latency: 3.6203 ms\nPercentiles: 50th = 1'), 3.6203)
  t.throws(() => parseEndToEndLatency(''), /printed/)
})

t.test('lines of NATS: acknowledgements answer, pings are answered, errors refuse', async (t) => {
  t.equal(meaningOfNatsLine('INFO {"server_id":"x"}'), 'nothing')
  t.equal(meaningOfNatsLine('MSG inbox.a 1 28'), 'nothing')
  t.equal(meaningOfNatsLine('{"stream":"bench", "seq":12}'), 'answer')
  t.equal(meaningOfNatsLine('PONG'), 'answer')
  t.strictSame(meaningOfNatsLine('PING'), { reply: 'PONG\r\n' })
  t.match(meaningOfNatsLine('{"error":{"code":503}}'), { refusal: /503/ })
  t.match(meaningOfNatsLine("-ERR 'Unknown Protocol Operation'"), { refusal: /Unknown/ })
})

t.test('lines of Redis: an id comes after its length, errors refuse', async (t) => {
  t.equal(meaningOfRedisLine('$15'), 'nothing')
  t.equal(meaningOfRedisLine('1700000000000-0'), 'answer')
  t.equal(meaningOfRedisLine('+PONG'), 'answer')
  t.equal(meaningOfRedisLine(':1'), 'answer')
  t.strictSame(meaningOfRedisLine('-ERR no'), { refusal: '-ERR no' })
})

t.test('CPU time is read from /proc, whatever the process is called', async (t) => {
  const fields = Array.from({ length: 50 }, (_, i) => i).join(' ')
  t.equal(cpuSecondsIn(`1 (a ) b) S ${fields}`), (10 + 11) / 100)
  t.equal(busySecondsIn('cpu  100 10 50 9000 800 1 2 3 40 0\ncpu0 1 2'), 1.66)
})
