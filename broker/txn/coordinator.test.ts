// The transaction coordinator without sockets: owners of a transactional id, the requests of a transaction, its end.

import { strict as assert } from 'node:assert'
import t from '../../protocol/testing/tap.ts'
import { transactionWorld, type TransactionWorld } from '../testing/transaction-world.ts'
import { settle } from '../testing/virtual-clock.ts'
import type { ProducerAnswer } from './coordinator.ts'
import { offsetsPartition, type ProducerIdentity, type TransactionRecord } from './messages.ts'

const ID = 'tx'
const EPOCH_MAX = 32_766

/** A producer of this transactional id, of either kind: TV1 as before KIP-890 part 2, TV2 since then. */
class Producer {
  readonly #w: TransactionWorld
  readonly isV2: boolean
  who: ProducerIdentity

  constructor(w: TransactionWorld, who: ProducerIdentity, isV2 = false) {
    this.#w = w
    this.who = who
    this.isV2 = isV2
  }

  get request() {
    return { transactionalId: ID, ...this.who }
  }

  add(topic = 't', ...partitions: number[]) {
    return this.#w.coordinator.add(this.request, [{ topic, partitions }])
  }

  addOffsets() {
    return this.#w.coordinator.add(this.request, [offsetsPartition])
  }

  async end(isCommit: boolean): Promise<ProducerAnswer> {
    const request = { ...this.request, isCommit, bumpsEpoch: this.isV2 }
    const answer = await this.#w.coordinator.end(request)
    if (typeof answer !== 'string') this.who = answer
    return answer
  }
}

function init(w: TransactionWorld, current: ProducerIdentity | null = null, timeoutMs = 60_000) {
  return w.coordinator.initProducer({ transactionalId: ID, timeoutMs, current })
}

async function producer(w: TransactionWorld, isV2 = false): Promise<Producer> {
  const who = await init(w)
  assert(typeof who !== 'string', 'the producer is initialised')
  return new Producer(w, who, isV2)
}

/** As if the producer had used up its epochs. */
async function atEpoch(
  w: TransactionWorld,
  producerEpoch: number,
  isV2 = false,
): Promise<Producer> {
  const { who } = await producer(w, isV2)
  w.disk.records.set(ID, { ...w.disk.records.get(ID)!, producerEpoch })
  w.restart()
  return new Producer(w, { ...who, producerEpoch }, isV2)
}

const recordOf = (w: TransactionWorld): TransactionRecord => w.coordinator.get(ID)!.record
const heardIn = ({ disk }: TransactionWorld) =>
  disk.heard.map(({ where, isCommit }) => `${isCommit ? 'commit' : 'abort'} ${where}`).sort()

