// The producers of a workload: plain, idempotent and transactional ones, each of which acts as a client library does
// when no answer comes. Two may have the same transactional id: then each is the other's zombie. Tests only.

import { addOffsetsToTxn } from '../../../protocol/api/25_add_offsets_to_txn.ts'
import { addPartitionsToTxn } from '../../../protocol/api/24_add_partitions_to_txn.ts'
import type { Operation } from '../checker/history.ts'
import type { Actor, Stage } from './actor.ts'
import { Gone } from './mortal-broker.ts'
import { partitionOf, type Sender } from './recorder.ts'

/** How often a producer repeats a request before it gives up, or starts again. */
const TRIES_MAX = 6
const RECORDS_MAX = 3

/**
 * Repeats a request until its outcome is known. @returns whether it is ok; false also when the outcome stays unknown
 */
async function insist(stage: Stage, ask: () => Promise<Operation>): Promise<boolean> {
  const triesMax = 1 + stage.random.below(TRIES_MAX)
  for (let tries = 0; tries < triesMax; tries++) {
    const { outcome } = await ask()
    if (outcome !== 'info') return outcome === 'ok'
    await stage.broker.whenUp()
  }
  return false
}

function valuesOf(stage: Stage): string[] {
  const count = 1 + stage.random.below(RECORDS_MAX)
  return Array.from({ length: count }, () => stage.unique('v'))
}

