// Producers that send unanswered batches again, over kills, power failures and full disks: every record is there
// once, and the writer's state after a start is that of its log.

import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import t from '../../protocol/testing/tap.ts'
import { budget, thinnedSteps } from '../../protocol/testing/budget.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { systemClock } from '../clock.ts'
import { segmentFile } from '../layout.ts'
import { readTxnEntry, TXN_ENTRY_BYTES, type TxnEntry } from '../segment/txn-index.ts'
import type { Fault, FaultyFs, Step } from '../testing/faulty-fs.ts'
import { NaiveProducers } from '../testing/naive-producers.ts'
import { type Random, seededRandom } from '../testing/random.ts'
import { contentOf, type Sequence, sequencedBatch, storedBatches } from '../testing/stored-log.ts'
import { DATA, LogWriterWorld } from '../testing/log-writer-world.ts'
import { smallConfig } from '../testing/writer-world.ts'
import type { Opened, TxnMarker } from '../log-facts.ts'

const PATH = join(DATA, 'topic-0')

/** Batches sent together, and sent again until all are answered. */
type Turn = readonly ({ readonly send: Sequence } | { readonly end: TxnMarker })[]

/** Producers that obey the rules: sequences without gaps, markers when nothing else of theirs is under way. */
class Script {
  readonly #random: Random
  readonly #next = new Map<number, { epoch: number; sequence: number; isOpen: boolean }>()
  readonly sent = new Set<string>()

  constructor(random: Random) {
    this.#random = random
  }

  turn(): Turn {
    const random = this.#random
    const turn: ({ send: Sequence } | { end: TxnMarker })[] = []
    const ending = random.chance(0.3) ? 1 + random.below(3) : 0
    if (ending > 0) turn.push({ end: this.#end(ending) })
    for (let i = random.below(6); i > 0; i--) {
      const producerId = 1 + random.below(5)
      const isFirst = !turn.some((each) => 'send' in each && each.send.producerId === producerId)
      if (producerId !== ending) turn.push({ send: this.#send(producerId, isFirst) })
    }
    return turn
  }

  #producer(producerId: number) {
    const known = this.#next.get(producerId) ?? { epoch: 0, sequence: 0, isOpen: false }
    this.#next.set(producerId, known)
    return known
  }

  /** Ids up to 3 write in transactions. @param mayBump nothing of the old epoch is under way */
  #send(producerId: number, mayBump: boolean): Sequence {
    const producer = this.#producer(producerId)
    const isTransactional = producerId <= 3
    if (mayBump && !isTransactional && this.#random.chance(0.05)) {
      producer.epoch++
      producer.sequence = 0
    }
    const { epoch, sequence: first } = producer
    const count = 1 + this.#random.below(3)
    for (let i = 0; i < count; i++) this.sent.add(`${producerId} ${epoch} ${first + i}`)
    producer.sequence += count
    producer.isOpen ||= isTransactional
    const valueBytes = this.#random.below(100)
    return { producerId, epoch, first, count, isTransactional, valueBytes }
  }

  /** With a newer epoch now and then, as coordinators do. */
  #end(producerId: number): TxnMarker {
    const producer = this.#producer(producerId)
    if (this.#random.chance(0.3)) {
      producer.epoch++
      producer.sequence = 0
    }
    const isCommit = this.#random.chance(0.4)
    return { producerId, producerEpoch: producer.epoch, isCommit, coordinatorEpoch: 3 }
  }
}

/** A broker with a log, the producers, and what they wait for. */
class Life {
  readonly world = new LogWriterWorld(smallConfig, { clock: systemClock, checkpointBytes: 3000 })
  readonly script: Script
  #waiting: Turn = []

  constructor(random: Random) {
    this.script = new Script(random)
  }

  /** @returns false when something of the turn was refused for want of room, so that it is sent again */
  live(): void {
    if (this.#waiting.length === 0) this.#waiting = this.script.turn()
    const commands = this.#waiting.map((each) =>
      'end' in each
        ? this.world.endOf(each.end)
        : this.world.appendOf(sequencedBatch({ ...each.send })),
    )
    const { outcomes, fatal } = this.world.turn(commands)
    if (fatal !== undefined) throw new Error(fatal)
    const refusals = outcomes.flatMap(({ error, message }) =>
      error ? [`${error} ${message}`] : [],
    )
    const isFull = refusals.some((refusal) => refusal.startsWith('KAFKA_STORAGE_ERROR'))
    assert(isFull || refusals.length === 0, refusals.join('; '))
    if (!isFull) this.#waiting = []
  }

  /** @throws {AssertionError} when what is known after a start is not what the log says */
  restart(disk: FaultyFs, where: string): void {
    const opened = this.world.restart(smallConfig, disk)
    this.check(opened, where)
  }

