// Readers of committed records: the list of records to skip is exact, over segments, starts, trims and damaged
// indexes.

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from '../../protocol/testing/tap.ts'
import { VirtualClock } from '../../broker/testing/virtual-clock.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { Offset } from '../../protocol/ids.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { realFs, type Fs } from '../fs.ts'
import { openStore } from '../open-store.ts'
import type { AbortedTransaction, Log, Store } from '../store.ts'
import { readCommitted } from '../testing/committed.ts'
import { type Random, seededRandom } from '../testing/random.ts'
import { appendValues, tempDirectory } from '../testing/store-kit.ts'

interface Aborted extends AbortedTransaction {
  readonly lastOffset: number
}

/** Transactions that overlap, a few records each, in segments of a few hundred bytes. */
class World {
  readonly store: Store
  readonly log: Log
  readonly #random: Random
  readonly #sequences = new Map<number, number>()
  /** Producer id -> where its transaction began, and what it wrote. */
  readonly open = new Map<number, { firstOffset: number; values: Map<number, string> }>()
  readonly aborted: Aborted[] = []
  /** Offset -> value, of all that is committed. */
  readonly committed = new Map<number, string>()

  constructor(store: Store, random: Random) {
    this.store = store
    this.log = store.logs.get('ledger', 0)!
    this.#random = random
  }

  async write(stepCount: number): Promise<void> {
    const random = this.#random
    for (let i = 0; i < stepCount; i++) {
      const producerId = random.below(4)
      if (producerId === 0) await this.append(-1)
      else if (this.open.has(producerId) && random.chance(0.35)) await this.end(producerId)
      else await this.append(producerId)
    }
  }

