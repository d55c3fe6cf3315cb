// Topic configuration: one table that yields types, validation, DescribeConfigs and docs/reference/configs.md.
// Any thread. Names, types and defaults are Apache Kafka's; `flush.policy` and `record.check` are our own.

import { KafkaError } from '../protocol/errors.ts'
import { nearestName } from './nearest-name.ts'
import type { RecordRules } from './record-rules.ts'
import type { LogConfig } from './log-facts.ts'

/** Kafka's names for the types of configuration values. */
export type ConfigType =
  | 'boolean'
  | 'string'
  | 'int'
  | 'short'
  | 'long'
  | 'double'
  | 'list'
  | 'class'
  | 'password'

export interface ConfigSpec<Value = unknown> {
  readonly type: ConfigType
  readonly default: string
  /** The allowed values, for messages and the reference page: '>= 0', 'one of a, b'. */
  readonly allowed: string
  /** The broker property that sets the default of every topic; undefined when there is none. */
  readonly brokerName: string | undefined
  readonly documentation: string
  /** Accepted, kept and shown, but without effect in the broker. */
  readonly inert: boolean
  /** The broker reads the property only at its start, so it cannot change while the broker runs. */
  readonly isReadOnly: boolean
  /** @returns undefined for a value that is not allowed */
  parse(text: string): Value | undefined
}

/** The longest string of Kafka's older message versions: DescribeConfigs could not return a longer value. */
export const TEXT_BYTES_MAX = 32_767
const MESSAGE_CHARS_MAX = 256

const LONG_MAX = 2n ** 63n - 1n
const INT_MAX = 2n ** 31n - 1n

/** The columns of a row that do not depend on its type. */
export interface Prose {
  readonly broker?: string
  readonly says: string
  readonly inert?: true
  readonly readOnly?: true
}

export function row<Value>(
  type: ConfigType,
  fallback: string,
  allowed: string,
  prose: Prose,
  parse: (text: string) => Value | undefined,
): ConfigSpec<Value> {
  return {
    type,
    default: fallback,
    allowed,
    brokerName: prose.broker,
    documentation: prose.inert ? `No effect. ${prose.says}` : prose.says,
    inert: prose.inert ?? false,
    isReadOnly: prose.readOnly ?? false,
    parse: (text) => (Buffer.byteLength(text) > TEXT_BYTES_MAX ? undefined : parse(text)),
  }
}

/** A value above 2^53 is rounded: such values mean "never" or "no limit". */
export function whole(
  type: 'int' | 'long',
  fallback: number | bigint | string,
  min: number | bigint,
  prose: Prose,
  max = type === 'int' ? INT_MAX : LONG_MAX,
): ConfigSpec<number> {
  return row(type, String(fallback), `${min} to ${max}`, prose, (text) => {
    if (!/^[+-]?\d{1,19}$/.test(text.trim())) return undefined
    const value = BigInt(text.trim().replace('+', ''))
    return value >= BigInt(min) && value <= max ? Number(value) : undefined
  })
}

function fraction(fallback: number, prose: Prose): ConfigSpec<number> {
  return row('double', String(fallback), '0 to 1', prose, (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    return value >= 0 && value <= 1 ? value : undefined
  })
}

export function flag(fallback: boolean, prose: Prose): ConfigSpec<boolean> {
  return row('boolean', String(fallback), 'true or false', prose, (text) => {
    const word = text.trim().toLowerCase()
    return word === 'true' ? true : word === 'false' ? false : undefined
  })
}

export function oneOf<const Word extends string>(
  words: readonly Word[],
  fallback: NoInfer<Word>,
  prose: Prose,
): ConfigSpec<Word> {
  return row('string', fallback, `one of ${words.join(', ')}`, prose, (text) =>
    words.find((word) => word === text.trim()),
  )
}

/** A comma-separated list, empty or with repetitions; parsed, each word is there once. */
function someOf<const Word extends string>(
  words: readonly Word[],
  fallback: NoInfer<Word>,
  prose: Prose,
): ConfigSpec<readonly Word[]> {
  return row('list', fallback, `any of ${words.join(', ')}, or nothing`, prose, (text) => {
    const given = listItems(text).map((item) => words.find((word) => word === item))
    const known = given.filter((word) => word !== undefined)
    return known.length === given.length ? [...new Set(known)] : undefined
  })
}

export function anyList(prose: Prose, fallback = ''): ConfigSpec<readonly string[]> {
  return row('list', fallback, 'comma-separated', prose, listItems)
}

