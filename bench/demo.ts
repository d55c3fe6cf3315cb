// npm run demo: the main job on real data. A broker in a temporary directory receives 20,000 flights keyed by airport and
// serves them; it is killed while it receives them again; then the demo checks that no acknowledged record is lost.
// Exits 0 if all checks pass, else 1.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Client, json, string, topic, type Producer } from '../clients/index.ts'
import { count, size, table } from '../clients/cli/print.ts'
import { paintFor, show, type Shown } from '../clients/cli/show.ts'
import { judge, keysOutOfOrder, type Entry } from './demo-journal.ts'

interface Flight {
  readonly date: string
  readonly delay: number
  readonly distance: number
  readonly origin: string
  readonly destination: string
}

const flights = topic('flights', { key: string, value: json<Flight>() })
/** Each value has a number, so that all values differ. */
const replay = topic('flights-replayed', { key: string, value: string })

/** For the second sending, during which the broker is killed. */
const CHUNK_RECORDS = 200
const CHUNKS_IN_FLIGHT = 5

/** Metrics with much detail, or not about the flights. */
const UNTOLD_METRICS = /_bucket\{|request_duration|_seconds_sum|disk_free|__millrace/

const paint = paintFor(process.stdout, process.env)
const say = (text: string | Shown): void => void process.stdout.write(`${show`${text}`.text}\n`)
const title = (text: string): void => say(show`\n${paint('bold', text)}`)

const failures: string[] = []
function check(holds: boolean, text: string): void {
  say(show`${holds ? paint('green', '✓') : paint('red', '✗')} ${text}`)
  if (!holds) failures.push(text)
}

const dataDir = mkdtempSync(join(tmpdir(), 'millrace-demo-'))
let broker: BrokerProcess | undefined
try {
  await main()
} finally {
  broker?.child.kill('SIGKILL')
  rmSync(dataDir, { recursive: true, force: true })
}
say(
  failures.length === 0
    ? paint('green', '\nall of it held')
    : paint('red', `\n${failures.length} of it did not hold`),
)
process.exit(failures.length === 0 ? 0 : 1)

async function main(): Promise<void> {
  const datasets = createRequire(import.meta.url).resolve('vega-datasets')
  const path = join(dirname(datasets), '../data/flights-20k.json')
  const input = JSON.parse(readFileSync(path, 'utf8')) as Flight[]

  title('1. A broker')
  broker = await startBroker(0, 0)
  say(
    `ready after ${broker.readyMs.toFixed(0)} ms at ${broker.bootstrap}, metrics at ${broker.http}, data in ${dataDir}`,
  )
  await using client = new Client({ brokers: [broker.bootstrap], clientId: 'demo' })
  await client.admin().createTopics([
    { topic: flights, partitions: 3 },
    { topic: replay, partitions: 3 },
  ])

  title(`2. ${count(input.length)} flights in, keyed by airport, lz4`)
  const metricsBefore = await metrics(broker)
  await produceFlights(client, input)

  title('3. And out again')
  await readFlights(client, input)
  await showSizes(client, input)
  showChanges(metricsBefore, await metrics(broker))

  title('4. kill -9 in the middle')
  const acknowledged = await replayWithKill(client, input)
  await judgeReplay(client, acknowledged)
}

interface BrokerProcess {
  readonly child: ChildProcess
  readonly bootstrap: string
  readonly http: string
  readonly readyMs: number
}

/** Port 0: a free one. */
async function startBroker(port: number, http: number): Promise<BrokerProcess> {
  const startedAt = performance.now()
  const cli = fileURLToPath(new URL('../clients/cli/main.js', import.meta.url))
  const args = [
    'start',
    '--json',
    '--quiet',
    '--data',
    dataDir,
    '--port',
    `${port}`,
    '--http',
    `${http}`,
  ]
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the broker ended with status ${code} instead of starting`)
  })
  const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), exited])) as [
    string,
  ]
  exited.catch(() => {}) // the demo kills it on purpose later
  const banner = JSON.parse(line) as { bootstrap: string; http: string }
  return { child, ...banner, readyMs: performance.now() - startedAt }
}

async function produceFlights(client: Client, input: readonly Flight[]): Promise<void> {
  await using producer = client.producer({ compression: 'lz4' })
  const startedAt = performance.now()
  const acks = await producer.send(
    flights,
    input.map((flight) => ({ key: flight.origin, value: flight })),
  )
  const seconds = (performance.now() - startedAt) / 1_000
  check(
    acks.length === input.length,
    `${count(acks.length)} of ${count(input.length)} acknowledged, each synced to disk before`,
  )
  say(`${count(Math.round(acks.length / seconds))} records/s`)
}

async function readFlights(client: Client, input: readonly Flight[]): Promise<void> {
  await using consumer = client.consumer({ topics: [flights], from: 'earliest', until: 'end' })
  const read: { key: string; value: string }[] = []
  const startedAt = performance.now()
  for await (const { partition, offset, key, value } of consumer) {
    read.push({ key, value: JSON.stringify(value) })
    if (read.length <= 3)
      say(paint('dim', `${partition}:${offset}  ${key}  ${JSON.stringify(value)}`))
  }
  const seconds = (performance.now() - startedAt) / 1_000
  const sent = input.map((flight) => ({ key: flight.origin, value: JSON.stringify(flight) }))
  check(
    read.length === input.length,
    `${count(read.length)} records read, ${count(Math.round(read.length / seconds))} records/s`,
  )
  const wrong = keysOutOfOrder(sent, read)
  const airportCount = new Set(input.map(({ origin }) => origin)).size
  check(
    wrong.length === 0,
    `the flights of each of ${airportCount} airports are in the order in which they were sent`,
  )
}

/** Offsets and bytes on disk, partition by partition. */
async function showSizes(client: Client, input: readonly Flight[]): Promise<void> {
  const ends = await client.admin().listOffsets([flights], 'latest')
  const rows = ends.map(({ partition, offset }) => {
    const directory = join(dataDir, `flights-${partition}`)
    const logs = readdirSync(directory).filter((name) => name.endsWith('.log'))
    return {
      partition,
      offset,
      bytes: logs.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0),
    }
  })
  say(
    table(
      ['PARTITION', 'END OFFSET', 'BYTES ON DISK'],
      rows.map(({ partition, offset, bytes }) => [partition, offset, bytes]),
      paint,
    ).text.trimEnd(),
  )
  const logBytes = rows.reduce((sum, { bytes }) => sum + bytes, 0)
  const inputBytes = input.reduce(
    (sum, flight) => sum + flight.origin.length + JSON.stringify(flight).length,
    0,
  )
  const offsetSum = rows.reduce((sum, { offset }) => sum + offset, 0)
  check(offsetSum === input.length, `the end offsets add up to ${count(offsetSum)}`)
  say(
    `${size(inputBytes)} of keys and values became ${size(logBytes)} on disk: ${(inputBytes / logBytes).toFixed(1)} to 1`,
  )
}

/** Samples of /metrics by name and labels. */
async function metrics({ http }: BrokerProcess): Promise<Map<string, number>> {
  const text = await (await fetch(`${http}/metrics`)).text()
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith('millrace_') || line.startsWith('kafka_'))
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  )
}

function showChanges(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): void {
  const changed = [...after].filter(
    ([name, value]) => before.get(name) !== value && !UNTOLD_METRICS.test(name),
  )
  say('lines of /metrics that changed:')
  for (const [name, value] of changed)
    say(paint('dim', `  ${name} ${before.get(name) ?? 0} -> ${value}`))
  check(changed.length > 0, `${changed.length} metrics moved`)
}

/** Sends every flight again, kills the broker meanwhile, starts it again. @returns the acknowledged records */
async function replayWithKill(client: Client, input: readonly Flight[]): Promise<Entry[]> {
  await using producer = client.producer({ compression: 'lz4' })
  const acknowledged: Entry[] = []
  const inFlight = new Set<Promise<void>>()
  let restarted: Promise<void> | undefined
  for (let at = 0; at < input.length; at += CHUNK_RECORDS) {
    const sent = sendChunk(producer, input, at, acknowledged).finally(() => inFlight.delete(sent))
    inFlight.add(sent)
    if (at >= input.length / 2) restarted ??= killAndRestart(acknowledged)
    if (inFlight.size >= CHUNKS_IN_FLIGHT) await Promise.race(inFlight)
  }
  await Promise.all([...inFlight, restarted])
  return acknowledged
}

async function sendChunk(
  producer: Producer,
  input: readonly Flight[],
  at: number,
  acknowledged: Entry[],
): Promise<void> {
  const records = input
    .slice(at, at + CHUNK_RECORDS)
    .map((flight, i) => ({ key: flight.origin, value: `${at + i} ${JSON.stringify(flight)}` }))
  const acks = await producer.send(replay, records)
  for (const [i, { partition, offset }] of acks.entries())
    acknowledged.push({ partition, offset, value: records[i]!.value })
}

async function killAndRestart(acknowledged: readonly Entry[]): Promise<void> {
  const { child, bootstrap, http } = broker!
  child.kill('SIGKILL')
  await once(child, 'exit')
  say(`killed with ${count(acknowledged.length)} acknowledged; the producer goes on sending`)
  broker = await startBroker(Number(bootstrap.split(':').at(-1)), Number(new URL(http).port))
  say(`started again on the same data after ${broker.readyMs.toFixed(0)} ms, recovery included`)
}

async function judgeReplay(client: Client, acknowledged: readonly Entry[]): Promise<void> {
  await using consumer = client.consumer({ topics: [replay], from: 'earliest', until: 'end' })
  const read: Entry[] = []
  for await (const { partition, offset, value } of consumer) read.push({ partition, offset, value })
  const { acknowledgedCount, readCount, missing, changed, duplicateCount } = judge(
    acknowledged,
    read,
  )
  check(
    missing.length === 0,
    `all ${count(acknowledgedCount)} acknowledged records are there, ${missing.length} are missing`,
  )
  check(changed.length === 0, 'and each is at the offset that was acknowledged')
  check(
    duplicateCount === 0,
    `${count(readCount)} read, none twice, although the producer sent again what was not answered`,
  )
}
