// Transactional producer against a scripted broker: both versions of transactions, lost answers, and the order of
// waits.

import { setTimeout as sleep } from 'node:timers/promises'
import t from '../../protocol/testing/tap.ts'
import { produce } from '../../protocol/api/00_produce.ts'
import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { addPartitionsToTxn } from '../../protocol/api/24_add_partitions_to_txn.ts'
import { endTxn } from '../../protocol/api/26_end_txn.ts'
import { readBatchHeader } from '../../protocol/batch/header.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import { Client } from '../index.ts'
import { FakeBroker } from '../testing/fake-broker.ts'
import { FakeTransactions } from '../testing/fake-transactions.ts'
import { contents } from '../testing/index.ts'
import {
  asked,
  at,
  refuse,
  refuseToAdd,
  texts,
  VERSIONS,
  world,
} from '../testing/transaction-world.ts'

/** Producer epoch and first sequence of every batch that came. */
const numbered = (broker: FakeBroker) =>
  broker
    .seen(produce)
    .flatMap(({ request }) => request.topics.flatMap(({ partitions }) => partitions))
    .map(({ records }) => readBatchHeader(records!))
    .map(({ producerEpoch, baseSequence }) => `${producerEpoch}:${baseSequence}`)

const SEQUENCES = {
  1: ['AddPartitionsToTxn 3', 'Produce 11', 'EndTxn 4'],
  2: ['Produce 13', 'EndTxn 5'],
}

