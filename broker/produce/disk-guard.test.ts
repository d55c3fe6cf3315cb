// A disk that fills up: produce stops before it is full, everything else goes on, and produce resumes by itself.

import t from '../../protocol/testing/tap.ts'
import { createTopics } from '../../protocol/api/19_create_topics.ts'
import { offsetCommit } from '../../protocol/api/08_offset_commit.ts'
import { deleteRecords } from '../../protocol/api/21_delete_records.ts'
import { incrementalAlterConfigs } from '../../protocol/api/44_incremental_alter_configs.ts'
import { errorCode } from '../../protocol/errors.ts'
import { FaultyFs } from '../../storage/testing/faulty-fs.ts'
import { DiskGuard, type DiskGuardDeps } from './disk-guard.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { batchOf, fetchFrom, produceTo, valuesOf, World } from '../testing/world.ts'

const KIB = 1024
/** Older than any look at the disk may be. */
const LATER_MS = 1000

function guardOf(disk: { freeBytes: number; waitingBytes?: number; roomMade?: number }) {
  const clock = new VirtualClock()
  const logged: string[] = []
  const deps: DiskGuardDeps = {
    store: {
      disk: {
        space: () => Promise.resolve({ freeBytes: disk.freeBytes, totalBytes: 1e9 }),
        makeRoom: async () => void (disk.roomMade = (disk.roomMade ?? 0) + 1),
      },
      writer: {
        get bytesWaiting() {
          return disk.waitingBytes ?? 0
        },
      },
    },
    config: { 'log.disk.min.free.bytes': 1000 },
    clock,
    log: { info: (message) => logged.push(message), warn: (message) => logged.push(message) },
  }
  return { guard: new DiskGuard(deps), deps, clock, logged }
}

t.test('a batch is let through only if it leaves the free bytes that must stay', async (t) => {
  const disk = { freeBytes: 1500 }
  const { guard } = guardOf(disk)
  t.equal(await guard.shortage(), undefined)
  t.equal(guard.claim(300), undefined)
  t.equal(guard.claim(200), undefined, 'just so')
  t.match(guard.claim(1), /the disk is full: 1000 bytes are free, .* is 1000/)
})

t.test('a disk that was full has room again when more than one batch fits', async (t) => {
  const disk = { freeBytes: 1000 }
  const { guard } = guardOf(disk)
  await guard.shortage()
  t.match(guard.claim(1), /full/)
  disk.freeBytes = 500 * KIB
  t.match(await guard.shortage(), /full/)
  t.match(guard.claim(1), /full/)
  disk.freeBytes = 1100 * KIB
  t.equal(await guard.shortage(), undefined)
  t.equal(guard.claim(1), undefined)
})

t.test('what still waits for the writer counts after the next look', async (t) => {
  const disk = { freeBytes: 1500, waitingBytes: 0 }
  const { guard } = guardOf(disk)
  await guard.shortage()
  guard.claim(400)
  disk.waitingBytes = 100
  disk.freeBytes = 1200
  await guard.shortage()
  t.equal(guard.claim(100), undefined)
  t.match(guard.claim(1), /full/)
})

t.test('a full disk is looked at again, and cleared of what waits for its deletion', async (t) => {
  const disk = { freeBytes: 500, roomMade: 0 }
  const { guard, clock, logged } = guardOf(disk)
  t.match(await guard.shortage(), /500 bytes are free/)
  t.match(guard.claim(1), /full/)
  await clock.advance(LATER_MS)
  guard.claim(1)
  await guard.shortage()
  t.ok(disk.roomMade > 0)
  disk.freeBytes = 2048 * KIB
  await clock.advance(LATER_MS)
  t.match(guard.claim(1), /full/, 'the answer does not wait for the disk')
  await guard.shortage()
  t.equal(guard.claim(1), undefined)
  t.same(
    logged.map((line) => line.split(':')[0]),
    ['the disk is full', 'the disk has room again; produce goes on'],
  )
})

t.test('0 bytes that must stay: nothing is refused', async (t) => {
  const { guard, deps } = guardOf({ freeBytes: 0 })
  ;(deps.config as { 'log.disk.min.free.bytes': number })['log.disk.min.free.bytes'] = 0
  t.equal(guard.claim(1e6), undefined)
  t.match(await guard.shortage(), /0 bytes are free/)
})

