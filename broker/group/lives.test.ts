// Random lives of members: they join, sync, heartbeat, commit, leave and crash, and the broker restarts.

import fc from 'fast-check'
import t from 'tap'
import { identity, joining, sync, world, type World } from '../testing/group-world.ts'
import { settle } from '../testing/virtual-clock.ts'

type Step =
  | { readonly kind: 'join' | 'beat' | 'leave' | 'crash' | 'commit'; readonly who: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'restart' }

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('join', 'beat', 'leave', 'crash', 'commit'),
    who: fc.nat({ max: 4 }),
  }) as fc.Arbitrary<Step>,
  fc.record({
    kind: fc.constant('wait'),
    ms: fc.constantFrom(1, 1000, 9000, 31_000),
  }) as fc.Arbitrary<Step>,
  fc.constant({ kind: 'restart' } as const),
)

/** A member as a client library plays it: joins, syncs, owns what it is given, rejoins when told to. */
class Actor {
  memberId = ''
  generationId = -1
  owned: readonly number[] = []
  openRequests = 0
  isAlive = false
  readonly #w: World
  readonly #history: Map<number, Map<number, string>>

  constructor(w: World, history: Map<number, Map<number, string>>) {
    this.#w = w
    this.#history = history
  }

  async #ask<T>(request: Promise<T>): Promise<T> {
    this.openRequests += 1
    const answer = await request
    this.openRequests -= 1
    return answer
  }

  async join(): Promise<void> {
    this.isAlive = true
    const answer = await this.#ask(
      this.#w.coordinator.join('g', joining({ memberId: this.memberId })),
    )
    if (answer.error === 'UNKNOWN_MEMBER_ID') this.memberId = ''
    if (answer.error !== undefined || !this.isAlive) return
    this.memberId = answer.memberId
    this.generationId = answer.generationId
    const shares: Record<string, string> = {}
    answer.members.forEach((each, i) => {
      const partitions = Array.from({ length: 12 }, (_, p) => p).filter(
        (p) => p % answer.members.length === i,
      )
      shares[each.memberId] = JSON.stringify(partitions)
    })
    const share = await this.#ask(sync(this.#w, answer, shares))
    if (share.error !== undefined || share.assignment.length === 0) return
    this.owned = JSON.parse(Buffer.from(share.assignment).toString()) as number[]
    this.#claim(answer.generationId)
  }

  #claim(generationId: number): void {
    const owners = this.#history.get(generationId) ?? new Map<number, string>()
    this.#history.set(generationId, owners)
    for (const partition of this.owned) {
      const owner = owners.get(partition)
      if (owner !== undefined && owner !== this.memberId) {
        throw new Error(
          `partition ${partition} of generation ${generationId} belongs to ${owner} and ${this.memberId}`,
        )
      }
      owners.set(partition, this.memberId)
    }
  }

  beat(): void {
    const error = this.#w.coordinator.heartbeat('g', identity(this.memberId), this.generationId)
    if (error === 'UNKNOWN_MEMBER_ID') this.memberId = ''
    if (error === 'REBALANCE_IN_PROGRESS' && this.openRequests === 0) void this.join()
  }

  leave(): void {
    this.#w.coordinator.leave('g', identity(this.memberId))
    this.crash()
  }

  crash(): void {
    this.isAlive = false
    this.memberId = ''
    this.generationId = -1
    this.owned = []
  }
}

t.test(
  'whatever members do, no partition has two owners in a generation, generations rise, all waits end',
  async (t) => {
    const seed = Date.now() % 1_000_000
    t.comment(`seed ${seed}`)
    const property = fc.asyncProperty(fc.array(steps, { maxLength: 40 }), async (life) => {
      const w = world()
      const history = new Map<number, Map<number, string>>()
      const actors = Array.from({ length: 5 }, () => new Actor(w, history))
      let generationMax = 0
      let committed = -1
      for (const step of life) {
        if (step.kind === 'wait') await w.clock.advance(step.ms)
        else if (step.kind === 'restart') w.restart()
        else {
          const actor = actors[step.who]!
          if (step.kind === 'join' && actor.openRequests === 0) void actor.join()
          if (step.kind === 'beat') actor.beat()
          if (step.kind === 'leave') actor.leave()
          if (step.kind === 'crash') actor.crash()
          if (step.kind === 'commit') {
            const offset = committed + 1
            const error = await w.coordinator.commit({
              ...identity(actor.memberId),
              groupId: 'g',
              generationId: actor.generationId,
              offsets: [
                {
                  topic: 't',
                  partition: 0,
                  committed: {
                    offset,
                    leaderEpoch: -1,
                    metadata: '',
                    committedMs: 0,
                    expiresMs: null,
                  },
                },
              ],
              unknownGroupError: 'ILLEGAL_GENERATION',
            })
            if (error === undefined) committed = offset
          }
        }
        await settle()
        const generation = w.coordinator.get('g')?.generationId ?? generationMax
        if (generation < generationMax)
          throw new Error(`generation ${generation} after ${generationMax}`)
        generationMax = generation
        const kept = w.coordinator.offsetsOf('g')?.get('t', 0)?.offset ?? -1
        if (kept !== committed)
          throw new Error(`offset ${kept} where ${committed} was acknowledged`)
      }
      await w.clock.advance(120_000)
      const open = actors.filter((each) => each.openRequests > 0)
      if (open.length > 0) throw new Error(`${open.length} members wait for ever`)
      w.coordinator.close()
    })
    await fc.assert(property, { seed, numRuns: 300 })
    t.pass('300 lives')
  },
)
