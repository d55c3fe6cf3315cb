// Transactions without sockets: a coordinator, a virtual clock, and a disk that is durable, slow or dead as a test
// says. Tests only.

import type { ErrorName } from '../../protocol/errors.ts'
import { TransactionCoordinator, type TransactionTable } from '../txn/coordinator.ts'
import type {
  ProducerIdentity,
  TopicPartitions,
  TransactionRecord,
  TransactionResult,
} from '../txn/messages.ts'
import { VirtualClock } from './virtual-clock.ts'

/** The end of a transaction as a partition got it. */
export interface Heard extends ProducerIdentity {
  /** 'topic-partition'. */
  readonly where: string
  readonly isCommit: boolean
}

/** Every write to the disk, in order; the test decides when it happens and whether. */
export class Disk implements TransactionTable {
  readonly records = new Map<string, TransactionRecord>()
  readonly heard: Heard[] = []
  /** Refusing places: the table, or 'topic-partition'. */
  readonly broken = new Set<string>()
  #held: { readonly write: () => void; readonly answer: () => void }[] | undefined

  /** From now on writes wait. */
  hold(): void {
    this.#held ??= []
  }

  /** The first `count` of the waiting writes happen. All of them: others wait no more. */
  release(count = Infinity): void {
    const held = this.#held ?? []
    this.#held = count === Infinity ? undefined : held.slice(count)
    for (const { write, answer } of held.slice(0, count)) {
      write()
      answer()
    }
  }

  /** The first `count` of the waiting writes happen, the others never; no caller gets an answer. */
  crash(count = 0): void {
    for (const { write } of (this.#held ?? []).slice(0, count)) write()
    this.#held = undefined
  }

  entries(): Iterable<[string, TransactionRecord]> {
    return this.records.entries()
  }

  put(id: string, record: TransactionRecord | undefined): Promise<ErrorName | undefined> {
    return this.#write('table', () => {
      if (record === undefined) this.records.delete(id)
      else this.records.set(id, record)
    })
  }

  async mark(record: TransactionRecord): Promise<readonly TopicPartitions[]> {
    const remaining = record.partitions.map(async ({ topic, partitions }) => {
      const errors = await Promise.all(
        partitions.map((partition) => this.#tell(record, `${topic}-${partition}`)),
      )
      return { topic, partitions: partitions.filter((_, i) => errors[i] !== undefined) }
    })
    return (await Promise.all(remaining)).filter(({ partitions }) => partitions.length > 0)
  }

  #tell(
    { producerId, producerEpoch, state }: TransactionRecord,
    where: string,
  ): Promise<ErrorName | undefined> {
    const isCommit = state === 'PrepareCommit'
    return this.#write(where, () => this.heard.push({ where, producerId, producerEpoch, isCommit }))
  }

  #write(where: string, write: () => void): Promise<ErrorName | undefined> {
    if (this.broken.has(where)) return Promise.resolve('COORDINATOR_NOT_AVAILABLE')
    const held = this.#held
    if (held !== undefined) {
      return new Promise((resolve) => held.push({ write, answer: () => resolve(undefined) }))
    }
    write()
    return Promise.resolve(undefined)
  }
}

export interface TransactionWorld {
  readonly clock: VirtualClock
  readonly disk: Disk
  readonly results: string[]
  coordinator: TransactionCoordinator
  /** @param writes how many of the held ones have become durable */
  restart(writes?: number): void
}

export function transactionWorld(
  onEnd: (result: TransactionResult) => void = () => {},
): TransactionWorld {
  const clock = new VirtualClock()
  const disk = new Disk()
  const results: string[] = []
  let producerIds = 0
  const build = () =>
    new TransactionCoordinator({
      clock,
      table: disk,
      writeMarkers: (record) => disk.mark(record),
      newProducerId: async () =>
        disk.broken.has('ids') ? 'COORDINATOR_NOT_AVAILABLE' : ++producerIds,
      config: {
        timeoutMsMax: 900_000,
        timeoutCheckMs: 10_000,
        idExpirationMs: 604_800_000,
        idExpirationCheckMs: 3_600_000,
      },
      onEnd(result) {
        results.push(result)
        onEnd(result)
      },
    })
  const world: TransactionWorld = {
    clock,
    disk,
    results,
    coordinator: build(),
    restart(writes = 0) {
      world.coordinator.close()
      disk.crash(writes)
      world.coordinator = build()
    },
  }
  return world
}
