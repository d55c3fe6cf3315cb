// The assertions on batches and requests in flight: each bug planted here is caught before a batch could overtake
// another.

import { AssertionError } from 'node:assert'
import t from '../../protocol/testing/tap.ts'
import { Batch, TopicQueue } from './batch.ts'
import { Channel } from './channel.ts'

const queue = () => new TopicQueue('t', 1000).partition(0)

/** @param firstRecord how many records of the partition came before it */
function sent(firstRecord: number, attempts = 1, of = queue()): Batch {
  const batch = new Batch(of, { createdAt: 0, since: 0 }, firstRecord, Buffer.alloc(100))
  batch.attempts = attempts
  return batch
}

const bugs: { name: string; assertion: RegExp; plant: () => void }[] = [
  {
    name: 'sends more batches of a partition than may be in flight',
    assertion: /a bound of batches/,
    plant() {
      const { inFlight } = queue()
      for (const firstRecord of [0, 1, 2]) inFlight.add(sent(firstRecord), 2)
    },
  },
  {
    name: 'sends a later batch first',
    assertion: /sent in order/,
    plant() {
      const { inFlight } = queue()
      inFlight.add(sent(7), 5)
      inFlight.add(sent(3), 5)
    },
  },
  {
    name: 'sends a batch again while others are in flight',
    assertion: /when no other is in flight/,
    plant() {
      const { inFlight } = queue()
      inFlight.add(sent(3), 5)
      inFlight.add(sent(7, 2), 5)
    },
  },
  {
    name: 'settles a batch twice',
    assertion: /has one outcome/,
    plant() {
      const { inFlight } = queue()
      const batch = sent(0)
      inFlight.add(batch, 1)
      inFlight.remove(batch)
      inFlight.remove(batch)
    },
  },
  {
    name: 'sends more requests to a broker than may be in flight',
    assertion: /a bound of requests/,
    plant() {
      const channel = new Channel(1, 2)
      for (let i = 0; i < 3; i++) channel.begin()
    },
  },
  {
    name: 'ends a request twice',
    assertion: /a request ends once/,
    plant() {
      const channel = new Channel(1, 2)
      channel.begin()
      channel.end()
      channel.end()
    },
  },
]

for (const { name, assertion, plant } of bugs) {
  t.test(`an assertion stops a producer that ${name}`, async (t) => {
    const thrown = await (async () => plant())().then(
      () => undefined,
      (error: unknown) => error,
    )
    t.ok(thrown instanceof AssertionError, String(thrown))
    t.match(thrown, { message: assertion })
  })
}

t.test('batches in flight are those without an answer, oldest first', async (t) => {
  const { inFlight } = queue()
  const [first, second] = [sent(0), sent(4)]
  inFlight.add(first, 2)
  inFlight.add(second, 2)
  t.strictSame([...inFlight], [first, second])
  inFlight.remove(first)
  t.strictSame([...inFlight], [second])
  inFlight.remove(second)
  inFlight.add(sent(0, 2), 1)
  t.equal(inFlight.count, 1, 'a batch is sent again alone')
})
