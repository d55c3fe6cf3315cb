// Broker configuration: one table that yields types, validation, DescribeConfigs and docs/reference/configs.md.
// Names, types and defaults are Apache Kafka's where it has them. Defaults of topics: storage/config.ts. What can be changed
// while the broker runs: broker-configs.ts

import { existsSync, readFileSync } from 'node:fs'
import { KafkaError } from '../protocol/errors.ts'
import {
  anyList,
  flag,
  oneOf,
  row,
  topicConfigs,
  topicDefaultNames,
  topicDefaults,
  whole,
} from '../storage/config.ts'
import type { ConfigSpec } from '../storage/config.ts'
import { nearestName } from '../storage/nearest-name.ts'
import type { Overrides } from '../storage/store.ts'
import { kafkaConfigs, refuseAuthorizer } from './kafka-configs.ts'
import {
  listenersOf,
  parseAdvertised,
  parseListeners,
  parseProtocolMap,
  type ListenerConfig,
} from './listener-configs.ts'

const MIB = 1024 * 1024
/** The size of a larger frame would begin as a TLS hello does: net/first-bytes.ts. */
const FRAME_BYTES_MAX = 0x15ff_ffff

function fixedText(fallback: string, allowed: string, says: string): ConfigSpec<string> {
  return row('string', fallback, allowed, { says, readOnly: true }, (value) => value.trim())
}

