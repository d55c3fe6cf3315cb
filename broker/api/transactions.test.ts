// Transactions over the wire: their records and offsets, when readers see them, and the view of administrators.

import t from '../../protocol/testing/tap.ts'
import { listOffsets } from '../../protocol/api/02_list_offsets.ts'
import { offsetFetch } from '../../protocol/api/09_offset_fetch.ts'
import { deleteTopics } from '../../protocol/api/20_delete_topics.ts'
import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { writeTxnMarkers } from '../../protocol/api/27_write_txn_markers.ts'
import { describeProducers } from '../../protocol/api/61_describe_producers.ts'
import { describeTransactions } from '../../protocol/api/65_describe_transactions.ts'
import { listTransactions } from '../../protocol/api/66_list_transactions.ts'
import { batchesOf, recordsOf } from '../../protocol/batch/record.ts'
import { errorName } from '../../protocol/errors.ts'
import { GroupClient, outside } from '../testing/group-client.ts'
import type { RawClient } from '../testing/raw-client.ts'
import { TransactionClient } from '../testing/transaction-client.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { batchOf, fetchFrom, produceTo, World } from '../testing/world.ts'

const READ_COMMITTED = 1
const LATEST = -1
const MAX_TIMESTAMP = -3

const world = await World.open(t)
let names = 0

async function producer(kind: 'TV1' | 'TV2', transactionalId = `tx-${++names}`) {
  const made = new TransactionClient(await world.connect(), transactionalId, kind)
  t.equal(await made.init(), undefined)
  return made
}

/** The records that a consumer of either level gets, sorted out as Kafka's clients do; and the ends in its answers. */
async function readBy(client: RawClient, topic: string, isolationLevel: number, partition = 0) {
  const answer = await fetchFrom(client, topic, partition, 0, { isolationLevel })
  const { records, abortedTransactions, highWatermark, lastStableOffset } = answer
  const values: string[] = []
  const toCome = [...(abortedTransactions ?? [])]
  const dropping = new Set<number>()
  for (const { at, header } of batchesOf(records!)) {
    const { producerId, lastOffsetDelta, baseOffset, isControl, isTransactional } = header
    while (toCome.length > 0 && toCome[0]!.firstOffset <= baseOffset + lastOffsetDelta)
      dropping.add(toCome.shift()!.producerId)
    if (isControl) dropping.delete(producerId)
    if (isControl || (isTransactional && dropping.has(producerId))) continue
    for (const { value } of recordsOf(records!, at, header, { decompressedBytesMax: 0 }))
      values.push(value!.toString())
  }
  return { values, abortedTransactions, highWatermark, lastStableOffset }
}

const committedIn = async (client: RawClient, topic: string) =>
  (await readBy(client, topic, READ_COMMITTED)).values

