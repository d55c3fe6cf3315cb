// The rules for topic names. Any thread. Source: Kafka's protocol reference, "Topics".

import { KafkaError } from '../protocol/errors.ts'

/** Leaves room for the partition in the name of its directory. */
const NAME_CHARS_MAX = 249

export const METADATA_TOPIC = '__millrace_metadata'
/** Groups and their committed offsets. */
export const OFFSETS_TOPIC = '__consumer_offsets'
/** Transactional ids. */
export const TRANSACTIONS_TOPIC = '__transaction_state'

/** The broker's own topics: shown as internal; users cannot write or change them. */
export const internalTopics: readonly string[] = [METADATA_TOPIC, OFFSETS_TOPIC, TRANSACTIONS_TOPIC]

export function isInternalTopic(name: string): boolean {
  return internalTopics.includes(name)
}

/** @throws {KafkaError} INVALID_TOPIC_EXCEPTION */
export function checkTopicName(name: string): void {
  const refusal = flawOfName(name)
  if (refusal)
    throw new KafkaError(
      'INVALID_TOPIC_EXCEPTION',
      `topic name ${JSON.stringify(name.slice(0, 256))}: ${refusal}`,
    )
}

function flawOfName(name: string): string | undefined {
  if (name === '') return 'it is empty'
  if (name === '.' || name === '..') return 'it means a directory'
  if (name.length > NAME_CHARS_MAX) return `it is longer than ${NAME_CHARS_MAX} characters`
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) return 'want letters, digits, ".", "_" and "-"'
  return undefined
}

/** Names with the same key collide: metrics of many tools cannot tell '.' from '_'. */
export function collisionKey(name: string): string {
  return name.replaceAll('.', '_')
}

/** Reserved for the broker: a topic of its own, or a name that would collide with one before it exists. */
export function isReservedName(name: string): boolean {
  return isInternalTopic(collisionKey(name))
}
