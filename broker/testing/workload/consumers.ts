// The readers of a workload, and clients that commit offsets without a transaction. Tests only.

import type { Isolation } from '../checker/history.ts'
import type { Actor, Stage } from './actor.ts'

const POLL_BYTES_MAX = 600

/** Reads without end, and sometimes from the beginning again. */
export class Reader implements Actor {
  readonly #stage: Stage
  readonly #isolation: Isolation
  readonly #positions = new Map<string, number>()

  constructor(stage: Stage, isolation: Isolation) {
    this.#stage = stage
    this.#isolation = isolation
  }

  async act(): Promise<void> {
    const { random, recorder } = this.#stage
    const partition = this.#stage.anyPartition()
    const from = random.chance(0.1) ? 0 : (this.#positions.get(partition) ?? 0)
    const bytesMax = 1 + random.below(POLL_BYTES_MAX)
    const { answer } = await recorder.poll(partition, this.#isolation, from, bytesMax)
    await this.#stage.broker.whenUp()
    this.#positions.set(partition, answer?.next ?? from)
  }
}

/** Commits offsets of a group from outside, and fetches those that others have committed. */
export class Committer implements Actor {
  readonly #stage: Stage
  readonly #group: string
  readonly #otherGroups: readonly string[]

  constructor(stage: Stage, group: string, otherGroups: readonly string[]) {
    this.#stage = stage
    this.#group = group
    this.#otherGroups = otherGroups
  }

  async act(): Promise<void> {
    const { random, recorder } = this.#stage
    const partition = this.#stage.anyPartition()
    if (random.chance(0.5)) {
      const tag = this.#stage.unique('tag')
      const asked = { group: this.#group, partition, offset: random.below(1000), tag }
      await recorder.commit({ ...asked, instance: null, transaction: null })
    } else {
      const groups = [this.#group, ...this.#otherGroups]
      await recorder.committed(groups[random.below(groups.length)]!, partition)
    }
    await this.#stage.broker.whenUp()
  }
}