t.test('the producer of a transactional id', async (t) => {
  t.test('is given an id, and each later one a newer epoch', async (t) => {
    const w = transactionWorld()
    t.same(await init(w), { producerId: 1, producerEpoch: 0 })
    t.same(await init(w), { producerId: 1, producerEpoch: 1 })
    w.restart()
    t.same(await init(w), { producerId: 1, producerEpoch: 2 })
    t.match(recordOf(w), { state: 'Empty', timeoutMs: 60_000 })
  })

  t.test('needs a name, and a timeout within bounds', async (t) => {
    const w = transactionWorld()
    const named = { transactionalId: '', timeoutMs: 1, current: null }
    t.equal(await w.coordinator.initProducer(named), 'INVALID_REQUEST')
    for (const timeoutMs of [0, -1, 900_001]) {
      t.equal(await init(w, null, timeoutMs), 'INVALID_TRANSACTION_TIMEOUT')
    }
    t.same(await init(w, null, 900_000), { producerId: 1, producerEpoch: 0 })
  })

  t.test('bumps its own epoch, and hears the same again when the answer was lost', async (t) => {
    const w = transactionWorld()
    const { who } = await producer(w)
    const next = { producerId: 1, producerEpoch: 1 }
    t.same(await init(w, who), next)
    t.same(await init(w, who), next, 'a repeated question')
    t.same(await init(w, next), { producerId: 1, producerEpoch: 2 })
    t.equal(await init(w, who), 'PRODUCER_FENCED', 'too old by now')
    t.equal(await init(w, { producerId: 9, producerEpoch: 2 }), 'PRODUCER_FENCED')
  })

  t.test('may come with what it was before its transactional id expired', async (t) => {
    const w = transactionWorld()
    t.same(await init(w, { producerId: 99, producerEpoch: 5 }), { producerId: 1, producerEpoch: 0 })
  })

  t.test('gets another id when its epochs are used up', async (t) => {
    const w = transactionWorld()
    const { who } = await atEpoch(w, EPOCH_MAX)
    t.same(await init(w, who), { producerId: 2, producerEpoch: 0 })
    t.same(await init(w, who), { producerId: 2, producerEpoch: 0 }, 'also when the answer was lost')
  })

  t.test('hears of a disk that refuses, and nothing has changed', async (t) => {
    const w = transactionWorld()
    w.disk.broken.add('ids')
    t.equal(await init(w), 'COORDINATOR_NOT_AVAILABLE')
    w.disk.broken.clear()
    w.disk.broken.add('table')
    t.equal(await init(w), 'COORDINATOR_NOT_AVAILABLE')
    w.disk.broken.clear()
    t.same(await init(w), { producerId: 1, producerEpoch: 0 })
  })

  t.test('is heard of only when it is durable', async (t) => {
    const w = transactionWorld()
    w.disk.hold()
    let answer: unknown
    void init(w).then((who) => (answer = who))
    await settle()
    t.equal(answer, undefined)
    w.disk.release()
    await settle()
    t.same(answer, { producerId: 1, producerEpoch: 0 })
  })
})

