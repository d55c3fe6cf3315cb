// Compaction under producers with an id: the remaining log gives the same state of its producers, and a reader of
// committed records sees the latest committed value of each key and no aborted one.

import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t from '../../protocol/testing/tap.ts'
import { VirtualClock } from '../../broker/testing/virtual-clock.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { budget } from '../../protocol/testing/budget.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { openStore } from '../open-store.ts'
import type { Log, ProducerInfo, Reader, Store } from '../store.ts'
import { readCommitted } from '../testing/committed.ts'
import { type Random, seededRandom } from '../testing/random.ts'
import { tempDirectory } from '../testing/store-kit.ts'

const LIVES = budget(1, 8, 'LIVES')
const BACKOFF_MS = 1000
const DAY_MS = 86_400_000
const config = {
  'cleanup.policy': 'compact',
  'segment.bytes': '900',
  'min.cleanable.dirty.ratio': '0',
  'file.delete.delay.ms': '0',
}

interface Sent {
  readonly offset: number
  readonly key: string
  readonly value: string
}

/** Producer ids up to 3 write in transactions, 4 does not. */
class Writers {
  readonly committed = new Map<number, Sent>()
  readonly #open = new Map<number, Sent[]>()
  readonly #sequences = new Map<number, number>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  async write(store: Store, log: Log, count: number, timestamp: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const producerId = 1 + this.#random.below(4)
      if (this.#open.has(producerId) && this.#random.chance(0.4)) {
        await this.end(store, log, producerId, this.#random.chance(0.5))
      } else {
        await this.#send(store, log, producerId, timestamp)
      }
    }
  }

  async endAll(store: Store, log: Log): Promise<void> {
    for (const producerId of this.#open.keys()) await this.end(store, log, producerId, true)
  }

  async end(store: Store, log: Log, producerId: number, isCommit: boolean): Promise<void> {
    const marker = { producerId, producerEpoch: 0, isCommit, coordinatorEpoch: 0 }
    const { error } = await store.writer.endTransaction(log, marker)
    if (error) throw new Error(error)
    if (isCommit) for (const sent of this.#open.get(producerId)!) this.#commit(sent)
    this.#open.delete(producerId)
  }

  async #send(store: Store, log: Log, producerId: number, timestamp: number): Promise<void> {
    const builder = new BatchBuilder()
    const records = Array.from({ length: 1 + this.#random.below(2) }, () => ({
      key: `key ${this.#random.below(8)}`,
      value: `${producerId}: ${this.#random.below(1e9)}`,
    }))
    for (const { key, value } of records) {
      builder.append({ timestamp, key: Buffer.from(key), value: Buffer.from(value) })
    }
    const isTransactional = producerId <= 3
    const baseSequence = this.#sequences.get(producerId) ?? 0
    this.#sequences.set(producerId, baseSequence + records.length)
    const ids = { producerId, producerEpoch: 0, baseSequence, isTransactional }
    const { error, message, baseOffset } = await store.writer.append(log, builder.finish(ids))
    if (error) throw new Error(`${error}: ${message}`)
    const sent = records.map((record, i) => ({ ...record, offset: baseOffset + i }))
    if (!isTransactional) for (const each of sent) this.#commit(each)
    else this.#open.set(producerId, [...(this.#open.get(producerId) ?? []), ...sent])
  }

  #commit(sent: Sent): void {
    this.committed.set(sent.offset, sent)
  }

  /** The flaws in a consumer's view. */
  async flaws(reader: Reader, log: Log): Promise<string[]> {
    const seen = await readCommitted(reader, log, 2000)
    const latest = new Map<string, Sent>()
    for (const sent of [...this.committed.values()].sort((a, b) => a.offset - b.offset)) {
      if (sent.offset < log.lastStableOffset) latest.set(sent.key, sent)
    }
    const missing = [...latest.values()].filter(
      ({ offset, value }) => seen.get(offset)?.value !== value,
    )
    const wrong = [...seen].filter(
      ([offset, { value }]) => this.committed.get(offset)?.value !== value,
    )
    return [
      ...missing.map(({ offset, key }) => `${offset} is not there, the latest of ${key}`),
      ...wrong.map(([offset, { value }]) => `${offset} is not committed: ${value}`),
    ]
  }
}

async function compact(store: Store, clock: VirtualClock): Promise<void> {
  let idleRounds = 0
  for (let passes = -1; idleRounds < 5;) {
    await clock.advance(BACKOFF_MS)
    for (let i = 0; i < 20; i++) await clock.advance(0)
    await setTimeout(1)
    const { compaction } = store.cleaner.counts
    idleRounds = compaction.passes === passes ? idleRounds + 1 : 0
    passes = compaction.passes
  }
}

/** But for times and coordinator epochs, which go with their records and markers. */
const essence = (producers: readonly ProducerInfo[]) =>
  producers
    .map(({ producerId, producerEpoch, lastSequence, currentTxnStartOffset }) => {
      return { producerId, producerEpoch, lastSequence, currentTxnStartOffset }
    })
    .sort((a, b) => a.producerId - b.producerId)

t.test(
  'compaction takes nothing that producers and readers of committed records need',
  async (t) => {
    for (let life = 0; life < LIVES; life++) {
      t.comment(`SEED=${SEED + life}`)
      const random = seededRandom(SEED + life)
      const dataDir = tempDirectory(t)
      const clock = new VirtualClock(Date.now())
      const start = async () => {
        const store = await openStore({
          dataDir,
          writer: 'inline',
          clock,
          cleaner: { backoffMs: BACKOFF_MS, dedupeBufferBytes: 1024 * 1024 },
          producerIdExpirationMs: 100 * DAY_MS, // to a start from the log alone all have written just now
        })
        if (!store.topics.get('keyed'))
          await store.topics.create({ name: 'keyed', partitionCount: 1, config })
        return { store, log: store.logs.get('keyed', 0)! }
      }
      const writers = new Writers(random)
      let { store, log } = await start()
      for (let round = 0; round < budget(2, 4); round++) {
        await writers.write(store, log, 70, clock.now())
        await compact(store, clock)
        t.same(await writers.flaws(store.reader, log), [], 'as it was compacted')
        await clock.advance(random.below(2) * DAY_MS) // markers and tombstones have had their time
        await writers.write(store, log, 20, clock.now())
        await compact(store, clock)
        t.same(await writers.flaws(store.reader, log), [], 'compacted again')
        const known = essence(await store.writer.producersOf(log))
        const stable = log.lastStableOffset
        await store[Symbol.asyncDispose]()
        for (const name of readdirSync(join(dataDir, 'keyed-0'))) {
          if (name.endsWith('.snapshot')) rmSync(join(dataDir, 'keyed-0', name))
        }
        if (random.chance(0.5)) rmSync(join(dataDir, 'recovery-checkpoint'))
        ;({ store, log } = await start())
        t.same(essence(await store.writer.producersOf(log)), known, 'producers, from the log alone')
        t.equal(log.lastStableOffset, stable)
        t.same(await writers.flaws(store.reader, log), [], 'after a start')
      }
      await writers.endAll(store, log)
      t.ok(store.cleaner.counts.compaction.recordsDropped >= 0)
      await store[Symbol.asyncDispose]()
    }
  },
)