/** An empty text has no items; two commas have an empty item between them. */
export function listItems(text: string): string[] {
  return text.trim() === '' ? [] : text.split(',').map((item) => item.trim())
}

/** Every topic configuration, in order of name. */
export const topicConfigs = {
  'cleanup.policy': someOf(['delete', 'compact'], 'delete', {
    broker: 'log.cleanup.policy',
    says: 'How the broker removes old records: `delete` deletes whole segments by age or size, `compact` keeps only the latest record of each key. Empty: all records stay.',
  }),
  'compression.gzip.level': whole('int', -1, -1, {
    broker: 'compression.gzip.level',
    says: 'Level for gzip when the broker itself compresses. Batches are stored as the producer compressed them.',
    inert: true,
  }),
  'compression.lz4.level': whole('int', 9, 1, {
    broker: 'compression.lz4.level',
    says: 'Level for lz4 when the broker itself compresses. Batches are stored as the producer compressed them.',
    inert: true,
  }),
  'compression.type': oneOf(
    ['producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'],
    'producer',
    {
      broker: 'compression.type',
      says: 'The codec of stored batches. Only `producer`, which keeps the codec of the producer, has an effect: the broker recompresses nothing.',
      inert: true,
    },
  ),
  'compression.zstd.level': whole('int', 3, -131072, {
    broker: 'compression.zstd.level',
    says: 'Level for zstd when the broker itself compresses. Batches are stored as the producer compressed them.',
    inert: true,
  }),
  'delete.retention.ms': whole('long', 86_400_000, 0, {
    broker: 'log.cleaner.delete.retention.ms',
    says: 'How long a compacted topic keeps the tombstone of a deleted key, so that consumers can read it.',
  }),
  'file.delete.delay.ms': whole('long', 60_000, 0, {
    broker: 'log.segment.delete.delay.ms',
    says: 'The time between removing a segment from the log and deleting its files, unless the disk is full.',
  }),
  'flush.messages': whole('long', LONG_MAX, 1, {
    broker: 'log.flush.interval.messages',
    says: 'Records between forced syncs. Superseded by `flush.policy`.',
    inert: true,
  }),
  'flush.ms': whole('long', LONG_MAX, 0, {
    broker: 'log.flush.interval.ms',
    says: 'Time between forced syncs. Superseded by `flush.policy`.',
    inert: true,
  }),
  'flush.policy': oneOf(['fsync', 'os'], 'fsync', {
    broker: 'flush.policy',
    says: 'When the broker acknowledges a produced batch: `fsync` after a sync to disk, `os` once the operating system has it (a power failure may lose it).',
  }),
  'follower.replication.throttled.replicas': anyList({
    says: 'Replicas whose replication is throttled. There is one node, hence no replication.',
    inert: true,
  }),
  'index.interval.bytes': whole('int', 4096, 0, {
    broker: 'log.index.interval.bytes',
    says: 'Log bytes between two entries of the offset index.',
  }),
  'leader.replication.throttled.replicas': anyList({
    says: 'Replicas whose replication is throttled. There is one node, hence no replication.',
    inert: true,
  }),
  'local.retention.bytes': whole('long', -2, -2, {
    broker: 'log.local.retention.bytes',
    says: 'Bytes kept locally with tiered storage, which millrace does not have.',
    inert: true,
  }),
  'local.retention.ms': whole('long', -2, -2, {
    broker: 'log.local.retention.ms',
    says: 'Time kept locally with tiered storage, which millrace does not have.',
    inert: true,
  }),
  'max.compaction.lag.ms': whole('long', LONG_MAX, 1, {
    broker: 'log.cleaner.max.compaction.lag.ms',
    says: 'The longest time that a record of a compacted topic may wait for compaction, if records keep coming: the broker rolls its segment by then.',
  }),
  'max.message.bytes': whole('int', 1_048_588, 0, {
    broker: 'message.max.bytes',
    says: 'The largest record batch that the broker accepts, in bytes after compression.',
  }),
  'message.timestamp.after.max.ms': whole('long', 3_600_000, 0, {
    broker: 'log.message.timestamp.after.max.ms',
    says: 'How far in the future a record timestamp may lie with CreateTime.',
  }),
  'message.timestamp.before.max.ms': whole('long', LONG_MAX, 0, {
    broker: 'log.message.timestamp.before.max.ms',
    says: 'How far in the past a record timestamp may lie with CreateTime.',
  }),
  'message.timestamp.type': oneOf(['CreateTime', 'LogAppendTime'], 'CreateTime', {
    broker: 'log.message.timestamp.type',
    says: 'Whether records keep the timestamp of their producer or get the time of the append.',
  }),
  'min.cleanable.dirty.ratio': fraction(0.5, {
    broker: 'log.cleaner.min.cleanable.ratio',
    says: 'The part of a log that must be uncompacted before the cleaner compacts it again.',
  }),
  'min.compaction.lag.ms': whole('long', 0, 0, {
    broker: 'log.cleaner.min.compaction.lag.ms',
    says: 'How long compaction leaves a new record untouched.',
  }),
  'min.insync.replicas': whole('int', 1, 1, {
    broker: 'min.insync.replicas',
    says: 'Replicas that must have a batch before the broker answers acks=all, or all if there are fewer. There is one.',
    inert: true,
  }),
  preallocate: flag(false, {
    broker: 'log.preallocate',
    says: 'Whether files are allocated in full when a segment is created.',
    inert: true,
  }),
  'quarantine.policy': oneOf(['error', 'skip'], 'error', {
    broker: 'quarantine.policy',
    says: 'How the broker answers fetches of damaged records: `error` with CORRUPT_MESSAGE until the consumer seeks past them, `skip` with the records after them, as if they had been compacted.',
  }),
  'record.check': oneOf(['record', 'batch'], 'record', {
    broker: 'record.check',
    says: 'What the broker checks before it stores a produced batch: `record` every record, compressed ones too, `batch` only the header and the checksum. A compacted topic always has `record`.',
  }),
  'record.check.max.bytes': whole('int', 67_108_864, 1, {
    broker: 'record.check.max.bytes',
    says: 'The largest compressed batch that the broker accepts with `record.check=record`, in bytes after decompression.',
  }),
  'remote.log.copy.disable': flag(false, {
    says: 'Stops copying to tiered storage, which millrace does not have.',
    inert: true,
  }),
  'remote.log.delete.on.disable': flag(false, {
    says: 'Deletes records in tiered storage, which millrace does not have.',
    inert: true,
  }),
  'remote.storage.enable': flag(false, {
    says: 'Tiered storage, which millrace does not have.',
    inert: true,
  }),
  'retention.bytes': whole('long', -1, -1, {
    broker: 'log.retention.bytes',
    says: 'Bytes that a partition keeps: the broker deletes the oldest segment while the others have at least this size; -1 for no limit.',
  }),
  'retention.ms': whole('long', 604_800_000, -1, {
    broker: 'log.retention.ms',
    says: 'The broker deletes a segment when its latest record is older than this; -1 for never.',
  }),
  'segment.bytes': whole('int', 1_073_741_824, 14, {
    broker: 'log.segment.bytes',
    says: 'The size at which the broker rolls a segment. Kafka 4 requires at least 1 MiB; smaller ones are useful in tests.',
  }),
  'segment.index.bytes': whole('int', 10_485_760, 4, {
    broker: 'log.index.size.max.bytes',
    says: 'The size of an index at which the broker rolls its segment.',
  }),
  'segment.jitter.ms': whole('long', 0, 0, {
    broker: 'log.roll.jitter.ms',
    says: 'The most that the broker subtracts from `segment.ms` at random, so that segments do not all roll at once.',
  }),
  'segment.ms': whole('long', 604_800_000, 1, {
    broker: 'log.roll.ms',
    says: 'The age at which the broker rolls a segment that is not full.',
  }),
  'unclean.leader.election.enable': flag(false, {
    broker: 'unclean.leader.election.enable',
    says: 'Whether a replica that lags may lead. There is one node, hence no election.',
    inert: true,
  }),
} as const satisfies Record<string, ConfigSpec>