t.test('a transaction', async (t) => {
  t.test('takes partitions and offsets, and tells all of them when it ends', async (t) => {
    for (const isCommit of [true, false]) {
      const w = transactionWorld()
      const p = await producer(w)
      t.equal(await p.add('t', 0, 1), undefined)
      t.equal(await p.add('u', 0), undefined)
      t.equal(await p.add('t', 1, 2), undefined)
      t.equal(await p.addOffsets(), undefined)
      t.equal(w.coordinator.get(ID)!.includes('t', 2), true)
      t.equal(w.coordinator.get(ID)!.includes('t', 3), false)
      t.same(await p.end(isCommit), { producerId: 1, producerEpoch: 0 })
      const how = isCommit ? 'commit' : 'abort'
      t.same(
        heardIn(w),
        ['__consumer_offsets-0', 't-0', 't-1', 't-2', 'u-0'].map((where) => `${how} ${where}`),
      )
      t.match(recordOf(w), {
        state: isCommit ? 'CompleteCommit' : 'CompleteAbort',
        partitions: [],
        startMs: null,
      })
      t.same(w.results, [how])
      t.equal(w.coordinator.get(ID)!.includes('t', 2), false)
    }
  })

  t.test('is asked by its own producer only', async (t) => {
    const w = transactionWorld()
    const p = await producer(w)
    const stranger = new Producer(w, { producerId: 9, producerEpoch: 0 })
    const zombie = new Producer(w, { producerId: 1, producerEpoch: -1 })
    for (const [who, error] of [
      [stranger, 'INVALID_PRODUCER_ID_MAPPING'],
      [zombie, 'PRODUCER_FENCED'],
    ] as const) {
      t.equal(await who.add('t', 0), error)
      t.equal(await who.addOffsets(), error)
      t.equal(await who.end(true), error)
    }
    const nobody = { ...p.request, transactionalId: 'nobody' }
    t.equal(await w.coordinator.add(nobody, [offsetsPartition]), 'INVALID_PRODUCER_ID_MAPPING')
    const end = { ...nobody, isCommit: true, bumpsEpoch: false }
    t.equal(await w.coordinator.end(end), 'INVALID_PRODUCER_ID_MAPPING')
  })

  t.test('that holds a partition already writes nothing for it', async (t) => {
    const w = transactionWorld()
    const p = await producer(w)
    await p.add('t', 0)
    w.disk.broken.add('table')
    t.equal(await p.add('t', 0), undefined)
    t.equal(await p.add('t', 1), 'COORDINATOR_NOT_AVAILABLE')
    t.equal(w.coordinator.get(ID)!.includes('t', 1), false)
  })

  t.test('holds back its end until its pending offsets are stored', async (t) => {
    const w = transactionWorld()
    const p = await producer(w)
    await p.addOffsets()
    let stored = () => {}
    const write = () => new Promise<undefined>((resolve) => (stored = () => resolve(undefined)))
    const commit = w.coordinator.commitOffsets(p.request, false, write)
    const end = p.end(true)
    await settle()
    t.same(heardIn(w), [])
    stored()
    t.equal(await commit, undefined)
    await end
    t.same(heardIn(w), ['commit __consumer_offsets-0'])
  })

  t.test('takes offsets when they were added, or adds them itself when it may', async (t) => {
    const w = transactionWorld()
    const p = await producer(w)
    const written: string[] = []
    const write = async () => void written.push('g')
    const commit = (isImplicit: boolean) =>
      w.coordinator.commitOffsets(p.request, isImplicit, write)
    t.equal(await commit(false), 'INVALID_TXN_STATE')
    await p.addOffsets()
    t.equal(await commit(false), undefined)
    await p.end(true)
    t.equal(await commit(false), 'INVALID_TXN_STATE')
    t.equal(await commit(true), undefined)
    t.same(recordOf(w).partitions, [offsetsPartition])
    t.equal(written.length, 2)
    const refuse = async () => 'ILLEGAL_GENERATION' as const
    t.equal(await w.coordinator.commitOffsets(p.request, false, refuse), 'ILLEGAL_GENERATION')
  })

  t.test('that was decided ends, whatever restarts in between', async (t) => {
    for (const isCommit of [true, false]) {
      const w = transactionWorld()
      const p = await producer(w)
      await p.add('t', 0, 1)
      w.disk.broken.add('t-1')
      t.match(await p.end(isCommit), { producerEpoch: 0 }, 'the decision stands')
      t.match(recordOf(w), { partitions: [{ topic: 't', partitions: [1] }] }, 'one is to be told')
      t.equal(await p.add('t', 0), 'CONCURRENT_TRANSACTIONS')
      t.equal(await init(w), 'CONCURRENT_TRANSACTIONS')
      w.restart()
      w.disk.heard.length = 0
      t.equal(await p.end(isCommit), 'CONCURRENT_TRANSACTIONS')
      t.equal(await p.end(!isCommit), 'INVALID_TXN_STATE')
      w.disk.broken.clear()
      await w.coordinator.sweep()
      const how = isCommit ? 'commit' : 'abort'
      t.same(heardIn(w), [`${how} t-0`, `${how} t-1`], 'after a restart all are told again')
      t.match(await p.end(isCommit), { producerEpoch: 0 })
      t.equal(await p.add('t', 0), undefined)
    }
  })

  t.test('is not shown as ending to a request that waits for its turn', async (t) => {
    const w = transactionWorld()
    const p = await producer(w)
    await p.add('t', 0)
    const answers = await Promise.all([p.end(true), p.add('t', 1), p.end(true), p.add('t', 2)])
    t.match(answers, [{ producerEpoch: 0 }, undefined, { producerEpoch: 0 }, undefined])
  })
})

t.test('EndTxn before KIP-890 part 2', async (t) => {
  t.test('is answered the same when it is repeated, and refuses the opposite', async (t) => {
    for (const isCommit of [true, false]) {
      const w = transactionWorld()
      const p = await producer(w)
      t.equal(await p.end(isCommit), 'INVALID_TXN_STATE', 'there is none')
      await p.add('t', 0)
      await p.end(isCommit)
      t.same(await p.end(isCommit), { producerId: 1, producerEpoch: 0 })
      t.equal(await p.end(!isCommit), 'INVALID_TXN_STATE')
      t.equal(w.disk.heard.length, 1)
    }
  })
})

