// Work: one request's share of the event loop and of memory while it is decoded, performed and encoded. A small
// request never waits; a large one pauses, so that other requests have their turn. Network thread. Limits:
// docs/architecture.md, "Overload"

import { KafkaError } from '../protocol/errors.ts'
import type { Clock } from '../storage/clock.ts'
import type { ConfigTable, ConfigView } from './config-view.ts'

/** After this time a request pauses, and other requests have their turn. */
const TURN_MS_MAX = 8
/** One step of a request counts as much as this many bytes of its answer. */
const STEP_BYTES = 32
/** A request looks at the clock each time it has done this much. */
const LOOK_BYTES = 2048
/** An answer of this size or more is encoded with pauses. */
const SLICED_ANSWER_BYTES = 256 * 1024
/** An answer above this size is wide: only one of those is made at a time. */
const WIDE_ANSWER_BYTES = 1024 * 1024
/** Frames of the large requests that run at the same time. A decoded request takes up to a hundred times its frame. */
const WIDE_REQUEST_BYTES_MAX = 4 * 1024 * 1024

/** Parts of one answer that wait for a disk or a thread at the same time. */
const UNDERWAY_MAX = 100

export const workLimits = {
  answerBytesMax: 'response.max.bytes',
} as const satisfies ConfigTable

type WorkLimits = ConfigView<typeof workLimits>

/** Shared by the requests of all connections: the turns of the loop, and the room for large requests. */
export class Workshop {
  readonly turns = new Turns()
  readonly wideRequests = new Room(WIDE_REQUEST_BYTES_MAX)
  readonly wideAnswers = new Room(1)
  readonly limits: WorkLimits
  readonly clock: Clock

  constructor(limits: WorkLimits, clock: Clock) {
    this.limits = limits
    this.clock = clock
  }
}

/** Of all pausing requests, one continues in each turn of the loop. */
class Turns {
  readonly #waiting: (() => void)[] = []

  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(this.#goOn)
    })
  }

  readonly #goOn = (): void => {
    this.#waiting.shift()!()
    if (this.#waiting.length > 0) setImmediate(this.#goOn)
  }
}

/** A semaphore, first come, first served. A request larger than the whole room enters when the room is empty. */
class Room {
  readonly #sizeMax: number
  #size = 0
  readonly #waiting: { readonly size: number; readonly enter: () => void }[] = []

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax
  }

  /** @returns a function that gives the room back, to be called once */
  async enter(size: number): Promise<() => void> {
    if (this.#waiting.length > 0 || !this.#admits(size)) {
      await new Promise<void>((enter) => this.#waiting.push({ size, enter }))
    } else this.#size += size
    return () => this.#leave(size)
  }

  #admits(size: number): boolean {
    return this.#size === 0 || this.#size + size <= this.#sizeMax
  }

  #leave(left: number): void {
    this.#size -= left
    while (this.#waiting.length > 0 && this.#admits(this.#waiting[0]!.size)) {
      const { size, enter } = this.#waiting.shift()!
      this.#size += size
      enter()
    }
  }
}

function ignore(): void {}

export class AnswerTooLarge extends KafkaError {}

export class Work {
  readonly #workshop: Workshop
  /** Lists that `each` makes: it has counted their elements one by one, so they do not count again as part of an answer. */
  #counted: Set<unknown> | undefined
  #answerBytes = 0
  #doneBytes = 0
  #bytesSinceLook = 0
  #turnEndsAt: number
  #busyMs = 0
  /** Monotonic ms; undefined while the request waits. */
  #busySince: number | undefined
  #nextTurn: Promise<void> | undefined
  #leaveRequests: (() => void) | undefined
  /** Resolves when this request may make a wide answer. */
  #wide: Promise<() => void> | undefined

  /** @param startedAt monotonic ms */
  constructor(workshop: Workshop, startedAt: number) {
    this.#workshop = workshop
    this.#turnEndsAt = startedAt + TURN_MS_MAX
    this.#busySince = startedAt
  }

  /**
   * Time that the request has used of the thread, in ms. A part that ran on after waiting for a disk counts as one turn at
   * most.
   */
  get busyMs(): number {
    if (this.#busySince === undefined) return this.#busyMs
    const sinceMs = this.#workshop.clock.monotonic() - this.#busySince
    return this.#busyMs + (this.#busyMs === 0 ? sinceMs : Math.min(sinceMs, TURN_MS_MAX))
  }

  /** The request waits: its time does not count until its next turn. */
  rest(): void {
    this.#busyMs = this.busyMs
    this.#busySince = undefined
  }

  /** Whether its answer is encoded with pauses. */
  get isLarge(): boolean {
    return this.#doneBytes >= SLICED_ANSWER_BYTES
  }

  /** A step is done. @returns whether others must have their turn before the next: `await nextTurn()` */
  readonly isDue = (): boolean => this.#did(STEP_BYTES)

  /** Waits for a later turn of the loop. Parts of one request that wait at the same time go on in the same turn. */
  nextTurn(): Promise<void> {
    const { turns, clock } = this.#workshop
    if (this.#nextTurn !== undefined) return this.#nextTurn
    this.rest()
    this.#nextTurn = turns.next().then(() => {
      this.#nextTurn = undefined
      this.#busySince = clock.monotonic()
      this.#turnEndsAt = this.#busySince + TURN_MS_MAX
    })
    return this.#nextTurn
  }

