// Fetch through a real socket: ranges, limits, waiting, leader epochs, sessions.

import t from '../../protocol/testing/tap.ts'
import { fetch, type FetchRequest } from '../../protocol/api/01_fetch.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { deleteTopics } from '../../protocol/api/20_delete_topics.ts'
import { errorCode } from '../../protocol/errors.ts'
import { UUID_ZERO } from '../../protocol/ids.ts'
import type { Log } from '../../storage/store.ts'
import { Purgatory } from './purgatory.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import type { RawClient } from '../testing/raw-client.ts'
import { batchOf, fetchFrom, fetchRequest, produceTo, valuesOf, World } from '../testing/world.ts'
import { askedIn, FetchSessions } from './sessions.ts'

const world = await World.open(t)

t.test('a fetch outside the log is refused; at its end it is empty', async (t) => {
  const { client } = await world.topic('range')
  await produceTo(client, 'range', 0, batchOf(['a', 'b']))
  const end = await fetchFrom(client, 'range', 0, 2)
  t.match(end, { errorCode: 0, highWatermark: 2 })
  t.equal(end.records!.length, 0, 'no records are length 0, not null')
  for (const offset of [3, -1]) {
    const refused = await fetchFrom(client, 'range', 0, offset)
    t.match(refused, {
      errorCode: errorCode('OFFSET_OUT_OF_RANGE'),
      highWatermark: -1,
      lastStableOffset: -1,
      logStartOffset: -1,
    })
    t.equal(refused.records!.length, 0)
  }
  t.match(await fetchFrom(client, 'range', 5, 0), {
    errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
  })
})

t.test(
  'aborted transactions are null for read_uncommitted and a list for read_committed',
  async (t) => {
    const { client } = await world.topic('isolation')
    await produceTo(client, 'isolation', 0, batchOf(['a']))
    t.equal(
      (await fetchFrom(client, 'isolation', 0, 0, { isolationLevel: 0 })).abortedTransactions,
      null,
    )
    const committed = await fetchFrom(client, 'isolation', 0, 0, { isolationLevel: 1 })
    t.same(committed.abortedTransactions, [])
    t.same(valuesOf(committed.records), ['a'])
  },
)

t.test('the first batch comes however large it is; others only within the limits', async (t) => {
  const { client } = await world.topic('first-batch', 2)
  const large = batchOf(['L'.repeat(10_000)])
  for (const index of [0, 0, 1]) await produceTo(client, 'first-batch', index, large)
  const ask = async (maxBytes: number, partitionMaxBytes: number) => {
    const partitions = [0, 1].map((partition) => ({ partition, fetchOffset: 0, partitionMaxBytes }))
    const request = {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes,
      topics: [{ topic: 'first-batch', partitions }],
    }
    const answer = await client.send(fetch, request, 11)
    return answer.responses[0]!.partitions.map(({ records }) => valuesOf(records).length)
  }
  t.same(await ask(1, 1), [1, 0])
  t.same(await ask(1_000_000, 1), [1, 0])
  t.same(await ask(1_000_000, large.length), [1, 1])
  t.same(await ask(large.length + 10, 1_000_000), [1, 0])
  t.same(await ask(1_000_000, 1_000_000), [2, 1])
})

t.test('a fetch with another leader epoch is fenced', async (t) => {
  const { client } = await world.topic('epochs')
  await produceTo(client, 'epochs', 0, batchOf(['a']))
  const ask = async (currentLeaderEpoch: number) => {
    const partitions = [
      { partition: 0, fetchOffset: 0, partitionMaxBytes: 1000, currentLeaderEpoch },
    ]
    const request = { maxWaitMs: 0, minBytes: 1, topics: [{ topic: 'epochs', partitions }] }
    return (await client.send(fetch, request, 11)).responses[0]!.partitions[0]!.errorCode
  }
  t.same(await ask(-1), 0)
  t.same(await ask(0), 0)
  t.same(await ask(1), errorCode('UNKNOWN_LEADER_EPOCH'))
})

