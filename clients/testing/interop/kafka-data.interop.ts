// Data moved to Apache Kafka and back: each broker takes over the other's groups, offsets, producers and open
// transactions, and Kafka's own decoders read our internal logs.

import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { verifyDirectory } from '../../../storage/verify/verify.ts'
import { systemClock } from '../../../storage/clock.ts'
import { freePort } from './killable-broker.ts'
import { goesOn, work } from './kafka-data.ts'
import { kafkaClasspath, pythonCommand, run, requireKafka } from './tools.ts'

const START_TIMEOUT_MS = 100_000
const TEST_TIMEOUT_MS = 300_000
const dir = join(tmpdir(), `millrace-kafka-data-${process.pid}`)
process.env['KAFKA_PEER_DIR'] = dir
process.env['KAFKA_PROPERTIES'] =
  'offsets.topic.num.partitions=1\ntransaction.state.log.num.partitions=1'
process.env['KAFKA_HEAP_OPTS'] ??= '-Xmx512m'
const script = fileURLToPath(new URL('../../../../bench/peers/kafka.sh', import.meta.url))
const kafkaData = join(dir, 'data')
const partitions = ['t-0', 't-1', '__consumer_offsets-0', '__transaction_state-0']
/** Files that Kafka and millrace keep in the same format. */
const shared = /\.(log|index|timeindex|txnindex|snapshot)$/
requireKafka()

/** Kafka's controller takes the port after the broker's, which another process may use. */
async function startKafka(): Promise<string> {
  for (let triesLeft = 3; ; triesLeft--) {
    try {
      const start = [script, 'start', `${await freePort()}`]
      const { stdout } = await run('bash', start, Buffer.of(), START_TIMEOUT_MS)
      return stdout.toString().trim().split('\n').at(-1)!
    } catch (error) {
      if (triesLeft === 0 || !String(error).includes('Address already in use')) throw error
    }
  }
}

/** Replaces the files of a partition by those of another broker. */
function transplant(from: string, to: string): void {
  for (const partition of partitions) {
    const target = join(to, partition)
    for (const name of readdirSync(target)) {
      if (name !== 'partition.metadata') rmSync(join(target, name), { recursive: true })
    }
    for (const name of readdirSync(join(from, partition))) {
      if (shared.test(name)) cpSync(join(from, partition, name), join(target, name))
    }
  }
  for (const name of readdirSync(to)) {
    if (/checkpoint|cleanshutdown/.test(name)) rmSync(join(to, name), { recursive: true })
  }
}

async function decoded(files: readonly string[], ...flags: string[]): Promise<string> {
  const main = 'org.apache.kafka.tools.DumpLogSegments'
  const java = ['-cp', await kafkaClasspath(), main, ...flags, '--files', files.join(',')]
  const { stdout, stderr } = await run('java', java)
  return stdout.toString() + stderr.replace(/^.*SLF4J.*$/gm, '')
}

function filesOf(partition: string, suffix: string): string[] {
  return readdirSync(partition)
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(partition, name))
}

/** Reads `__consumer_offsets` as Burrow and kminion do. */
async function readsOffsets(t: Test, bootstrap: string): Promise<void> {
  const [command, args] = pythonCommand('kafka_python_offsets.py', [bootstrap])
  const { stdout } = await run(command, args)
  const read = stdout.toString().split('\n')
  t.ok(read.includes('["simple", "t", 0, 3, 5, 0, "mine"]'), 'kafka-python reads commits')
  t.ok(read.includes('["simple", "t", 0, 3, 6, -1, ""]'), 'of transactions too')
  t.ok(read.includes('["members", "consumer", 1]'), 'and groups')
}

t.test('Apache Kafka decodes our internal logs and goes on with them', async (t) => {
  t.setTimeout(TEST_TIMEOUT_MS)
  const dataDir = t.testdir()
  const broker = await Broker.start({ dataDir })
  const worked = await work(broker.bootstrap)
  await readsOffsets(t, broker.bootstrap)
  await broker.close()

  const offsets = filesOf(join(dataDir, '__consumer_offsets-0'), '.log')
  const groups = await decoded(offsets, '--offsets-decoder')
  t.match(groups, /"group":"simple","topic":"t","partition":0/)
  t.match(groups, /"version":"3","data":{"offset":5,"leaderEpoch":0,"metadata":"mine"/)
  t.match(groups, /"group":"members".*"protocolType":"consumer".*"groupInstanceId":"one"/)
  t.match(groups, /isTransactional: true/)
  t.match(groups, /endTxnMarker: COMMIT/)
  t.notMatch(groups, /unknown|exception|corrupt|mismatch|isvalid: false/i)
  const states = filesOf(join(dataDir, '__transaction_state-0'), '.log')
  const transactions = await decoded(states, '--transaction-log-decoder')
  t.match(transactions, /"transactionalId":"open 2"/)
  t.match(transactions, /"topic":"__consumer_offsets","partitionIds":\[0\]/)
  t.notMatch(transactions, /unknown|exception|corrupt|mismatch|isvalid: false/i)
  const snapshots = partitions.flatMap((each) => filesOf(join(dataDir, each), '.snapshot'))
  const producers = await decoded(snapshots)
  t.match(producers, /lastSequence: 13/)
  t.match(producers, /currentTxnFirstOffset: OptionalLong\[\d+\]/)
  t.notMatch(producers, /exception|corrupt/i)

  t.teardown(() => run('bash', [script, 'stop']))
  await work(await startKafka())
  await run('bash', [script, 'halt'])
  transplant(dataDir, kafkaData)
  await goesOn(t, await startKafka(), worked)
})

t.test('millrace goes on with the files of Apache Kafka', async (t) => {
  t.setTimeout(TEST_TIMEOUT_MS)
  t.teardown(() => run('bash', [script, 'stop']))
  const worked = await work(await startKafka())
  await run('bash', [script, 'halt'])
  const dataDir = t.testdir()
  const before = await Broker.start({ dataDir })
  await work(before.bootstrap)
  await before.close()
  transplant(kafkaData, dataDir)
  const broker = await Broker.start({ dataDir })
  t.teardown(() => broker.close())
  await goesOn(t, broker.bootstrap, worked)
  await broker.close()
  const { findings } = await verifyDirectory(dataDir, { clock: systemClock, onRead() {} })
  t.same(findings, [])
})

t.before(() => mkdirSync(dir, { recursive: true }))
t.teardown(() => rmSync(dir, { recursive: true, force: true }))
