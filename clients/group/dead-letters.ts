// DeadLetters: writes records that no attempt could handle to another topic: key, value and headers unchanged, with
// origin and cause.
// The added headers end as those of Kafka Streams (KIP-1034), so that one tool reads both. docs/guide/client.md

import { types } from 'node:util'
import type { Cluster } from '../cluster/cluster.ts'
import { tell } from '../events.ts'
import { Producer } from '../producer/producer.ts'
import type { Delivery } from '../consumer/record-stream.ts'
import { topicOf, type TopicLike } from '../topic.ts'

const PREFIX = '__millrace.errors.'

/** Keeps a header with an error's text from making the record too large for its topic. */
const TEXT_LENGTH_MAX = 8 * 1024

export interface Failure {
  readonly error: unknown
  /** How often the record was tried. */
  readonly attempts: number
}

export class DeadLetters {
  readonly #cluster: Cluster
  readonly #group: string
  readonly #topic: string
  #producer: Producer | undefined

  constructor(cluster: Cluster, group: string, topic: TopicLike) {
    this.#cluster = cluster
    this.#group = group
    this.#topic = topicOf(topic).name
  }

  /** Durable when it resolves. @throws {KafkaError} the error of the send */
  async send(
    { reading, view }: Pick<Delivery<unknown>, 'reading' | 'view'>,
    failure: Failure,
  ): Promise<void> {
    this.#producer ??= new Producer(this.#cluster, { lingerMs: 0 }, () => {})
    const { error, attempts } = failure
    const { topic, partition } = reading.where
    const { offset, timestamp } = view
    const { name, message, stack = '' } = asError(error)
    const why = { exception: name, message, stacktrace: stack, attempts, group: this.#group }
    const origin = Object.entries({ ...why, topic, partition, offset, timestamp }).map(
      ([key, value]) => [PREFIX + key, `${value}`.slice(0, TEXT_LENGTH_MAX)] as const,
    )
    const kept = (view.headers ?? []).filter(([key]) => !key.startsWith(PREFIX))
    await this.#producer.send(this.#topic, {
      key: view.key,
      value: view.value,
      headers: [...kept, ...origin],
    })
    const told = { topic, partition, offset, to: this.#topic, attempts, error }
    tell('deadLetter', told, this.#cluster.options.logger, 'warn', 'a record is a dead letter')
  }

  async close(): Promise<void> {
    await this.#producer?.close()
  }
}

function asError(error: unknown): Error {
  return types.isNativeError(error) ? error : new Error(String(error))
}