for (const version of VERSIONS) {
  t.test(
    `version ${version}: it speaks what the cluster announces, and only when something is sent`,
    async (t) => {
      await using w = await world(version)
      t.same(asked(w.broker), ['FindCoordinator 6', 'InitProducerId 5'], 'at once, unasked')
      t.equal(await w.producer.transaction(() => 7), 7)
      t.equal(
        w.broker.requests.length,
        asked(w.broker).length + 1,
        'nothing was sent: nothing is asked',
      )
      await w.producer.transaction((tx) => tx.send(texts, [at(0, 'a'), at(0, 'b')]))
      await w.producer.transaction((tx) => tx.send(texts, at(0, 'c')))
      t.same(asked(w.broker).slice(2), [...SEQUENCES[version], ...SEQUENCES[version]])
      t.same(numbered(w.broker), version === 1 ? ['0:0', '0:2'] : ['0:0', '1:0'], 'version 2 bumps')
      t.equal(w.broker.seen(produce)[0]!.request.transactionalId, 'x')
      t.same(await w.committed(), ['a', 'b', 'c'])
    },
  )

  t.test(
    `version ${version}: what throws is aborted; the next one goes on under a new epoch`,
    async (t) => {
      await using w = await world(version)
      const mine = new Error('mine')
      const failing = w.producer.transaction(async (tx) => {
        await tx.send(texts, [at(0, 'no'), at(1, 'no')])
        while (w.broker.seen(produce).length === 0) await sleep(1)
        throw mine
      })
      await t.rejects(failing, mine)
      t.equal(w.broker.seen(endTxn).at(-1)!.request.committed, false)
      await w.producer.transaction((tx) => tx.send(texts, at(0, 'yes')))
      t.equal(numbered(w.broker).at(-1), '1:0')
      t.same(await w.committed(), ['yes'])
      t.equal((await contents(w.client, texts)).length, 3, 'aborted records lie there all the same')
    },
  )

  t.test(
    `version ${version}: what the cluster aborts for a while is run again, once committed`,
    async (t) => {
      const refusals: [ErrorName, (w: Awaited<ReturnType<typeof world>>, code: number) => void][] =
        [
          [
            'TRANSACTION_ABORTABLE',
            (w, code) => w.broker.next(endTxn, () => ({ errorCode: code })),
          ],
          ['INVALID_TXN_STATE', (w, code) => w.broker.next(endTxn, () => ({ errorCode: code }))],
          ['TRANSACTION_ABORTABLE', (w) => w.broker.next(produce, refuse('TRANSACTION_ABORTABLE'))],
          [
            'OUT_OF_ORDER_SEQUENCE_NUMBER',
            (w) => w.broker.next(produce, refuse('OUT_OF_ORDER_SEQUENCE_NUMBER')),
          ],
          [
            'INVALID_PRODUCER_ID_MAPPING',
            (w) => w.broker.next(produce, refuse('INVALID_PRODUCER_ID_MAPPING')),
          ],
        ]
      for (const [name, script] of refusals) {
        await using w = await world(version)
        script(w, errorCode(name))
        let runs = 0
        await w.producer.transaction(async (tx) => {
          await tx.send(texts, [at(0, `${++runs}`), at(1, `${runs}`)])
        })
        t.equal(runs, 2, name)
        t.same(await w.committed(), ['2', '2'])
        await w.producer.transaction((tx) => tx.send(texts, at(0, 'next')))
        t.same(await w.committed(), ['2', '2', 'next'])
      }
    },
  )

  t.test(
    `version ${version}: what does not pass is thrown, aborted, and not run again`,
    async (t) => {
      await using w = await world(version)
      let runs = 0
      w.broker.next(produce, refuse('TOPIC_AUTHORIZATION_FAILED'))
      const refused = w.producer.transaction((tx) => {
        runs++
        void tx.send(texts, at(0, 'no')) // not waited for, and heard of all the same
        void tx.send(texts, at(1, 'no'))
      })
      await t.rejects(refused, { code: 'TOPIC_AUTHORIZATION_FAILED', fatal: false })
      const serde = w.producer.transaction(async (tx) => {
        runs++
        await t.rejects(tx.send(texts, { value: null as never }), { code: 'INVALID_RECORD' })
        await t.rejects(
          tx.send(texts, at(0, 'no')),
          { code: 'INVALID_RECORD' },
          'it can only abort',
        )
      })
      await t.rejects(serde, { code: 'INVALID_RECORD' }, 'caught or not')
      t.equal(runs, 2)
      await w.producer.transaction((tx) => tx.send(texts, at(0, 'yes')))
      t.same(await w.committed(), ['yes'])
    },
  )

  t.test(
    `version ${version}: the error of a fenced producer names it, and the producer can no longer be used and aborts nothing`,
    async (t) => {
      await using w = await world(version)
      await w.producer.transaction((tx) => tx.send(texts, at(0, '1')))
      await using newer = w.client.producer({ transactionalId: 'x', lingerMs: 0 })
      await newer.start()
      const fenced = { code: /PRODUCER_FENCED|INVALID_PRODUCER_EPOCH/, fatal: true }
      const zombie = w.producer.transaction((tx) => tx.send(texts, at(0, 'zombie')))
      const message =
        /transactional id x, producer 1000 of epoch \d is fenced .*another producer .* Close this producer/
      await t.rejects(zombie, { ...fenced, message })
      const ends = w.broker.seen(endTxn).length
      await t.rejects(
        w.producer.transaction(() => {}),
        fenced,
      )
      await t.rejects(w.producer.start(), fenced)
      t.equal(w.broker.seen(endTxn).length, ends)
      await newer.transaction((tx) => tx.send(texts, at(0, '2')))
      t.same(await w.committed(), ['1', '2'])
    },
  )

  t.test(
    `version ${version}: every answer may be lost: it is asked again, and done once`,
    async (t) => {
      await using w = await world(version)
      w.broker.next(endTxn, (request, v) => {
        w.transactions.end(request, v)
        return 'hangUp'
      })
      w.broker.next(addPartitionsToTxn, () => 'hangUp')
      w.broker.next(produce, (request, v) => {
        w.transactions.produce(request, v)
        return 'hangUp'
      })
      let runs = 0
      await w.producer.transaction((tx) => tx.send(texts, [at(0, `${++runs}`), at(1, `${runs}`)]))
      await w.producer.transaction((tx) => tx.send(texts, at(0, 'next')))
      t.equal(runs, 1)
      t.same(await w.committed(), ['1', '1', 'next'])
    },
  )

  t.test(`version ${version}: an end that is still being written is waited for`, async (t) => {
    await using w = await world(version)
    const busy = errorCode('CONCURRENT_TRANSACTIONS')
    if (version === 2) w.broker.next(produce, refuse('CONCURRENT_TRANSACTIONS'))
    else w.broker.next(addPartitionsToTxn, refuseToAdd('CONCURRENT_TRANSACTIONS'))
    w.broker.next(endTxn, () => ({ errorCode: busy }))
    await w.producer.transaction((tx) => tx.send(texts, at(0, '1')))
    w.broker.next(initProducerId, () => ({ errorCode: busy, producerEpoch: -1 }))
    await using newer = w.client.producer({ transactionalId: 'x' })
    await newer.start()
    t.same(await w.committed(), ['1'])
  })

  t.test(
    `version ${version}: a commit that nobody answers may have happened, and says so`,
    async (t) => {
      await using w = await world(version)
      let answer = (): void => {}
      const answered = new Promise<void>((resolve) => (answer = resolve))
      w.broker.next(endTxn, async (request, v) => {
        await answered
        return w.transactions.end(request, v)
      })
      const unsure = w.producer.transaction((tx) => tx.send(texts, at(0, '1')), {
        timeoutMs: 1_500,
      })
      await t.rejects(unsure, { code: 'REQUEST_TIMED_OUT', message: /is not known/ })
      const next = w.producer.transaction((tx) => tx.send(texts, at(0, '2')))
      answer()
      await next
      t.same(
        await w.committed(),
        ['1', '2'],
        'it went on by itself, and the next one waited for it',
      )
    },
  )

  t.test(
    `version ${version}: close aborts an open transaction, and ends waiting calls`,
    async (t) => {
      await using w = await world(version)
      const open = w.producer.transaction(async (tx) => {
        await tx.send(texts, at(0, 'no'))
        while (w.broker.seen(produce).length === 0) await sleep(1)
        await sleep(60_000, undefined, { ref: false })
      })
      const waiting = w.producer.transaction(() => {})
      const outcomes = Promise.allSettled([open, waiting])
      while (w.broker.seen(produce).length === 0) await sleep(1)
      await w.producer.close()
      for (const outcome of await outcomes)
        t.match(outcome, { status: 'rejected', reason: { message: /the producer is closed/ } })
      t.equal(w.broker.seen(endTxn).at(-1)!.request.committed, false)
      await t.rejects(
        w.producer.transaction(() => {}),
        /the producer is closed/,
      )
      t.same(await w.committed(), [])
    },
  )
}

