// Random lives of members: they join, sync, heartbeat, commit, leave and crash; the disk is slow, the broker
// restarts.
// In every run no partition has two owners in a generation, generations rise, every wait ends, no acknowledged commit
// is lost, and once all is quiet the remaining members have all partitions.

import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import t from '../../protocol/testing/tap.ts'
import { budget } from '../../protocol/testing/budget.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { identity, joining, sync, world, type World } from '../testing/group-world.ts'
import { settle } from '../testing/virtual-clock.ts'
import { ClassicGroup } from './classic.ts'
import type { JoinAnswer } from './messages.ts'

const LIVES = budget(150, 1500, 'LIVES')
const PARTITIONS = 12
const MEMBERS = 5
/** More than two rebalance timeouts and sessions. */
const CALM_MS = 150_000
const BEAT_MS = 3000

/** Owners of each partition, by generation. */
type History = Map<number, Map<number, number>>

/** A member as a client library plays it: joins, syncs, owns what it is given, joins again when it is told to. */
class Actor {
  readonly #w: World
  readonly #number: number
  readonly #history: History
  /** Two of them are static, every other one is given its id first. */
  readonly #groupInstanceId: string | null
  memberId = ''
  generationId = -1
  owned: readonly number[] = []
  /** Of all its lives. */
  openRequests = 0
  isAlive = false
  #isBusy = false
  /** A crash ends what ran before it: its answers reach nobody. */
  #life = 0
  #mustJoin = false

  constructor(w: World, number: number, history: History) {
    this.#w = w
    this.#number = number
    this.#history = history
    this.#groupInstanceId = number < 2 ? `instance-${number}` : null
  }

  async join(): Promise<void> {
    if (this.#isBusy) return
    this.isAlive = true
    this.#mustJoin = true
    const life = this.#life
    const joined = await this.#ask(this.#w.coordinator.join('g', this.#joining()))
    if (life !== this.#life) return
    if (joined.error === 'MEMBER_ID_REQUIRED') {
      this.memberId = joined.memberId
      return this.join()
    }
    if (joined.error !== undefined) return this.#refused(joined.error)
    this.memberId = joined.memberId
    this.generationId = joined.generationId
    const synced = await this.#ask(sync(this.#w, joined, sharesOf(joined), this.#groupInstanceId))
    if (life !== this.#life) return
    if (synced.error !== undefined) return this.#refused(synced.error)
    this.#mustJoin = false
    this.owned = JSON.parse(Buffer.from(synced.assignment).toString() || '[]') as number[]
    this.#claim(joined.generationId)
  }

  #joining() {
    return joining({
      memberId: this.memberId,
      groupInstanceId: this.#groupInstanceId,
      requiresKnownMemberId: this.#number % 2 === 0,
    })
  }

  async #ask<T>(request: Promise<T>): Promise<T> {
    const life = this.#life
    this.openRequests += 1
    this.#isBusy = true
    const answer = await request
    this.openRequests -= 1
    if (life === this.#life) this.#isBusy = false
    return answer
  }

  #refused(error: string): void {
    this.owned = []
    if (error === 'UNKNOWN_MEMBER_ID' || error === 'FENCED_INSTANCE_ID') this.memberId = ''
  }

  #claim(generationId: number): void {
    const owners = this.#history.get(generationId) ?? new Map<number, number>()
    this.#history.set(generationId, owners)
    for (const partition of this.owned) {
      const owner = owners.get(partition) ?? this.#number
      assert.equal(owner, this.#number, `two own ${partition} of generation ${generationId}`)
      owners.set(partition, owner)
    }
  }

  /** A client's work every few seconds. */
  beat(): void {
    if (!this.isAlive || this.#isBusy) return
    const error = this.#w.coordinator.heartbeat('g', this.identity, this.generationId)
    if (error !== undefined) {
      this.#refused(error)
      this.#mustJoin = true
    }
    if (this.#mustJoin) void this.join()
  }

  get identity() {
    return identity(this.memberId, this.#groupInstanceId)
  }

  leave(): void {
    this.#w.coordinator.leave('g', this.identity)
    this.crash()
  }

  crash(): void {
    this.#life += 1
    this.#isBusy = false
    this.isAlive = false
    this.memberId = ''
    this.generationId = -1
    this.owned = []
  }
}

/** Round the members; only the leader of a new generation hears of any. */
function sharesOf({ members, skipAssignment }: JoinAnswer): Record<string, string> {
  const shares: Record<string, string> = {}
  if (skipAssignment) return shares
  members.forEach(({ memberId }, i) => {
    const partitions = Array.from({ length: PARTITIONS }, (_, p) => p)
    shares[memberId] = JSON.stringify(partitions.filter((p) => p % members.length === i))
  })
  return shares
}

type Act = 'join' | 'beat' | 'leave' | 'crash' | 'commit'

type Step =
  | { readonly kind: Act; readonly who: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'hold' | 'release' | 'restart' }

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom<Act>('join', 'beat', 'leave', 'crash', 'commit'),
      who: fc.nat({ max: MEMBERS - 1 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 1000, 9000, 31_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('hold' as const, 'release' as const, 'restart' as const),
    }),
  },
)

class Life {
  readonly #w = world()
  readonly #history: History = new Map()
  readonly #actors = Array.from(
    { length: MEMBERS },
    (_, number) => new Actor(this.#w, number, this.#history),
  )
  #generationMax = 0
  #sentOffset = -1
  #ackedOffset = -1

  async take(step: Step): Promise<void> {
    const w = this.#w
    if ('ms' in step) await w.clock.advance(step.ms)
    else if ('who' in step) this.#act(this.#actors[step.who]!, step.kind)
    else if (step.kind === 'restart') this.#restart()
    else w.table[step.kind]()
    await settle()
    this.#check()
  }

  #act(actor: Actor, act: Act): void {
    if (act === 'commit') void this.#commit(actor)
    else void actor[act]()
  }

  /** Generations that nobody has synced in may come again. */
  #restart(): void {
    this.#w.restart()
    this.#generationMax = Math.max(0, ...this.#history.keys())
  }

