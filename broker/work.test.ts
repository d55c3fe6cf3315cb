// Work: pauses by a clock of our own, room for large requests, wide answers one at a time.

import t from '../protocol/testing/tap.ts'
import { VirtualClock } from './testing/virtual-clock.ts'
import { Work, Workshop } from './work.ts'

const ANSWER_BYTES_MAX = 4 << 20

/** Each look at the clock is 5 ms after the last: a turn ends with the second. */
function slowWorkshop(): Workshop {
  let nowMs = 0
  const clock = Object.assign(new VirtualClock(), { monotonic: () => (nowMs += 5) })
  return new Workshop({ answerBytesMax: ANSWER_BYTES_MAX }, clock)
}

function workshop(): Workshop {
  return new Workshop({ answerBytesMax: ANSWER_BYTES_MAX }, new VirtualClock())
}

/** How often the loop turns until `run` is done. */
async function turnsOf(run: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let isDone = false
  const count = () => {
    turns++
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  await run()
  isDone = true
  return turns
}

t.test('a request with many items pauses, one with few does not', async (t) => {
  const work = () => new Work(slowWorkshop(), 0)
  const numbers = (length: number) => Array.from({ length }, (_, i) => i)
  t.equal(await turnsOf(() => work().each(numbers(50), (i) => i)), 0)
  const twice = (i: number) => 2 * i
  t.same(await work().each(numbers(10_000), twice), numbers(10_000).map(twice))
  t.ok((await turnsOf(() => work().each(numbers(10_000), twice))) >= 50)
  t.ok((await turnsOf(() => work().distinct(numbers(10_000)))) >= 50)
  t.ok((await turnsOf(() => work().duplicatesIn(numbers(10_000)))) >= 50)
  t.same(await work().duplicatesIn([1, 2, 1, 1]), new Set([1]))
})

t.test('of all that pause, one goes on in each turn', async (t) => {
  const shared = slowWorkshop()
  const order: string[] = []
  const go = async (name: string) => {
    const work = new Work(shared, 0)
    for (let i = 0; i < 3; i++) {
      await work.nextTurn()
      order.push(name)
    }
  }
  const turns = await turnsOf(() => Promise.all([go('a'), go('b')]))
  t.same(order, ['a', 'b', 'a', 'b', 'a', 'b'])
  t.ok(turns >= 6)
})

t.test('parts of an answer that wait, wait together, and keep their order', async (t) => {
  const work = new Work(workshop(), 0)
  let underway = 0
  let underwayMax = 0
  const answers = await work.each([...Array(1000).keys()], async (i) => {
    underwayMax = Math.max(underwayMax, ++underway)
    await new Promise(setImmediate)
    underway--
    return i
  })
  t.same(answers, [...Array(1000).keys()])
  t.ok(underwayMax > 50 && underwayMax <= 101, `${underwayMax} at the same time`)
  const failing = (i: number) => Promise.reject(new Error(`number ${i}`))
  await t.rejects(
    work.each([1, 2, 3], failing),
    /number 1/,
    'and the others are no unhandled rejections',
  )
})

t.test(
  'large requests wait for room, first come, first served; the largest runs alone',
  async (t) => {
    const shared = workshop()
    const entered: string[] = []
    const enter = async (name: string, megabytes: number) => {
      const work = new Work(shared, 0)
      await work.enter(megabytes << 20)
      entered.push(name)
      return work
    }
    const first = await enter('first', 3)
    const largest = enter('largest', 100)
    const last = enter('last', 1)
    for (let i = 0; i < 5; i++) await new Promise(setImmediate)
    t.same(entered, ['first'], 'the last does not overtake the largest')
    first.leave()
    ;(await largest).leave()
    ;(await last).leave()
    t.same(entered, ['first', 'largest', 'last'])
  },
)

t.test('wide answers are made one at a time, whatever waits in them', async (t) => {
  const shared = workshop()
  const part = Buffer.alloc(64 << 10)
  const inner = (work: Work) => work.each([1, 2, 3, 4], () => part)
  const wide = (work: Work) => work.each([...Array(10).keys()], () => inner(work))
  const one = new Work(shared, 0)
  const other = new Work(shared, 0)
  let isOtherDone = false
  t.equal((await wide(one)).length, 10)
  const making = wide(other).then(() => (isOtherDone = true))
  for (let i = 0; i < 5; i++) await new Promise(setImmediate)
  t.equal(isOtherDone, false)
  one.leave()
  await making
  other.leave()
})

t.test('an answer is refused as soon as it is too large', async (t) => {
  let madeCount = 0
  const work = new Work(workshop(), 0)
  const part = () => {
    madeCount++
    return { text: 'x'.repeat(1 << 20), number: 1, list: [null, true] }
  }
  await t.rejects(work.each(Array(1000), part), {
    message: /larger than response.max.bytes=4194304/,
  })
  t.equal(madeCount, 4)
})
