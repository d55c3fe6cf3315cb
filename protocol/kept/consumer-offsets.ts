// The records of __consumer_offsets as Apache Kafka writes them: committed offsets and classic groups. The int16 at the start of
// a key tells the kind of the record. Any thread. Format: docs/formats/groups.md

import { array, bytes, int32, int64, message, string, uuid, type Decoded } from '../schema.ts'
import { decodeWhole, versionOf } from '../versioned.ts'

/** Versions 0 and 1 are equal: Kafka 0.8 used 0 with its values. */
export const offsetCommitKey = message({
  name: 'OffsetCommitKey',
  versions: '0-1',
  flexible: 'none',
  fields: { group: string, topic: string, partition: int32 },
})
export const OFFSET_COMMIT_KEY_VERSION = 1

/** v1 alone has an expiry time, for clients that asked for one; v3 leaderEpoch (KIP-320); v4 topicId (KIP-848). */
export const offsetCommitValue = message({
  name: 'OffsetCommitValue',
  versions: '0-4',
  flexible: '4+',
  fields: {
    offset: int64,
    leaderEpoch: int32.in('3+').default(-1),
    metadata: string,
    commitTimestamp: int64,
    expireTimestamp: int64.in('1').default(-1),
    topicId: uuid.tag(0, '4+'),
  },
})

export const groupMetadataKey = message({
  name: 'GroupMetadataKey',
  versions: '2',
  flexible: 'none',
  fields: { group: string },
})
export const GROUP_METADATA_KEY_VERSION = 2

/** v1 rebalanceTimeout; v2 currentStateTimestamp (KIP-211); v3 groupInstanceId (KIP-345). */
export const groupMetadataValue = message({
  name: 'GroupMetadataValue',
  versions: '0-4',
  flexible: '4+',
  fields: {
    protocolType: string,
    generation: int32,
    protocol: string.orNull(),
    leader: string.orNull(),
    currentStateTimestamp: int64.in('2+').default(-1),
    members: array({
      memberId: string,
      groupInstanceId: string.orNull().in('3+').default(null),
      clientId: string,
      clientHost: string,
      rebalanceTimeout: int32.in('1+').default(-1),
      sessionTimeout: int32,
      /** Of the group's chosen protocol. */
      subscription: bytes,
      assignment: bytes,
    }),
  },
})

export type OffsetCommitKey = Decoded<typeof offsetCommitKey>
export type OffsetCommitValue = Decoded<typeof offsetCommitValue>
export type GroupMetadataValue = Decoded<typeof groupMetadataValue>

/** A null value deletes the key. */
export type ConsumerOffsetsRecord =
  | { kind: 'offset'; key: OffsetCommitKey; value: OffsetCommitValue | null }
  | { kind: 'group'; groupId: string; value: GroupMetadataValue | null }

/**
 * @param key borrowed, like the value, by the returned object
 * @returns undefined for a record of another kind, such as those of newer groups (KIP-848, KIP-932)
 * @throws {KafkaError} CORRUPT_MESSAGE, INVALID_REQUEST
 */
export function decodeConsumerOffsets(
  key: Uint8Array,
  value: Uint8Array | null,
): ConsumerOffsetsRecord | undefined {
  switch (versionOf(key)) {
    case 0:
    case OFFSET_COMMIT_KEY_VERSION:
      return {
        kind: 'offset',
        key: decodeWhole(offsetCommitKey, key),
        value: value && decodeWhole(offsetCommitValue, value),
      }
    case GROUP_METADATA_KEY_VERSION:
      return {
        kind: 'group',
        groupId: decodeWhole(groupMetadataKey, key).group,
        value: value && decodeWhole(groupMetadataValue, value),
      }
    default:
      return undefined
  }
}
