// Exactly once from read to write, against a broker: the example of the guide, members that come and go, and kills.
// `KILLS=100 node dist/clients/transaction/exactly-once.test.js` kills the broker so often.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Broker, type BrokerOptions } from '../../broker/broker.ts'
import { budget } from '../../protocol/testing/budget.ts'
import {
  Client,
  json,
  KafkaError,
  string,
  topic,
  type RecordOf,
  type GroupConsumer,
  type RecordAck,
  type Transaction,
  type TransactionalProducer,
} from '../index.ts'
import { KillableBroker } from '../testing/interop/killable-broker.ts'

const KILLS = budget(1, 6, 'KILLS')

t.setTimeout(110_000 + KILLS * 10_000)

const WORKER = fileURLToPath(new URL('../testing/copying-worker.js', import.meta.url))

type Order = { id: string; cents: number }
const orders = topic('orders', { key: string, value: json<Order>() })
const totals = topic('totals', { key: string, value: json<{ cents: number }>() })
const inputs = topic('inputs', { value: string })
const outputs = topic('outputs', { value: string })

const FROM_START_TO_END = { from: 'earliest', until: 'end', isolation: 'committed' } as const
const IMPATIENT = { heartbeatIntervalMs: 20, retry: { backoffMs: 5, backoffMaxMs: 50 } }

/** A broker of its own for a test, and a client. */
async function world(config: BrokerOptions['config'] = {}) {
  const broker = await Broker.start({ ephemeral: true, config })
  const client = new Client({ brokers: broker.bootstrap, retry: IMPATIENT.retry })
  return {
    client,
    bootstrap: broker.bootstrap,
    async [Symbol.asyncDispose]() {
      await client.close()
      await broker.close()
    },
  }
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)
const byNumber = (a: string, b: string): number => Number(a) - Number(b)

/** Writes 0 to `count` - 1, over the partitions. */
async function fill(client: Client, count: number, partitions: number): Promise<void> {
  await client.admin().createTopics([
    { topic: inputs, partitions },
    { topic: outputs, partitions },
  ])
  await using producer = client.producer()
  await producer.send(
    inputs,
    numbers(count).map((value, i) => ({ value, partition: i % partitions })),
  )
}

async function committedOutputs(client: Client): Promise<string[]> {
  const values: string[] = []
  for await (const { value } of client.consumer({ topics: [outputs], ...FROM_START_TO_END }))
    values.push(value)
  return values.sort(byNumber)
}

/** Copies batches, each in a transaction. @returns how many of them */
async function copy(
  tx: TransactionalProducer,
  source: GroupConsumer<RecordOf<typeof inputs>>,
  onBatch: (t: Transaction) => unknown = () => {},
): Promise<number> {
  let batchCount = 0
  for await (const batch of source.batches({ maxRecords: 50 })) {
    await tx.transaction(async (t) => {
      for (const { value, partition } of batch.records) await t.send(outputs, { value, partition })
      t.commitOffsetsOf(source, batch.records.at(-1)!)
      await onBatch(t)
    })
    batchCount++
  }
  return batchCount
}

t.test('the example: read, process, write and commit offsets in one transaction', async (t) => {
  await using w = await world()
  const { client } = w
  await client.admin().createTopics([{ topic: orders, partitions: 3 }, totals])
  await using producer = client.producer({ compression: 'lz4', lingerMs: 5 })
  const ack: RecordAck = await producer.send(orders, { key: 'ann', value: { id: '1', cents: 250 } })
  t.equal(ack.topic, 'orders')
  await producer.send(
    orders,
    Array.from({ length: 99 }, (_, i) => ({ key: 'bob', value: { id: `${i + 2}`, cents: 10 } })),
  )
  await using tx = client.producer({ transactionalId: 'totals-1' })
  await using source = client.consumer({
    topics: [orders],
    group: 'totals',
    commit: 'manual',
    ...FROM_START_TO_END,
  })
  for await (const batch of source.batches()) {
    await tx.transaction(async (t) => {
      for (const r of batch.records)
        await t.send(totals, { key: r.key, value: { cents: r.value.cents } })
      t.commitOffsetsOf(source, batch.records.at(-1)!)
    })
  }
  let total = 0
  const results = client.consumer({ topics: [totals], ...FROM_START_TO_END })
  for await (const { value } of results) total += value.cents
  t.equal(total, 250 + 99 * 10)
  const { total: lag } = await client.admin().groups.lag('totals')
  t.equal(lag, 0, 'of every partition, although only the last record was named')
})