t.test('a waiting fetch answers as soon as minBytes are there', async (t) => {
  const { client: consumer } = await world.topic('waiting', 2)
  const producer = await world.connect()
  const batch = batchOf(['x'.repeat(100)])
  const partitions = [0, 1].map((partition) => ({
    partition,
    fetchOffset: 0,
    partitionMaxBytes: 1000,
  }))
  const request = {
    maxWaitMs: 60_000,
    minBytes: 2 * batch.length,
    topics: [{ topic: 'waiting', partitions }],
  }
  const fetching = consumer.send(fetch, request, 11)
  await produceTo(producer, 'waiting', 0, batch)
  await produceTo(producer, 'waiting', 1, batch)
  const [a, b] = (await fetching).responses[0]!.partitions
  t.equal(a!.records!.length + b!.records!.length, 2 * batch.length)
})

t.test('a waiting fetch answers after maxWaitMs, with every partition, empty or not', async (t) => {
  const { client } = await world.topic('patient', 2)
  const partitions = [1, 0].map((partition) => ({
    partition,
    fetchOffset: 0,
    partitionMaxBytes: 1000,
  }))
  const startedAt = performance.now()
  const request = { maxWaitMs: 50, minBytes: 1, topics: [{ topic: 'patient', partitions }] }
  const { responses } = await client.send(fetch, request, 11)
  t.ok(performance.now() - startedAt >= 45)
  t.same(
    responses[0]!.partitions.map(({ partitionIndex }) => partitionIndex),
    [1, 0],
    'in the order of the request',
  )
  t.ok(responses[0]!.partitions.every(({ records }) => records!.length === 0))
})

t.test('a waiting fetch looks only at what has changed', async (t) => {
  const purgatory = new Purgatory(new VirtualClock())
  const logs = ['a', 'b', 'c'] as unknown as Log[]
  const looked: Log[] = []
  const isReady = (changed: Log) => looked.push(changed) === 3
  const gone = new AbortController().signal
  const waiting = purgatory.wait({ logs, isReady, waitMs: 1000, gone, client: 'x' })
  purgatory.wake([logs[1]!])
  purgatory.wake([logs[0]!, logs[1]!])
  await waiting
  t.same(looked, ['b', 'a', 'b'])
  t.equal(purgatory.waitingCount, 0)
})

t.test('a waiting fetch hears at once that its topic is deleted', async (t) => {
  const { client: admin, topicId } = await world.topic('doomed')
  const { topicId: otherId } = await world.topic('spared')
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }]
  const waiting = { maxWaitMs: 3_600_000, minBytes: 1_000_000 }
  const byName = (await world.connect()).send(
    fetch,
    { ...waiting, topics: ['spared', 'doomed'].map((topic) => ({ topic, partitions })) },
    11,
  )
  const byId = (await world.connect()).send(fetch, {
    ...waiting,
    topics: [otherId, topicId].map((id) => ({ topicId: id, partitions })),
  })
  const inSession = (await world.connect()).send(fetch, {
    ...waiting,
    sessionEpoch: 0,
    topics: [{ topicId, partitions }],
  })
  for (let i = 0; i < 5; i++) await admin.send(metadata, { topics: null })
  const { responses } = await admin.send(deleteTopics, {
    topics: [{ name: 'doomed', topicId: UUID_ZERO }],
    timeoutMs: 1000,
  })
  t.match(responses, [{ errorCode: 0 }])
  const codes = async (answer: typeof byName) =>
    (await answer).responses.map((each) => each.partitions[0]!.errorCode)
  t.same(await codes(byName), [0, errorCode('UNKNOWN_TOPIC_OR_PARTITION')])
  t.same(await codes(byId), [0, errorCode('UNKNOWN_TOPIC_ID')])
  t.same(await codes(inSession), [errorCode('UNKNOWN_TOPIC_ID')])
})

