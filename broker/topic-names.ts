// Topic names: which are allowed, and which ones the broker creates by itself. Network thread.

import { KafkaError } from '../protocol/errors.ts'
import type { Store, Topic } from '../storage/store.ts'

const NAME_CHARS_MAX = 249

/** @throws {KafkaError} INVALID_TOPIC_EXCEPTION, saying why */
export function checkTopicName(name: string): void {
  const reason = reasonAgainst(name)
  if (reason !== undefined) throw new KafkaError('INVALID_TOPIC_EXCEPTION', reason)
}

function reasonAgainst(name: string): string | undefined {
  if (name === '') return 'the topic name is empty'
  if (name === '.' || name === '..') return `a topic cannot be called "${name}"`
  if (name.length > NAME_CHARS_MAX)
    return `a topic name of ${name.length} characters, ${NAME_CHARS_MAX} are allowed`
  if (!/^[a-zA-Z0-9._-]+$/.test(name))
    return 'a topic name is made of letters, digits, ".", "_" and "-"'
  return undefined
}

/**
 * A topic whose name differs only in "." against "_": metric names would not tell the two apart.
 *
 * @returns undefined when there is none
 */
export function collidingTopic(store: Store, name: string): Topic | undefined {
  const dotless = name.replaceAll('.', '_')
  if (!dotless.includes('_')) return undefined
  for (const topic of store.topics.list()) {
    if (topic.name !== name && topic.name.replaceAll('.', '_') === dotless) return topic
  }
  return undefined
}
