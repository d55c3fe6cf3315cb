// A workload: many clients at once, by chance of a seed, while the broker crashes at steps of its disk and comes back; then all
// that was left open is ended, the power goes once more, and everything is read from the beginning. Tests only.

import { createTopics } from '../../../protocol/api/19_create_topics.ts'
import { seededRandom, type Random } from '../../../storage/testing/random.ts'
import type { History, Isolation } from '../checker/history.ts'
import { settle } from '../virtual-clock.ts'
import type { Actor, Stage } from './actor.ts'
import { Committer, Reader } from './consumers.ts'
import { CrashWorld, type Flaw } from './crash-world.ts'
import {
  IdempotentProducer,
  PlainProducer,
  TransactionalProducer,
  type TransactionalOptions,
} from './producers.ts'
import { partitionOf, Recorder } from './recorder.ts'

const PARTITIONS = ['a-0', 'a-1', 'b-0']
const PLAIN_GROUP = 'plain'
/** So small that a few batches fill it. */
const SEGMENT_BYTES = 1200
const ACTS = 8
const CRASHES_MAX = 3
/** Of the disk, from a start to the next crash. */
const STEPS_MAX = 150
/** One start in so many crashes itself. */
const START_CRASHES_EVERY = 6
const START_STEPS_MAX = 12
const SETTLE_TRIES_MAX = 50
const SCAN_BYTES = 2000
/** Longer than a transaction may take. */
const LONG_MS = 80_000

const transactionals = [
  { transactionalId: 'x', kind: 'TV1' },
  { transactionalId: 'y', kind: 'TV2' },
  { transactionalId: 'y', kind: 'TV2' },
  { transactionalId: 'z', kind: 'TV1' },
  { transactionalId: 'z', kind: 'TV2' },
] as const

const GROUPS = [
  PLAIN_GROUP,
  ...new Set(transactionals.map((each) => TransactionalProducer.groupOf(each.transactionalId))),
]

export class Workload {
  readonly world: CrashWorld
  readonly recorder: Recorder
  readonly #random: Random
  #names = 0

  private constructor(world: CrashWorld, seed: number) {
    this.world = world
    this.recorder = new Recorder(world)
    this.#random = seededRandom(seed)
  }

  /** A broker with topics. */
  static async open(seed: number, flaw?: Flaw): Promise<Workload> {
    const config = { 'log.segment.bytes': `${SEGMENT_BYTES}`, 'log.disk.min.free.bytes': '0' }
    const world = await CrashWorld.open(flaw === undefined ? { config } : { flaw, config })
    const counts = new Map<string, number>()
    for (const each of PARTITIONS) {
      const { name, index } = partitionOf(each)
      counts.set(name, index + 1)
    }
    const topics = Array.from(counts, ([name, numPartitions]) => {
      return { name, numPartitions, replicationFactor: 1, configs: [] }
    })
    await world.send(createTopics, { topics })
    return new Workload(world, seed)
  }

  /** @returns what happened */
  static async run(seed: number, flaw?: Flaw): Promise<History> {
    const workload = await Workload.open(seed, flaw)
    await workload.#live()
    await workload.finish()
    return workload.recorder.history
  }

  /**
   * One transaction after another one, cut short at a step of the disk.
   *
   * @param step from the beginning of the transaction; undefined: it is not cut short
   * @param how as in `CrashWorld.restart`
   * @returns what happened, and how many steps the transaction takes
   */
  static async runTransaction(
    seed: number,
    options: TransactionalOptions,
    step?: number,
    how: 'kill' | number = 'kill',
  ): Promise<{ readonly history: History; readonly stepCount: number }> {
    const workload = await Workload.open(seed)
    const { world } = workload
    const producer = new TransactionalProducer(workload.stage(), options)
    await producer.act()
    const first = world.stepCount
    if (step !== undefined) world.crashAt(first + step)
    const acting = producer.act()
    await Promise.race([acting, world.whenCrashed()])
    const stepCount = world.stepCount - first
    if (world.hasCrashed) await world.restart(how)
    await acting
    await producer.act()
    await workload.finish()
    return { history: workload.recorder.history, stepCount }
  }

  /** For one actor. */
  stage(): Stage {
    const random = seededRandom(this.#random.below(2 ** 31))
    return {
      world: this.world,
      recorder: this.recorder,
      random,
      unique: (what) => `${what}.${++this.#names}`,
      anyPartition: () => PARTITIONS[random.below(PARTITIONS.length)]!,
    }
  }

  async #live(): Promise<void> {
    const actors: Actor[] = [
      new PlainProducer(this.stage()),
      new IdempotentProducer(this.stage()),
      new IdempotentProducer(this.stage()),
      ...transactionals.map((options) => new TransactionalProducer(this.stage(), options)),
      new Reader(this.stage(), 'read_committed'),
      new Reader(this.stage(), 'read_committed'),
      new Reader(this.stage(), 'read_uncommitted'),
      new Committer(this.stage(), PLAIN_GROUP, GROUPS.slice(1)),
      { act: () => this.#letTimePass() },
    ]
    let isDone = false
    const all = Promise.all(actors.map((actor) => this.#play(actor))).then(() => (isDone = true))
    let crashesLeft = this.#random.below(CRASHES_MAX + 1)
    while (!isDone) {
      if (crashesLeft-- > 0) {
        this.world.crashAt(this.world.stepCount + this.#random.below(STEPS_MAX))
      }
      await Promise.race([all, this.world.whenCrashed()])
      if (!isDone) await this.#restart()
    }
  }

  async #play(actor: Actor): Promise<void> {
    const random = seededRandom(this.#random.below(2 ** 31))
    for (let act = 0; act < ACTS; act++) {
      for (let turns = random.below(6); turns >= 0; turns--) await settle()
      await this.world.whenUp()
      await actor.act()
    }
  }

  async #letTimePass(): Promise<void> {
    if (this.#random.chance(0.1)) await this.world.pass(LONG_MS)
  }

  /** Until a start succeeds. */
  async #restart(): Promise<void> {
    do {
      const how = this.#random.chance(0.3) ? 'kill' : this.#random.below(2 ** 31)
      const mayCrash = this.#random.below(START_CRASHES_EVERY) === 0
      await this.world.restart(how, mayCrash ? this.#random.below(START_STEPS_MAX) : Infinity)
    } while (this.world.hasCrashed)
  }

  /** Nothing stays open, and everything is read. */
  async finish(): Promise<void> {
    this.world.crashAt(Infinity)
    for (const options of transactionals) await this.#settle(options)
    await this.world.restart(this.#random.below(2 ** 31))
    for (const partition of PARTITIONS) {
      await this.#scan(partition, 'read_uncommitted')
      await this.#scan(partition, 'read_committed')
    }
    for (const group of GROUPS) {
      for (const partition of PARTITIONS) await this.recorder.committed(group, partition)
    }
  }

  async #settle(options: (typeof transactionals)[number]): Promise<void> {
    const last = new TransactionalProducer(this.stage(), options)
    for (let tries = 0; tries < SETTLE_TRIES_MAX; tries++) if (await last.settle()) return
    throw new Error(`${options.transactionalId} cannot be settled`)
  }

  async #scan(partition: string, isolation: Isolation): Promise<void> {
    let from = 0
    for (;;) {
      const { answer } = await this.recorder.poll(partition, isolation, from, SCAN_BYTES, true)
      if (answer === undefined || answer.next === from) return
      from = answer.next
    }
  }
}