t.test('EndTxn since KIP-890 part 2', async (t) => {
  t.test('bumps the epoch at every end, and the markers carry the new one', async (t) => {
    const w = transactionWorld()
    const p = await producer(w, true)
    for (const [i, isCommit] of [true, false, true].entries()) {
      await p.add('t', 0)
      t.same(await p.end(isCommit), { producerId: 1, producerEpoch: i + 1 })
      t.match(w.disk.heard.at(-1), { producerEpoch: i + 1, isCommit })
    }
  })

  t.test('is answered the same to a request with the epoch before the bump', async (t) => {
    for (const isCommit of [true, false]) {
      const w = transactionWorld()
      const p = await producer(w, true)
      await p.add('t', 0)
      const late = new Producer(w, p.who, true)
      const other = new Producer(w, p.who, true)
      await p.end(isCommit)
      t.equal(await other.end(!isCommit), 'INVALID_TXN_STATE')
      t.same(await late.end(isCommit), p.who)
      await p.add('t', 0)
      t.equal(await other.end(isCommit), 'PRODUCER_FENCED', 'not when the next one has begun')
    }
  })

  t.test('takes the next EndTxn for the next transaction, not for a repetition', async (t) => {
    const w = transactionWorld()
    const p = await producer(w, true)
    t.equal(await p.end(true), 'INVALID_TXN_STATE')
    t.same(await p.end(false), { producerId: 1, producerEpoch: 1 }, 'an abort of nothing')
    t.same(w.disk.heard, [])
    t.same(w.results, [], 'which is none')
    await p.add('t', 0)
    await p.end(true)
    t.equal(await p.end(true), 'INVALID_TXN_STATE')
    t.same(await p.end(false), { producerId: 1, producerEpoch: 3 })
  })

  t.test('gives another id when the epochs are used up', async (t) => {
    const w = transactionWorld()
    const p = await atEpoch(w, EPOCH_MAX, true)
    const late = new Producer(w, p.who, true)
    await p.add('t', 0)
    t.same(await p.end(true), { producerId: 2, producerEpoch: 0 })
    t.match(w.disk.heard, [{ producerId: 1, producerEpoch: EPOCH_MAX + 1 }])
    t.same(await late.end(true), { producerId: 2, producerEpoch: 0 }, 'also when it is repeated')
    w.restart()
    t.equal(await p.add('t', 0), undefined)
  })

  t.test('a crash between the decision and its end keeps the other id', async (t) => {
    const w = transactionWorld()
    const p = await atEpoch(w, EPOCH_MAX, true)
    const before = p.who
    await p.add('t', 0)
    w.disk.broken.add('t-0')
    await p.end(false)
    t.equal(await init(w, before), 'CONCURRENT_TRANSACTIONS', 'it is not to be had yet')
    w.restart()
    w.disk.broken.clear()
    await w.coordinator.sweep()
    t.match(recordOf(w), { producerId: 2, producerEpoch: 0, state: 'CompleteAbort' })
    t.same(await init(w, before), { producerId: 2, producerEpoch: 0 })
  })
})

t.test('fencing', async (t) => {
  t.test('a new instance aborts what the former one left open', async (t) => {
    for (const isV2 of [true, false]) {
      const w = transactionWorld()
      const former = await producer(w, isV2)
      await former.add('t', 0)
      await former.addOffsets()
      const newer = await init(w)
      t.same(newer, { producerId: 1, producerEpoch: 2 })
      t.same(heardIn(w), ['abort __consumer_offsets-0', 'abort t-0'])
      t.match(
        w.disk.heard,
        [{ producerEpoch: 1 }, { producerEpoch: 1 }],
        'which fences in the logs',
      )
      t.same(w.results, ['fenced'])
      t.equal(await former.add('t', 0), 'PRODUCER_FENCED')
      t.equal(await former.end(true), 'PRODUCER_FENCED')
      t.equal(await init(w, former.who), 'PRODUCER_FENCED')
    }
  })

  t.test('the last epoch is fenced too, and its successor has another id', async (t) => {
    const w = transactionWorld()
    const former = await atEpoch(w, EPOCH_MAX)
    await former.add('t', 0)
    t.same(await init(w), { producerId: 2, producerEpoch: 0 })
    t.match(w.disk.heard, [{ producerId: 1, producerEpoch: EPOCH_MAX + 1, isCommit: false }])
    t.equal(await former.end(true), 'INVALID_PRODUCER_ID_MAPPING')
  })

  t.test('another producer does not abort the transaction', async (t) => {
    const w = transactionWorld()
    const p = await producer(w)
    const stale = p.who
    t.match(await init(w, p.who), { producerEpoch: 1 })
    const current = new Producer(w, { producerId: 1, producerEpoch: 1 })
    await current.add('t', 0)
    t.equal(await init(w, stale), 'PRODUCER_FENCED')
    t.match(await current.end(true), { producerEpoch: 1 })
  })
})

