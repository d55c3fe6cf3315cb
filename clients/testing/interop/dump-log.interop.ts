// Apache Kafka's kafka-dump-log reads our files: every segment and every index, without a complaint.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextLoopTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { Client } from '../../index.ts'
import { KAFKA_FETCH_TIMEOUT_MS, kafkaClasspath, run, requireKafka } from './tools.ts'

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const RECORDS_PER_CODEC = 200
const BATCH_BYTES = 4000

/** Lines in which DumpLogSegments complains. */
const COMPLAINT =
  /mismatch|not found|corrupt|invalid|exception|non-consecutive|non-monotonic|isvalid: false|extraneous/i

/**
 * DumpLogSegments prints this for every segment but the first of a log, of Kafka's own logs too: it knows no record
 * before the segment's first.
 */
const BEFORE_FIRST = /^Non-consecutive offsets in .*\n +-1 is followed by \d+\n(?! +\d)/gm
/** Differences that compaction causes. */
const COMPACTED =
  /^Non-consecutive offsets in .*\/compacted-0\/.*\n(?: +-?\d+ is followed by \d+\n)+/gm

requireKafka()

async function dump(files: readonly string[], ...flags: string[]): Promise<string> {
  const main = 'org.apache.kafka.tools.DumpLogSegments'
  const java = ['-cp', await kafkaClasspath(), main, ...flags]
  const { stdout, stderr } = await run('java', [...java, '--files', files.join(',')])
  return (
    stdout.toString() +
    [BEFORE_FIRST, COMPACTED, /^.*SLF4J.*$/gm].reduce(
      (text, each) => text.replace(each, ''),
      stderr,
    )
  )
}

/** All non-empty files of one kind below a data directory. */
function filesOf(dataDir: string, suffix: string): string[] {
  return readdirSync(dataDir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(dataDir, name))
    .filter((path) => statSync(path).size > 0)
}

async function dumpsWithoutComplaint(t: Test, dataDir: string): Promise<string> {
  const logs = filesOf(dataDir, '.log')
  const deep = await dump(logs, '--deep-iteration', '--print-data-log')
  t.notMatch(deep.replace(/ payload: .*/g, ''), COMPLAINT, `${logs.length} segments`)
  for (const suffix of ['.index', '.timeindex']) {
    const indexes = filesOf(dataDir, suffix)
    t.ok(indexes.length > 0)
    t.notMatch(await dump(indexes, '--verify-index-only'), COMPLAINT, `${suffix} is right`)
    t.notMatch(await dump(indexes, '--index-sanity-check'), COMPLAINT, `${suffix} is sane`)
  }
  const aborted = filesOf(dataDir, '.txnindex')
  if (aborted.length > 0) t.notMatch(await dump(aborted), COMPLAINT, 'aborted transactions')
  return deep
}

t.test('kafka-dump-log reads every file of a data directory', async (t) => {
  t.setTimeout(KAFKA_FETCH_TIMEOUT_MS + 100_000)
  const dataDir = t.testdir()
  const config = { 'log.segment.bytes': 40_000, 'log.cleaner.enable': false }
  const broker = await Broker.start({ dataDir, config })
  const client = new Client({ brokers: broker.bootstrap })
  await client.admin().createTopics([{ topic: 'mixed', partitions: 1 }])
  for (const compression of codecs) {
    await using producer = client.producer({ compression, batchBytes: BATCH_BYTES })
    const records = Array.from({ length: RECORDS_PER_CODEC }, (_, i) => ({
      key: `${compression} ${i % 10}`,
      value: `value ${i} `.repeat(10),
      headers: { codec: compression },
      timestamp: Date.UTC(2026, 0, 31) + i,
    }))
    await producer.send('mixed', records)
  }
  await writeTransactions(client)
  await compact(client)
  await client.close()
  await broker.close()
  const text = await dumpsWithoutComplaint(t, dataDir)
  const keys = [...text.matchAll(/ key: (\w+) \d+ payload: value /g)].map(([, codec]) => codec)
  t.equal(keys.length, codecs.length * RECORDS_PER_CODEC, 'every record is there')
  t.same(new Set(keys), new Set(codecs))
  t.match(text, /endTxnMarker: COMMIT/)
  t.match(text, /endTxnMarker: ABORT/)
  await complainsOfDamage(t, dataDir)
})

/** One committed transaction, and one that is aborted after its record was written. */
async function writeTransactions(client: Client): Promise<void> {
  const end = async () => (await client.admin().listOffsets(['mixed'], 'latest'))[0]!.offset
  await using producer = client.producer({ transactionalId: 'dumped', lingerMs: 0 })
  await producer.transaction(async (transaction) => {
    await transaction.send('mixed', { value: 'committed' })
  })
  const aborted = producer.transaction(async (transaction) => {
    const before = await end()
    await transaction.send('mixed', { value: 'aborted' })
    while ((await end()) === before) await nextLoopTurn()
    throw new Error('changed my mind')
  })
  await aborted.catch(() => {})
}

/** Writes few keys to a topic until compaction has removed most of it. */
async function compact(client: Client): Promise<void> {
  const admin = client.admin()
  const config = {
    'cleanup.policy': 'compact',
    'min.cleanable.dirty.ratio': 0,
    'segment.bytes': 10_000,
    'index.interval.bytes': 500,
    'file.delete.delay.ms': 0,
  }
  await admin.createTopics([{ topic: 'compacted', config }])
  await using producer = client.producer({ compression: 'lz4', batchBytes: 1000 })
  const records = Array.from({ length: 2000 }, (_, i) => ({
    key: `${i % 50 === 0 ? i : 0}`,
    value: `compacted ${i}`,
  }))
  await producer.send('compacted', records)
  const sizeBytes = async () => {
    const [dir] = await admin.logDirs()
    return dir!.partitions.find(({ topic }) => topic === 'compacted')!.sizeBytes
  }
  const before = await sizeBytes()
  await admin.configs.alter([
    {
      resource: { broker: 'all' },
      set: { 'log.cleaner.enable': true, 'log.cleaner.backoff.ms': 1 },
    },
  ])
  while ((await sizeBytes()) > before / 2) await nextLoopTurn()
}

/** Proves that the tool complains at all. */
async function complainsOfDamage(t: Test, dataDir: string): Promise<void> {
  const log = filesOf(dataDir, '.log').find((path) => path.includes('mixed'))!
  const index = log.replace(/log$/, 'index')
  for (const [path, position, flag] of [
    [index, 7, '--verify-index-only'],
    [log, 200, '--deep-iteration'],
  ] as const) {
    const good = readFileSync(path)
    const bad = Buffer.from(good)
    bad[position]! ^= 0xff
    writeFileSync(path, bad)
    const said = await dump([path], flag).catch((error: unknown) => String(error))
    writeFileSync(path, good)
    t.match(said, COMPLAINT, flag)
  }
}