export class PlainProducer implements Actor {
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async act(): Promise<void> {
    const asked = { values: valuesOf(this.#stage), producer: null, transaction: null }
    const partition = this.#stage.anyPartition()
    await insist(this.#stage, () => this.#stage.recorder.send({ ...asked, partition }))
  }
}

/** Counts the records of one producer epoch in each partition. */
class Sequences {
  readonly #next = new Map<string, number>()

  take(partition: string, count: number): number {
    const sequence = this.#next.get(partition) ?? 0
    this.#next.set(partition, sequence + count)
    return sequence
  }
}

export class IdempotentProducer implements Actor {
  readonly #stage: Stage
  #life: { readonly sequences: Sequences; readonly sender: Sender } | undefined

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async act(): Promise<void> {
    this.#life ??= await this.#begin()
    if (this.#life === undefined) return
    const { sequences, sender } = this.#life
    const partition = this.#stage.anyPartition()
    const batches = Array.from({ length: 1 + this.#stage.random.below(3) }, () => {
      const values = valuesOf(this.#stage)
      const producer = { ...sender, baseSequence: sequences.take(partition, values.length) }
      return { partition, values, producer, transaction: null }
    })
    // Together in flight, as many as a client may have; retries go one after the other.
    const sent = await Promise.all(batches.map((batch) => this.#stage.recorder.send(batch)))
    for (const [i, { outcome }] of sent.entries()) {
      await this.#stage.broker.whenUp()
      const isSent =
        outcome === 'ok' ||
        (await insist(this.#stage, () => this.#stage.recorder.send(batches[i]!)))
      if (isSent) continue
      this.#life = undefined
      return
    }
  }

  async #begin() {
    const instance = this.#stage.unique('idempotent')
    const { answer } = await this.#stage.recorder.init(null, instance)
    await this.#stage.broker.whenUp()
    if (answer === undefined) return undefined
    const sender = { transactionalId: '', instance, kind: 'TV1', ...answer } as const
    return { sequences: new Sequences(), sender }
  }
}

/** The plan of a transaction. */
export interface Plan {
  readonly sends: readonly { readonly partition: string; readonly values: readonly string[] }[]
  readonly offset?: { readonly group: string; readonly partition: string; readonly offset: number }
  readonly isCommit: boolean
}

export interface TransactionalOptions {
  readonly transactionalId: string
  readonly kind: 'TV1' | 'TV2'
}

export class TransactionalProducer implements Actor {
  readonly #stage: Stage
  readonly #options: TransactionalOptions
  #sender: Sender | undefined
  #sequences = new Sequences()

  constructor(stage: Stage, options: TransactionalOptions) {
    this.#stage = stage
    this.#options = options
  }

  /** The group whose offsets the producer commits. */
  static groupOf(transactionalId: string): string {
    return `group-of-${transactionalId}`
  }

  async act(): Promise<void> {
    await this.run(this.#drawn())
  }

  /** @returns whether it is known to have ended as planned; otherwise the next transaction is of a new instance */
  async run({ sends, offset, isCommit }: Plan): Promise<boolean> {
    this.#sender ??= await this.#begin()
    if (this.#sender === undefined) return false
    const transaction = this.#stage.unique(this.#sender.instance)
    const joined = new Set<string>()
    let isWhole = true
    for (const { partition, values } of sends) {
      isWhole &&= await this.#send(transaction, partition, values, joined)
    }
    if (offset !== undefined) isWhole &&= await this.#commitOffset(transaction, offset)
    const hasEnded = await this.#end(transaction, isWhole && isCommit)
    if (!hasEnded || !isWhole) this.#sender = undefined
    return hasEnded && isWhole
  }

  /** Ends any open transaction of the transactional id. @returns whether that worked */
  async settle(): Promise<boolean> {
    this.#sender = await this.#begin()
    return this.#sender !== undefined
  }

  #drawn(): Plan {
    const { random } = this.#stage
    const sends = Array.from({ length: random.below(4) }, () => {
      return { partition: this.#stage.anyPartition(), values: valuesOf(this.#stage) }
    })
    const group = TransactionalProducer.groupOf(this.#options.transactionalId)
    const offset = { group, partition: this.#stage.anyPartition(), offset: random.below(1000) }
    const isCommit = random.chance(0.7)
    return random.chance(0.5) ? { sends, isCommit } : { sends, offset, isCommit }
  }

  async #begin(): Promise<Sender | undefined> {
    const { transactionalId, kind } = this.#options
    const instance = this.#stage.unique(transactionalId)
    const { answer } = await this.#stage.recorder.init(transactionalId, instance)
    await this.#stage.broker.whenUp()
    this.#sequences = new Sequences()
    return answer === undefined ? undefined : { transactionalId, instance, kind, ...answer }
  }

  async #send(
    transaction: string,
    partition: string,
    values: readonly string[],
    joined: Set<string>,
  ): Promise<boolean> {
    const sender = this.#sender!
    if (sender.kind === 'TV1' && !joined.has(partition)) {
      if (!(await this.#join(partition))) return false
      joined.add(partition)
    }
    const baseSequence = this.#sequences.take(partition, values.length)
    const asked = { partition, values, producer: { ...sender, baseSequence }, transaction }
    return insist(this.#stage, () => this.#stage.recorder.send(asked, sender))
  }

  async #join(partition: string): Promise<boolean> {
    const { name, index } = partitionOf(partition)
    return this.#manage(async (request) => {
      const topics = [{ name, partitions: [index] }]
      const answer = await this.#stage.broker.send(addPartitionsToTxn, { ...request, topics })
      return answer.topics[0]!.partitions[0]!.errorCode
    })
  }

  async #commitOffset(transaction: string, offset: NonNullable<Plan['offset']>): Promise<boolean> {
    const sender = this.#sender!
    if (sender.kind === 'TV1') {
      const hasJoined = await this.#manage(async (request) => {
        const asked = { ...request, groupId: offset.group }
        return (await this.#stage.broker.send(addOffsetsToTxn, asked)).errorCode
      })
      if (!hasJoined) return false
    }
    const tag = this.#stage.unique('tag')
    const asked = { ...offset, tag, instance: sender.instance, transaction }
    return insist(this.#stage, () => this.#stage.recorder.commit(asked, sender))
  }

  /** Requests to the coordinator that change nothing for others. */
  async #manage(
    ask: (
      request: Pick<Sender, 'transactionalId' | 'producerId' | 'producerEpoch'>,
    ) => Promise<number>,
  ): Promise<boolean> {
    const { transactionalId, producerId, producerEpoch } = this.#sender!
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      try {
        return (await ask({ transactionalId, producerId, producerEpoch })) === 0
      } catch (error) {
        if (!(error instanceof Gone)) throw error
        await this.#stage.broker.whenUp()
      }
    }
    return false
  }

  async #end(transaction: string, isCommit: boolean): Promise<boolean> {
    const sender = this.#sender!
    return insist(this.#stage, async () => {
      const end = await this.#stage.recorder.end(sender, transaction, isCommit)
      if (end.answer !== undefined && end.answer.producerEpoch !== sender.producerEpoch) {
        this.#sender = { ...sender, ...end.answer }
        this.#sequences = new Sequences()
      }
      return end
    })
  }
}