export type TopicConfigName = keyof typeof topicConfigs

/** Every topic configuration, parsed. Bytes, ms. */
export type TopicConfig = {
  readonly [Name in TopicConfigName]: (typeof topicConfigs)[Name] extends ConfigSpec<infer Value>
    ? Value
    : never
}

export const topicConfigNames = Object.keys(topicConfigs) as TopicConfigName[]

/** The error for a value that `spec` does not allow. */
export function valueRefused(
  name: string,
  text: string,
  { allowed, type }: ConfigSpec,
): KafkaError {
  const value = text.slice(0, MESSAGE_CHARS_MAX)
  return new KafkaError('INVALID_CONFIG', `${name}=${value}: want ${allowed} (${type})`)
}

/** @throws {KafkaError} INVALID_CONFIG for an unknown name, with the nearest known one */
export function topicConfigSpec(name: string): ConfigSpec {
  if (Object.hasOwn(topicConfigs, name)) return topicConfigs[name as TopicConfigName]
  const nearest = nearestName(name, topicConfigNames)
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`
  throw new KafkaError('INVALID_CONFIG', `unknown topic configuration ${name.slice(0, 256)}${hint}`)
}

/**
 * Every configuration of a topic: its own overrides, else the broker's defaults, else Kafka's.
 *
 * @param overrides text by topic property name
 * @throws {KafkaError} INVALID_CONFIG, which names the property and the allowed values
 */
export function parseTopicConfig(
  overrides: Readonly<Record<string, string>>,
  defaults: Readonly<Record<string, string>> = {},
): TopicConfig {
  for (const name of Object.keys(overrides)) topicConfigSpec(name)
  const parsed: Record<string, unknown> = {}
  for (const name of topicConfigNames) {
    const spec: ConfigSpec = topicConfigs[name]
    const text = overrides[name] ?? defaults[name] ?? spec.default
    const value = spec.parse(text)
    if (value === undefined) {
      throw valueRefused(name, text, spec)
    }
    parsed[name] = value
  }
  return parsed as TopicConfig
}

/** Kafka's broker properties in larger units; the one in ms wins. */
const coarserNames = [
  ['log.retention.minutes', 'retention.ms', 60_000],
  ['log.retention.hours', 'retention.ms', 3_600_000],
  ['log.roll.hours', 'segment.ms', 3_600_000],
  ['log.roll.jitter.hours', 'segment.jitter.ms', 3_600_000],
] as const

/** Broker properties that set topic defaults, with their units; of two for the same default the first wins. */
export const topicDefaultNames: readonly (readonly [
  brokerName: string,
  topicName: TopicConfigName,
  unitMs: number,
])[] = [
  ...topicConfigNames.flatMap((name) => {
    const { brokerName } = topicConfigs[name] as ConfigSpec
    return brokerName === undefined ? [] : [[brokerName, name, 1] as const]
  }),
  ...coarserNames,
]

/**
 * The defaults that broker properties (`log.retention.hours`, `message.max.bytes`, ...) set for all topics.
 *
 * @param properties those not in `topicDefaultNames` are ignored
 * @returns checked text by topic property name
 * @throws {KafkaError} INVALID_CONFIG, which names the broker property
 */
export function topicDefaults(
  properties: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const defaults: Record<string, string> = {}
  for (const [brokerName, name, unitMs] of topicDefaultNames) {
    const text = properties[brokerName]
    if (text === undefined || defaults[name] !== undefined) continue
    const inUnit = unitMs === 1 || Number(text) < 0 ? text : String(Number(text) * unitMs)
    const spec: ConfigSpec = topicConfigs[name]
    if (spec.parse(inUnit) === undefined) {
      throw new KafkaError(
        'INVALID_CONFIG',
        `${brokerName}=${text}: want ${spec.allowed} (${spec.type})`,
      )
    }
    defaults[name] = inUnit
  }
  return defaults
}

/** The rules by which the topic accepts batches. */
export function recordRules(config: TopicConfig): RecordRules {
  const isCompacted = config['cleanup.policy'].includes('compact')
  const isOwnTime = config['message.timestamp.type'] === 'LogAppendTime'
  return {
    isEachChecked: isCompacted || config['record.check'] === 'record',
    isKeyRequired: isCompacted,
    decompressedBytesMax: config['record.check.max.bytes'],
    timestampBeforeMaxMs: isOwnTime ? Infinity : config['message.timestamp.before.max.ms'],
    timestampAfterMaxMs: isOwnTime ? Infinity : config['message.timestamp.after.max.ms'],
  }
}

/** The part that the writer acts on. */
export function logConfig(config: TopicConfig): LogConfig {
  const isCompacted = config['cleanup.policy'].includes('compact')
  return {
    segmentBytesMax: config['segment.bytes'],
    segmentMs: isCompacted
      ? Math.min(config['segment.ms'], config['max.compaction.lag.ms'])
      : config['segment.ms'],
    segmentJitterMs: config['segment.jitter.ms'],
    indexIntervalBytes: config['index.interval.bytes'],
    indexBytesMax: config['segment.index.bytes'],
    flushPolicy: config['flush.policy'],
    timestampType: config['message.timestamp.type'],
    fileDeleteDelayMs: config['file.delete.delay.ms'],
    records: recordRules(config),
    isCompacted,
  }
}