t.test('the types are those of the example', async (t) => {
  await using w = await world()
  const tx: TransactionalProducer = w.client.producer({ transactionalId: 'typed' })
  const result: number = await tx.transaction((_: Transaction) => 7)
  const later: string = await tx.transaction(() => Promise.resolve('7'))
  t.same([result, later], [7, '7'])
  const notCompiled = (
    t: Transaction,
    plain: { topic: string; partition: number; offset: number },
  ) => {
    // @ts-expect-error: the value is of another topic
    void t.send(totals, { key: 'ann', value: { id: '1' } })
    // @ts-expect-error: a plain consumer belongs to no group
    t.commitOffsetsOf(w.client.consumer({ topics: [orders] }), plain)
    // @ts-expect-error: transactions need every acknowledgement
    w.client.producer({ transactionalId: 'typed', acks: 1 })
    // @ts-expect-error: records of this producer are sent in transactions
    void tx.send(totals, { key: 'ann', value: { cents: 1 } })
  }
  t.type(notCompiled, 'function')
})

t.test('workers come and go: every input is in the output once', async (t) => {
  await using w = await world()
  const [COUNT, PARTITIONS] = [2_000, 4]
  await fill(w.client, COUNT, PARTITIONS)
  const started: Promise<unknown>[] = []
  const work = async (n: number): Promise<void> => {
    await using tx = w.client.producer({ transactionalId: `copy-${n}` })
    await using source = w.client.consumer({
      topics: [inputs],
      group: 'copy',
      commit: 'manual',
      heartbeatIntervalMs: IMPATIENT.heartbeatIntervalMs,
      ...FROM_START_TO_END,
    })
    let batches = 0
    await copy(tx, source, async () => {
      if (n < 3 && ++batches === 4) started.push(again(n + 1)) // a rebalance in the middle of a transaction
      await sleep(1)
    })
  }
  /** Restarts a copier that has lost its partitions, as a supervisor would. */
  const again = async (n: number): Promise<void> => {
    for (;;) {
      try {
        return await work(n)
      } catch (error) {
        if (!(error instanceof KafkaError) || error.code !== 'ILLEGAL_GENERATION') throw error
      }
    }
  }
  await again(1)
  for (const each of started) await each
  t.same(await committedOutputs(w.client), numbers(COUNT))
})

t.test('offsets are committed by who owns the partition, in order, or not at all', async (t) => {
  await using w = await world()
  await fill(w.client, 20, 1)
  await using tx = w.client.producer({ transactionalId: 'x' })
  const options = { topics: [inputs], group: 'g', from: 'earliest' } as const
  const record = { topic: 'inputs', partition: 0, offset: 3 }
  const moving = (consumer: GroupConsumer<any>, place = record) =>
    tx.transaction((t) => t.commitOffsetsOf(consumer, place))

  await using auto = w.client.consumer(options)
  await t.rejects(moving(auto), { message: /commit: 'manual'/ })
  await using idle = w.client.consumer({ ...options, commit: 'manual' })
  await t.rejects(moving(idle), { code: 'ILLEGAL_GENERATION' })
  await using wide = w.client.consumer({
    ...options,
    group: 'wide',
    commit: 'manual',
    until: 'end',
  })
  await t.rejects(
    wide.run(() => moving(wide), { concurrency: 2 }),
    { message: /out of order/ },
  )

  await using reader = w.client.consumer({ ...options, commit: 'manual' })
  const batches = reader.batches({ maxRecords: 10 })
  const first = (await batches.next()).value!
  await tx.transaction((t) => {
    for (const each of first.records.slice(0, 5)) t.commitOffsetsOf(reader, each)
  })
  const { groups } = w.client.admin()
  t.match(await groups.offsets('g'), [{ offset: 5 }], 'up to the last that was named')
  await t.rejects(
    tx.transaction(async (t) => {
      await t.send(outputs, { value: 'no' })
      t.commitOffsetsOf(reader, first.records[9])
      throw new Error('after all')
    }),
    /after all/,
  )
  t.match(await groups.offsets('g'), [{ offset: 5 }], 'an aborted one moves nothing')

  const stale = first.records.at(-1)!
  await batches.return?.()
  await reader.close()
  await t.rejects(moving(reader, stale), { code: 'ILLEGAL_GENERATION' })
  const single = w.client.consumer({ ...options, commit: 'manual', until: 'end' })
  await single.run((each) => moving(single, each))
  await single.close()
  t.match(await groups.offsets('g'), [{ offset: 20 }])
})