  async #commit({ identity: member, generationId }: Actor): Promise<void> {
    const offset = ++this.#sentOffset
    const committed = { offset, leaderEpoch: -1, metadata: '', committedMs: 0, expiresMs: null }
    const error = await this.#w.coordinator.commit({
      ...member,
      groupId: 'g',
      generationId,
      offsets: [{ topic: 't', partition: 0, committed }],
      unknownGroupError: 'ILLEGAL_GENERATION',
    })
    if (error === undefined) this.#ackedOffset = offset
  }

  #check(): void {
    const group = this.#w.coordinator.groups.get('g')
    const generation = group instanceof ClassicGroup ? group.generationId : this.#generationMax
    assert.ok(generation >= this.#generationMax, `${generation} after ${this.#generationMax}`)
    this.#generationMax = generation
    const offset = this.#w.coordinator.commits.of('g').get('t', 0)?.offset ?? -1
    assert.ok(offset >= this.#ackedOffset, `offset ${offset}, ${this.#ackedOffset} acknowledged`)
  }

  /** From now on no member joins or leaves. */
  async calmDown(): Promise<void> {
    this.#w.table.release()
    for (let ms = 0; ms < CALM_MS; ms += BEAT_MS) {
      for (const actor of this.#actors) actor.beat()
      await this.#w.clock.advance(BEAT_MS)
    }
    const open = this.#actors.filter(({ openRequests }) => openRequests > 0)
    assert.equal(open.length, 0, `${open.length} members wait for ever`)
    const alive = this.#actors.filter(({ isAlive }) => isAlive)
    const owned = alive.flatMap((each) => each.owned).sort((a, b) => a - b)
    const wanted = alive.length === 0 ? 0 : PARTITIONS
    assert.deepEqual(
      owned,
      Array.from({ length: wanted }, (_, p) => p),
    )
    assert.equal(this.#w.coordinator.groups.get('g')?.memberCount ?? 0, alive.length)
    this.#w.coordinator.close()
  }
}

t.test('groups keep their promises through random lives', async (t) => {
  t.comment(`SEED=${SEED}`)
  const property = fc.asyncProperty(fc.array(steps, { maxLength: 50 }), async (life) => {
    const lived = new Life()
    for (const step of life) await lived.take(step)
    await lived.calmDown()
  })
  await fc.assert(property, { seed: SEED, numRuns: LIVES })
  t.pass(`${LIVES} lives`)
})
