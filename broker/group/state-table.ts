// What the coordinator keeps, as keys and values of the table in __consumer_offsets. Network thread.
// Format: docs/formats/groups.md

import { strict as assert } from 'node:assert'
import { KafkaError, type ErrorName } from '../../protocol/errors.ts'
import type { Change, Store, Table } from '../../storage/store.ts'
import type { GroupEntry, GroupStateTable, OffsetKey } from './coordinator.ts'
import type { GroupRecord } from './messages.ts'
import type { CommittedOffset } from './offsets.ts'

const TOPIC = '__consumer_offsets'
const GROUP_PREFIX = 'group/'
const OFFSET_PREFIX = 'offset/'

type Key = `${typeof GROUP_PREFIX | typeof OFFSET_PREFIX}${string}`
type Value = GroupRecord | CommittedOffset

export async function openGroupState(store: Store): Promise<GroupStateTable> {
  const table: Table<Key, Value> = await store.openTable(TOPIC)
  return {
    *entries() {
      for (const [key, value] of table.entries()) yield entryOf(key, value)
    },
    async put(entries) {
      try {
        await table.write(entries.map(changeOf))
        return undefined
      } catch (error) {
        if (error instanceof KafkaError) return refusalFor(error)
        throw error
      }
    },
  }
}

/** Clients of groups know this one as "wait a little and ask again"; a storage error some take as final. */
function refusalFor({ code }: KafkaError): ErrorName {
  return code === 'KAFKA_STORAGE_ERROR' ? 'COORDINATOR_NOT_AVAILABLE' : code
}

function changeOf(entry: GroupEntry): Change<Key, Value> {
  const key = entry.kind === 'group' ? groupKey(entry.groupId) : offsetKey(entry.key)
  return [key, entry.value ?? undefined]
}

function entryOf(key: Key, value: Value): GroupEntry {
  if (key.startsWith(GROUP_PREFIX)) {
    const groupId = key.slice(GROUP_PREFIX.length)
    return { kind: 'group', groupId, value: value as GroupRecord }
  }
  return { kind: 'offset', key: parseOffsetKey(key), value: value as CommittedOffset }
}

function groupKey(groupId: string): Key {
  return `${GROUP_PREFIX}${groupId}`
}

/** The group comes last: it may hold any character, slashes too. */
function offsetKey({ groupId, topic, partition }: OffsetKey): Key {
  return `${OFFSET_PREFIX}${partition}/${topic}/${groupId}`
}

function parseOffsetKey(key: Key): OffsetKey {
  const match = /^offset\/(\d+)\/([^/]+)\/(.*)$/s.exec(key)
  assert(match, `a key of ${TOPIC} is ${JSON.stringify(key)}`)
  return { groupId: match[3]!, topic: match[2]!, partition: Number(match[1]) }
}
