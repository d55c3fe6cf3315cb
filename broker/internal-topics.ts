// The errors of requests that would write to, change or delete an internal topic. Internal topics hold the broker's state, so
// only the broker writes them. Apache Kafka refuses the first four requests in the same way, and allows the others to
// administrators.

import { KafkaError, type ErrorName } from '../protocol/errors.ts'
import { isReservedName, OFFSETS_TOPIC } from '../storage/topic-name.ts'

const refusals = {
  Produce: 'INVALID_TOPIC_EXCEPTION',
  DeleteRecords: 'INVALID_TOPIC_EXCEPTION',
  AddPartitionsToTxn: 'TOPIC_AUTHORIZATION_FAILED',
  WriteTxnMarkers: 'INVALID_TOPIC_EXCEPTION',
  CreateTopics: 'INVALID_TOPIC_EXCEPTION',
  DeleteTopics: 'INVALID_TOPIC_EXCEPTION',
  CreatePartitions: 'INVALID_TOPIC_EXCEPTION',
  AlterConfigs: 'INVALID_TOPIC_EXCEPTION',
} as const satisfies Record<string, ErrorName>

export type WritingApi = keyof typeof refusals

/** A marker in __consumer_offsets ends the offsets of a transaction. */
const allowed: readonly string[] = [`WriteTxnMarkers ${OFFSETS_TOPIC}`]

/** @param api AlterConfigs stands for IncrementalAlterConfigs too. @returns undefined when the request may go on */
export function refusalOfInternal(api: WritingApi, topic: string): ErrorName | undefined {
  const isRefused = isReservedName(topic) && !allowed.includes(`${api} ${topic}`)
  return isRefused ? refusals[api] : undefined
}

/** @throws {KafkaError} */
export function refuseInternal(api: WritingApi, topic: string): void {
  const error = refusalOfInternal(api, topic)
  if (error) throw new KafkaError(error, `topic ${topic} is the broker's own`)
}