t.test('a transaction that takes too long is aborted by the broker, which fences it', async (t) => {
  await using w = await world({ 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 20 })
  await fill(w.client, 1, 1)
  await using tx = w.client.producer({
    transactionalId: 'slow',
    transactionTimeoutMs: 50,
    deliveryTimeoutMs: 30_000,
    lingerMs: 0,
  })
  const slow = tx.transaction(
    async (t) => {
      await t.send(outputs, { value: 'no' })
      for (;;) {
        const { offset } = (await w.client.admin().listOffsets([outputs], 'latest'))[0]!
        if (offset === 2) break // the record, and the marker that aborts it
        await sleep(5)
      }
      await t.send(outputs, { value: 'late' })
    },
    { timeoutMs: 30_000 },
  )
  await t.rejects(slow, { fatal: true, message: /took longer than transactionTimeoutMs \(50\)/ })
  t.same(await committedOutputs(w.client), [])
})

t.test(
  'a worker that is killed is followed by one that goes on at once, exactly once',
  async (t) => {
    await using w = await world()
    const count = 1_000
    await fill(w.client, count, 3)
    for (const linesUntilKill of [3, 5, 1, Infinity]) {
      const child = spawn(process.execPath, [WORKER, w.bootstrap, 'inputs', 'outputs'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let lineCount = 0
      createInterface(child.stdout).on('line', () => {
        if (++lineCount === linesUntilKill) child.kill('SIGKILL')
      })
      const [status] = (await once(child, 'exit')) as [number | null]
      t.equal(status, linesUntilKill === Infinity ? 0 : null)
    }
    t.same(await committedOutputs(w.client), numbers(count))
  },
)

t.test(`after ${KILLS} kills of the broker every input is in the output once`, async (t) => {
  t.setTimeout(110_000 + KILLS * 10_000)
  const PARTITIONS = 3
  const count = 500 * (KILLS + 1)
  await using broker = await KillableBroker.start(t.testdir(), {
    'group.min.session.timeout.ms': 1,
  })
  await using client = new Client({ brokers: broker.bootstrap, retry: IMPATIENT.retry })
  await fill(client, count, PARTITIONS)
  let [killCount, copiedCount] = [0, 0]
  let killing: Promise<void> = Promise.resolve()
  const kill = async (delayMs: number): Promise<void> => {
    await sleep(delayMs)
    await broker.kill()
    await broker.start()
  }
  await using tx = client.producer({ transactionalId: 'copy', lingerMs: 0 })
  const { groups } = client.admin()
  const isCopied = async (): Promise<boolean> => {
    const offsets = await groups.offsets('copy')
    return offsets.reduce((sum, { offset }) => sum + offset, 0) === count
  }
  // A member that could not leave keeps its partitions for a while: the others end without them.
  while (!(await isCopied())) {
    await using source = client.consumer({
      topics: [inputs],
      group: 'copy',
      commit: 'manual',
      heartbeatIntervalMs: IMPATIENT.heartbeatIntervalMs,
      sessionTimeoutMs: 1_000,
      ...FROM_START_TO_END,
    })
    try {
      let batchCount = 0
      await copy(tx, source, async () => {
        const isDue = killCount < KILLS && copiedCount >= 500 * (killCount + 1)
        if (isDue) {
          await killing
          killing = kill(++killCount % 5)
          // In the middle of the transaction, or at any time of its commit.
          if (killCount % 2 === 0) await killing
        }
        if (++batchCount % 7 === 0) throw new Error('changed its mind')
        copiedCount += 50
      })
    } catch (error) {
      const isExpected = /changed its mind|ILLEGAL_GENERATION|UNKNOWN_MEMBER_ID/.test(String(error))
      if (!isExpected) throw error
    }
  }
  await killing
  t.equal(killCount, KILLS)
  t.same(await committedOutputs(client), numbers(count))
})