/** Every property of the broker itself, in order of name. */
export const brokerConfigs = {
  'advertised.listeners': row(
    'list',
    '',
    'NAME://HOST:PORT, comma-separated, or HOST:PORT, or HOST; not 0.0.0.0 or ::, to which nobody can connect',
    {
      readOnly: true,
      says: 'The address that each listener tells its clients to connect to. Nothing: the one that they dialled.',
    },
    parseAdvertised,
  ),
  'auto.create.topics.enable': flag(true, {
    says: 'Whether asking for the metadata of a topic that does not exist creates it.',
  }),
  'connection.frame.timeout.ms': whole('int', 30_000, 1, {
    says: 'A connection whose request has not arrived whole after this time is closed.',
  }),
  'connection.held.max.bytes': whole('int', 4 * MIB, 1, {
    says: 'Requests of one connection that wait or run; above it the connection is not read. One request may be larger.',
  }),
  'connection.unsent.max.bytes': whole('int', MIB, 1, {
    says: 'Answers that a client has not yet taken; above it none of its further requests starts. One answer may be larger.',
  }),
  'connection.write.timeout.ms': whole('int', 30_000, 1, {
    says: 'A client that takes nothing of its answers for this time is disconnected.',
  }),
  'connections.max.idle.ms': whole('long', 600_000, 1, {
    says: 'A connection without a request for this time is closed.',
  }),
  'connections.unsent.max.bytes': whole('int', 128 * MIB, MIB, {
    says: 'Answers of all connections that clients have not yet taken; the fuller, the less a fetch reads at a time. Above it a connection that takes nothing is closed after 2 s.',
  }),
  'controller.listener.names': anyList({
    readOnly: true,
    says: 'Listeners in a configuration made for KRaft that this broker passes over, beside CONTROLLER.',
  }),
  'default.replication.factor': whole(
    'int',
    1,
    1,
    { readOnly: true, says: 'Replicas of a new topic. There is one node.' },
    1n,
  ),
  'delete.topic.enable': flag(true, { says: 'Whether topics can be deleted.' }),
  'fetch.max.bytes': whole('int', 57_671_680, 1024, {
    says: 'The most that one Fetch answers, unless its first batch alone is larger.',
  }),
  'fetch.max.wait.ms': whole('int', 500, 0, {
    says: 'The most that a Fetch waits for its first byte, whatever the client asks. Some clients do nothing else meanwhile.',
  }),
  'group.initial.rebalance.delay.ms': whole('int', 0, 0, {
    says: 'How long the first member of an empty group waits for others to join with it.',
  }),
  'group.max.session.timeout.ms': whole('int', 1_800_000, 1, {
    says: 'The longest session that a member of a group may ask for.',
  }),
  'group.max.size': whole('int', 2_147_483_647, 1, { says: 'Members of one group.' }),
  'group.min.session.timeout.ms': whole('int', 6000, 1, {
    says: 'The shortest session that a member of a group may ask for.',
  }),
  host: fixedText(
    '127.0.0.1,::1',
    'addresses, comma-separated',
    'The addresses of the listener PLAINTEXT, when there are no `listeners`. Others than loopback need `i.accept.unauthenticated.network`.',
  ),
  'http.host': fixedText(
    '127.0.0.1',
    'an address',
    'The address of the HTTP server for metrics and health.',
  ),
  'http.port': whole(
    'int',
    9644,
    -1,
    {
      readOnly: true,
      says: 'The port of the HTTP server for metrics and health; 0 for a free one, -1 for none.',
    },
    65_535n,
  ),
  'i.accept.unauthenticated.network': flag(false, {
    readOnly: true,
    says: 'Whether to listen on addresses that other machines reach, where anybody can read, write and delete everything.',
  }),
  'inbox.max.bytes': whole('int', 32 * MIB, MIB, {
    readOnly: true,
    says: 'Batches that wait for the writer; above it no connection is read.',
  }),
  'listener.security.protocol.map': row(
    'string',
    'PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'NAME:PROTOCOL, comma-separated',
    {
      readOnly: true,
      says: 'The security protocol of each listener. Only PLAINTEXT is served.',
    },
    parseProtocolMap,
  ),
  listeners: row(
    'list',
    '',
    'NAME://HOST:PORT, comma-separated',
    {
      readOnly: true,
      says: 'Where to listen, under which names. Without a host: on loopback. Nothing: `host` and `port` say where.',
    },
    parseListeners,
  ),
  'log.cleaner.backoff.ms': whole('long', 15_000, 0, {
    says: 'How often partitions are looked at that may be worth compacting.',
  }),
  'log.cleaner.dedupe.buffer.size': whole('long', 134_217_728, 1024, {
    says: 'Memory for the keys of one compaction, 24 bytes each. With more keys it takes several passes.',
  }),
  'log.cleaner.enable': flag(true, {
    says: 'Whether topics with `cleanup.policy=compact` are compacted, the internal ones among them.',
  }),
  'log.cleaner.io.max.bytes.per.second': row(
    'double',
    String(Number.MAX_VALUE),
    'more than 0',
    { says: 'The most that compaction reads and writes in a second, in bytes.' },
    (value) => (Number(value) > 0 ? Number(value) : undefined),
  ),
  'log.dir': row(
    'string',
    'data',
    'one directory',
    { says: 'Where everything is kept. `log.dirs` is the same.', readOnly: true },
    (value) => (value.includes(',') ? undefined : value.trim()),
  ),
  'log.disk.min.free.bytes': whole('long', 32 * MIB, 0, {
    says: 'Produce is refused while fewer bytes are free on the disk, so that deletes, commits and topics still find room; 0 for never.',
  }),
  'log.format': oneOf(['auto', 'text', 'json'], 'auto', {
    readOnly: true,
    says: 'How the process log is written; `auto` is text on a terminal, and JSON elsewhere.',
  }),
  'log.level': oneOf(['debug', 'info', 'warn', 'error', 'silent'], 'info', {
    says: 'How much the process log tells.',
  }),
  'log.retention.check.interval.ms': whole('long', 300_000, 1, {
    says: 'How often partitions are looked at that may hold records which are too old, or too many.',
  }),
  'log.retention.clock.grace.ms': whole('long', 86_400_000, 0, {
    says: 'A clock that leaps ahead by more than a day must stand for so long before records are deleted by it.',
  }),
  'log.scrub.interval.ms': whole('long', 604_800_000, -1, {
    says: 'Every segment is read once in this time, and every batch checked, so that rot is found before a consumer finds it; 0 or -1 for never.',
  }),
  'log.scrub.io.max.bytes.per.second': row(
    'double',
    String(16 * MIB),
    'at least 1024',
    { says: 'The most that the scrubber reads in a second, in bytes.' },
    (value) => (Number(value) >= 1024 ? Number(value) : undefined),
  ),
  'max.connections': whole('int', 20_000, 1, {
    says: 'Connections at the same time; never more than half of the files that the process may have open.',
  }),
  'max.connections.per.ip': whole('int', 2_147_483_647, 1, {
    says: 'Connections at the same time from one address.',
  }),
  'max.incremental.fetch.session.cache.slots': whole('int', 1000, 0, {
    readOnly: true,
    says: 'Fetch sessions at the same time. Consumers beyond them work without one.',
  }),
  'metrics.groups.max': whole('int', 1000, 0, {
    readOnly: true,
    says: 'Groups with metrics of their own; the others are counted together as `other`.',
  }),
  'metrics.topics.max': whole('int', 1000, 0, {
    readOnly: true,
    says: 'Topics with metrics of their own; the others are counted together as `other`.',
  }),
  'node.id': whole('int', 1, 0, {
    readOnly: true,
    says: 'The id of this node, which a data directory keeps for good: another one is refused. `broker.id` is the same.',
  }),
  'num.partitions': whole('int', 1, 1, {
    says: 'Partitions of a new topic, unless its creator says.',
  }),
  'offset.metadata.max.bytes': whole('int', 4096, 0, {
    says: 'The most that a client may store beside a committed offset.',
  }),
  'offsets.retention.check.interval.ms': whole('long', 600_000, 1, {
    readOnly: true,
    says: 'How often committed offsets are looked at that may have expired.',
  }),
  'offsets.retention.minutes': whole('int', 10_080, 1, {
    says: 'How long a group without members keeps its committed offsets.',
  }),
  port: whole(
    'int',
    9092,
    0,
    {
      readOnly: true,
      says: 'The port of the listener PLAINTEXT, when there are no `listeners`; 0 for a free one.',
    },
    65_535n,
  ),
  'producer.id.expiration.ms': whole('int', 86_400_000, 1, {
    readOnly: true,
    says: 'A partition forgets what it knows of a producer that has not written to it for this time: its sequence numbers start from anywhere then.',
  }),
  'queued.max.request.bytes': whole('long', 256 * MIB, MIB, {
    says: 'Requests of all connections that arrive, wait or run; above it no connection is read.',
  }),
  'response.max.bytes': whole('int', 32 * MIB, MIB, {
    says: 'The largest answer, records not counted. One that would be larger is refused while it is made.',
  }),
  'shutdown.timeout.ms': whole('int', 8000, 0, {
    says: 'How long a stopping broker lets clients take the answers to what they have asked.',
  }),
  'socket.request.max.bytes': whole(
    'int',
    104_857_600,
    64 * 1024,
    { readOnly: true, says: 'The largest request.' },
    BigInt(FRAME_BYTES_MAX),
  ),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': whole('int', 10_000, 1, {
    readOnly: true,
    says: 'How often transactions are looked for that have run for too long, and aborted.',
  }),
  'transaction.max.timeout.ms': whole('int', 900_000, 1, {
    says: 'The longest time that a producer may ask for its transactions.',
  }),
  'transaction.remove.expired.transaction.cleanup.interval.ms': whole('int', 3_600_000, 1, {
    readOnly: true,
    says: 'How often transactional ids are looked for that have expired.',
  }),
  'transactional.id.expiration.ms': whole('int', 604_800_000, 1, {
    says: 'A transactional id that nobody has used for this long is forgotten.',
  }),
} as const satisfies Record<string, ConfigSpec>

