// Quotas and foreign software: kafka-configs changes those of our broker and of Apache Kafka as our client does, and producers
// and consumers of librdkafka and Java keep to them, while a neighbour is unharmed.

import { spawn, type ChildProcess } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { Client, string, topic, type Producer } from '../../index.ts'
import { kafkaClasspath, requireKafka, requireTools, run } from './tools.ts'

requireTools()
requireKafka()

const JAVA = ['-XX:TieredStopAtLevel=1', '-Xmx256m', '-cp']
const START_TIMEOUT_MS = 100_000

/** @returns what the tool prints */
async function kafkaConfigs(bootstrap: string, words: string): Promise<string> {
  const tool = ['kafka.admin.ConfigCommand', '--bootstrap-server', bootstrap, ...words.split(' ')]
  const { stdout, stderr } = await run('java', [...JAVA, await kafkaClasspath(), ...tool])
  return stdout.toString() + stderr
}

t.test('kafka-configs sets, describes and removes quotas', async (t) => {
  t.setTimeout(START_TIMEOUT_MS + 120_000)
  await using broker = await Broker.start({ ephemeral: true })
  await using client = new Client({ brokers: broker.bootstrap })
  const { quotas } = client.admin()
  const tool = (words: string) => kafkaConfigs(broker.bootstrap, words)
  const rates = 'producer_byte_rate=1000,request_percentage=12.5'
  await tool(`--alter --add-config ${rates} --entity-type users --entity-name ann`)
  const nested = '--entity-type users --entity-name ann --entity-type clients --entity-default'
  await tool(`--alter --add-config consumer_byte_rate=2000 ${nested}`)
  await tool('--alter --add-config connection_creation_rate=9 --entity-type ips --entity-default')
  t.strictSame(await quotas.describe(), [
    { entity: { user: 'ann' }, quotas: { producerByteRate: 1000, requestPercentage: 12.5 } },
    { entity: { user: 'ann', clientId: null }, quotas: { consumerByteRate: 2000 } },
    { entity: { ip: null }, quotas: { connectionCreationRate: 9 } },
  ])
  const described = await tool('--describe --entity-type users --entity-name ann')
  t.match(described, /user-principal 'ann' are .*producer_byte_rate=1000/)
  t.match(await tool(`--describe ${nested}`), /default client-id are consumer_byte_rate=2000/)
  await tool('--alter --delete-config producer_byte_rate --entity-type users --entity-name ann')
  t.match(await quotas.describe({ user: 'ann', strict: true }), [
    { quotas: { requestPercentage: 12.5 } },
  ])
  await t.rejects(
    tool('--alter --add-config producer_byte_rate=0 --entity-type users --entity-name ann'),
    /greater than 0/,
  )
})

/** Bytes per second; far below what a loaded machine can do. */
const WRITE_RATE = 200_000
const READ_RATE = 1_000_000
/** Java starts in it; the first bursts are over. */
const BEFORE_MS = 9_000
const MEASURED_MS = 16_000
const RECORD_BYTES = 1000
/** Batches far smaller than a second's worth, so that the rate is smooth. */
const BATCH_BYTES = 16_000
/** A fetch that would exceed the quota is refused whole: what is left of a second then is lost, half of this on average. */
const FETCH_BYTES = 40_000
const ROUNDS_MAX = 3
/** Enough for all rounds. */
const READ_RECORDS = 64_000

const writers = ['kcat-writer', 'java-writer'] as const
const readers = ['kcat-reader', 'java-reader'] as const
const throttled = [...writers, ...readers]
type Throttled = (typeof throttled)[number]

/** By client. */
const rates: Readonly<Record<Throttled, number>> = {
  'kcat-writer': WRITE_RATE,
  'java-writer': WRITE_RATE,
  'kcat-reader': READ_RATE,
  'java-reader': READ_RATE,
}

