// The subscriptions and assignments that members of a classic group exchange inside JoinGroup and SyncGroup.
// Any thread. An int16 version, then the message; a version later than ours is read as ours, which it extends. Some clients
// leave out fields of the version that they state: such a subscription is read as the latest version whose fields are all there.

import { decode } from './compile.ts'
import { KafkaError } from './errors.ts'
import {
  array,
  bytes,
  int32,
  message,
  string,
  type Decoded,
  type Encoded,
  type Message,
} from './schema.ts'
import { encodeVersioned } from './versioned.ts'
import { Reader } from './wire.ts'

const topicPartitions = array({ topic: string, partitions: array(int32) })

/** The latest version, of subscriptions and assignments. */
const VERSION_MAX = 3

/** v1 ownedPartitions (KIP-429); v2 generationId (KIP-792); v3 rackId (KIP-881). */
export const consumerSubscription = message({
  name: 'ConsumerProtocolSubscription',
  versions: `0-${VERSION_MAX}`,
  flexible: 'none',
  fields: {
    topics: array(string),
    userData: bytes.orNull().default(null),
    ownedPartitions: topicPartitions.in('1+').default([]),
    generationId: int32.in('2+').default(-1),
    rackId: string.orNull().in('3+').default(null),
  },
})
export type ConsumerSubscription = Decoded<typeof consumerSubscription>

/** Equal in all versions. */
export const consumerAssignment = message({
  name: 'ConsumerProtocolAssignment',
  versions: `0-${VERSION_MAX}`,
  flexible: 'none',
  fields: {
    assignedPartitions: topicPartitions,
    userData: bytes.orNull().default(null),
  },
})
export type ConsumerAssignment = Decoded<typeof consumerAssignment>

/** @throws {KafkaError} INVALID_REQUEST if the bytes are no subscription; `userData` is borrowed */
export function decodeSubscription(from: Uint8Array): ConsumerSubscription {
  for (let version = versionOf(from); ; version--) {
    try {
      return decodeVersioned(consumerSubscription, from, version)
    } catch (error) {
      if (version <= 0) throw error
    }
  }
}

export function encodeSubscription(
  subscription: Encoded<typeof consumerSubscription>,
  version = 3,
): Buffer {
  return encodeVersioned(consumerSubscription, subscription, version)
}

/** Empty bytes are an empty assignment. @throws {KafkaError} INVALID_REQUEST; `userData` is borrowed */
export function decodeAssignment(from: Uint8Array): ConsumerAssignment {
  if (from.length === 0) return { assignedPartitions: [], userData: null }
  return decodeVersioned(consumerAssignment, from, versionOf(from))
}

export function encodeAssignment(
  assignment: Encoded<typeof consumerAssignment>,
  version = 3,
): Buffer {
  return encodeVersioned(consumerAssignment, assignment, version)
}

function versionOf(from: Uint8Array): number {
  return Math.min(new Reader(from).int16(), VERSION_MAX)
}

function decodeVersioned<M extends Message<any>>(
  table: M,
  from: Uint8Array,
  version: number,
): Decoded<M> {
  if (version < 0) throw new KafkaError('INVALID_REQUEST', `${table.name} version ${version}`)
  const reader = new Reader(from)
  reader.int16()
  return decode(table, version, reader)
}