type BrokerConfigName = keyof typeof brokerConfigs

/** Every property of the broker, parsed. Bytes, ms. */
export type BrokerConfig = {
  readonly [Name in BrokerConfigName]: (typeof brokerConfigs)[Name] extends ConfigSpec<infer Value>
    ? Value
    : never
}

const brokerConfigNames = Object.keys(brokerConfigs) as BrokerConfigName[]
const topicDefaultBrokerNames = topicDefaultNames.map(([brokerName]) => brokerName)

/** Kafka's other names for the same property. */
const otherNames: Readonly<Record<string, BrokerConfigName>> = {
  'broker.id': 'node.id',
  'log.dirs': 'log.dir',
}

/** Every name that a flag, the environment or a file may set. */
const configNames: ReadonlySet<string> = new Set([
  ...brokerConfigNames,
  ...topicDefaultBrokerNames,
  ...Object.keys(otherNames),
  ...Object.keys(kafkaConfigs),
])

/** A name by which the property is kept: its own, when this is Kafka's other name for it. */
export function ownName(name: string): string {
  return Object.hasOwn(otherNames, name) ? otherNames[name]! : name
}

export function isConfigName(name: string): boolean {
  return configNames.has(name)
}

/** Properties as text by name, and where they come from, for messages: 'flag', '/etc/millrace.yaml'. */
export interface ConfigSource {
  readonly origin: string
  readonly properties: Readonly<Record<string, string>>
}

