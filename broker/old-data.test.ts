// A data directory of the first release: the broker continues with everything in it, and converts the tables to
// Kafka's format once.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { listGroups } from '../protocol/api/16_list_groups.ts'
import { offsetFetch } from '../protocol/api/09_offset_fetch.ts'
import { describeTransactions } from '../protocol/api/65_describe_transactions.ts'
import { batchesOf, recordsOf } from '../protocol/batch/record.ts'
import { systemClock, type Clock } from '../storage/clock.ts'
import { openStore } from '../storage/open-store.ts'
import { diskFrom } from '../storage/testing/disk-from.ts'
import type { FaultyFs } from '../storage/testing/faulty-fs.ts'
import { verifyDirectory } from '../storage/verify/verify.ts'
import { Broker } from './broker.ts'
import { readSettings } from './config.ts'
import { openGroupState } from './group/state-table.ts'
import { ProcessLog } from './process-log.ts'
import { GroupClient } from './testing/group-client.ts'
import { oldData } from './testing/old-data.ts'
import { RawClient } from './testing/raw-client.ts'
import { TransactionClient } from './testing/transaction-client.ts'
import { VirtualClock } from './testing/virtual-clock.ts'
import { batchOf, produceTo } from './testing/world.ts'
import { openEpochOf, openTransactionState } from './txn/state-table.ts'

/** At a time when nothing in the directory has expired. */
async function open(t: { teardown(step: () => unknown): void }, dataDir: string, atMs: number) {
  const shiftMs = systemClock.now() - atMs
  const clock: Clock = { ...systemClock, now: () => systemClock.now() - shiftMs }
  const logged: string[] = []
  const properties = { port: '0', 'http.port': '-1', 'log.dir': dataDir }
  const broker = await Broker.open({
    settings: readSettings([{ origin: 'test', properties }]),
    ephemeral: false,
    writer: 'inline',
    clock,
    log: new ProcessLog('warn', clock, { write: (line) => logged.push(line) }),
    onFatal(error) {
      throw error
    },
  })
  t.teardown(() => broker.close())
  const client = await RawClient.connect(broker.bootstrap)
  const close = async () => {
    await client.close()
    await broker.close()
  }
  return { client, logged, close }
}

async function offsetsOf(client: RawClient, groupId: string) {
  const { groups } = await client.send(offsetFetch, { groups: [{ groupId, topics: null }] }, 8)
  return Object.fromEntries(
    groups[0]!.topics.flatMap(({ name, partitions }) =>
      partitions.map((each) => [
        `${name}-${each.partitionIndex}`,
        [each.committedOffset, each.committedLeaderEpoch, each.metadata],
      ]),
    ),
  )
}

/** First byte of each key, and of each value, of the log's records. */
function kindsIn(dataDir: string, topic: string) {
  const bytes = readFileSync(join(dataDir, `${topic}-0`, '00000000000000000000.log'))
  return Array.from(batchesOf(bytes)).flatMap(({ at, header }) =>
    header.isControl
      ? []
      : Array.from(recordsOf(bytes, at, header, { decompressedBytesMax: 0 }), (record) => ({
          offset: record.offset,
          isOldKey: record.key![0] !== 0,
          isTombstone: record.value === null,
        })),
  )
}

t.setTimeout(60_000)