t.test('time', async (t) => {
  t.test('a transaction that runs for too long is aborted, and its producer fenced', async (t) => {
    for (const isV2 of [true, false]) {
      const w = transactionWorld()
      const p = await producer(w, isV2)
      await w.clock.advance(50_000)
      await p.add('t', 0)
      await w.clock.advance(60_000)
      t.same(heardIn(w), [], 'its time begins with it')
      await w.clock.advance(10_000)
      t.same(heardIn(w), ['abort t-0'])
      t.match(w.disk.heard, [{ producerEpoch: 1 }])
      t.same(w.results, ['timeout'])
      t.equal(await p.add('t', 0), 'PRODUCER_FENCED')
      t.equal(await p.end(true), isV2 ? 'INVALID_TXN_STATE' : 'PRODUCER_FENCED')
    }
  })

  t.test(
    'a producer that aborts a timed out transaction goes on, since KIP-890 part 2',
    async (t) => {
      const w = transactionWorld()
      const p = await producer(w, true)
      await p.add('t', 0)
      await w.clock.advance(70_001)
      t.same(await p.end(false), { producerId: 1, producerEpoch: 1 })
      t.equal(await p.add('t', 0), undefined)
    },
  )

  t.test('a transaction runs on over a restart, and so does its time', async (t) => {
    const w = transactionWorld()
    const p = await producer(w)
    await p.add('t', 0)
    w.restart()
    t.equal(await p.add('t', 1), undefined)
    await w.clock.advance(70_001)
    t.same(heardIn(w), ['abort t-0', 'abort t-1'])
  })

  t.test('an unused transactional id is forgotten', async (t) => {
    const w = transactionWorld()
    const idle = await producer(w)
    await w.clock.advance(604_700_000)
    t.equal(await idle.add('t', 0), undefined, 'it is in use')
    await idle.end(true)
    await w.clock.advance(604_700_000)
    t.ok(w.coordinator.get(ID))
    await w.clock.advance(4_000_000)
    t.equal(w.coordinator.get(ID), undefined)
    t.equal(w.disk.records.size, 0)
    t.equal(await idle.add('t', 0), 'INVALID_PRODUCER_ID_MAPPING')
    t.same(await init(w), { producerId: 2, producerEpoch: 0 })
  })

  t.test(
    'a request while an id is being forgotten finds it gone, or creates it again',
    async (t) => {
      const w = transactionWorld()
      const p = await producer(w)
      w.coordinator.close()
      await w.clock.advance(604_900_000)
      const gone = w.coordinator.expire()
      const answers = Promise.all([p.add('t', 0), init(w)])
      await gone
      t.same(await answers, ['INVALID_PRODUCER_ID_MAPPING', { producerId: 2, producerEpoch: 0 }])
    },
  )
})

t.test('an administrator aborts the open transaction of a producer', async (t) => {
  const w = transactionWorld()
  const p = await producer(w)
  t.equal(await w.coordinator.abort(p.who), 'unknown', 'none is open')
  t.equal(await w.coordinator.abort({ producerId: 9, producerEpoch: 0 }), 'unknown')
  await p.add('t', 0)
  t.equal(await w.coordinator.abort({ producerId: 1, producerEpoch: 5 }), 'PRODUCER_FENCED')
  t.equal(await w.coordinator.abort(p.who), undefined)
  t.same(heardIn(w), ['abort t-0'])
  t.equal(await p.end(true), 'PRODUCER_FENCED')
})