/** What the properties come to. */
export interface ParsedConfig {
  readonly broker: BrokerConfig
  /** Defaults of topic configs that broker properties set: text by topic property name. */
  readonly topicDefaults: Overrides
}

export interface Settings extends ParsedConfig {
  /** What was set, as text by property name, and by whom. Everything else has its default. */
  readonly given: ReadonlyMap<string, { readonly text: string; readonly origin: string }>
  readonly listeners: readonly ListenerConfig[]
  /** Which of them have no effect, and why. */
  readonly notes: readonly string[]
}

/**
 * @param sources the first one that sets a property wins
 * @throws {KafkaError} INVALID_CONFIG: what, where, and what to try
 */
export function readSettings(sources: readonly ConfigSource[]): Settings {
  const given = new Map<string, { text: string; origin: string }>()
  for (const { origin, properties } of sources) {
    for (const [anyName, text] of Object.entries(properties)) {
      if (!isConfigName(anyName)) throw unknownProperty(anyName, origin)
      const name = ownName(anyName)
      const set = given.get(name)
      if (set === undefined) given.set(name, { text, origin })
      else if (set.origin === origin && set.text !== text)
        throw new KafkaError('INVALID_CONFIG', `${name} is set under two names (${origin})`)
    }
  }
  refuseAuthorizer(given.get('authorizer.class.name')?.text)
  const config = parseConfig(given)
  const notes: string[] = []
  const listeners = listenersOf(config.broker, given, (message) => notes.push(message))
  return { ...config, given, listeners, notes }
}

/**
 * @param given known names only; all others have their defaults
 * @throws {KafkaError} INVALID_CONFIG: what, where, and what is allowed
 */
export function parseConfig(given: Settings['given']): ParsedConfig {
  const broker: Record<string, unknown> = {}
  for (const name of brokerConfigNames) {
    const { default: text } = brokerConfigs[name]
    broker[name] = parsed(name, brokerConfigs[name], given.get(name) ?? { text, origin: 'default' })
  }
  for (const [name, set] of given) {
    if (Object.hasOwn(kafkaConfigs, name)) parsed(name, kafkaConfigs[name]!, set)
  }
  const texts = Object.fromEntries([...given].map(([name, { text }]) => [name, text]))
  return { broker: broker as BrokerConfig, topicDefaults: topicDefaults(texts) }
}

/** @throws {KafkaError} INVALID_CONFIG */
function parsed(
  name: string,
  spec: ConfigSpec,
  { text, origin }: { readonly text: string; readonly origin: string },
): unknown {
  const value = spec.parse(text)
  if (value !== undefined) return value
  const shown = spec.type === 'password' ? '...' : text
  const message = `${name}=${shown} (${origin}): want ${spec.allowed} (${spec.type})`
  throw new KafkaError('INVALID_CONFIG', message)
}

/** The property's row, or that of the topic configuration whose default it sets. @throws {KafkaError} INVALID_CONFIG */
export function configSpec(name: string, origin: string): ConfigSpec {
  const own = ownName(name)
  if (Object.hasOwn(brokerConfigs, own)) return brokerConfigs[own as BrokerConfigName]
  if (Object.hasOwn(kafkaConfigs, own)) return kafkaConfigs[own]!
  const [, topicName, unitMs] = topicDefaultNames.find(([known]) => known === name) ?? []
  if (topicName === undefined) throw unknownProperty(name, origin)
  const spec: ConfigSpec = topicConfigs[topicName]
  if (unitMs === undefined || unitMs === 1) return spec
  const fallback = String(Number(spec.default) / unitMs)
  return { ...spec, default: fallback, isReadOnly: true } // in hours or minutes: Kafka reads those at start only
}

