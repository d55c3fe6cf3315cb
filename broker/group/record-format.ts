// Groups and committed offsets as records of __consumer_offsets, in Apache Kafka's format and in that of earlier
// releases. Pure. Format: docs/formats/groups.md

import {
  decodeConsumerOffsets,
  GROUP_METADATA_KEY_VERSION,
  groupMetadataKey,
  groupMetadataValue,
  OFFSET_COMMIT_KEY_VERSION,
  offsetCommitKey,
  offsetCommitValue,
  type GroupMetadataValue,
  type OffsetCommitValue,
} from '../../protocol/kept/consumer-offsets.ts'
import { encodeVersioned } from '../../protocol/versioned.ts'
import { packedFormat, type DecodedRecord } from '../../storage/record-format.ts'
import type { RecordFormat } from '../../storage/store.ts'
import type { CommittedOffset } from './committed-offsets.ts'
import type { GroupRecord } from './messages.ts'
import type { OffsetKey } from './state-table.ts'

export const GROUP_PREFIX = 'group/'
const OFFSET_PREFIX = 'offset/'

/** The key of a record in memory. */
export type GroupKey = `${typeof GROUP_PREFIX | typeof OFFSET_PREFIX}${string}`
export type GroupValue = GroupRecord | CommittedOffset

/** A version that every reader knows; v1 if the client asked for a retention of its own, as in Kafka. */
const OFFSET_VERSION = 3
const EXPIRING_OFFSET_VERSION = 1
const GROUP_VERSION = 3
/** Kafka's keys begin with a smaller number; those of the first release with a letter. */
const TEXT_MIN = 0x20

type Format = RecordFormat<GroupKey, GroupValue>
type Decoded = DecodedRecord<GroupKey, GroupValue>

/** The group comes last: it may hold any character, slashes too. */
export function keyOfOffset({ groupId, topic, partition }: OffsetKey): GroupKey {
  return `${OFFSET_PREFIX}${partition}/${topic}/${groupId}`
}

/** @returns undefined for the key of a group */
export function offsetKeyOf(key: string): OffsetKey | undefined {
  const match = /^offset\/(\d+)\/([^/]*)\/(.*)$/s.exec(key)
  return match ? { groupId: match[3]!, topic: match[2]!, partition: Number(match[1]) } : undefined
}

/** @param epochOf a producer with an open transaction; undefined when it has none */
export function groupFormat(epochOf: (producerId: number) => number | undefined): Format {
  return {
    encode(key, value) {
      const offsetKey = offsetKeyOf(key)
      if (offsetKey) return encodeOffset(offsetKey, value as CommittedOffset | undefined)
      return encodeGroup(key.slice(GROUP_PREFIX.length), value as GroupRecord | undefined)
    },
    decode(key, value) {
      if (key.length > 0 && key[0]! >= TEXT_MIN) return decodeOld(key, value, epochOf)
      const record = decodeConsumerOffsets(key, value)
      if (record === undefined) return undefined
      if (record.kind === 'group') {
        const group = record.value ? groupOf(record.value) : undefined
        return { key: `${GROUP_PREFIX}${record.groupId}`, value: group }
      }
      const { group: groupId, topic, partition } = record.key
      const offset = record.value ? offsetOf(record.value) : undefined
      return { key: keyOfOffset({ groupId, topic, partition }), value: offset }
    },
  }
}

function encodeOffset({ groupId, topic, partition }: OffsetKey, value?: CommittedOffset) {
  const key = encodeVersioned(
    offsetCommitKey,
    { group: groupId, topic, partition },
    OFFSET_COMMIT_KEY_VERSION,
  )
  if (value === undefined) return { key, value: null }
  const { offset, leaderEpoch, metadata, committedMs, expiresMs } = value
  const fields = { offset, leaderEpoch, metadata, commitTimestamp: committedMs }
  const kept =
    expiresMs === null
      ? encodeVersioned(offsetCommitValue, fields, OFFSET_VERSION)
      : encodeVersioned(
          offsetCommitValue,
          { ...fields, expireTimestamp: expiresMs },
          EXPIRING_OFFSET_VERSION,
        )
  return { key, value: kept }
}

function offsetOf(value: OffsetCommitValue): CommittedOffset {
  const { offset, leaderEpoch, metadata, commitTimestamp, expireTimestamp } = value
  const expiresMs = expireTimestamp < 0 ? null : expireTimestamp
  return { offset, leaderEpoch, metadata, committedMs: commitTimestamp, expiresMs }
}

function encodeGroup(groupId: string, record?: GroupRecord) {
  const key = encodeVersioned(groupMetadataKey, { group: groupId }, GROUP_METADATA_KEY_VERSION)
  if (record === undefined) return { key, value: null }
  const { protocolType, generationId, protocolName, leaderId, sinceMs, members } = record
  const value = encodeVersioned(
    groupMetadataValue,
    {
      protocolType: protocolType ?? '',
      generation: generationId,
      protocol: protocolName,
      leader: leaderId,
      currentStateTimestamp: sinceMs,
      members: members.map(({ sessionTimeoutMs, rebalanceTimeoutMs, protocols, ...member }) => ({
        ...member,
        sessionTimeout: sessionTimeoutMs,
        rebalanceTimeout: rebalanceTimeoutMs,
        subscription:
          protocols.find(({ name }) => name === protocolName)?.metadata ?? new Uint8Array(0),
      })),
    },
    GROUP_VERSION,
  )
  return { key, value }
}

/** As in Kafka, a member has the protocol that the group has chosen, until it joins again. */
function groupOf(value: GroupMetadataValue): GroupRecord {
  const { protocolType, generation, protocol, leader, currentStateTimestamp, members } = value
  return {
    protocolType: protocolType === '' ? null : protocolType,
    generationId: generation,
    protocolName: protocol,
    leaderId: leader,
    sinceMs: currentStateTimestamp,
    members: members.map(({ sessionTimeout, rebalanceTimeout, subscription, ...member }) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      sessionTimeoutMs: sessionTimeout,
      rebalanceTimeoutMs: rebalanceTimeout < 0 ? sessionTimeout : rebalanceTimeout,
      protocols: protocol === null ? [] : [{ name: protocol, metadata: copyOf(subscription) }],
      assignment: copyOf(member.assignment),
    })),
  }
}

function copyOf(borrowed: Uint8Array): Uint8Array {
  return new Uint8Array(borrowed)
}

const old = packedFormat<string, GroupValue>()

/** @throws {Error} when it is not a record of an earlier release either */
function decodeOld(
  key: Buffer,
  value: Buffer | null,
  epochOf: (producerId: number) => number | undefined,
): Decoded | undefined {
  const record = old.decode(key, value)!
  if (record.value !== undefined && typeof record.value !== 'object') throw new Error('no map')
  const known = { value: record.value, isOld: true }
  if (record.key.startsWith(GROUP_PREFIX) || offsetKeyOf(record.key)) {
    return { ...known, key: record.key as GroupKey }
  }
  const match = /^pending\/(\d+)\/(.*)$/s.exec(record.key)
  if (!match || !offsetKeyOf(`${OFFSET_PREFIX}${match[2]}`)) return undefined
  const producerId = Number(match[1])
  const producer = { producerId, producerEpoch: epochOf(producerId) ?? -1 }
  return { ...known, key: `${OFFSET_PREFIX}${match[2]}`, producer }
}