  async append(producerId: number): Promise<void> {
    const builder = new BatchBuilder()
    const values = Array.from(
      { length: 1 + this.#random.below(3) },
      () => `${this.#random.below(1e9)}`,
    )
    for (const value of values) {
      builder.append({ timestamp: 5000, key: null, value: Buffer.from(value) })
    }
    const isTransactional = producerId >= 0
    const baseSequence = isTransactional ? (this.#sequences.get(producerId) ?? 0) : -1
    this.#sequences.set(producerId, baseSequence + values.length)
    const ids = { producerId, producerEpoch: isTransactional ? 0 : -1, baseSequence }
    const batch = builder.finish({ ...ids, isTransactional })
    const { error, message, baseOffset } = await this.store.writer.append(this.log, batch)
    if (error) throw new Error(`${error}: ${message}`)
    const placed = values.map((value, at) => [baseOffset + at, value] as const)
    if (!isTransactional) {
      for (const [offset, value] of placed) this.committed.set(offset, value)
      return
    }
    const known = this.open.get(producerId) ?? { firstOffset: baseOffset, values: new Map() }
    this.open.set(producerId, known)
    for (const [offset, value] of placed) known.values.set(offset, value)
  }

  async end(producerId: number, isCommit = this.#random.chance(0.4)): Promise<void> {
    const marker = { producerId, producerEpoch: 0, isCommit, coordinatorEpoch: 0 }
    const { error, baseOffset } = await this.store.writer.endTransaction(this.log, marker)
    if (error) throw new Error(error)
    const { firstOffset, values } = this.open.get(producerId)!
    this.open.delete(producerId)
    if (!isCommit) {
      this.aborted.push({ producerId, firstOffset: Offset(firstOffset), lastOffset: baseOffset })
      return
    }
    for (const [offset, value] of values) this.committed.set(offset, value)
  }

  /** What the log says to skip, for every range that a reader could have. @returns descriptions of what is wrong */
  async wrongAnswers({ reader, logs }: Store): Promise<string[]> {
    const log = logs.get('ledger', 0)!
    const wrong: string[] = []
    const stable = Math.min(
      log.highWatermark,
      ...Array.from(this.open.values(), (o) => o.firstOffset),
    )
    if (log.lastStableOffset !== stable) wrong.push(`last stable offset ${log.lastStableOffset}`)
    for (let from = log.logStartOffset as number; from < stable; from++) {
      for (const to of [from + 1, from + 1 + this.#random.below(40), stable]) {
        if (to > stable) continue
        const expected = this.aborted
          .filter(({ firstOffset, lastOffset }) => lastOffset >= from && firstOffset < to)
          .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
        const found = await reader.abortedTransactions(log, Offset(from), Offset(to))
        if (JSON.stringify(found) !== JSON.stringify(expected)) wrong.push(`${from} to ${to}`)
      }
    }
    return wrong
  }

  /** The flaws in the records that a consumer gets by reads of `bytesMax`. */
  async wrongRecords({ reader, logs }: Store, bytesMax: number): Promise<string[]> {
    const log = logs.get('ledger', 0)!
    const seen = await readCommitted(reader, log, bytesMax)
    const isSeen = (offset: number) => offset >= log.logStartOffset && offset < log.lastStableOffset
    const expected = [...this.committed].filter(([offset]) => isSeen(offset))
    const wrong = expected.filter(([offset, value]) => seen.get(offset)?.value !== value)
    if (seen.size !== expected.length) wrong.push([-1, `${seen.size} of ${expected.length}`])
    return wrong.map(([offset, value]) => `${offset}: ${value}, not ${seen.get(offset)?.value}`)
  }
}

/** Records are old here, and markers are new. */
const oneAge = { 'segment.ms': '1000000000000000' }

const open = (dataDir: string) =>
  openStore({ dataDir, writer: 'inline', clock: new VirtualClock() })

t.test(
  'what is to be skipped is exact, and a consumer reads what is committed and nothing else',
  async (t) => {
    t.comment(`SEED=${SEED}`)
    const random = seededRandom(SEED)
    const dataDir = tempDirectory(t)
    const directory = join(dataDir, 'ledger-0')
    const store = await open(dataDir)
    await store.topics.create({
      name: 'ledger',
      partitionCount: 1,
      config: { ...oneAge, 'segment.bytes': '700' },
    })
    const world = new World(store, random)
    /** A rebuilt index knows only the remaining part of a transaction that began before the log start. */
    const checkRecords = async (opened: Store, where: string) => {
      for (const bytesMax of [1, 300, 1_000_000])
        t.same((await world.wrongRecords(opened, bytesMax)).slice(0, 5), [], `${where}: records`)
    }
    const check = async (opened: Store, where: string) => {
      t.same((await world.wrongAnswers(opened)).slice(0, 5), [], `${where}: aborted`)
      for (const bytesMax of [1, 300, 1_000_000])
        t.same((await world.wrongRecords(opened, bytesMax)).slice(0, 5), [], `${where}: records`)
    }
    const reopened = async (act: (opened: Store) => Promise<void>) => {
      const again = await open(dataDir)
      await act(again)
      await again[Symbol.asyncDispose]()
    }
    await world.write(160)
    while (world.aborted.length <= 10) await world.write(40) // chance may have committed more
    t.ok(world.log.segmentCount > 10, `${world.log.segmentCount} segments`)
    t.ok(world.aborted.length > 10, `${world.aborted.length} aborted`)
    await check(store, 'as it was written')
    const trimTo = Offset(Math.floor(world.log.lastStableOffset / 3))
    await store.writer.deleteRecordsBefore(world.log, trimTo)
    await check(store, 'after a trim')
    await store[Symbol.asyncDispose]()
    await reopened((opened) => check(opened, 'after a restart'))

    const indexes = () => readdirSync(directory).filter((name) => name.endsWith('.txnindex'))
    t.ok(
      indexes().every((name) => Number.parseInt(name, 10) >= segmentOf(directory, trimTo)),
      'those of dropped segments go',
    )
    rmSync(join(directory, indexes()[1]!))
    await reopened((opened) => checkRecords(opened, 'with an index gone'))
    for (let i = 0; i < 8; i++) {
      const path = join(directory, indexes()[random.below(indexes().length)]!)
      const bytes = readFileSync(path)
      const bit = random.below(bytes.length * 8)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      writeFileSync(path, bytes)
      await reopened((opened) => checkRecords(opened, `bit ${bit} of ${path} flipped`))
    }
    for (const name of readdirSync(directory)) {
      if (name.endsWith('.snapshot')) rmSync(join(directory, name))
    }
    await reopened((opened) => checkRecords(opened, 'without snapshots'))
  },
)

function segmentOf(directory: string, offset: number): number {
  const bases = readdirSync(directory)
    .filter((name) => name.endsWith('.log'))
    .map((name) => Number.parseInt(name, 10))
  return Math.max(...bases.filter((base) => base <= offset))
}

t.test('an index that is damaged while it is in use is an error, and hides nothing', async (t) => {
  const dataDir = tempDirectory(t)
  await using store = await open(dataDir)
  await store.topics.create({ name: 'ledger', partitionCount: 1, config: oneAge })
  const world = new World(store, seededRandom(1))
  await world.write(40)
  const path = join(dataDir, 'ledger-0', '00000000000000000000.txnindex')
  const bytes = readFileSync(path)
  bytes[0] = 1 // a version that nobody knows
  writeFileSync(path, bytes)
  t.throws(() => store.reader.abortedTransactions(world.log, Offset(0), Offset(5)), {
    code: 'KAFKA_STORAGE_ERROR',
  })
})

t.test('a log without aborted transactions answers at once', async (t) => {
  await using store = await open(tempDirectory(t))
  await store.topics.create({ name: 'ledger', partitionCount: 1 })
  const log = store.logs.get('ledger', 0)!
  await appendValues(store, log, ['a', 'b'])
  const world = new World(store, seededRandom(1))
  await world.write(0)
  t.same(store.reader.abortedTransactions(log, Offset(0), Offset(2)), [])
  t.equal(log.lastStableOffset, 2)
  t.same(await store.writer.producersOf(log), [])
})

t.test(
  'readers that follow a log with thousands of aborted transactions hardly read the disk',
  async (t) => {
    const reads: string[] = []
    const fs: Fs = {
      ...realFs,
      read(fd, into, position) {
        reads.push(`${into.length} at ${position}`)
        return realFs.read(fd, into, position)
      },
    }
    await using store = await openStore({
      dataDir: tempDirectory(t),
      writer: 'inline',
      clock: new VirtualClock(),
      fs,
    })
    await store.topics.create({ name: 'ledger', partitionCount: 1, config: oneAge })
    const world = new World(store, seededRandom(3))
    const abort = async (count: number) => {
      for (let i = 0; i < count; i++) {
        await world.append(1)
        await world.end(1, false)
      }
    }
    const atEnd = () => {
      const { lastStableOffset } = world.log
      return store.reader.abortedTransactions(
        world.log,
        Offset(lastStableOffset - 4),
        lastStableOffset,
      )
    }
    await abort(300)
    await atEnd()
    reads.length = 0
    for (let i = 0; i < 10; i++) t.ok((await atEnd()).length > 0)
    t.same(reads, [], 'asked again')
    for (let i = 0; i < 10; i++) {
      await abort(1)
      t.ok((await atEnd()).length > 0)
    }
    t.ok(reads.length <= 10, `${reads.length} reads for as many new ones`)
    reads.length = 0
    t.equal((await store.reader.abortedTransactions(world.log, Offset(0), Offset(1))).length, 1)
    t.ok(reads.length < 6, `${reads.length} reads for the first one`)
  },
)