  /** Waits for room for a large request. @param byteCount of its frame */
  async enter(byteCount: number): Promise<void> {
    this.#leaveRequests = await this.#workshop.wideRequests.enter(byteCount)
    await this.nextTurn()
  }

  /** Gives the room of a large request back: at its end, and before it waits for other requests. */
  leave(): void {
    this.#leaveRequests?.()
    void this.#wide?.then((leave) => leave())
    this.#leaveRequests = this.#wide = undefined
  }

  /** Runs `steps`, which yield where `isDue` says so. @returns a promise only if they yield */
  run<Result>(steps: Generator<void, Result>): Result | Promise<Result> {
    const { done, value } = steps.next()
    return done === true ? value : this.#runOn(steps)
  }

  async #runOn<Result>(steps: Generator<void, Result>): Promise<Result> {
    for (;;) {
      await this.nextTurn()
      const { done, value } = steps.next()
      if (done === true) return value
    }
  }

  /**
   * Makes the answer to each item, in order. Answers that wait for a disk or a thread wait together.
   *
   * @throws {AnswerTooLarge} when all of them together are larger than `response.max.bytes`
   */
  async each<Item, Answer>(
    items: Iterable<Item>,
    answer: (item: Item) => Answer | Promise<Answer>,
  ): Promise<Answer[]> {
    const answers: (Answer | Promise<Answer>)[] = []
    this.#counted ??= new Set()
    this.#counted.add(answers)
    let madeCount = 0
    const settle = async (underwayMax: number) => {
      while (madeCount < answers.length) {
        const next = answers[madeCount]!
        if (next instanceof Promise) {
          if (answers.length - madeCount <= underwayMax) return
          answers[madeCount] = await next
        }
        const pause = this.#made(answers[madeCount++])
        if (pause !== undefined) await pause
      }
    }
    for (const item of items) {
      const given = answer(item)
      if (given instanceof Promise) given.catch(ignore) // its error is thrown when its turn comes
      answers.push(given)
      await settle(UNDERWAY_MAX)
    }
    await settle(0)
    return answers as Answer[]
  }

  /** Counts a part of the answer. @returns a promise when the next one must wait */
  #made(part: unknown): Promise<void> | undefined {
    const byteCount = this.#sizeOf(part)
    this.#answerBytes += byteCount
    const isDue = this.#did(byteCount + STEP_BYTES)
    if (this.#answerBytes > WIDE_ANSWER_BYTES) return this.#widen(isDue)
    return isDue ? this.nextTurn() : undefined
  }

  async forEach<Item>(items: Iterable<Item>, visit: (item: Item) => void): Promise<void> {
    for (const item of items) {
      visit(item)
      if (this.isDue()) await this.nextTurn()
    }
  }

  /** The values that a request names more than once. */
  async duplicatesIn<Value>(values: Iterable<Value>): Promise<ReadonlySet<Value>> {
    const seen = new Set<Value>()
    const twice = new Set<Value>()
    await this.forEach(values, (value) => {
      if (seen.has(value)) twice.add(value)
      seen.add(value)
    })
    return twice
  }

  /** Each value once, where it was first. */
  async distinct<Value>(values: Iterable<Value>): Promise<Set<Value>> {
    const distinct = new Set<Value>()
    await this.forEach(values, (value) => distinct.add(value))
    return distinct
  }

  #did(byteCount: number): boolean {
    this.#doneBytes += byteCount
    this.#bytesSinceLook += byteCount
    if (this.#bytesSinceLook < LOOK_BYTES) return false
    this.#bytesSinceLook = 0
    return this.#workshop.clock.monotonic() >= this.#turnEndsAt
  }

  async #widen(isDue: boolean): Promise<void> {
    const { wideAnswers, limits } = this.#workshop
    if (this.#answerBytes > limits.answerBytesMax) {
      const limit = `response.max.bytes=${limits.answerBytesMax}`
      throw new AnswerTooLarge(
        'INVALID_REQUEST',
        `the answer is larger than ${limit}: ask for less`,
      )
    }
    this.#wide ??= wideAnswers.enter(1)
    await this.#wide
    if (isDue) await this.nextTurn()
  }

  /** Roughly the encoded size of a part of an answer. */
  #sizeOf(part: any): number {
    if (typeof part === 'string') return part.length + 2
    if (typeof part !== 'object') return 4
    if (part === null) return 1
    let byteCount = 1
    if (Array.isArray(part)) {
      if (typeof part[0] === 'number') return 4 * part.length
      if (this.#counted!.has(part)) return 0
      for (let i = 0; i < part.length; i++) byteCount += this.#sizeOf(part[i])
      return byteCount
    }
    if (ArrayBuffer.isView(part)) return part.byteLength + 4
    for (const name in part) byteCount += this.#sizeOf(part[name])
    return byteCount
  }
}