t.test(
  'clients of librdkafka and Java keep to their quotas, and a neighbour is unharmed',
  async (t) => {
    t.setTimeout(START_TIMEOUT_MS + BEFORE_MS + ROUNDS_MAX * MEASURED_MS + 60_000)
    const classpath = await kafkaClasspath()
    // With the eleven samples of the default a burst of ten seconds comes before ten seconds of rest.
    await using broker = await Broker.start({ ephemeral: true, config: { 'quota.window.num': 2 } })
    await using client = new Client({ brokers: broker.bootstrap, clientId: 'neighbour' })
    const admin = client.admin()
    await admin.createTopics([...writers, 'read', 'neighbour'])
    await using producer = client.producer()
    const value = 'x'.repeat(RECORD_BYTES)
    await using filler = client.producer({ lingerMs: 0 })
    for (let sent = 0; sent < READ_RECORDS; sent += 10)
      await filler.send(topic('read', { value: string }), Array(10).fill({ value }))
    await admin.quotas.alter([
      ...writers.map((clientId) => ({
        entity: { clientId },
        quotas: { producerByteRate: WRITE_RATE },
      })),
      ...readers.map((clientId) => ({
        entity: { clientId },
        quotas: { consumerByteRate: READ_RATE },
      })),
    ])
    const started: ChildProcess[] = []
    t.teardown(() => started.forEach((each) => each.kill('SIGKILL')))
    const begin = (command: string, args: readonly string[]) => {
      const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] })
      child.stdin.on('error', () => {})
      started.push(child)
      return child
    }
    const java = (...args: string[]) => begin('java', [...JAVA, classpath, ...args])
    const kcat = (id: string, ...args: string[]) =>
      begin('kcat', ['-b', broker.bootstrap, '-X', `client.id=${id}`, '-p', '0', ...args])
    const bytesRead = { 'kcat-reader': 0, 'java-reader': 0 }
    const count = (reader: keyof typeof bytesRead, child: ReturnType<typeof begin>) =>
      child.stdout.on('data', (chunk: Buffer) => (bytesRead[reader] += chunk.length))
    const smooth = ['-X', `batch.size=${BATCH_BYTES}`, '-X', 'queue.buffering.max.messages=1000']
    endlessly(kcat('kcat-writer', '-P', '-t', 'kcat-writer', ...smooth), `${value}\n`)
    const fetches = [
      '-X',
      `fetch.message.max.bytes=${FETCH_BYTES}`,
      '-X',
      `fetch.max.bytes=${FETCH_BYTES}`,
    ]
    const position = ['-o', 'beginning', '-X', 'message.max.bytes=30000']
    count('kcat-reader', kcat('kcat-reader', '-C', '-t', 'read', ...position, ...fetches))
    const props = [`bootstrap.servers=${broker.bootstrap}`, 'client.id=java-writer', 'acks=1']
    const load = [
      '--num-records',
      '100000000',
      '--record-size',
      `${RECORD_BYTES}`,
      '--throughput',
      '-1',
    ]
    const perf = ['--topic', 'java-writer', ...load, '--producer-props', ...props]
    java('org.apache.kafka.tools.ProducerPerformance', ...perf).stdout.resume()
    const reading = ['--topic', 'read', '--partition', '0', '--offset', 'earliest']
    const limits = [`max.partition.fetch.bytes=${FETCH_BYTES}`, `client.id=java-reader`]
    const properties = limits.flatMap((each) => ['--consumer-property', each])
    const consumer = 'org.apache.kafka.tools.consumer.ConsoleConsumer'
    const to = ['--bootstrap-server', broker.bootstrap]
    count('java-reader', java(consumer, ...to, ...reading, ...properties))
    await setTimeout(BEFORE_MS)
    const bytes = async (): Promise<Record<Throttled, number>> => {
      const where = writers.map((name) => ({ topic: name, partition: 0 }))
      const ends = await admin.listOffsets(where, 'latest')
      const [kcatWriter, javaWriter] = ends.map(({ offset }) => Number(offset) * RECORD_BYTES)
      return { 'kcat-writer': kcatWriter!, 'java-writer': javaWriter!, ...bytesRead }
    }
    let measured = await measure(producer, bytes)
    for (let round = 1; round < ROUNDS_MAX && !isWithinQuotas(measured); round++) {
      t.comment(`round ${round}: ${JSON.stringify(measured)}`)
      measured = await measure(producer, bytes)
    }
    t.ok(isWithinQuotas(measured), `shares of the quotas, and delays: ${JSON.stringify(measured)}`)
    t.ok(measured.typicalDelayMs < 200, 'the neighbour hardly waits for half of its answers')
    t.ok(measured.longestDelayMs < 3000, 'and never long')
  },
)

interface Measured {
  /** What was moved, of what the quota allows. */
  readonly shares: Readonly<Record<Throttled, number>>
  /** Of the neighbour. */
  readonly typicalDelayMs: number
  readonly longestDelayMs: number
}

/** A machine that is busy with something else slows a client down more than its quota does: then a later round counts. */
function isWithinQuotas({ shares }: Measured): boolean {
  return Object.values(shares).every((share) => share > 0.9 && share < 1.1)
}

/** @param bytes moved so far */
async function measure(
  neighbour: Producer,
  bytes: () => Promise<Record<Throttled, number>>,
): Promise<Measured> {
  const before = await bytes()
  const startedAt = performance.now()
  const delaysMs: number[] = []
  while (performance.now() - startedAt < MEASURED_MS) {
    const sentAt = performance.now()
    await neighbour.send('neighbour', { value: 'x' })
    delaysMs.push(performance.now() - sentAt)
    await setTimeout(50)
  }
  const after = await bytes()
  const seconds = (performance.now() - startedAt) / 1000
  const shareOf = (name: Throttled) => (after[name] - before[name]) / seconds / rates[name]
  const shares = Object.fromEntries(throttled.map((name) => [name, shareOf(name)]))
  delaysMs.sort((a, b) => a - b)
  return {
    shares: shares as Measured['shares'],
    typicalDelayMs: delaysMs[Math.floor(delaysMs.length / 2)]!,
    longestDelayMs: delaysMs.at(-1)!,
  }
}

/** Writes as fast as the process reads. */
function endlessly({ stdin }: ChildProcess, line: string): void {
  const lines = Buffer.from(line.repeat(16))
  const write = () => {
    while (stdin!.write(lines));
  }
  stdin!.on('drain', write)
  write()
}
