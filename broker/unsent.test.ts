// Answers that clients do not take: their bytes are bounded in all, and clients that take theirs do not wait.

import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { fetch } from '../protocol/api/01_fetch.ts'
import { createTopics } from '../protocol/api/19_create_topics.ts'
import { encodeRequestFrame } from '../protocol/frame.ts'
import { KillableBroker } from '../clients/testing/interop/killable-broker.ts'
import { isFull } from '../protocol/testing/budget.ts'
import { RawClient } from './testing/raw-client.ts'
import { VirtualClock } from './testing/virtual-clock.ts'
import { batchOf, fetchFrom, fetchRequest, produceTo, valuesOf, World } from './testing/world.ts'
import { newHolder, Unsent, type Holder } from './unsent.ts'

t.setTimeout(180_000)

const MIB = 1024 * 1024
const PARTITION_COUNT = 5
const [READER_COUNT, ROUND_COUNT] = isFull ? [1000, 300] : [30, 20]

function holderOf(closed: string[] = [], name = ''): Holder {
  return newHolder(() => void closed.push(name))
}

t.test('each takes a part of what is free, and a little when nothing is', async (t) => {
  const unsent = new Unsent({ bytesMax: 8 * MIB }, new VirtualClock())
  const taken = Array.from({ length: 200 }, () => unsent.reserve(holderOf(), 100 * MIB))
  t.equal(taken[0], (7 / 8) * MIB)
  t.ok(taken.every((bytes, i) => i === 0 || bytes <= taken[i - 1]!))
  t.equal(taken.at(-1), 64 * 1024)
  const holder = holderOf()
  t.equal(unsent.reserve(holder, 1000), 1000, 'what is small passes')
  t.equal(unsent.reserve(holder, 1000), 0, 'but only for one that holds nothing yet')
})

t.test('the last eighth is for clients that have taken much', async (t) => {
  const unsent = new Unsent({ bytesMax: 80 * MIB }, new VirtualClock())
  const [lazy, proven] = [holderOf(), holderOf()]
  unsent.hold(lazy, 70 * MIB)
  unsent.took(proven, 16 * MIB)
  const got: string[] = []
  const waits = [holderOf(), proven].map(async (holder) => {
    const bytes = await unsent.reserveLater(holder)
    got.push(`${holder === proven} ${bytes}`)
  })
  await waits[1]
  t.same(got, [`true ${1.25 * MIB}`])
  unsent.leave(lazy)
  await waits[0]
  t.equal(got.length, 2)
})

t.test('answers that need room get it in order, as soon as there is any', async (t) => {
  const unsent = new Unsent({ bytesMax: MIB }, new VirtualClock())
  const [large, first, gone, second] = [holderOf(), holderOf(), holderOf(), holderOf()]
  unsent.hold(large, MIB)
  const got: string[] = []
  const wait = async (name: string, holder: Holder) => {
    got.push(`${name} ${(await unsent.reserveLater(holder)) > 0}`)
  }
  const waits = [wait('first', first), wait('gone', gone), wait('second', second)]
  unsent.leave(gone)
  await Promise.resolve()
  t.same(got, ['gone false'])
  unsent.hold(large, -MIB / 2)
  await Promise.all(waits)
  t.same(got, ['gone false', 'first true', 'second true'])
  for (const holder of [large, first, second]) unsent.leave(holder)
  t.equal(unsent.heldBytes, 0)
})

t.test('one that leaves while it waits for room leaves nothing behind', async (t) => {
  const unsent = new Unsent({ bytesMax: MIB }, new VirtualClock())
  const [large, other] = [holderOf(), holderOf()]
  unsent.hold(large, 2 * MIB)
  const waits = [large, other].map((holder) => unsent.reserveLater(holder))
  unsent.leave(large)
  t.equal(await waits[0], 0)
  t.ok((await waits[1])! > 0)
  unsent.leave(other)
  t.equal(unsent.heldBytes, 0)
})

t.test(
  'a client that has taken nothing for two seconds is closed, if its memory is needed',
  async (t) => {
    const clock = new VirtualClock()
    const unsent = new Unsent({ bytesMax: MIB }, clock)
    const closed: string[] = []
    const [still, moving] = [holderOf(closed, 'still'), holderOf(closed, 'moving')]
    unsent.hold(still, MIB / 2)
    unsent.hold(moving, MIB / 4)
    await clock.advance(10_000)
    unsent.relieve()
    t.same(closed, [], 'nobody needs it')
    unsent.took(moving, 1)
    unsent.hold(moving, MIB / 4)
    unsent.relieve()
    t.same(closed, ['still'])
    unsent.leave(still)
    unsent.relieve()
    t.same(closed, ['still'])
  },
)