t.test('what is aborted while its partitions still wait to join joins no more', async (t) => {
  await using w = await world(1)
  const isBusy = refuseToAdd('CONCURRENT_TRANSACTIONS')
  w.broker.next(addPartitionsToTxn, ...Array.from({ length: 3 }, () => isBusy))
  const given = w.producer.transaction(async (tx) => {
    await tx.send(texts, at(0, 'no'))
    while (w.broker.seen(addPartitionsToTxn).length === 0) await sleep(0)
    throw new Error('mine')
  })
  await t.rejects(given, /mine/)
  const end = asked(w.broker).indexOf('EndTxn 4')
  t.notOk(asked(w.broker).slice(end).includes('AddPartitionsToTxn 3'))
  await w.producer.transaction((tx) => tx.send(texts, at(0, 'yes')))
  t.same(await w.committed(), ['yes'])
})

t.test('one at a time: calls that meet wait in line; one inside another is refused', async (t) => {
  await using w = await world(1)
  const order: string[] = []
  const run = (name: string) =>
    w.producer.transaction(async (tx) => {
      order.push(`${name} begins`)
      await tx.send(texts, at(0, name))
      await sleep(5)
      order.push(`${name} ends`)
    })
  await Promise.all([run('a'), run('b')])
  t.same(order, ['a begins', 'a ends', 'b begins', 'b ends'])
  const nested = w.producer.transaction(() => w.producer.transaction(() => {}))
  await t.rejects(nested, /a transaction inside another one would wait for itself/)
  let later = Promise.resolve()
  await w.producer.transaction(() => {
    later = sleep(5).then(() => w.producer.transaction(() => {}))
  })
  await later
})

t.test(
  'a signal or timeout ends it: aborted, and the function hears at its next send',
  async (t) => {
    await using w = await world(2)
    const controller = new AbortController()
    let heard: unknown
    const signalled = w.producer.transaction(
      async (tx) => {
        await tx.send(texts, at(0, 'no'))
        controller.abort(new Error('enough'))
        await sleep(1)
        heard = await tx.send(texts, at(0, 'no')).catch((error: unknown) => error)
      },
      { signal: controller.signal },
    )
    await t.rejects(signalled, /enough/)
    while (heard === undefined) await sleep(1)
    t.match(heard, { code: 'INVALID_TXN_STATE' })
    const slow = w.producer.transaction(() => sleep(60_000, undefined, { ref: false }), {
      timeoutMs: 20,
    })
    await t.rejects(slow, { code: 'REQUEST_TIMED_OUT' })
    let isRun = false
    const [, late] = await Promise.allSettled([
      w.producer.transaction(() => sleep(50)),
      w.producer.transaction(() => (isRun = true), { timeoutMs: 10 }),
    ])
    t.match(late, { status: 'rejected', reason: { code: 'REQUEST_TIMED_OUT' } })
    await w.producer.transaction((tx) => tx.send(texts, at(0, 'yes')))
    t.equal(isRun, false, 'whoever gave up in line is never run')
    t.same(await w.committed(), ['yes'])
  },
)

