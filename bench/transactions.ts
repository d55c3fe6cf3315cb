// The cost of transactions: how many per second one producer commits, one after the other and synced, and the duration of a commit.
// And the cost of idempotence beside plain producing, with millrace's client, whose work is the same in both.

import { join } from 'node:path'
import { Client } from '../clients/index.ts'
import { BrokerProcess } from './broker-process.ts'
import { median, type Bench, type Row } from './report.ts'
import type { Usage } from './usage.ts'

const RECORD = { value: Buffer.alloc(100, 'the quick brown fox') }
const SECONDS = 4
const WARM_UP_SECONDS = 1
const PLAIN_RECORDS = 1_000_000
const PLAIN_ROUNDS = 5
const cases: [records: number, partitions: number][] = [
  [1, 1],
  [100, 1],
  [1, 10],
  [100, 10],
]

export const transactions: Bench = {
  name: 'transactions',
  title: `records of 100 bytes, one producer, one transaction after the other, synced, ${SECONDS} s`,

  async *run(dir) {
    for (const [records, partitions] of cases) {
      await using broker = await BrokerProcess.start(join(dir, `${records}-${partitions}`))
      yield await transactionsOf(broker, records, partitions)
    }
    await using broker = await BrokerProcess.start(join(dir, 'idempotence'))
    yield await idempotence(broker)
  },
}

/** @param records in each of the partitions */
async function transactionsOf(
  broker: BrokerProcess,
  records: number,
  partitions: number,
): Promise<Row> {
  await using client = new Client({ brokers: broker.bootstrap })
  await client.admin().createTopics([{ topic: 'bench', partitions }])
  await using producer = client.producer({ transactionalId: 'bench' })
  const batch = Array.from({ length: records * partitions }, (_, i) => ({
    ...RECORD,
    partition: i % partitions,
  }))
  const run = async (untilMs: number) => {
    const took: number[] = []
    while (performance.now() < untilMs) {
      const startMs = performance.now()
      await producer.transaction((t) => t.send('bench', batch))
      took.push(performance.now() - startMs)
    }
    return took
  }
  await run(performance.now() + WARM_UP_SECONDS * 1000)
  const before = broker.usage()
  const took = (await run(performance.now() + SECONDS * 1000)).sort((a, b) => a - b)
  const cpuSeconds = broker.usage().cpuSeconds - before.cpuSeconds
  return {
    title: `${records} record${records > 1 ? 's' : ''} in ${partitions} partition${partitions > 1 ? 's' : ''} each`,
    figures: [
      { name: '', value: took.length / SECONDS, unit: 'transactions/s' },
      { name: 'p50', value: took[took.length >> 1]!, unit: 'ms' },
      { name: 'p99', value: took[Math.floor(took.length * 0.99)]!, unit: 'ms' },
      { name: 'broker', value: (cpuSeconds / took.length) * 1e6, unit: 'CPU-µs/transaction' },
    ],
  }
}

/** Pair by pair, in alternating order. */
async function idempotence(broker: BrokerProcess): Promise<Row> {
  await using client = new Client({ brokers: broker.bootstrap })
  await client.admin().createTopics([{ topic: 'plain' }, { topic: 'idempotent' }])
  const ratios: { cpu: number; seconds: number }[] = []
  for (let round = -1; round < PLAIN_ROUNDS; round++) {
    const order = round % 2 === 0 ? [true, false] : [false, true]
    const costs = new Map<boolean, { cpu: number; seconds: number }>()
    for (const idempotent of order) costs.set(idempotent, await produce(client, broker, idempotent))
    const [plain, sequenced] = [costs.get(false)!, costs.get(true)!]
    const ratio = { cpu: sequenced.cpu / plain.cpu, seconds: sequenced.seconds / plain.seconds }
    if (round >= 0) ratios.push(ratio)
  }
  return {
    title: 'idempotent / plain',
    figures: [
      { name: 'broker CPU', value: median(ratios.map(({ cpu }) => cpu)), unit: 'x' },
      { name: 'time', value: median(ratios.map(({ seconds }) => seconds)), unit: 'x' },
    ],
  }
}

async function produce(
  client: Client,
  broker: BrokerProcess,
  idempotent: boolean,
): Promise<{ cpu: number; seconds: number }> {
  // Without sequences the client has one batch in flight, to keep the order; so it has one here with sequences, too.
  await using producer = client.producer({ idempotent, acks: 'all', maxInFlight: 1 })
  const topic = idempotent ? 'idempotent' : 'plain'
  const batch = Array.from({ length: 1000 }, () => RECORD)
  const before: Usage = broker.usage()
  const startMs = performance.now()
  let sent: Promise<unknown>[] = []
  for (let count = 0; count < PLAIN_RECORDS; count += batch.length) {
    sent.push(producer.send(topic, batch))
    if (sent.length < 100) continue
    await Promise.all(sent)
    sent = []
  }
  await Promise.all(sent)
  const seconds = (performance.now() - startMs) / 1000
  return { cpu: broker.usage().cpuSeconds - before.cpuSeconds, seconds }
}