t.test('a first batch that there is no room for waits until there is', async (t) => {
  const clock = new VirtualClock()
  const config = { 'connections.unsent.max.bytes': MIB, 'message.max.bytes': 2 * MIB }
  const tight = await World.open(t, { clock, config })
  const { client: honest } = await tight.topic('large')
  for (let i = 0; i < 8; i++)
    await produceTo(honest, 'large', 0, batchOf(['x'.repeat(MIB)], { timestamp: -1 }))
  const lazy = await tight.connect()
  lazy.socket.pause()
  for (let i = 0; i < 8; i++) lazy.write(fetch, fetchRequest('large', 0, i), 11)
  const filled = await fetchFrom(honest, 'large', 0, 0)
  t.equal(valuesOf(filled.records).length, 1)
  let answers = 0
  const asking = (async () => {
    for (let i = 0; i < 8; i++) {
      const { records } = await fetchFrom(honest, 'large', 0, i)
      answers += valuesOf(records).length
    }
  })()
  for (let second = 0; second < 10; second++) {
    await new Promise(setImmediate)
    await clock.advance(1000)
  }
  await asking
  t.equal(answers, 8)
})

/** VmRSS of a process. */
function rssBytes(pid: number | undefined): number {
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) * 1024
}

/** Of fetches of 100 KiB at the end of what was read before, one after the other: ms. */
async function fetchTimes(client: RawClient, count: number): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const startedAt = performance.now()
    const { records } = await fetchFrom(client, 'much', i % PARTITION_COUNT, 0, {
      partitionMaxBytes: 100 * 1024,
    })
    if (records!.length < 50 * 1024) throw new Error(`${records!.length} bytes`)
    times.push(performance.now() - startedAt)
  }
  return times
}

function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)]!
}

/** Asks for 40 MB ten times in a row, and takes nothing. */
async function lazyReader(bootstrap: string): Promise<Socket> {
  const { hostname, port } = new URL(`kafka://${bootstrap}`)
  const socket = connect(Number(port), hostname).pause()
  socket.on('error', () => {})
  await once(socket, 'connect')
  const partitions = Array.from({ length: PARTITION_COUNT }, (_, partition) => {
    return { partition, fetchOffset: 0, partitionMaxBytes: 8 * MIB }
  })
  const topics = [{ topic: 'much', partitions }]
  const request = { maxWaitMs: 0, minBytes: 1, maxBytes: 40 * MIB, topics }
  for (let i = 0; i < 10; i++)
    socket.write(Buffer.concat(encodeRequestFrame(fetch, 11, i, 'lazy', request)))
  return socket
}

t.test(`${READER_COUNT} readers that take nothing hold little, and slow down nobody`, async (t) => {
  if (process.platform !== 'linux') {
    t.comment('looks into /proc, which is not here')
    return
  }
  const path = mkdtempSync(join(tmpdir(), 'millrace-readers-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  await using broker = await KillableBroker.start(path)
  const honest = await RawClient.connect(broker.bootstrap)
  t.teardown(() => honest.close())
  const topic = { name: 'much', numPartitions: PARTITION_COUNT, replicationFactor: 1 }
  await honest.send(createTopics, { topics: [topic] })
  for (let i = 0; i < PARTITION_COUNT * 128; i++) {
    const batch = batchOf(['x'.repeat(64 * 1024)], { timestamp: -1 })
    await produceTo(honest, 'much', i % PARTITION_COUNT, batch)
  }
  await fetchTimes(honest, 200)
  const before = { rss: rssBytes(broker.pid), times: await fetchTimes(honest, ROUND_COUNT * 25) }
  const lazy = await Promise.all(
    Array.from({ length: READER_COUNT }, () => lazyReader(broker.bootstrap)),
  )
  let mostBytes = 0
  const times: number[] = []
  for (let round = 0; round < ROUND_COUNT; round++) {
    times.push(...(await fetchTimes(honest, 100)))
    mostBytes = Math.max(mostBytes, rssBytes(broker.pid))
  }
  for (const socket of lazy) socket.destroy()
  const ms = (share: number) =>
    `${percentile(before.times, share).toFixed(2)} -> ${percentile(times, share).toFixed(2)} ms`
  t.comment(`RSS ${before.rss >> 20} -> ${mostBytes >> 20} MiB`)
  t.comment(`honest fetch p50 ${ms(0.5)}, p99 ${ms(0.99)}, most ${ms(0.9999)}`)
  t.ok(mostBytes < 400 * MIB, `${mostBytes >> 20} MiB`)
})
