// The coordinator's durable state: a table in __consumer_offsets, with Apache Kafka's records. Network thread.
// Format: docs/formats/groups.md

import { KafkaError, type ErrorName } from '../../protocol/errors.ts'
import type { Change, Store, Table } from '../../storage/store.ts'
import { OFFSETS_TOPIC } from '../../storage/topic-name.ts'
import type { CommittedOffset } from './committed-offsets.ts'
import { groupFormat, GROUP_PREFIX, keyOfOffset, offsetKeyOf } from './record-format.ts'
import type { GroupKey, GroupValue } from './record-format.ts'
import type { GroupRecord } from './messages.ts'

export interface OffsetKey {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
}

/** One change of the kept state: a null value deletes. */
export type GroupEntry =
  | { readonly kind: 'group'; readonly groupId: string; readonly value: GroupRecord | null }
  | OffsetEntry

export interface OffsetEntry {
  readonly kind: 'offset'
  readonly key: OffsetKey
  readonly value: CommittedOffset | null
}

/** A producer that commits offsets in a transaction. */
export interface OffsetProducer {
  readonly producerId: number
  readonly producerEpoch: number
}

/**
 * The table of groups and offsets, in __consumer_offsets. After a crash all writes of one call are there, or none;
 * calls keep their order. They resolve when their writes are durable, or with the disk's error.
 */
export interface GroupStateTable {
  /** All entries except pending ones, in any order. */
  entries(): Iterable<GroupEntry>
  /** Offsets that open transactions may commit. */
  pending(): Iterable<{ readonly producerId: number; readonly key: OffsetKey }>
  pendingOf(producerId: number): Iterable<OffsetKey>
  isPending(key: OffsetKey): boolean
  /** Committed, and durable. */
  offsetOf(key: OffsetKey): CommittedOffset | undefined
  /** Deleting an offset also deletes its pending values. */
  put(entries: readonly GroupEntry[]): Promise<ErrorName | undefined>
  /** Takes effect when the producer's transaction commits, unless `put` has written the same key since. */
  putPending(
    producer: OffsetProducer,
    offsets: readonly { readonly key: OffsetKey; readonly value: CommittedOffset }[],
  ): Promise<ErrorName | undefined>
  /** The transaction has ended. @returns the offsets that changed */
  end(producer: OffsetProducer, isCommit: boolean): Promise<readonly OffsetKey[] | ErrorName>
}

/** @param epochOf a producer with an open transaction; undefined when it has none */
export async function openGroupState(
  store: Store,
  epochOf: (producerId: number) => number | undefined,
): Promise<GroupStateTable> {
  const table: Table<GroupKey, GroupValue> = await store.tables.open(
    OFFSETS_TOPIC,
    groupFormat(epochOf),
  )
  return {
    *entries() {
      for (const [key, value] of table.entries()) yield entryOf(key, value)
    },
    *pending() {
      for (const [producerId, key] of table.pending()) {
        const offsetKey = offsetKeyOf(key)
        if (offsetKey) yield { producerId, key: offsetKey }
      }
    },
    *pendingOf(producerId) {
      for (const key of table.pendingOf(producerId)) {
        const offsetKey = offsetKeyOf(key)
        if (offsetKey) yield offsetKey
      }
    },
    offsetOf: (key) => table.get(keyOfOffset(key)) as CommittedOffset | undefined,
    isPending: (key) => table.isPending(keyOfOffset(key)),
    put: (entries) => orRefusal(() => table.write(entries.map(changeOf))),
    putPending: (producer, offsets) =>
      orRefusal(() =>
        table.writePending(
          producer,
          offsets.map(({ key, value }) => [keyOfOffset(key), value]),
        ),
      ),
    async end(producer, isCommit) {
      try {
        return (await table.end(producer, isCommit)).map(([key]) => offsetKeyOf(key)!)
      } catch (error) {
        if (error instanceof KafkaError) return refusalFor(error)
        throw error
      }
    },
  }
}

async function orRefusal(write: () => Promise<void>): Promise<ErrorName | undefined> {
  try {
    await write()
    return undefined
  } catch (error) {
    if (error instanceof KafkaError) return refusalFor(error)
    throw error
  }
}

/** Clients of groups treat this one as "wait a little and ask again"; some treat a storage error as final. */
function refusalFor({ code }: KafkaError): ErrorName {
  return code === 'KAFKA_STORAGE_ERROR' ? 'COORDINATOR_NOT_AVAILABLE' : code
}

function changeOf(entry: GroupEntry): Change<GroupKey, GroupValue> {
  const key: GroupKey =
    entry.kind === 'group' ? `${GROUP_PREFIX}${entry.groupId}` : keyOfOffset(entry.key)
  return [key, entry.value ?? undefined]
}

function entryOf(key: GroupKey, value: GroupValue): GroupEntry {
  const offsetKey = offsetKeyOf(key)
  if (offsetKey) return { kind: 'offset', key: offsetKey, value: value as CommittedOffset }
  return { kind: 'group', groupId: key.slice(GROUP_PREFIX.length), value: value as GroupRecord }
}
