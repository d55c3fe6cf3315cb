// Crashes: acknowledged records survive a kill and a power failure at any step of the writer.

import t from '../../protocol/testing/tap.ts'
import { budget, thinnedSteps } from '../../protocol/testing/budget.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import type { FaultyFs, Step } from '../testing/faulty-fs.ts'
import { seededRandom, type Random } from '../testing/random.ts'
import { newDisk, smallConfig, WriterWorld } from '../testing/writer-world.ts'

/** A bit of everything: creations, appends of all sizes, rolls, trims, a removal, an orderly stop. */
function story(world: WriterWorld): void {
  world.create(3)
  for (let round = 0; round < 6; round++) {
    world.turn([
      world.append(0, 3, 100),
      world.append(1, 1, 700),
      world.append(0, 1, 300),
      world.append(2, 5, 20),
      world.append(1, 2, 40),
    ])
  }
  world.trim(0, 15)
  world.turn([world.append(0, 1, 10), world.append(2, 40, 30)])
  world.remove(1)
  world.create(1)
  world.turn([world.append(3, 1, 1), world.append(0, 1, 1500), world.append(0, 1, 1500)])
  world.trim(0, 25)
  world.close()
}

function crashAt(step: number): (step: Step) => 'crash' | undefined {
  return ({ index }) => (index === step ? 'crash' : undefined)
}

/** Runs until the disk crashes; anything else that is thrown is a failure. */
function untilCrash(disk: () => FaultyFs, run: () => void): void {
  try {
    run()
  } catch (error) {
    if (!disk().hasCrashed) throw error
  }
}

t.test('what was acknowledged survives a kill or a power cut at every step', async (t) => {
  const calm = new WriterWorld(newDisk())
  story(calm)
  const { stepCount, openFileCount } = calm.disk
  t.ok(stepCount > 200, `${stepCount} steps`)
  t.equal(openFileCount, 0, 'every file is closed at the end')
  for (const step of thinnedSteps(stepCount, 6)) {
    for (let variant = 0; variant < 2; variant++) {
      const disk = newDisk()
      const world = new WriterWorld(disk)
      disk.faultAt = crashAt(step)
      untilCrash(
        () => disk,
        () => story(world),
      )
      const where = `step ${step}, variant ${variant}`
      const left = variant === 0 ? disk.afterKill() : disk.afterPowerCut(step * 10 + variant)
      world.restart(left, where)
      // What a start has shown stays, also when the power goes before anything else is written.
      world.restart(left.afterPowerCut(step), `${where}, again`)
    }
  }
})

t.test(
  'a start that is cut short after a kill does nothing that its successor cannot read',
  async (t) => {
    const trimmed = (world: WriterWorld) => {
      world.create(1)
      world.turn([world.append(0, 1, 10), world.append(0, 1, 10)])
      world.trim(0, 2)
    }
    const calm = new WriterWorld(newDisk())
    trimmed(calm)
    let startCount = 0
    for (let step = 0; step < calm.disk.stepCount; step++) {
      for (let startStep = 0; startStep < 30; startStep++) {
        const world = new WriterWorld(newDisk())
        world.disk.faultAt = crashAt(step)
        untilCrash(
          () => world.disk,
          () => trimmed(world),
        )
        const left = world.disk.afterKill()
        left.faultAt = crashAt(startStep)
        const where = `step ${step}, step ${startStep} of the start`
        untilCrash(
          () => left,
          () => void world.restart(left, where),
        )
        if (!left.hasCrashed) break
        world.restart(left.afterPowerCut(step + startStep), where)
        startCount++
      }
    }
    t.ok(startCount > 100, `${startCount} starts`)
  },
)

t.test(
  'random work, faults and crashes, also while starting: nothing that was promised is lost',
  async (t) => {
    const seeds = budget(10, 400, 'SEEDS')
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
  const disk = newDisk()
  const world = new WriterWorld(disk)
  world.create(2)
  world.create(1, { ...smallConfig, flushPolicy: 'os' })
  for (let generation = 0; generation < 5; generation++) {
    const lastStep = world.disk.stepCount + random.below(80)
    world.disk.faultAt = crashAt(lastStep)
    untilCrash(
      () => world.disk,
      () => {
        for (let i = 0; i < 15; i++) randomAct(world, random)
        if (random.chance(0.3)) world.close()
      },
    )
    let left = crashed(world, random)
    const where = `generation ${generation}`
    for (let attempt = 0; attempt < 2; attempt++) {
      left.faultAt = crashAt(random.below(30))
      const starting = left
      untilCrash(
        () => starting,
        () => void world.restart(starting, where),
      )
      left = crashed(world, random)
    }
    world.restart(left, where)
  }
}

function crashed(world: WriterWorld, random: Random): FaultyFs {
  if (random.chance(0.4)) return world.disk.afterKill()
  world.loseUnsynced()
  return world.disk.afterPowerCut(random.below(1e9))
}

function randomAct(world: WriterWorld, random: Random): void {
  const slots = world.logs.flatMap(({ isRemoved }, slot) => (isRemoved ? [] : [slot]))
  const slot = slots[random.below(slots.length)]!
  const log = world.logs[slot]!
  const act = random.below(20)
  if (act === 0 && slots.length > 1) world.remove(slot)
  else if (act === 1) world.create(1)
  else if (act === 2) {
    const span = log.endOffset - log.logStartOffset
    world.trim(slot, log.logStartOffset + random.below(span + 2))
  } else {
    const count = 1 + random.below(6)
    const appends = Array.from({ length: count }, () =>
      world.append(
        slots[random.below(slots.length)]!,
        1 + random.below(4),
        random.below(random.chance(0.2) ? 1500 : 150),
      ),
    )
    world.turn(appends)
  }
}