for (const kind of ['TV1', 'TV2'] as const) {
  const topic = `topic-${kind}`
  const add = (p: TransactionClient, ...partitions: number[]) =>
    kind === 'TV1' ? p.add(topic, partitions) : undefined

  t.test(`${kind}: what is committed is seen, what is aborted is not`, async (t) => {
    const { client } = await world.topic(topic)
    const p = await producer(kind)
    await add(p, 0)
    t.equal(await p.produce(topic, 0, 'a', 'b'), undefined)
    t.same(await readBy(client, topic, READ_COMMITTED), {
      values: [],
      abortedTransactions: [],
      highWatermark: 2,
      lastStableOffset: 0,
    })
    t.same((await readBy(client, topic, 0)).values, ['a', 'b'])
    t.equal(await p.commit(), undefined)
    t.same(await readBy(client, topic, READ_COMMITTED), {
      values: ['a', 'b'],
      abortedTransactions: [],
      highWatermark: 3,
      lastStableOffset: 3,
    })
    await add(p, 0)
    t.equal(await p.produce(topic, 0, 'c'), undefined)
    t.equal(await p.abort(), undefined)
    const { values, abortedTransactions } = await readBy(client, topic, READ_COMMITTED)
    t.same(values, ['a', 'b'])
    t.same(abortedTransactions, [{ producerId: p.producerId, firstOffset: 3 }])
    t.same((await readBy(client, topic, 0)).abortedTransactions, null)
  })

  t.test(`${kind}: offsets count when the transaction commits`, async (t) => {
    const p = await producer(kind)
    const group = new GroupClient(await world.connect(), `group-${kind}`)
    const stable = async () => {
      const topics = [{ name: topic, partitionIndexes: [0] }]
      const { groups } = await group.client.send(offsetFetch, {
        groups: [{ groupId: group.groupId, topics }],
        requireStable: true,
      })
      const { errorCode, committedOffset } = groups[0]!.topics[0]!.partitions[0]!
      return errorName(errorCode) ?? committedOffset
    }
    if (kind === 'TV1') {
      t.equal(await p.commitOffset(group.groupId, topic, 5), 'TRANSACTION_ABORTABLE')
      t.equal(await p.addGroup(group.groupId), undefined)
    }
    t.equal(await p.commitOffset(group.groupId, topic, 5), undefined)
    t.match(await group.committed(topic), { committedOffset: -1, errorCode: 0 })
    t.equal(await stable(), 'UNSTABLE_OFFSET_COMMIT')
    t.equal(await p.commitOffset(group.groupId, 'no-such-topic', 5), 'UNKNOWN_TOPIC_OR_PARTITION')
    const member = { memberId: 'x', generationIdOrMemberEpoch: 3 }
    t.equal(await p.commitOffset(group.groupId, topic, 9, member), 'UNKNOWN_MEMBER_ID')
    t.equal(await p.commit(), undefined)
    t.equal(await stable(), 5)
    if (kind === 'TV1') await p.addGroup(group.groupId)
    t.equal(await p.commitOffset(group.groupId, topic, 7), undefined)
    t.equal(await p.abort(), undefined)
    t.equal(await stable(), 5)
    t.equal(await group.commit(outside, topic, 6), undefined)
  })

  t.test(`${kind}: a fenced producer writes nothing, and ends nothing`, async (t) => {
    const { client } = await world.topic(`fenced-${kind}`)
    const former = await producer(kind)
    if (kind === 'TV1') await former.add(`fenced-${kind}`, [0])
    await former.produce(`fenced-${kind}`, 0, 'a')
    const newer = await producer(kind, former.transactionalId)
    t.equal(newer.producerId, former.producerId)
    t.equal(await former.produce(`fenced-${kind}`, 0, 'b'), 'INVALID_PRODUCER_EPOCH')
    t.equal(await former.commit(), 'PRODUCER_FENCED')
    if (kind === 'TV1') await newer.add(`fenced-${kind}`, [0])
    t.equal(await newer.produce(`fenced-${kind}`, 0, 'c'), undefined)
    t.equal(await newer.commit(), undefined)
    t.same(await committedIn(client, `fenced-${kind}`), ['c'])
  })
}