t.test('a fetch for any bytes waits no longer than the broker allows', async (t) => {
  const brisk = await World.open(t, { config: { 'fetch.max.wait.ms': 20 } })
  const { client } = await brisk.topic('brisk')
  const { records } = await fetchFrom(client, 'brisk', 0, 0, { maxWaitMs: 3_600_000 })
  t.equal(records!.length, 0)
  const many = fetchFrom(client, 'brisk', 0, 0, { maxWaitMs: 100, minBytes: 2 })
  const startedAt = performance.now()
  await many
  t.ok(performance.now() - startedAt >= 95, 'one for many bytes has the time that it asks for')
})

t.test(
  'a fetch does not wait when a partition has an error, when it names none, or when it may not',
  async (t) => {
    const { client } = await world.topic('hasty')
    const wait = { maxWaitMs: 3_600_000, minBytes: 1 }
    const unknown = await client.send(fetch, { ...fetchRequest('hasty', 3, 0), ...wait }, 11)
    t.equal(unknown.responses[0]!.partitions[0]!.errorCode, errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
    t.same((await client.send(fetch, { ...wait, topics: [] }, 11)).responses, [])
    await client.send(fetch, { ...fetchRequest('hasty', 0, 0), maxWaitMs: 0, minBytes: 1000 }, 11)
    await client.send(
      fetch,
      { ...fetchRequest('hasty', 0, 0), maxWaitMs: 3_600_000, minBytes: 0 },
      11,
    )
  },
)

/** One incremental or full fetch by session. @returns session id, error, and offset ends by partition */
async function sessionFetch(client: RawClient, request: Partial<FetchRequest>) {
  const answer = await client.send(fetch, { maxWaitMs: 0, minBytes: 1, topics: [], ...request }, 11)
  const partitions = answer.responses.flatMap(({ partitions: each }) =>
    each.map(({ partitionIndex, records }) => [partitionIndex, valuesOf(records).length]),
  )
  return { sessionId: answer.sessionId, errorCode: answer.errorCode, partitions }
}

function wanted(topic: string, offsets: Record<number, number>): FetchRequest['topics'] {
  const partitions = Object.entries(offsets).map(([partition, fetchOffset]) => ({
    partition: Number(partition),
    fetchOffset,
    partitionMaxBytes: 100_000,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    logStartOffset: -1,
    replicaDirectoryId: UUID_ZERO,
  }))
  return [{ topic, topicId: UUID_ZERO, partitions }]
}

t.test('a fetch session says only what changed', async (t) => {
  const { client } = await world.topic('session', 3)
  await produceTo(client, 'session', 0, batchOf(['a']))
  const first = await sessionFetch(client, {
    sessionEpoch: 0,
    topics: wanted('session', { 0: 0, 1: 0, 2: 0 }),
  })
  t.same(
    first.partitions,
    [
      [0, 1],
      [1, 0],
      [2, 0],
    ],
    'the first answer holds every partition',
  )
  const { sessionId } = first
  t.ok(sessionId > 0)
  t.same(
    (
      await sessionFetch(client, {
        sessionId,
        sessionEpoch: 1,
        topics: wanted('session', { 0: 1 }),
      })
    ).partitions,
    [],
  )
  await produceTo(client, 'session', 2, batchOf(['b', 'c']))
  t.same((await sessionFetch(client, { sessionId, sessionEpoch: 2 })).partitions, [[2, 2]])
  t.same(
    (await sessionFetch(client, { sessionId, sessionEpoch: 3 })).partitions,
    [[2, 2]],
    'data that was not taken comes again',
  )
  await produceTo(client, 'session', 1, batchOf(['d']))
  const both = await sessionFetch(client, { sessionId, sessionEpoch: 4 })
  t.same(
    both.partitions,
    [
      [1, 1],
      [2, 2],
    ],
    'partitions that gave data stand behind the others',
  )

  const forgottenTopicsData = [{ topic: 'session', topicId: UUID_ZERO, partitions: [2] }]
  t.same(
    (await sessionFetch(client, { sessionId, sessionEpoch: 5, forgottenTopicsData })).partitions,
    [[1, 1]],
  )
  t.match(await sessionFetch(client, { sessionId, sessionEpoch: 5 }), {
    errorCode: errorCode('INVALID_FETCH_SESSION_EPOCH'),
  })
  t.match(await sessionFetch(client, { sessionId: sessionId ^ 1, sessionEpoch: 1 }), {
    errorCode: errorCode('FETCH_SESSION_ID_NOT_FOUND'),
  })
  const last = await sessionFetch(client, {
    sessionId,
    sessionEpoch: -1,
    topics: wanted('session', { 0: 0 }),
  })
  t.match(last, { sessionId: 0, errorCode: 0, partitions: [[0, 1]] })
  t.match(await sessionFetch(client, { sessionId, sessionEpoch: 6 }), {
    errorCode: errorCode('FETCH_SESSION_ID_NOT_FOUND'),
  })
})

t.test('an incremental fetch waits, and is woken by any partition of its session', async (t) => {
  const { client: consumer } = await world.topic('session-wait', 2)
  const producer = await world.connect()
  const { sessionId } = await sessionFetch(consumer, {
    sessionEpoch: 0,
    topics: wanted('session-wait', { 0: 0, 1: 0 }),
  })
  const fetching = sessionFetch(consumer, { sessionId, sessionEpoch: 1, maxWaitMs: 60_000 })
  await produceTo(producer, 'session-wait', 1, batchOf(['x']))
  t.same((await fetching).partitions, [[1, 1]])
})

t.test('without room for a session, a fetch is answered without one', async (t) => {
  const small = await World.open(t, { config: { 'max.incremental.fetch.session.cache.slots': 1 } })
  const { client } = await small.topic('slots')
  const topics = wanted('slots', { 0: 0 })
  const first = await sessionFetch(client, { sessionEpoch: 0, topics })
  t.ok(first.sessionId > 0)
  t.match(await sessionFetch(client, { sessionEpoch: 0, topics }), {
    sessionId: 0,
    partitions: [[0, 0]],
  })
  await sessionFetch(client, { sessionId: first.sessionId, sessionEpoch: -1 })
  t.ok((await sessionFetch(client, { sessionEpoch: 0, topics })).sessionId > 0)
})

t.test('sessions are bounded by slots and by partitions; an unused one gives way', async (t) => {
  const clock = new VirtualClock()
  const sessions = new FetchSessions(2, clock, 100)
  const begin = (sessionId: number, sessionEpoch: number, partitionCount: number) => {
    const offsets = Object.fromEntries(Array.from({ length: partitionCount }, (_, i) => [i, 0]))
    const forgottenTopicsData: FetchRequest['forgottenTopicsData'] = []
    const limits = { maxWaitMs: 0, minBytes: 0, maxBytes: 1, isolationLevel: 0, replicaId: -1 }
    const topics = wanted('t', offsets)
    const others = {
      clusterId: null,
      rackId: '',
      replicaState: { replicaId: -1, replicaEpoch: -1 },
    }
    const request = { ...limits, ...others, sessionId, sessionEpoch, topics, forgottenTopicsData }
    const { value: asked } = askedIn(request, () => false).next()
    return sessions.begin(request, asked!, false)
  }
  const first = begin(0, 0, 1)
  const second = begin(0, 0, 1)
  t.equal(begin(0, 0, 1).sessionId, 0, 'no slot is free')
  await clock.advance(100_000)
  begin(first.sessionId, 1, 0)
  await clock.advance(100_000)
  t.ok(begin(0, 0, 1).sessionId > 0, 'the second was unused for long')
  t.throws(() => begin(second.sessionId, 1, 0), { code: 'FETCH_SESSION_ID_NOT_FOUND' })
  begin(first.sessionId, -1, 0)
  t.equal(begin(0, 0, 100).sessionId, 0, 'too many partitions')
  const third = begin(0, 0, 10)
  t.throws(() => begin(third.sessionId, 1, 100), { code: 'FETCH_SESSION_ID_NOT_FOUND' })
  t.equal(sessions.count, 1)
})
