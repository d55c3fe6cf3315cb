// The demo's verdict: it reports a wrong count, a changed record, a duplicate and a wrong order.

import t from '../protocol/testing/tap.ts'
import { judge, keysOutOfOrder, type Entry } from './demo-journal.ts'

const acknowledged: Entry[] = Array.from({ length: 10 }, (_, i) => ({
  partition: i % 3,
  offset: i,
  value: `flight ${i}`,
}))

t.test(
  'everything acknowledged is there: good, also with more that nobody acknowledged',
  async (t) => {
    t.ok(judge(acknowledged, acknowledged.toReversed()).isGood)
    const more = { partition: 0, offset: 99, value: 'written, but the answer never came' }
    t.match(judge(acknowledged, [...acknowledged, more]), {
      isGood: true,
      acknowledgedCount: 10,
      readCount: 11,
    })
  },
)

t.test('one acknowledged record is missing: not good', async (t) => {
  const verdict = judge(acknowledged, acknowledged.slice(0, -1))
  t.match(verdict, { isGood: false, missing: [acknowledged[9]], changed: [] })
})

t.test('another record is at its offset: not good', async (t) => {
  const changed = { ...acknowledged[4]!, value: 'another flight' }
  t.match(judge(acknowledged, acknowledged.with(4, changed)), {
    isGood: false,
    missing: [],
    changed: [acknowledged[4]],
  })
})

t.test('a record is there twice: not good', async (t) => {
  const again = { ...acknowledged[4]!, offset: 99 }
  t.match(judge(acknowledged, [...acknowledged, again]), { isGood: false, duplicateCount: 1 })
})

t.test('the records of a key come back in another order: the key is named', async (t) => {
  const sent = ['a1', 'b1', 'a2', 'b2'].map((value) => ({ key: value[0]!, value }))
  t.same(
    keysOutOfOrder(
      sent,
      ['b1', 'a1', 'a2', 'b2'].map((value) => ({ key: value[0]!, value })),
    ),
    [],
  )
  t.same(
    keysOutOfOrder(
      sent,
      ['a2', 'b1', 'a1', 'b2'].map((value) => ({ key: value[0]!, value })),
    ),
    ['a'],
  )
  t.same(keysOutOfOrder(sent, sent.slice(0, 3)), ['b'])
})