t.test('a transaction that is over takes nothing more', async (t) => {
  await using w = await world(1)
  const tx = await w.producer.transaction((open) => Promise.resolve({ open }))
  await t.rejects(tx.open.send(texts, at(0, 'late')), { code: 'INVALID_TXN_STATE' })
})

t.test('thousands of sends, each waited for, go in few batches', async (t) => {
  await using w = await world(2, { lingerMs: 5 })
  await w.producer.transaction(async (tx) => {
    for (let i = 0; i < 5_000; i++) await tx.send(texts, at(i % 2, `${i}`))
  })
  t.equal((await w.committed()).length, 5_000)
  t.ok(w.broker.seen(produce).length < 20)
})

t.test('a cluster that learns version 2 is spoken to in it, under a new epoch', async (t) => {
  await using w = await world(1)
  await w.producer.transaction((tx) => tx.send(texts, at(0, '1')))
  const transactions = new FakeTransactions(w.broker, 2)
  for (const [id, each] of w.transactions.producers) transactions.producers.set(id, each)
  w.broker.hangUp()
  await w.producer.transaction((tx) => tx.send(texts, at(0, '2'))) // which may have begun before it was heard
  await w.producer.transaction((tx) => tx.send(texts, at(0, '3')))
  t.equal(asked(w.broker).at(-1), 'EndTxn 5')
  t.match(numbered(w.broker).at(-1), /^[12]:0$/)
  t.same(await w.committed(), ['1', '2', '3'])
})

t.test('a broker that is too old is refused with a word about which is not', async (t) => {
  const broker = await FakeBroker.start()
  t.teardown(() => broker.stop())
  new FakeTransactions(broker, 1)
  broker.versionsMax.set('InitProducerId', 2)
  await using client = new Client({ brokers: broker.bootstrap })
  const producer = client.producer({ transactionalId: 'x' })
  await t.rejects(producer.start(), {
    code: 'UNSUPPORTED_VERSION',
    message: /Apache Kafka 2\.5 or newer/,
  })
  t.throws(() => client.producer({ transactionalId: '' }), TypeError)
})

t.test('a producer id that is refused for a while is asked for again', async (t) => {
  await using w = await world(1)
  const codes: ErrorName[] = [
    'COORDINATOR_LOAD_IN_PROGRESS',
    'NOT_COORDINATOR',
    'COORDINATOR_NOT_AVAILABLE',
  ]
  const refusals = codes.map((name) => () => ({ errorCode: errorCode(name), producerEpoch: -1 }))
  w.broker.next(initProducerId, ...refusals)
  await using other = w.client.producer({ transactionalId: 'y', lingerMs: 0 })
  await other.transaction((tx) => tx.send(texts, at(0, '1')))
  const refused = {
    errorCode: errorCode('TRANSACTIONAL_ID_AUTHORIZATION_FAILED'),
    producerEpoch: -1,
  }
  w.broker.next(
    initProducerId,
    () => refused,
    () => refused,
  )
  await using third = w.client.producer({ transactionalId: 'z' })
  const heard = { code: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', message: /transactional id z/ }
  await t.rejects(third.start(), heard, 'the first was asked by itself, and only logged')
  await third.start()
})

t.test('maxRuns: 1 has it tried once', async (t) => {
  await using w = await world(2)
  w.broker.next(produce, refuse('TRANSACTION_ABORTABLE'))
  let runs = 0
  const once = w.producer.transaction(
    async (tx) => {
      runs++
      await tx.send(texts, at(0, 'a'))
    },
    { maxRuns: 1 },
  )
  await t.rejects(once, { code: 'TRANSACTION_ABORTABLE' })
  t.equal(runs, 1)
})