  check(opened: Opened, where: string): void {
    const naive = new NaiveProducers(storedBatches(this.world.disk, PATH, opened))
    const known = [...this.world.producers()]
      .sort((a, b) => a.producerId - b.producerId)
      .map(({ lastTimestampMs: _, ...rest }) => rest)
    assert.deepEqual(known, naive.described, `${where}: producers`)
    const stable = naive.lastStableOffset(opened.logEndOffset)
    assert.equal(opened.lastStableOffset, stable, `${where}: last stable offset`)
    assert.deepEqual(abortedIn(this.world.disk, opened), naive.aborted, `${where}: aborted`)
    assert.deepEqual(opened.quarantined, [], where)
  }

  /** Every record that was sent is there, once. */
  finish(): void {
    while (this.#waiting.length > 0) this.live()
    this.world.close()
    const opened = this.world.restart(smallConfig)
    assert(opened.cleanStart)
    this.check(opened, 'at the end')
    const { sequences } = new NaiveProducers(storedBatches(this.world.disk, PATH, opened))
    assert.deepEqual([...sequences].sort(), [...this.script.sent].sort(), 'exactly once')
  }
}

function abortedIn(disk: FaultyFs, { segments }: Opened): TxnEntry[] {
  return segments.flatMap(({ baseOffset, abortedCount }) => {
    if (abortedCount === 0) return []
    const bytes = contentOf(disk, join(PATH, segmentFile(baseOffset, '.txnindex')))
    return Array.from({ length: abortedCount }, (_, i) => readTxnEntry(bytes, i * TXN_ENTRY_BYTES)!)
  })
}

/** Runs until the disk crashes; anything else that is thrown is a failure. */
function untilCrash(disk: FaultyFs, run: () => void): void {
  try {
    run()
  } catch (error) {
    if (!disk.hasCrashed) throw error
  }
}

const crashAt =
  (last: number) =>
  ({ index }: Step): Fault | undefined =>
    index >= last ? 'crash' : undefined

t.test('a crash at every step of a life, and each record is there once', async (t) => {
  const turns = 28
  const calm = new Life(seededRandom(11))
  for (let i = 0; i < turns; i++) calm.live()
  const { stepCount } = calm.world.disk
  t.ok(stepCount > 120, `${stepCount} steps`)
  calm.finish()
  for (const step of thinnedSteps(stepCount, 8)) {
    for (const isPowerCut of [false, true]) {
      const life = new Life(seededRandom(11))
      const { disk } = life.world
      let done = 0
      disk.faultAt = crashAt(step)
      untilCrash(disk, () => {
        for (; done < turns; done++) life.live()
      })
      const left = isPowerCut ? disk.afterPowerCut(step) : disk.afterKill()
      life.restart(left, `step ${step}, ${isPowerCut ? 'power cut' : 'kill'}`)
      for (; done < turns; done++) life.live()
      life.finish()
    }
  }
})

t.test(
  'random lives with crashes, also while starting, full disks and damaged snapshots',
  async (t) => {
    const seeds = budget(8, 400, 'SEEDS')
    for (let seed = SEED; seed < SEED + seeds; seed++) {
      try {
        randomLife(seed)
      } catch (error) {
        t.fail(`SEED=${seed} SEEDS=1: ${(error as Error).stack}`)
        return
      }
    }
    t.pass(`seeds ${SEED} to ${SEED + seeds - 1}`)
  },
)

function randomLife(seed: number): void {
  const random = seededRandom(seed)
  const life = new Life(random)
  for (let generation = 0; generation < 6; generation++) {
    const { disk } = life.world
    disk.faultAt = crashAt(disk.stepCount + random.below(150))
    untilCrash(disk, () => {
      for (let i = 0; i < 30; i++) {
        disk.capacityBytes = random.chance(0.2) ? disk.usedBytes + random.below(600) : Infinity
        life.live()
      }
      disk.capacityBytes = Infinity
      if (random.chance(0.4)) life.world.close()
    })
    let left = leftOf(disk, random)
    for (let attempt = 0; attempt < 2; attempt++) {
      const starting = left
      starting.faultAt = crashAt(random.below(40))
      untilCrash(starting, () =>
        life.restart(starting, `generation ${generation}, attempt ${attempt}`),
      )
      left = leftOf(starting, random)
    }
    if (random.chance(0.3)) damageSnapshots(left, random)
    life.restart(left, `generation ${generation}`)
  }
  life.finish()
}

/** Flips a bit in some, deletes others. */
function damageSnapshots(disk: FaultyFs, random: Random): void {
  for (const { name } of disk.readDirectory(PATH)) {
    if (!name.endsWith('.snapshot') || random.chance(0.3)) continue
    const path = join(PATH, name)
    const content = contentOf(disk, path)
    const bit = random.below(content.length * 8)
    content[bit >> 3]! ^= 1 << (bit & 7)
    disk.removeFile(path)
    if (random.chance(0.7)) disk.place(path, content)
  }
}

function leftOf(disk: FaultyFs, random: Random): FaultyFs {
  disk.capacityBytes = Infinity
  return random.chance(0.5) ? disk.afterKill() : disk.afterPowerCut(random.below(1e9))
}