t.test(
  'on a full disk only produce is refused; deleting records makes room, and produce resumes',
  async (t) => {
    const clock = new VirtualClock()
    const fs = new FaultyFs()
    const world = await World.open(t, {
      fs,
      clock,
      config: { 'log.disk.min.free.bytes': 100 * KIB, 'log.segment.bytes': 64 * KIB },
    })
    const { client } = await world.topic('filling')
    fs.capacityBytes = fs.usedBytes + 2000 * KIB
    const produce = async () => {
      await clock.advance(LATER_MS)
      return produceTo(client, 'filling', 0, batchOf(['x'.repeat(20 * KIB)]))
    }
    let written = 0
    let refused = await produce()
    for (; refused.errorCode === 0; written++) refused = await produce()
    t.equal(refused.errorCode, errorCode('KAFKA_STORAGE_ERROR'))
    t.match(refused.errorMessage, /the disk is full: \d+ bytes are free/)
    t.ok(written > 10)
    t.ok((await fs.space()).freeBytes >= 80 * KIB, 'what must stay stays, but for the indexes')

    t.equal(valuesOf((await fetchFrom(client, 'filling', 0, 0)).records).length > 0, true)
    const commit = await client.send(offsetCommit, {
      groupId: 'g',
      topics: [
        {
          name: 'filling',
          partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }],
        },
      ],
    })
    t.equal(commit.topics[0]!.partitions[0]!.errorCode, 0)
    const made = await client.send(createTopics, {
      topics: [{ name: 'another', numPartitions: 1, replicationFactor: 1 }],
    })
    t.equal(made.topics[0]!.errorCode, 0)
    const topics = [{ name: 'filling', partitions: [{ partitionIndex: 0, offset: -1 }] }]
    const deleted = await client.send(deleteRecords, { topics, timeoutMs: 1000 })
    t.equal(deleted.topics[0]!.partitions[0]!.errorCode, 0)

    let again = await produce()
    for (let tries = 0; again.errorCode !== 0 && tries < 10; tries++) again = await produce()
    t.match(again, { errorCode: 0, baseOffset: written })
    t.ok(world.logged.some(({ message }) => message.startsWith('the disk is full')))
    t.ok(world.logged.some(({ message }) => message.startsWith('the disk has room again')))
  },
)

t.test('how much must stay free is changed while the broker runs', async (t) => {
  const clock = new VirtualClock()
  const fs = new FaultyFs()
  const world = await World.open(t, { fs, clock, config: { 'log.disk.min.free.bytes': 0 } })
  const { client } = await world.topic('t')
  fs.capacityBytes = fs.usedBytes + 600 * KIB
  const produce = async () => {
    await clock.advance(LATER_MS)
    return (await produceTo(client, 't', 0, batchOf(['x']))).errorCode
  }
  t.equal(await produce(), 0)
  const configs = [{ name: 'log.disk.min.free.bytes', configOperation: 0, value: `${KIB * KIB}` }]
  const resources = [{ resourceType: 4, resourceName: '', configs }]
  await client.send(incrementalAlterConfigs, { resources, validateOnly: false })
  await produce()
  t.equal(await produce(), errorCode('KAFKA_STORAGE_ERROR'))
})

t.test('a batch that is refused for its transaction claims no room', async (t) => {
  const clock = new VirtualClock()
  const fs = new FaultyFs()
  const world = await World.open(t, {
    fs,
    clock,
    config: { 'log.disk.min.free.bytes': 100 * KIB },
  })
  const { client } = await world.topic('t')
  fs.capacityBytes = fs.usedBytes + 400 * KIB
  t.equal((await produceTo(client, 't', 0, batchOf(['x']))).errorCode, 0, 'takes a sample')
  await clock.advance(LATER_MS)
  const producer = { producerId: 7, producerEpoch: 0, baseSequence: 0, isTransactional: true }
  const stray = batchOf(['x'.repeat(100 * KIB)], producer)
  for (let i = 0; i < 10; i++) {
    const refused = await produceTo(client, 't', 0, stray)
    t.equal(refused.errorCode, errorCode('TRANSACTIONAL_ID_AUTHORIZATION_FAILED'))
  }
  t.equal((await produceTo(client, 't', 0, batchOf(['x']))).errorCode, 0)
})
