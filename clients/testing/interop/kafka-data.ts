// Fills the internal logs of a broker (Apache Kafka or millrace), and checks a broker that continues with those
// files. Over raw sockets, so that no client repeats or repairs a request. Tests only.

import type { Test } from 'tap'
import { RawClient } from '../../../broker/testing/raw-client.ts'
import { GroupClient, outside } from '../../../broker/testing/group-client.ts'
import { TransactionClient } from '../../../broker/testing/transaction-client.ts'
import { batchOf, fetchFrom, produceTo, valuesOf } from '../../../broker/testing/world.ts'
import { offsetFetch } from '../../../protocol/api/09_offset_fetch.ts'
import { findCoordinator } from '../../../protocol/api/10_find_coordinator.ts'
import { createTopics } from '../../../protocol/api/19_create_topics.ts'
import { offsetDelete } from '../../../protocol/api/47_offset_delete.ts'
import { initProducerId } from '../../../protocol/api/22_init_producer_id.ts'
import { setTimeout } from 'node:timers/promises'

const TRIES_MAX = 200
const PAUSE_MS = 100
const GROUP = 0
const TRANSACTION = 1
const READ_COMMITTED = 1
const SESSION_MS = 300_000

export interface Worked {
  readonly idempotent: { readonly producerId: number; readonly producerEpoch: number }
  readonly member: { readonly memberId: string; readonly generationId: number }
  readonly open: { readonly producerId: number; readonly producerEpoch: number }
  readonly open2: { readonly producerId: number; readonly producerEpoch: number }
}

/** Each broker has one coordinator, which may take a while to be ready. */
async function untilReady(client: RawClient): Promise<void> {
  for (const keyType of [GROUP, TRANSACTION]) {
    for (let tries = 0; ; tries++) {
      const answer = await client.send(findCoordinator, { keyType, coordinatorKeys: ['any'] }, 4)
      if (answer.coordinators[0]!.errorCode === 0) break
      if (tries === TRIES_MAX) throw new Error(`coordinator: ${answer.coordinators[0]!.errorCode}`)
      await setTimeout(PAUSE_MS)
    }
  }
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const probe = new GroupClient(client, 'probe')
    const transaction = new TransactionClient(client, 'probe', 'TV2')
    const error = (await transaction.init()) ?? (await probe.committedError())
    if (error === undefined) return
    await setTimeout(PAUSE_MS)
  }
  throw new Error('the coordinators are not ready')
}

/** Repeats `act` while the topic or its leader does not exist yet. */
async function again(act: () => Promise<string | undefined>): Promise<void> {
  let error: string | undefined
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    error = await act()
    if (error === undefined) return
    await setTimeout(PAUSE_MS)
  }
  throw new Error(error)
}

/** Creates a topic, groups, an idempotent producer, and transactions: committed, aborted, and two that stay open. */
export async function work(bootstrap: string): Promise<Worked> {
  const client = await RawClient.connect(bootstrap)
  const topics = [{ name: 't', numPartitions: 2, replicationFactor: 1 }]
  await client.send(createTopics, { topics })
  await untilReady(client)
  const simple = new GroupClient(client, 'simple')
  await again(() => simple.commit(outside, 't', 1, { committedMetadata: 'old' }))
  await simple.commit(outside, 't', 5, { committedMetadata: 'mine', committedLeaderEpoch: 0 })
  const members = new GroupClient(client, 'members')
  const joined = await members.alone({ groupInstanceId: 'one', sessionTimeoutMs: SESSION_MS })

  const nobody = { transactionalId: null, transactionTimeoutMs: 60_000 }
  const { producerId, producerEpoch } = await client.send(initProducerId, nobody)
  const idempotent = { producerId, producerEpoch }
  for (let i = 0; i < 14; i += 2) {
    const timestamp = Date.now()
    const records = batchOf([`v${i}`, `v${i + 1}`], { ...idempotent, baseSequence: i, timestamp })
    await again(async () => {
      const { errorCode } = await produceTo(client, 't', 0, records)
      return errorCode === 0 ? undefined : `Produce: ${errorCode}`
    })
  }

  const done = new TransactionClient(client, 'done', 'TV2')
  await again(() => done.init())
  await again(() => done.produce('t', 1, 'done'))
  await again(() => done.commitOffset('simple', 't', 6))
  await again(() => done.commit())
  const aborted = new TransactionClient(client, 'aborted', 'TV1')
  await again(() => aborted.init())
  await again(async () => (await aborted.add('t', [1]))[0])
  await aborted.produce('t', 1, 'aborted')
  await again(() => aborted.addGroup('eos'))
  await again(() => aborted.commitOffset('eos', 't', 99))
  await again(() => aborted.abort())
  const open = new TransactionClient(client, 'open', 'TV1')
  await again(() => open.init(900_000))
  await again(async () => (await open.add('t', [1]))[0])
  await open.produce('t', 1, 'open')
  await again(() => open.addGroup('eos'))
  await again(() => open.commitOffset('eos', 't', 11))
  const open2 = new TransactionClient(client, 'open 2', 'TV2')
  await again(() => open2.init(900_000))
  await again(() => open2.produce('t', 1, 'open 2'))
  await again(() => open2.commitOffset('simple', 't', 9))
  await client.close()
  return { idempotent, member: joined, open: identityOf(open), open2: identityOf(open2) }
}

