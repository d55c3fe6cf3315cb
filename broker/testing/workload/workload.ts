// A workload: many clients at once, chosen by a seed, while the broker crashes at steps of its disk and restarts. In
// the end all open transactions are ended, the power fails once more, and everything is read from the beginning.
// Tests only.

import { createTopics } from '../../../protocol/api/19_create_topics.ts'
import { seededRandom, type Random } from '../../../storage/testing/random.ts'
import type { History } from '../checker/history.ts'
import { settle } from '../virtual-clock.ts'
import type { Actor, Stage } from './actor.ts'
import { castOf, newTopics, partitions, readAll, settleAll } from './cast.ts'
import { CrashWorld, type Flaw } from './crash-world.ts'
import { Members } from './members.ts'
import { TransactionalProducer, type Plan, type TransactionalOptions } from './producers.ts'
import { Recorder } from './recorder.ts'

/** So small that a few batches fill it. */
const SEGMENT_BYTES = 1200
const ACTS = 8
const CRASHES_MAX = 3
/** Steps of the disk from a start to the next crash, at most. */
const STEPS_MAX = 150
/** Steps for which the disk is full, at most. */
const FULL_STEPS_MAX = 20
/** One of this many starts crashes itself. */
const START_CRASHES_EVERY = 6
const START_STEPS_MAX = 12
/** Longer than a transaction may take. */
const LONG_MS = 80_000

/** Troubles besides crashes. */
export interface Trouble {
  readonly flaw?: Flaw
  /** The disk fills up now and then. */
  readonly fillsUp?: boolean
  /** Half of the crashes come from a failed write or sync. */
  readonly fails?: boolean
}

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
    await world.send(createTopics, { topics: newTopics })
    return new Workload(world, seed)
  }

  /** @returns the history */
  static async run(seed: number, { flaw, ...trouble }: Trouble = {}): Promise<History> {
    const workload = await Workload.open(seed, flaw)
    await workload.#live(trouble)
    await workload.finish()
    return workload.recorder.history
  }

  /**
   * One transaction after another one, with a crash at a step of the disk.
   *
   * @param step from the beginning of the transaction; undefined: no crash
   * @param how as in `CrashWorld.restart`
   * @returns the history, and the number of steps that the transaction takes
   */
  static async runTransaction(
    seed: number,
    options: TransactionalOptions,
    isCommit: boolean,
    step?: number,
    how: 'kill' | number = 'kill',
  ): Promise<{ readonly history: History; readonly stepCount: number }> {
    const workload = await Workload.open(seed)
    const { world } = workload
    const stage = workload.stage()
    const producer = new TransactionalProducer(stage, options)
    const plan = (): Plan => ({
      sends: partitions.map((partition) => ({ partition, values: [stage.unique('v')] })),
      offset: { group: 'plain', partition: partitions[0]!, offset: 1 },
      isCommit,
    })
    await producer.run(plan())
    const first = world.stepCount
    if (step !== undefined) world.crashAt(first + step)
    const acting = producer.run(plan())
    await Promise.race([acting, world.whenCrashed()])
    const stepCount = world.stepCount - first
    if (world.hasCrashed) await world.restart(how)
    await acting
    await producer.run(plan())
    await workload.finish()
    return { history: workload.recorder.history, stepCount }
  }

  /** The stage for one actor. */
  stage(): Stage {
    const random = seededRandom(this.#random.below(2 ** 31))
    return {
      broker: this.world,
      recorder: this.recorder,
      random,
      unique: (what) => `${what}.${++this.#names}`,
      anyPartition: () => partitions[random.below(partitions.length)]!,
    }
  }

  async #live({ fillsUp = false, fails = false }: Trouble): Promise<void> {
    const members = new Members(this.stage(), partitions, (ms) => this.world.pass(ms))
    const clock = { act: () => this.#letTimePass() }
    const actors: Actor[] = [...castOf(() => this.stage()), members, clock]
    let isDone = false
    const all = Promise.all(actors.map((actor) => this.#play(actor))).then(() => (isDone = true))
    let crashesLeft = this.#random.below(CRASHES_MAX + 1)
    while (!isDone) {
      const { stepCount } = this.world
      const crash = crashesLeft-- > 0 ? stepCount + this.#random.below(STEPS_MAX) : Infinity
      const full = fillsUp ? this.#fullFrom(stepCount) : undefined
      this.world.crashAt(crash, full, fails && this.#random.chance(0.5))
      await Promise.race([all, this.world.whenCrashed()])
      if (!isDone) await this.#restart()
    }
  }

  #fullFrom(stepCount: number): readonly [from: number, to: number] {
    const from = stepCount + this.#random.below(STEPS_MAX)
    return [from, from + this.#random.below(FULL_STEPS_MAX)]
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

  /** Restarts until a start succeeds. */
  async #restart(): Promise<void> {
    do {
      const how = this.#random.chance(0.3) ? 'kill' : this.#random.below(2 ** 31)
      const mayCrash = this.#random.below(START_CRASHES_EVERY) === 0
      await this.world.restart(how, mayCrash ? this.#random.below(START_STEPS_MAX) : Infinity)
    } while (this.world.hasCrashed)
  }

  /** Ends all transactions, and reads everything. */
  async finish(): Promise<void> {
    this.world.crashAt(Infinity)
    await settleAll(() => this.stage())
    await this.world.restart(this.#random.below(2 ** 31))
    await readAll(this.recorder)
  }
}
