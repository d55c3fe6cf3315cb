// Commits: the committed offsets of every group, and the pending ones of open transactions. The offsets that it shows
// are durable. Network thread. The group decides on permission to commit: group.ts. Source: KIP-98, KIP-447;
// docs/formats/groups.md

import type { ErrorName } from '../../protocol/errors.ts'
import {
  CommittedOffsets,
  type CommittedOffset,
  type PartitionOffset,
} from './committed-offsets.ts'
import type {
  GroupEntry,
  GroupStateTable,
  OffsetEntry,
  OffsetKey,
  OffsetProducer,
} from './state-table.ts'

type Partition = Pick<OffsetKey, 'topic' | 'partition'>

export class Commits {
  readonly #table: GroupStateTable
  readonly #byGroup = new Map<string, CommittedOffsets>()
  /** Writes that are not durable yet. Deleting offsets waits for them: otherwise they would come back. */
  readonly #underWay = new Map<string, Set<Promise<unknown>>>()

  constructor(table: GroupStateTable) {
    this.#table = table
  }

  /** At the start: an offset that the log keeps. */
  load({ groupId, topic, partition }: OffsetKey, committed: CommittedOffset): void {
    this.#ofGroup(groupId).set(topic, partition, committed)
  }

  /** Groups with commits, or with pending ones in an open transaction. */
  groupIds(): Set<string> {
    const groupIds = new Set(this.#byGroup.keys())
    for (const { key } of this.#table.pending()) groupIds.add(key.groupId)
    return groupIds
  }

  /** Empty for a group without commits, and for one that does not exist. */
  of(groupId: string): CommittedOffsets {
    return this.#byGroup.get(groupId) ?? NONE
  }

  /** Durable when it resolves. */
  commit(groupId: string, offsets: readonly PartitionOffset[]): Promise<ErrorName | undefined> {
    const entries = offsets.map(({ topic, partition, committed }): OffsetEntry => {
      return { kind: 'offset', key: { groupId, topic, partition }, value: committed }
    })
    return this.#track([groupId], this.#put(entries))
  }

  /** The offsets are shown once this producer's transaction has committed. */
  commitPending(
    producer: OffsetProducer,
    groupId: string,
    offsets: readonly PartitionOffset[],
  ): Promise<ErrorName | undefined> {
    const pending = offsets.map(({ topic, partition, committed }) => {
      return { key: { groupId, topic, partition }, value: committed }
    })
    return this.#track([groupId], this.#table.putPending(producer, pending))
  }

  /** A transaction has ended: shows its offsets in all groups at once, or drops them. Repeating the call is fine. */
  async endPending(producer: OffsetProducer, isCommit: boolean): Promise<ErrorName | undefined> {
    const keys = this.#table.pendingOf(producer.producerId)
    const groupIds = new Set(Array.from(keys, ({ groupId }) => groupId))
    const ended = this.#table.end(producer, isCommit).then((changed) => {
      if (typeof changed === 'string') return changed
      for (const key of changed) this.#show(key)
      return undefined
    })
    return this.#track(groupIds, ended)
  }

  /** Producers whose open transactions have pending offsets. */
  pendingProducers(): Set<number> {
    return new Set(Array.from(this.#table.pending(), ({ producerId }) => producerId))
  }

  /** Has an open transaction a pending offset of this partition? */
  isPending(groupId: string, topic: string, partition: number): boolean {
    return this.#table.isPending({ groupId, topic, partition })
  }

  hasPending(groupId: string): boolean {
    for (const { key } of this.#table.pending()) if (key.groupId === groupId) return true
    return false
  }

  hasUnderWay(groupId: string): boolean {
    return this.#underWay.has(groupId)
  }

  /** Resolves when all writes started so far are done. */
  async settled(groupId: string): Promise<void> {
    const writes = this.#underWay.get(groupId)
    if (writes !== undefined) await Promise.all(writes)
  }

  /** Deletes these offsets, pending ones too. Durable when it resolves. */
  async delete(groupId: string, partitions: Iterable<Partition>): Promise<ErrorName | undefined> {
    const entries: OffsetEntry[] = []
    for (const { topic, partition } of partitions) {
      const isCommitted = this.of(groupId).get(topic, partition) !== undefined
      if (isCommitted || this.isPending(groupId, topic, partition))
        entries.push(tombstone({ groupId, topic, partition }))
    }
    return entries.length === 0 ? undefined : this.#put(entries)
  }

  /** Deletes all offsets of a group together with `others`: everything or, after a crash, nothing. */
  deleteAll(groupId: string, others: readonly GroupEntry[]): Promise<ErrorName | undefined> {
    return this.#put([...others, ...this.#tombstones(groupId, this.#pendingKeys())])
  }

  /** Deletes the offsets of a deleted topic from all groups. */
  async onTopicDeleted(topic: string): Promise<void> {
    await Promise.all([...this.#underWay.values()].flatMap((writes) => [...writes]))
    const pending = this.#pendingKeys().filter((key) => key.topic === topic)
    const deleting = [...this.groupIds()].flatMap((groupId) => {
      const entries = this.#tombstones(groupId, pending).filter(({ key }) => key.topic === topic)
      return entries.length === 0 ? [] : [this.#put(entries)]
    })
    await Promise.all(deleting)
  }

  #pendingKeys(): OffsetKey[] {
    return Array.from(this.#table.pending(), ({ key }) => key)
  }

  #tombstones(groupId: string, pending: readonly OffsetKey[]): OffsetEntry[] {
    const offsets = this.of(groupId)
    const entries = Array.from(offsets.list(), ({ topic, partition }) =>
      tombstone({ groupId, topic, partition }),
    )
    for (const key of pending) {
      const isListed = offsets.get(key.topic, key.partition) !== undefined
      if (key.groupId === groupId && !isListed) entries.push(tombstone(key))
    }
    return entries
  }

  async #put(entries: readonly GroupEntry[]): Promise<ErrorName | undefined> {
    const error = await this.#table.put(entries)
    if (error !== undefined) return error
    for (const entry of entries) if (entry.kind === 'offset') this.#show(entry.key)
    return undefined
  }

  /** Shows the offset as the table has it now, because other writes may have become durable in the same turn. */
  #show(key: OffsetKey): void {
    const { groupId, topic, partition } = key
    const committed = this.#table.offsetOf(key)
    if (committed !== undefined) return this.#ofGroup(groupId).set(topic, partition, committed)
    const offsets = this.#byGroup.get(groupId)
    offsets?.delete(topic, partition)
    if (offsets?.isEmpty) this.#byGroup.delete(groupId)
  }

  #ofGroup(groupId: string): CommittedOffsets {
    let offsets = this.#byGroup.get(groupId)
    if (offsets === undefined) this.#byGroup.set(groupId, (offsets = new CommittedOffsets()))
    return offsets
  }

  #track<Result>(groupIds: Iterable<string>, write: Promise<Result>): Promise<Result> {
    const tracked = write.finally(() => {
      for (const groupId of groupIds) {
        const writes = this.#underWay.get(groupId)
        writes?.delete(tracked)
        if (writes?.size === 0) this.#underWay.delete(groupId)
      }
    })
    for (const groupId of groupIds) {
      const writes = this.#underWay.get(groupId)
      if (writes === undefined) this.#underWay.set(groupId, new Set([tracked]))
      else writes.add(tracked)
    }
    return tracked
  }
}

/** Stands for every group without commits: never written to. */
const NONE = new CommittedOffsets()

function tombstone(key: OffsetKey): OffsetEntry {
  return { kind: 'offset', key, value: null }
}
