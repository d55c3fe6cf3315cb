// millrace's transactional producer on any cluster: commits, aborts, exactly-once read and write, fencing,
// administration.
// `KAFKA_VERSION` chooses the version of transactions: before 4.0 there is only the older one.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { string, topic, type Client } from '../../index.ts'
import { contents } from '../index.ts'

const inputs = topic('transaction-inputs', { value: string })
const outputs = topic('transaction-outputs', { value: string })
const FROM_START_TO_END = { from: 'earliest', until: 'end', isolation: 'committed' } as const
const COUNT = 1_000

export async function transacting(t: Test, client: Client): Promise<void> {
  await t.test('it writes in transactions, exactly once', async (t) => {
    const partitions = 3
    const topics = [inputs, outputs].map((each) => ({ topic: each, partitions }))
    await client.admin().createTopics(topics)
    await using plain = client.producer()
    const numbers = Array.from({ length: COUNT }, (_, i) => `${i}`)
    await plain.send(
      inputs,
      numbers.map((value) => ({ value })),
    )
    await copying(client)
    t.strictSame((await committed(client)).sort(byNumber), numbers)
    t.ok((await contents(client, outputs)).length > COUNT, 'aborted records are there too')
    t.equal((await client.admin().groups.lag('copy')).total, 0)
  })
  await t.test('a newer producer fences an older one, and so does who aborts it', async (t) => {
    await using older = client.producer({ transactionalId: 'fenced', lingerMs: 0 })
    const { transactions } = client.admin()
    const isOpen = async () => (await transactions.list({ states: ['Ongoing'] })).length > 0
    const aborted = older.transaction(async (tx) => {
      await tx.send(outputs, { value: 'no' })
      while (!(await isOpen())) await sleep(5)
      const described = await transactions.describe(['fenced'])
      t.match(described, [{ state: 'Ongoing', partitions: [{ topic: 'transaction-outputs' }] }])
      await transactions.abort('fenced')
    })
    await t.rejects(aborted, { code: /PRODUCER_FENCED|INVALID_PRODUCER_EPOCH/, fatal: true })
    await using newer = client.producer({ transactionalId: 'fenced' })
    await newer.transaction((tx) => tx.send(outputs, { value: 'yes' }))
    t.strictSame(
      (await committed(client)).filter((value) => !/\d/.test(value)),
      ['yes'],
    )
  })
}

/** Every third transaction aborts, and the reader starts again. */
async function copying(client: Client): Promise<void> {
  await using tx = client.producer({ transactionalId: 'copy', lingerMs: 0 })
  let attempts = 0
  for (let isDone = false; !isDone;) {
    await using source = client.consumer({
      topics: [inputs],
      group: 'copy',
      commit: 'manual',
      ...FROM_START_TO_END,
    })
    try {
      for await (const { records } of source.batches({ maxRecords: 100 })) {
        await tx.transaction(async (each) => {
          for (const { value } of records) await each.send(outputs, { value })
          each.commitOffsetsOf(source, records.at(-1)!)
          if (++attempts % 3 !== 0) return
          await sleep(100) // part of the transaction is written by then
          throw new Error('changed its mind')
        })
      }
      isDone = true
    } catch (error) {
      if (!String(error).includes('changed its mind')) throw error
    }
  }
}

/** Apache Kafka answers EndTxn before it writes the markers: an early reader would miss the records. */
async function untilEnded(client: Client): Promise<void> {
  const { transactions } = client.admin()
  const states = ['Ongoing', 'PrepareCommit', 'PrepareAbort'] as const
  while ((await transactions.list({ states })).length > 0) await sleep(5)
}

async function committed(client: Client): Promise<string[]> {
  await untilEnded(client)
  const values: string[] = []
  for await (const { value } of client.consumer({ topics: [outputs], ...FROM_START_TO_END }))
    values.push(value)
  return values
}

function byNumber(a: string, b: string): number {
  return Number(a) - Number(b)
}
