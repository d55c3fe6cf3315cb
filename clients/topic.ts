// Typed topics, and the types of records to send and of consumed records. Types and values only; no I/O.

import { types } from 'node:util'
import { checked, rule, shape, whole, type Rule } from './options.ts'
import { isSchema, isSerde, json, type Serde, type StandardSchema } from './serde.ts'

/** A topic with its serdes: declared once, used by producers, consumers and admins. */
export interface Topic<
  Name extends string = string,
  K = any,
  V = any,
  KeyInput = K,
  ValueInput = V,
> {
  readonly name: Name
  readonly key: Serde<K, KeyInput>
  readonly value: Serde<V, ValueInput>
}

/** A typed topic, or the name of one whose keys and values are bytes or null. */
export type TopicLike = string | Topic

/** All topics whose names match, with the same serdes. */
export interface TopicPattern<K = any, V = any> {
  readonly pattern: RegExp
  readonly key: Serde<K, any>
  readonly value: Serde<V, any>
}

/** The topics of a consumer: a topic, or all topics that match a pattern, later ones included. */
export type TopicSelector = TopicLike | TopicPattern | RegExp

/** The type of a field of `topic()`: a serde, or a Standard Schema for JSON. */
type SerdeLike<Output, Input> = Serde<Output, Input> | StandardSchema<Input, Output>

/** A key or value of a topic without serdes: you read bytes, and write text or bytes. */
type Raw = Buffer | null
type RawInput = Uint8Array | string | null

export const raw: Serde<Raw, RawInput> = {
  serialize: (value) => (typeof value === 'string' ? Buffer.from(value) : value),
  deserialize: (stored) => stored,
  nullable: true,
}

/**
 * Declares a typed topic, or, with a regular expression, all topics that it matches, for consumers.
 *
 * @param serdes a key or value without one is `Buffer | null`
 */
export function topic<K = Raw, V = Raw, KeyInput = RawInput, ValueInput = RawInput>(
  pattern: RegExp,
  serdes?: {
    readonly key?: SerdeLike<K, KeyInput> | undefined
    readonly value?: SerdeLike<V, ValueInput> | undefined
  },
): TopicPattern<K, V>
export function topic<
  const Name extends string,
  K = Raw,
  V = Raw,
  KeyInput = RawInput,
  ValueInput = RawInput,
>(
  name: Name,
  serdes?: {
    readonly key?: SerdeLike<K, KeyInput> | undefined
    readonly value?: SerdeLike<V, ValueInput> | undefined
  },
): Topic<Name, K, V, KeyInput, ValueInput>
export function topic(of: string | RegExp, serdes: Serdes = {}): Topic | TopicPattern {
  checked('topic', nameOrPattern, of, 'name')
  const { key, value } = checked(`topic ${of}`, serdesRule, serdes)
  const own = { key: serdeOf(key), value: serdeOf(value) }
  return typeof of === 'string' ? { name: of, ...own } : { pattern: of, ...own }
}

interface Serdes {
  readonly key?: SerdeLike<any, any> | undefined
  readonly value?: SerdeLike<any, any> | undefined
}

/** Kafka's limit; the broker checks the characters. */
const NAME_CHARS_MAX = 249

const topicName = rule<string>(
  `text of 1 to ${NAME_CHARS_MAX} characters`,
  (value) => typeof value === 'string' && value.length > 0 && value.length <= NAME_CHARS_MAX,
)

const nameOrPattern = rule<string | RegExp>(
  `${topicName.expected}, or a regular expression`,
  (value) => topicName.allows(value) || types.isRegExp(value),
)

const serdeLike: Rule<SerdeLike<any, any>> = rule(
  'a serde (serialize and deserialize) or a Standard Schema',
  (value) => isSchema(value) || isSerde(value),
)

const serdesRule = shape<Serdes>({
  key: serdeLike,
  value: serdeLike,
})

/** Calls take a topic by its name or as the value of `topic()`. */
export const topicLike = rule<TopicLike>(
  'a topic, or the name of one',
  (like) =>
    topicName.allows(like) ||
    (topicName.allows(like.name) && isSerde(like.key) && isSerde(like.value)),
)

/** Consumers also take a pattern. */
export const topicSelector = rule<TopicSelector>(
  'a topic, the name of one, or a regular expression',
  (like) =>
    topicLike.allows(like) ||
    types.isRegExp(like) ||
    (types.isRegExp(like.pattern) && isSerde(like.key) && isSerde(like.value)),
)

/** A partition number has 32 bits on the wire. */
export const partitionNumber = whole()

export const topicPartition = rule<TopicPartition>(
  'a topic and a partition',
  ({ topic: name, partition }) => topicName.allows(name) && partitionNumber.allows(partition),
)

export const topicOrPartition = rule<TopicLike | TopicPartition>(
  'a topic, or a topic and a partition',
  (value) => topicLike.allows(value) || topicPartition.allows(value),
)

/** The position of a record. */
export const recordPlace: Rule<TopicPartition & { readonly offset: number }> = rule(
  'a record: its topic, partition and offset',
  (value) =>
    topicPartition.allows(value) && Number.isSafeInteger(value.offset) && value.offset >= 0,
)

function serdeOf(like: SerdeLike<any, any> | undefined): Serde<any, any> {
  if (like === undefined) return raw
  return isSchema(like) ? json(like) : like
}

export function topicOf(like: TopicLike): Topic {
  return typeof like === 'string' ? { name: like, key: raw, value: raw } : like
}

/** Pairs of name and value in order, duplicates included. */
export type Headers = readonly (readonly [name: string, value: Buffer | null])[]

/** An object, or pairs if order or duplicates matter. Text becomes UTF-8. */
export type HeadersInput =
  | Readonly<Record<string, string | Uint8Array | null>>
  | readonly (readonly [name: string, value: string | Uint8Array | null])[]

/** A record to send to topic `T`. `key` is optional if its serde accepts null; a tombstone has `value: null`. */
export type ProducerRecord<T extends TopicLike = string> = KeyField<KeyInputOf<T>> & {
  readonly value: ValueInputOf<T>
  readonly headers?: HeadersInput | undefined
  /** ms since the epoch; default now. */
  readonly timestamp?: number | undefined
  /** Default: the partitioner's choice. */
  readonly partition?: number | undefined
}

type KeyField<T> = null extends T ? { readonly key?: T | undefined } : { readonly key: T }

type KeyInputOf<T> = T extends Topic<string, any, any, infer Input, any> ? Input : RawInput
type ValueInputOf<T> = T extends Topic<string, any, any, any, infer Input> ? Input : RawInput

/** A consumed record. */
export interface ConsumerRecord<Name extends string = string, K = Raw, V = Raw> {
  readonly topic: Name
  readonly partition: number
  readonly offset: number
  /** ms since the epoch: set by the producer, or by the broker with LogAppendTime. -1: none. */
  readonly timestamp: number
  readonly key: K
  readonly value: V
  readonly headers: Headers
}

/** The record type of a topic; of several, a union discriminated on `topic`. */
export type RecordOf<T extends TopicSelector> =
  T extends Topic<infer Name, infer K, infer V, any, any>
    ? ConsumerRecord<Name, K, V>
    : T extends TopicPattern<infer K, infer V>
      ? ConsumerRecord<string, K, V>
      : T extends string
        ? ConsumerRecord<T>
        : T extends RegExp
          ? ConsumerRecord
          : never

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** The text of a partition in messages, and its key in maps. */
export function partitionText({ topic, partition }: TopicPartition): string {
  return `${topic}[${partition}]`
}

/** Orders partitions by topic, then by number. */
export function byPlace(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.partition - b.partition
}
