// The assertions on transactional ids: a bug planted into a transition is caught before the record is taken.

import t from '../../protocol/testing/tap.ts'
import type { TransactionRecord } from './messages.ts'
import { TransactionalId } from './transactional-id.ts'
import { added, completed, newRecord, prepared } from './transitions.ts'

const partitions = [{ topic: 't', partitions: [0] }]
const open = added({ ...newRecord(7, 0), producerEpoch: 3 }, partitions, 1)
const ending = prepared(open, true, 'bumped', null, 2)

const bugs: [name: string, from: TransactionRecord, to: TransactionRecord, words: RegExp][] = [
  [
    'completes without a decision',
    open,
    { ...open, state: 'CompleteCommit' },
    /id x: from Ongoing to CompleteCommit/,
  ],
  [
    'aborts what it has decided to commit',
    ending,
    completed({ ...ending, state: 'PrepareAbort' }, 3),
    /from PrepareCommit to CompleteAbort/,
  ],
  ['takes records into an ending transaction', ending, added(ending, partitions, 3), /to Ongoing/],
  ['gives an older epoch out again', open, { ...ending, producerEpoch: 2 }, /epoch 2 after 3/],
  [
    'marks partitions that were never in it',
    ending,
    { ...ending, partitions: [...partitions, { topic: 'u', partitions: [0] }] },
    /partitions were added/,
  ],
]

for (const [name, from, to, words] of bugs) {
  t.test(`a coordinator that ${name} is caught`, (t) => {
    const id = new TransactionalId('x', from)
    t.throws(() => (id.record = to), words)
    t.equal(id.record, from)
    t.end()
  })
}

t.test('the life of a transaction passes', (t) => {
  const id = new TransactionalId('x', open)
  for (const next of [ending, { ...ending, partitions: [] }, completed(ending, 3)]) id.record = next
  t.equal(id.record.state, 'CompleteCommit')
  t.end()
})
