// Reading committed records only, against a scripted broker: the visible records of transactions, and the end of a
// log.

import t from '../../protocol/testing/tap.ts'
import { fetch } from '../../protocol/api/01_fetch.ts'
import { BatchBuilder, type FinishOptions } from '../../protocol/batch/build.ts'
import { stampBatch } from '../../protocol/batch/header.ts'
import { endTransaction, type FakeLog } from '../testing/fake-broker.ts'
import { read, texts, world } from '../testing/reader-world.ts'

function write(log: FakeLog, values: readonly string[], options: FinishOptions = {}): void {
  const builder = new BatchBuilder()
  for (const value of values) builder.append({ timestamp: 0, key: null, value: Buffer.from(value) })
  const bytes = builder.finish(options)
  stampBatch(bytes, 0, log.endOffset, 0)
  log.batches.push(bytes)
  log.endOffset += values.length
}

/** Appends a batch of a producer's open transaction, or begins one. */
function writeInTransaction(log: FakeLog, producerId: number, values: readonly string[]): void {
  const firstOffset = log.endOffset
  write(log, values, { producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true })
  if (log.transactions.every((each) => each.producerId !== producerId || each.end !== undefined))
    log.transactions.push({ producerId, firstOffset })
}

/** Two aborted transactions of producer 1 around a committed one of its own, interleaved with others. */
function writeTransactions(log: FakeLog): void {
  writeInTransaction(log, 1, ['a1', 'a2'])
  write(log, ['plain'])
  writeInTransaction(log, 2, ['c1'])
  writeInTransaction(log, 1, ['a3'])
  endTransaction(log, 1, 0, 'abort')
  writeInTransaction(log, 1, ['c2'])
  endTransaction(log, 2, 0, 'commit')
  endTransaction(log, 1, 0, 'commit')
  writeInTransaction(log, 1, ['a4'])
  writeInTransaction(log, 2, ['c3'])
  endTransaction(log, 1, 0, 'abort')
  endTransaction(log, 2, 0, 'commit')
}

t.test(
  'of transactions a committed reader sees what was committed, wherever fetches begin',
  async (t) => {
    await using w = await world()
    writeTransactions(w.log)
    const { endOffset } = w.log
    for (const batchesMax of [1, 2, 3, Infinity]) {
      w.broker.batchesMax = batchesMax
      const options = { topics: [texts], from: 'earliest', until: 'end' } as const
      const committed = w.client.consumer({ ...options, isolation: 'committed' })
      t.same(await read(committed), ['plain', 'c1', 'c2', 'c3'], `${batchesMax} batches at a time`)
      t.equal(
        committed.positions()[0]!.offset,
        endOffset,
        'markers and aborted records are behind it',
      )
      const all = ['a1', 'a2', 'plain', 'c1', 'a3', 'c2', 'a4', 'c3']
      t.same(await read(w.client.consumer(options)), all, 'everything, unless told otherwise')
    }
    for (let from = 0; from <= endOffset; from++) {
      const consumer = w.client.consumer({
        topics: [texts],
        from,
        until: 'end',
        isolation: 'committed',
      })
      const offsets = [2, 3, 6, 10].filter((offset) => offset >= from)
      const seen = []
      for await (const { offset } of consumer) seen.push(offset)
      t.same(seen, offsets, `from ${from}, also in the middle of a transaction`)
    }
  },
)

t.test(
  'an open transaction holds back what comes after it; the end is the last stable offset',
  async (t) => {
    await using w = await world()
    write(w.log, ['0'])
    writeInTransaction(w.log, 1, ['1'])
    write(w.log, ['2'])
    const options = { topics: [texts], isolation: 'committed' } as const
    const upToEnd = w.client.consumer({ ...options, from: 'earliest', until: 'end' })
    t.same(await read(upToEnd), ['0'])
    t.match(upToEnd.positions(), [{ offset: 1, highWatermark: 1 }])
    const [latest] = await w.client
      .admin()
      .listOffsets([texts], 'latest', { isolation: 'committed' })
    t.equal(latest!.offset, 1)
    const following = w.client.consumer(options)
    await following.start()
    t.equal(following.positions()[0]!.offset, 1, 'latest is before it')
    const records = read(following, 2)
    endTransaction(w.log, 1, 0, 'commit')
    t.same(await records, ['1', '2'])
  },
)

t.test('an aborted list too long, or of transactions long ended, harms nothing', async (t) => {
  await using w = await world()
  writeInTransaction(w.log, 1, ['0'])
  endTransaction(w.log, 1, 0, 'commit')
  write(w.log, ['1'])
  w.broker.next(fetch, ({ topics }) => ({
    responses: topics.map((each) => ({
      ...each,
      partitions: each.partitions.map(({ partition }) => ({
        partitionIndex: partition,
        errorCode: 0,
        highWatermark: 3,
        lastStableOffset: 3,
        abortedTransactions: [
          { producerId: 9, firstOffset: 0 },
          { producerId: 1, firstOffset: 2 },
        ],
        records: Buffer.concat(w.log.batches),
      })),
    })),
  }))
  const consumer = w.client.consumer({ topics: [texts], from: 'earliest', isolation: 'committed' })
  t.same(await read(consumer, 2), ['0', '1'])
})
