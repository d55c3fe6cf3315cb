// Members of a group that join and leave in a workload; each notes its partitions. Tests only.

import { GroupClient, type Joined } from '../group-client.ts'
import { settle } from '../virtual-clock.ts'
import type { Actor, Stage } from './actor.ts'
import { Gone } from './mortal-broker.ts'

const GROUP = 'members'
const MEMBERS_MAX = 3
/** Requests of one member until all agree. */
const TRIES_MAX = 500
/** Turns of the loop after which time passes, so that the group drops a member that left before a crash. */
const PATIENCE_TURNS = 200
const SESSION_MS = 31_000
const UNKNOWN_MEMBER_ID = 25
const MEMBER_ID_REQUIRED = 79

interface Member {
  /** Empty until the broker gives it an id. */
  id: string
  /** The generation for which it knows its partitions. */
  generation: number | undefined
}

export class Members implements Actor {
  readonly #stage: Stage
  readonly #partitions: readonly string[]
  readonly #client: GroupClient<Stage['broker']>
  readonly #pass: (ms: number) => Promise<void>
  readonly #members: Member[] = []
  #isKept = false

  /** @param pass lets time pass in the broker */
  constructor(stage: Stage, partitions: readonly string[], pass: (ms: number) => Promise<void>) {
    this.#stage = stage
    this.#partitions = partitions
    this.#pass = pass
    this.#client = new GroupClient(stage.broker, GROUP)
  }

  /** A member joins or leaves, and the group assigns again. */
  async act(): Promise<void> {
    try {
      if (!(await this.#hasOffset())) return
      await this.#comeOrGo()
      for (const member of this.#members) member.generation = undefined
      await this.#patiently(Promise.all(this.#members.map((member) => this.#take(member))))
    } catch (error) {
      if (!(error instanceof Gone)) throw error
      await this.#stage.broker.whenUp()
    }
  }

  /** The broker forgets an empty group without an offset, and then counts generations from the start. */
  async #hasOffset(): Promise<boolean> {
    if (this.#isKept) return true
    const asked = { group: GROUP, partition: this.#partitions[0]!, offset: 0, tag: 'kept' }
    const commit = { ...asked, instance: null, transaction: null }
    const { outcome } = await this.#stage.recorder.commit(commit)
    await this.#stage.broker.whenUp()
    this.#isKept = outcome === 'ok'
    return this.#isKept
  }

  async #patiently(taking: Promise<unknown>): Promise<void> {
    let isOver = false
    const over = taking.finally(() => (isOver = true))
    over.catch(() => {}) // handled below
    for (let turns = 1; !isOver; turns++) {
      await settle()
      if (turns % PATIENCE_TURNS === 0) await this.#pass(SESSION_MS)
    }
    await over
  }

  async #comeOrGo(): Promise<void> {
    const [first] = this.#members
    if (first !== undefined && this.#members.length === MEMBERS_MAX) {
      await this.#client.leave({ memberId: first.id, generationId: -1 })
      this.#members.shift()
    } else {
      this.#members.push({ id: '', generation: undefined })
    }
  }

  /** Runs until all members know their partitions, in the same generation. */
  async #take(member: Member): Promise<void> {
    let joined: Joined | undefined
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (this.#areSettled) return
      await settle()
      if (joined === undefined) {
        joined = await this.#join(member)
      } else if (member.generation === undefined) {
        member.generation = await this.#sync(member, joined)
        if (member.generation === undefined) joined = undefined
      } else if ((await this.#client.heartbeat(joined)) !== undefined) {
        member.generation = joined = undefined
      }
    }
    throw new Error('the group does not come to rest')
  }

  get #areSettled(): boolean {
    const generations = new Set(this.#members.map(({ generation }) => generation))
    return generations.size === 1 && !generations.has(undefined)
  }

  /** An id counts once it is given: otherwise the group would wait for a member that does not know of it. */
  async #join(member: Member): Promise<Joined | undefined> {
    const joined = await this.#client.joinOnce({ memberId: member.id })
    if (joined.errorCode === MEMBER_ID_REQUIRED) member.id = joined.memberId
    if (joined.errorCode === UNKNOWN_MEMBER_ID) member.id = ''
    return joined.errorCode === 0 ? joined : undefined
  }

  /** @returns the generation, if the member is still part of it */
  async #sync({ id }: Member, joined: Joined): Promise<number | undefined> {
    const { generationId: generation } = joined
    const asked = { group: GROUP, generation, member: id }
    const { outcome } = await this.#stage.recorder.own(asked, async () => {
      const { errorCode, assignment } = await this.#client.sync(joined, this.#shares(joined))
      const text = Buffer.from(assignment).toString()
      return [errorCode, { partitions: text === '' ? [] : text.split(',') }]
    })
    return outcome === 'ok' ? generation : undefined
  }

  /** The leader's assignment: only the leader knows the members. */
  #shares({ members }: Joined): Record<string, string> {
    const shift = this.#stage.random.below(MEMBERS_MAX)
    return Object.fromEntries(
      members.map(({ memberId }, i) => {
        const own = this.#partitions.filter((_, at) => (at + shift) % members.length === i)
        return [memberId, own.join()]
      }),
    )
  }
}
