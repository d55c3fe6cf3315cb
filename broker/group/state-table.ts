// What the coordinator keeps, as keys and values of the table in __consumer_offsets. Network thread.
// Format: docs/formats/groups.md

import { strict as assert } from 'node:assert'
import { KafkaError, type ErrorName } from '../../protocol/errors.ts'
import type { Change, Store, Table } from '../../storage/store.ts'
import type { GroupEntry, GroupStateTable } from './coordinator.ts'
import type { GroupRecord } from './messages.ts'
import type { CommittedOffset } from './offsets.ts'

const TOPIC = '__consumer_offsets'
const GROUP_PREFIX = 'group/'
const OFFSET_PREFIX = 'offset/'
const PENDING_PREFIX = 'pending/'

type Key = `${typeof GROUP_PREFIX | typeof OFFSET_PREFIX | typeof PENDING_PREFIX}${string}`
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
  return [keyOf(entry), entry.value ?? undefined]
}

/** The group comes last: it may hold any character, slashes too. */
function keyOf(entry: GroupEntry): Key {
  if (entry.kind === 'group') return `${GROUP_PREFIX}${entry.groupId}`
  const { groupId, topic, partition } = entry.key
  const rest = `${partition}/${topic}/${groupId}`
  if (entry.kind === 'offset') return `${OFFSET_PREFIX}${rest}`
  return `${PENDING_PREFIX}${entry.producerId}/${rest}`
}

function entryOf(key: Key, value: Value): GroupEntry {
  if (key.startsWith(GROUP_PREFIX)) {
    const groupId = key.slice(GROUP_PREFIX.length)
    return { kind: 'group', groupId, value: value as GroupRecord }
  }
  const match = /^(?:offset|pending\/(\d+))\/(\d+)\/([^/]+)\/(.*)$/s.exec(key)
  assert(match, `a key of ${TOPIC} is ${JSON.stringify(key)}`)
  const offset = {
    key: { groupId: match[4]!, topic: match[3]!, partition: Number(match[2]) },
    value: value as CommittedOffset,
  }
  const producerId = match[1]
  return producerId === undefined
    ? { kind: 'offset', ...offset }
    : { kind: 'pending', producerId: Number(producerId), ...offset }
}
