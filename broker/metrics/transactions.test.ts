// Metrics of transactions, as they open, age and end.

import t from '../../protocol/testing/tap.ts'
import { transactionWorld } from '../testing/transaction-world.ts'
import { offsetsPartition } from '../txn/messages.ts'
import type { MetricName } from './table.ts'
import { Samples } from './samples.ts'
import { TransactionMetrics } from './transactions.ts'

t.test('transactions are counted while they are open, and by how they end', async (t) => {
  const metrics = new TransactionMetrics()
  const w = transactionWorld((result) => metrics.ended(result))
  const read = () => {
    const samples = new Samples()
    metrics.add(samples, w.coordinator, w.clock)
    const values = (name: MetricName) =>
      samples.of(name).map(({ value, labels }) => [value, labels])
    return {
      open: values('millrace_txn_open'),
      oldest: values('millrace_txn_oldest_seconds'),
      total: values('millrace_txn_total'),
    }
  }
  const begin = async (transactionalId: string, timeoutMs: number) => {
    const request = { transactionalId, timeoutMs, current: null }
    const who = await w.coordinator.initProducer(request)
    if (typeof who === 'string') throw new Error(who)
    await w.coordinator.add({ transactionalId, ...who }, [offsetsPartition])
    return { transactionalId, ...who }
  }
  t.same(read(), { open: [[0, {}]], oldest: [[0, {}]], total: [] })
  const one = await begin('one', 60_000)
  await w.clock.advance(5000)
  await begin('two', 1000)
  t.match(read(), { open: [[2, {}]], oldest: [[5, {}]] })
  await w.coordinator.end({ ...one, isCommit: true, bumpsEpoch: false })
  t.match(read(), { open: [[1, {}]], oldest: [[0, {}]], total: [[1, { result: 'commit' }]] })
  await w.clock.advance(10_000)
  t.match(read(), {
    open: [[0, {}]],
    total: [
      [1, { result: 'commit' }],
      [1, { result: 'timeout' }],
    ],
  })
})
