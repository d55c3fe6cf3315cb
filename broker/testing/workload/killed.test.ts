// Random clients, and one that reads, processes and writes, against a broker that is killed repeatedly: the checker
// finds nothing, and every input is in the output once. `KILLS=100 node dist/broker/testing/workload/killed.test.js`
// sets the number of kills.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createTopics } from '../../../protocol/api/19_create_topics.ts'
import { budget } from '../../../protocol/testing/budget.ts'
import { SEED } from '../../../protocol/testing/seed.ts'
import { seededRandom, type Random } from '../../../storage/testing/random.ts'
import { explain, findAnomalies } from '../checker/checker.ts'
import { History } from '../checker/history.ts'
import type { Actor, Stage } from './actor.ts'
import { castOf, newTopics, partitions, readAll, scan, settleAll } from './cast.ts'
import { Copier, inputPartition, outputPartition, sourceOf } from './copier.ts'
import { KilledWorld, Line } from './killed-world.ts'
import { partitionOf, Recorder } from './recorder.ts'

const KILLS = budget(2, 10, 'KILLS')
/** Enough for a machine that does much else. */
const TIMEOUT_MS = 60_000 + 3000 * KILLS
const INPUTS_PER_KILL = 12
const INPUT_BATCH = 3
/** From a start to the next kill: transactions of the copier, and then a moment; every fifth life is shorter. */
const LIFE_COPIES_MAX = 5
const MOMENT_MS_MAX = 20
const SHORT_LIFE_EVERY = 5
const SHORT_LIFE_MS_MAX = 60
const PAUSE_MS_MAX = 12

t.setTimeout(TIMEOUT_MS)

/** Clients of a broker that is killed, and what they saw. */
class Scene {
  readonly history = new History()
  readonly #world: KilledWorld
  readonly #random: Random
  readonly #lines: Line[] = []
  #names = 0

  constructor(world: KilledWorld, random: Random) {
    this.#world = world
    this.#random = random
  }

  /** For one actor. */
  stage(): Stage {
    const random = seededRandom(this.#random.below(2 ** 31))
    const broker = new Line(this.#world)
    this.#lines.push(broker)
    return {
      broker,
      recorder: new Recorder(broker, this.history),
      random,
      unique: (what) => `${what}.${++this.#names}`,
      anyPartition: () => partitions[random.below(partitions.length)]!,
    }
  }

  /** Topics, and the input. @returns its values */
  async prepare(): Promise<string[]> {
    const { broker, recorder, unique } = this.stage()
    const copied = [inputPartition, outputPartition].map((partition) => {
      return { name: partitionOf(partition).name, numPartitions: 1, replicationFactor: 1 }
    })
    await broker.send(createTopics, { topics: [...newTopics, ...copied] })
    const inputs = Array.from({ length: KILLS * INPUTS_PER_KILL }, () => unique('in'))
    const asked = { partition: inputPartition, producer: null, transaction: null }
    for (let at = 0; at < inputs.length; at += INPUT_BATCH) {
      await recorder.send({ ...asked, values: inputs.slice(at, at + INPUT_BATCH) })
    }
    return inputs
  }

  async play(actor: Actor, isOver: () => boolean): Promise<void> {
    const { broker, random } = this.stage()
    while (!isOver()) {
      await sleep(random.below(PAUSE_MS_MAX))
      await broker.whenUp()
      await actor.act()
    }
  }

  async close(): Promise<void> {
    for (const line of this.#lines) await line.close()
  }
}

/** Waits for `count` more of its transactions. */
async function copies(copier: Copier, count: number): Promise<void> {
  const until = copier.count + count
  while (copier.count < until && !copier.isDone) await sleep(1)
}

t.test(
  `after ${KILLS} kills every input is in the output once, and every promise is kept`,
  async (t) => {
    t.comment(`SEED=${SEED}`)
    const random = seededRandom(SEED)
    await using world = await KilledWorld.start(t.testdir())
    const scene = new Scene(world, random)
    const inputs = await scene.prepare()
    const kind = random.chance(0.5) ? 'TV1' : 'TV2'
    const options = { transactionalId: 'copy', kind } as const
    const copier = new Copier(scene.stage(), options, inputs.length)
    let killCount = 0
    const areKillsOver = () => killCount === KILLS
    const playing = Promise.all([
      scene.play(copier, () => copier.isDone && areKillsOver()),
      ...castOf(() => scene.stage()).map((actor) => scene.play(actor, areKillsOver)),
    ])
    while (!areKillsOver()) {
      const isShort = killCount % SHORT_LIFE_EVERY === 1
      if (!isShort) await copies(copier, 1 + random.below(LIFE_COPIES_MAX))
      await sleep(random.below(isShort ? SHORT_LIFE_MS_MAX : MOMENT_MS_MAX))
      await world.kill()
      killCount++
    }
    await playing
    await settleAll(() => scene.stage())
    await world.kill()

    const { recorder } = scene.stage()
    await readAll(recorder)
    const outputs: string[] = []
    for (const partition of [inputPartition, outputPartition]) {
      await scan(recorder, partition, 'read_uncommitted')
      const values = await scan(recorder, partition, 'read_committed')
      if (partition === outputPartition) outputs.push(...values.map(sourceOf))
    }
    await recorder.committed('copier', inputPartition)
    await scene.close()
    const { count, givenUpCount } = copier
    const { length } = scene.history.operations
    t.comment(`${length} operations; ${count} copies, ${givenUpCount} given up`)
    t.strictSame(outputs, inputs, `${inputs.length} inputs`)
    t.strictSame(findAnomalies(scene.history).slice(0, 5).map(explain), [])
  },
)