t.test('groups, offsets, producers and open transactions of the first release go on', async (t) => {
  const { dataDir, facts } = oldData(t)
  const { client, logged, close } = await open(t, dataDir, facts.atMs)

  t.same(await offsetsOf(client, 'simple'), { 't-0': [6, -1, ''], 't-1': [7, -1, ''] })
  t.same(await offsetsOf(client, 'simple/with/slashes'), { 't-1': [3, -1, ''] })
  t.same(await offsetsOf(client, 'retained'), { 't-0': [2, -1, ''] })
  t.same(await offsetsOf(client, 'eos'), {})
  const { groups } = await client.send(listGroups, {})
  const ids = groups.map(({ groupId }) => groupId).sort()
  t.same(ids, ['eos', 'members', 'retained', 'simple', 'simple/with/slashes'])

  const member = new GroupClient(client, 'members')
  const joined = await member.joinOnce({ groupInstanceId: 'one' })
  t.match(joined, { errorCode: 0, generationId: 1 }, 'a static member comes back')

  const { idempotent } = facts
  const again = batchOf(['v4', 'v5'], { ...idempotent, baseSequence: 4 })
  t.match(await produceTo(client, 't', 0, again), { errorCode: 0, baseOffset: 4 }, 'a copy')
  const next = batchOf(['v14', 'v15'], { ...idempotent, baseSequence: 14 })
  t.match(await produceTo(client, 't', 0, next), { errorCode: 0, baseOffset: 14 })

  const { transactionStates } = await client.send(describeTransactions, {
    transactionalIds: ['open', 'open 2', 'done', 'aborted'],
  })
  t.same(
    transactionStates.map(({ transactionState }) => transactionState),
    ['Ongoing', 'Ongoing', 'CompleteCommit', 'CompleteAbort'],
  )
  const one = Object.assign(new TransactionClient(client, 'open', 'TV1'), facts.open)
  const two = Object.assign(new TransactionClient(client, 'open 2', 'TV2'), facts.open2)
  t.equal(await one.commit(), undefined)
  t.equal(await two.abort(), undefined)
  t.same(await offsetsOf(client, 'eos'), { 't-0': [11, -1, ''] })
  t.match(await offsetsOf(client, 'simple'), { 't-0': [6, -1, ''] })
  t.equal(logged.filter((line) => line.includes('of an earlier release')).length, 2, 'it says so')
  await close()

  for (const topic of ['__consumer_offsets', '__transaction_state']) {
    const records = kindsIn(dataDir, topic)
    const old = records.filter(({ isOldKey, isTombstone }) => isOldKey && !isTombstone)
    const lastOld = Math.max(...old.map(({ offset }) => offset))
    const later = records.filter(({ offset }) => offset > lastOld)
    t.ok(later.length > old.length / 2, `${topic}: what was there is there in Kafka's format`)
  }
  const { findings } = await verifyDirectory(dataDir, { clock: systemClock, onRead() {} })
  t.same(findings, [])

  const second = await open(t, dataDir, facts.atMs)
  t.same(await offsetsOf(second.client, 'eos'), { 't-0': [11, -1, ''] })
  t.same(await offsetsOf(second.client, 'simple'), { 't-0': [6, -1, ''], 't-1': [7, -1, ''] })
  t.same(second.logged, [], 'once')
  const copy = batchOf(['v14', 'v15'], { ...idempotent, baseSequence: 14 })
  t.match(await produceTo(second.client, 't', 0, copy), { errorCode: 0, baseOffset: 14 })
})

/** The same for values that say the same: bytes as text, keys in order. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.map(([key, each]) => [key, plain(each)])
}

/** The contents of the tables of groups and transactions, as text. */
async function tablesOf(fs: FaultyFs): Promise<string[]> {
  const store = await openStore({ dataDir: '/d', writer: 'inline', clock: new VirtualClock(), fs })
  const transactions = await openTransactionState(store)
  const groups = await openGroupState(store, (producerId) => openEpochOf(transactions, producerId))
  const held = [...transactions.entries(), ...groups.entries(), ...groups.pending()]
  const told = held.map((each) => JSON.stringify(plain(each))).sort()
  await store[Symbol.asyncDispose]()
  return told
}

t.test('a crash at any step of the first start loses nothing of it', async (t) => {
  const { dataDir } = oldData(t)
  const whole = diskFrom(dataDir)
  const truth = await tablesOf(whole)
  t.equal(truth.filter((each) => each.includes('"producerId"')).length, 6, 'two are pending')
  t.same(await tablesOf(whole.afterKill()), truth)
  const { stepCount } = whole
  const begun = diskFrom(dataDir).stepCount
  for (let step = begun; step < stepCount; step++) {
    for (const isPowerCut of [false, true]) {
      const disk = diskFrom(dataDir)
      disk.faultAt = ({ index }) => (index === step ? 'crash' : undefined)
      await tablesOf(disk).catch(() => {}) // its process is gone
      const after = isPowerCut ? disk.afterPowerCut(step) : disk.afterKill()
      const found = await tablesOf(after)
      if (found.join() !== truth.join()) t.fail(`step ${step}: ${found.join('\n')}`)
    }
  }
  t.comment(`${stepCount - begun} steps`)
  t.ok(stepCount - begun > 10)
})