function unknownProperty(name: string, origin: string): KafkaError {
  const nearest = nearestName(name, configNames)
  const hint =
    nearest === undefined ? 'docs/reference/configs.md lists them all' : `did you mean ${nearest}?`
  return new KafkaError(
    'INVALID_CONFIG',
    `unknown property ${name.slice(0, 256)} (${origin}); ${hint}`,
  )
}

/** Environment variables of the clients, which the broker passes over. */
const CLIENT_VARIABLES = new Set(
  [
    'BROKERS PROFILE TLS CA CERT CERT_KEY KEY_PASSWORD KEY_PASSWORD_FILE SASL USER PASSWORD PASSWORD_FILE',
    'TOKEN_COMMAND TOKEN_URL CLIENT_ID CLIENT_SECRET CLIENT_SECRET_FILE SCOPE EXTENSIONS',
  ].flatMap((names) => names.split(' ').map((name) => `MILLRACE_${name}`)),
)

/** What Kubernetes sets in every container beside a service called millrace: MILLRACE_SERVICE_HOST, MILLRACE_PORT=tcp://... */
const SERVICE_LINK = /^MILLRACE_(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT_\d+_(?:TCP|UDP)(?:_\w+)?)$/

/**
 * MILLRACE_LOG_RETENTION_MS sets log.retention.ms. A variable that sets nothing is passed over: the environment is shared with
 * others, who may have set it.
 *
 * @param warn hears of variables that name no property
 */
export function environmentSource(
  environment: Readonly<Record<string, string | undefined>>,
  warn: (message: string) => void,
): ConfigSource {
  const properties: Record<string, string> = {}
  for (const [variable, value] of Object.entries(environment)) {
    if (value === undefined || !variable.startsWith('MILLRACE_')) continue
    if (CLIENT_VARIABLES.has(variable) || isServiceLink(variable, value)) continue
    const name = variable.slice('MILLRACE_'.length).toLowerCase().replaceAll('_', '.')
    if (isConfigName(name)) properties[name] = value
    else warn(`${variable} is passed over: ${unknownProperty(name, 'environment').message}`)
  }
  return { origin: 'environment', properties }
}

function isServiceLink(variable: string, value: string): boolean {
  return (
    SERVICE_LINK.test(variable) || (variable === 'MILLRACE_PORT' && /^(?:tcp|udp):/.test(value))
  )
}

/**
 * A YAML file of property: value lines.
 *
 * @param isOptional a missing file sets nothing
 * @throws {KafkaError} INVALID_CONFIG when it cannot be read or is no such file
 */
export async function fileSource(path: string, isOptional = false): Promise<ConfigSource> {
  if (isOptional && !existsSync(path)) return { origin: path, properties: {} }
  const { parse } = await import('yaml') // not before: it takes a tenth of a start
  let document: unknown
  try {
    document = parse(readFileSync(path, 'utf8')) ?? {}
  } catch (error) {
    throw new KafkaError('INVALID_CONFIG', `${path}: ${(error as Error).message}`, { cause: error })
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new KafkaError('INVALID_CONFIG', `${path}: want lines of the form "num.partitions: 3"`)
  }
  const entries = Object.entries(document).map(([name, value]) => [
    name,
    scalarText(name, value, path),
  ])
  return { origin: path, properties: Object.fromEntries(entries) }
}

function scalarText(name: string, value: unknown, path: string): string {
  if (Array.isArray(value)) return value.map((item) => scalarText(name, item, path)).join(',')
  if (['string', 'number', 'boolean'].includes(typeof value)) return String(value)
  throw new KafkaError('INVALID_CONFIG', `${name} (${path}): want one value, or a list of values`)
}