t.test('a batch must belong to the transaction that it says', async (t) => {
  const { client } = await world.topic('strict')
  const p = await producer('TV1')
  t.equal(await p.produce('strict', 0, 'not added'), 'TRANSACTION_ABORTABLE')
  const { producerId, producerEpoch } = p
  const sender = { producerId, producerEpoch, baseSequence: 0 }
  const inTransaction = batchOf(['x'], { ...sender, isTransactional: true })
  for (const [version, error] of [
    [10, 'INVALID_TXN_STATE'],
    [11, 'TRANSACTION_ABORTABLE'],
  ] as const) {
    const { transactionalId } = p
    const answer = await produceTo(client, 'strict', 0, inTransaction, { transactionalId, version })
    t.equal(errorName(answer.errorCode), error)
  }
  const withoutId = await produceTo(client, 'strict', 0, inTransaction)
  t.equal(errorName(withoutId.errorCode), 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
  const outsideIt = await produceTo(client, 'strict', 0, batchOf(['x'], sender), p.request)
  t.equal(errorName(outsideIt.errorCode), 'INVALID_TXN_STATE')
})

t.test(
  'a producer that a partition does not know begins with sequence 0, from version 12 on',
  async (t) => {
    const { client } = await world.topic('beginnings')
    for (const [kind, version, expected] of [
      ['TV1', 11, undefined],
      ['TV2', 12, 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
    ] as const) {
      const p = await producer(kind)
      if (kind === 'TV1') await p.add('beginnings', [0])
      const beginning = async (baseSequence: number) => {
        const records = batchOf(['a'], { ...producerOf(p), baseSequence, isTransactional: true })
        const options = { transactionalId: p.transactionalId, version }
        const answer = await produceTo(client, 'beginnings', 0, records, options)
        return errorName(answer.errorCode)
      }
      t.equal(await beginning(7), expected, kind)
      if (expected !== undefined) t.equal(await beginning(0), undefined)
      t.equal(await p.abort(), undefined)
    }
  },
)

t.test('partitions join all together, or none of them does', async (t) => {
  await world.topic('whole', 2)
  const p = await producer('TV1')
  t.same(await p.add('whole', [0, 7]), ['OPERATION_NOT_ATTEMPTED', 'UNKNOWN_TOPIC_OR_PARTITION'])
  t.same(await p.add('__transaction_state', [0]), ['TOPIC_AUTHORIZATION_FAILED'])
  t.equal(await p.commit(), 'INVALID_TXN_STATE')
  t.same(await p.add('whole', [0, 1]), [undefined, undefined])
  t.equal(await p.commit(), undefined)
})

t.test('a transactional id has one producer, in every version', async (t) => {
  const client = await world.connect()
  const transactionTimeoutMs = 60_000
  const init = async (request: object, version?: number) => {
    const wanted = { transactionalId: 'versions', transactionTimeoutMs, ...request }
    const { errorCode, producerId, producerEpoch } = await client.send(
      initProducerId,
      wanted,
      version,
    )
    return errorName(errorCode) ?? { producerId, producerEpoch }
  }
  t.equal(await init({ transactionalId: '' }), 'INVALID_REQUEST')
  t.equal(await init({ transactionTimeoutMs: 900_001 }), 'INVALID_TRANSACTION_TIMEOUT')
  const first = await init({})
  const producerId = typeof first === 'string' ? -1 : first.producerId
  for (const version of [0, 1, 2, 3, 4, 5]) {
    t.same(await init({}, version), { producerId, producerEpoch: version + 1 })
  }
  t.same(await init({ producerId, producerEpoch: 6 }), { producerId, producerEpoch: 7 })
  t.same(await init({ producerId, producerEpoch: 6 }), { producerId, producerEpoch: 7 }, 'repeated')
  t.equal(await init({ producerId, producerEpoch: 5 }, 4), 'PRODUCER_FENCED')
  t.equal(await init({ producerId, producerEpoch: 5 }, 3), 'INVALID_PRODUCER_EPOCH')
})

t.test('older versions hear of fencing by the name that they know', async (t) => {
  await world.topic('older')
  const former = await producer('TV1')
  await producer('TV1', former.transactionalId)
  t.same(await former.add('older', [0], 1), ['INVALID_PRODUCER_EPOCH'])
  t.same(await former.add('older', [0], 2), ['PRODUCER_FENCED'])
  t.equal(await former.end(true, 1), 'INVALID_PRODUCER_EPOCH')
  t.equal(await former.end(true, 2), 'PRODUCER_FENCED')
})

t.test('batches that follow one which joins its partition keep their order', async (t) => {
  const { client } = await world.topic('ordered', 2)
  const p = await producer('TV2')
  const sent = Array.from({ length: 20 }, (_, i) => `${i}`)
  for (const value of sent) p.write('ordered', Number(value) % 3 === 2 ? 1 : 0, [value])
  for (const value of sent) t.equal(await p.produced(), undefined, value)
  t.equal(await p.commit(), undefined)
  const [first, second] = [
    await readBy(client, 'ordered', READ_COMMITTED, 0),
    await readBy(client, 'ordered', READ_COMMITTED, 1),
  ]
  t.same(
    first.values,
    sent.filter((value) => Number(value) % 3 !== 2),
  )
  t.same(
    second.values,
    sent.filter((value) => Number(value) % 3 === 2),
  )
})

t.test('aborted transactions are told in the order in which they began', async (t) => {
  const { client } = await world.topic('overlapping')
  const [first, second] = [await producer('TV2'), await producer('TV2')]
  await first.produce('overlapping', 0, 'a')
  await second.produce('overlapping', 0, 'b')
  const [one, other] = [first.producerId, second.producerId]
  await second.abort()
  await first.abort()
  const { abortedTransactions, values } = await readBy(client, 'overlapping', READ_COMMITTED)
  t.same(abortedTransactions, [
    { producerId: one, firstOffset: 0 },
    { producerId: other, firstOffset: 1 },
  ])
  t.same(values, [])
})

t.test('a waiting reader of committed records wakes when the transaction ends', async (t) => {
  const { client } = await world.topic('waiting')
  const p = await producer('TV2')
  await p.produce('waiting', 0, 'a')
  let isAnswered = false
  const waiting = fetchFrom(client, 'waiting', 0, 0, {
    isolationLevel: READ_COMMITTED,
    maxWaitMs: 60_000,
  }).then((answer) => {
    isAnswered = true
    return answer
  })
  await p.produce('waiting', 0, 'b')
  t.equal(isAnswered, false)
  await p.commit()
  t.match(await waiting, { lastStableOffset: 3, highWatermark: 3 })
})

t.test('ListOffsets of committed records stops at the last stable offset', async (t) => {
  const { client } = await world.topic('listed')
  const p = await producer('TV2')
  const offsetOf = async (timestamp: number, isolationLevel: number) => {
    const partitions = [{ partitionIndex: 0, timestamp }]
    const request = { replicaId: -1, isolationLevel, topics: [{ name: 'listed', partitions }] }
    const { topics } = await client.send(listOffsets, request)
    return topics[0]!.partitions[0]!.offset
  }
  await produceTo(client, 'listed', 0, batchOf(['a'], { timestamp: 1 }))
  await p.produce('listed', 0, 'b')
  t.same([await offsetOf(LATEST, 0), await offsetOf(LATEST, READ_COMMITTED)], [2, 1])
  t.same([await offsetOf(2, 0), await offsetOf(2, READ_COMMITTED)], [1, -1])
  t.same([await offsetOf(MAX_TIMESTAMP, 0), await offsetOf(MAX_TIMESTAMP, 1)], [1, -1])
  await p.commit()
  t.same([await offsetOf(LATEST, READ_COMMITTED), await offsetOf(2, READ_COMMITTED)], [3, 1])
})

t.test('a deleted topic does not hold up the end of a transaction', async (t) => {
  const { client } = await world.topic('doomed')
  await world.topic('lasting')
  const p = await producer('TV2')
  await p.produce('doomed', 0, 'a')
  await p.produce('lasting', 0, 'a')
  await client.send(deleteTopics, { topics: [{ name: 'doomed' }], timeoutMs: 1000 })
  t.equal(await p.commit(), undefined)
  t.same(await committedIn(client, 'lasting'), ['a'])
})

t.test('administrators see transactions, their producers, and end them', async (t) => {
  const { client } = await world.topic('admin', 2)
  const p = await producer('TV2', 'admin-tx')
  await p.produce('admin', 1, 'a')
  const described = async (...transactionalIds: string[]) =>
    (await client.send(describeTransactions, { transactionalIds })).transactionStates
  t.match(await described('admin-tx', 'nobody'), [
    {
      errorCode: 0,
      transactionState: 'Ongoing',
      transactionTimeoutMs: 60_000,
      producerId: p.producerId,
      topics: [{ topic: 'admin', partitions: [1] }],
    },
    { errorCode: 105, transactionalId: 'nobody' },
  ])
  const producersOf = async (partition: number) => {
    const topics = [{ name: 'admin', partitionIndexes: [partition] }]
    return (await client.send(describeProducers, { topics })).topics[0]!.partitions[0]!
  }
  t.match(await producersOf(1), {
    errorCode: 0,
    activeProducers: [{ ...producerOf(p), lastSequence: 0, currentTxnStartOffset: 0 }],
  })
  t.match(await producersOf(7), { errorCode: 3, activeProducers: [] })

  const abort = { ...producerOf(p), transactionResult: false, coordinatorEpoch: 0 }
  const topics = [{ name: 'admin', partitionIndexes: [1] }]
  const commit = { ...abort, transactionResult: true, topics }
  const ended = async (marker: typeof commit) => {
    const { markers } = await client.send(writeTxnMarkers, { markers: [marker] })
    return errorName(markers[0]!.topics[0]!.partitions[0]!.errorCode)
  }
  t.equal(await ended(commit), 'INVALID_TXN_STATE', 'only its producer commits')
  t.equal(await ended({ ...abort, topics }), undefined)
  t.match(await described('admin-tx'), [{ transactionState: 'CompleteAbort', topics: [] }])
  t.match((await producersOf(1)).activeProducers, [{ currentTxnStartOffset: -1 }])
  t.equal(
    await ended({ ...abort, topics: [{ name: 'admin', partitionIndexes: [7] }] }),
    'UNKNOWN_TOPIC_OR_PARTITION',
  )
})

t.test('a marker of version 2 ends transactions of older epochs only', async (t) => {
  const { client } = await world.topic('marked')
  const p = await producer('TV2')
  await p.produce('marked', 0, 'a')
  const ended = async (transactionVersion: number, epochStep: number, version?: number) => {
    const { producerId, producerEpoch } = p
    const epoch = { producerEpoch: producerEpoch + epochStep, coordinatorEpoch: 0 }
    const topics = [{ name: 'marked', partitionIndexes: [0] }]
    const marker = { producerId, ...epoch, transactionVersion, transactionResult: false, topics }
    const { markers } = await client.send(writeTxnMarkers, { markers: [marker] }, version)
    return errorName(markers[0]!.topics[0]!.partitions[0]!.errorCode)
  }
  t.equal(await ended(2, 0), 'INVALID_PRODUCER_EPOCH')
  t.equal(await ended(2, -1), 'INVALID_PRODUCER_EPOCH')
  t.equal(await ended(2, 1), undefined)
  t.equal(await ended(2, 1), undefined, 'again: nothing is open any more')
  t.same((await readBy(client, 'marked', READ_COMMITTED)).lastStableOffset, 3)
})

function producerOf({ producerId, producerEpoch }: TransactionClient) {
  return { producerId, producerEpoch }
}

t.test('transactions are listed by state, producer, duration and pattern', async (t) => {
  const clock = new VirtualClock()
  const own = await World.open(t, { clock })
  const { client } = await own.topic('t')
  const make = async (transactionalId: string) => {
    const made = new TransactionClient(await own.connect(), transactionalId, 'TV2')
    await made.init()
    return made
  }
  const [idle, old, young] = [await make('idle'), await make('old'), await make('young')]
  await old.produce('t', 0, 'a')
  await clock.advance(30_000)
  await young.produce('t', 0, 'b')
  const none = { stateFilters: [], producerIdFilters: [] }
  const list = async (request: object, version?: number) => {
    const answer = await client.send(listTransactions, { ...none, ...request }, version)
    const ids = answer.transactionStates.map((each) => each.transactionalId)
    return { error: errorName(answer.errorCode), ids, unknown: answer.unknownStateFilters }
  }
  t.match(await list({}), { error: undefined, ids: ['idle', 'old', 'young'], unknown: [] })
  t.match(await list({ stateFilters: ['Ongoing', 'Odd'] }), {
    ids: ['old', 'young'],
    unknown: ['Odd'],
  })
  t.match(await list({ stateFilters: ['Dead'] }), { ids: [], unknown: [] })
  t.match(await list({ producerIdFilters: [idle.producerId] }, 0), { ids: ['idle'] })
  t.match(await list({ durationFilter: 20_000 }, 1), { ids: ['old'] })
  t.match(await list({ transactionalIdPattern: 'o.*|i.*' }), { ids: ['idle', 'old'] })
  t.match(await list({ transactionalIdPattern: 'l' }), { ids: [] }, 'the whole id matches')
  t.match(await list({ transactionalIdPattern: '(' }), { error: 'INVALID_REGULAR_EXPRESSION' })
  await make(`${'a'.repeat(40)}!`)
  const evil = await list({ transactionalIdPattern: '(a+)+' })
  t.match(evil, { error: undefined, ids: [] }, 'one on which backtracking would run for ever')
})