function identityOf({ producerId, producerEpoch }: TransactionClient) {
  return { producerId, producerEpoch }
}

async function offsetsOf(client: RawClient, groupId: string) {
  const { groups } = await client.send(offsetFetch, { groups: [{ groupId, topics: null }] }, 8)
  return groups[0]!.topics.flatMap(({ name, partitions }) =>
    partitions.map((each) => `${name}-${each.partitionIndex} ${each.committedOffset}`),
  )
}

/** OffsetDelete deletes staged offsets of a transaction too; offsets staged later count. */
async function forgets(t: Test, client: RawClient): Promise<void> {
  const p = new TransactionClient(client, 'staging', 'TV1')
  await again(() => p.init())
  await again(() => p.addGroup('staged'))
  t.equal(await p.commitOffset('staged', 't', 3), undefined)
  const topics = [{ name: 't', partitions: [{ partitionIndex: 0 }] }]
  const deleted = await client.send(offsetDelete, { groupId: 'staged', topics })
  t.match(deleted, { errorCode: 0, topics: [{ partitions: [{ errorCode: 0 }] }] })
  t.equal(await p.commit(), undefined)
  t.same(await offsetsOf(client, 'staged'), [], 'the commit does not bring it back')
  await again(() => p.addGroup('staged'))
  t.equal(await p.commitOffset('staged', 't', 4), undefined)
  t.equal(await p.commit(), undefined)
  await again(async () => ((await offsetsOf(client, 'staged')).length > 0 ? undefined : 'pending'))
  t.same(await offsetsOf(client, 'staged'), ['t-0 4'])
}

/** Checks a broker that continues with the files of the broker of `work`. */
export async function goesOn(t: Test, bootstrap: string, worked: Worked): Promise<void> {
  const client = await RawClient.connect(bootstrap)
  t.teardown(() => client.close())
  await untilReady(client)
  t.same(await offsetsOf(client, 'simple'), ['t-0 6'], 'what is committed')
  t.same(await offsetsOf(client, 'eos'), [], 'neither aborted nor pending')
  const members = new GroupClient(client, 'members')
  const member = { ...worked.member, groupInstanceId: 'one' }
  t.equal(await members.heartbeat(member), undefined, 'a member goes on')

  const { idempotent } = worked
  const timestamp = Date.now()
  const copy = batchOf(['v12', 'v13'], { ...idempotent, baseSequence: 12, timestamp })
  t.match(await produceTo(client, 't', 0, copy), { errorCode: 0, baseOffset: 12 }, 'a copy')
  const gap = batchOf(['x'], { ...idempotent, baseSequence: 16, timestamp })
  t.match(await produceTo(client, 't', 0, gap), { errorCode: 45 }, 'a gap')
  const next = batchOf(['v14'], { ...idempotent, baseSequence: 14, timestamp })
  t.match(await produceTo(client, 't', 0, next), { errorCode: 0, baseOffset: 14 }, 'the next')

  const open = Object.assign(new TransactionClient(client, 'open', 'TV1'), worked.open)
  const open2 = Object.assign(new TransactionClient(client, 'open 2', 'TV2'), worked.open2)
  t.equal(await open.commit(), undefined, 'an open transaction commits')
  t.equal(await open2.abort(), undefined, 'another aborts')
  await again(async () => ((await offsetsOf(client, 'eos')).length > 0 ? undefined : 'pending'))
  t.same(await offsetsOf(client, 'eos'), ['t-0 11'])
  t.same(await offsetsOf(client, 'simple'), ['t-0 6'])
  const options = { isolationLevel: READ_COMMITTED }
  const read = async () => {
    const { records, abortedTransactions } = await fetchFrom(client, 't', 1, 0, options)
    const values = valuesOf(records).filter((value) => /^[a-z]/.test(value ?? ''))
    return { values, abortedCount: abortedTransactions?.length }
  }
  await again(async () => ((await read()).values.length === 4 ? undefined : 'not all is decided'))
  t.same(await read(), { values: ['done', 'aborted', 'open', 'open 2'], abortedCount: 2 })

  await forgets(t, client)
  const former = new TransactionClient(client, 'done', 'TV2')
  t.equal(await former.init(), undefined)
  t.ok(former.producerEpoch > 0, 'a transactional id is remembered')
  const fresh = new TransactionClient(client, 'fresh', 'TV2')
  await again(() => fresh.init())
  const ids = [worked.open, worked.open2, idempotent].map(({ producerId }) => producerId)
  t.notOk(ids.includes(fresh.producerId), 'no id is given out again')
}
