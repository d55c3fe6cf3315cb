// Broker configuration: one table that yields types, validation, DescribeConfigs and docs/reference/configs.md.
// Names, types and defaults are Apache Kafka's where it has them. Defaults of topics: storage/config.ts. What can be changed
// while the broker runs: broker-configs.ts

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
import { parseAuthorizer, parseSuperUsers, STANDARD_AUTHORIZER } from './auth/configs.ts'
import { nearestName } from '../storage/nearest-name.ts'
import type { Overrides } from '../storage/store.ts'
import {
  listenerPropertyName,
  type GivenProperties,
  type GivenProperty,
} from './listener-properties.ts'
import { kafkaConfigs } from './kafka-configs.ts'
import { parseAddressCounts } from './address-counts.ts'
import { quotaConfigs } from './quota/windows.ts'
import { httpConfigOf, isHttpExposed, type HttpConfig } from './http-configs.ts'
import { saslConfigs } from './sasl/sasl-configs.ts'
import {
  isExposed,
  listenersOf,
  parseAdvertised,
  parseListeners,
  parseProtocolMap,
  type ListenerConfig,
} from './listener-configs.ts'
import { tlsConfigs } from './tls/tls-configs.ts'

const MIB = 1024 * 1024
/** Kafka's. */
const PRINCIPAL_BUILDER =
  'org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder'
/** Characters of a name that a message shows. */
const NAME_CHARS_SHOWN = 256
/** An unknown name in a file made for Apache Kafka is a slip if it differs by this, and else a plug-in's. */
const SLIP_EDITS_MAX = 2
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
    'NAME://HOST:PORT, comma-separated, or HOST:PORT, or HOST; not 0.0.0.0 or ::, to which no client can connect',
    {
      readOnly: true,
      says: 'The address that each listener tells its clients to connect to. Empty: the one that the client dialled.',
    },
    parseAdvertised,
  ),
  'allow.everyone.if.no.acl.found': flag(false, {
    readOnly: true,
    says: 'Whether everybody may do everything with a resource that no ACL is about. Needs `authorizer.class.name`.',
  }),
  'authorizer.class.name': row(
    'string',
    '',
    `empty, or ${STANDARD_AUTHORIZER}`,
    {
      readOnly: true,
      says: 'What decides who may do what. Empty: everybody may do everything, and there are no ACLs.',
    },
    parseAuthorizer,
  ),
  'auto.create.topics.enable': flag(true, {
    says: 'Whether a Metadata request for a topic that does not exist creates it.',
  }),
  'connection.frame.timeout.ms': whole('int', 30_000, 1, {
    says: 'The broker closes a connection whose request is still incomplete after this time.',
  }),
  'connection.handshake.timeout.ms': whole('int', 10_000, 1, {
    says: 'The broker closes a connection whose TLS handshake is not done after this time.',
  }),
  'connection.held.max.bytes': whole('int', 4 * MIB, 1, {
    says: 'Bytes of requests of one connection that wait or run; above it the broker stops reading from the connection. One request may be larger.',
  }),
  'connection.unsent.max.bytes': whole('int', MIB, 1, {
    says: 'Bytes of answers that a client has not yet read; above it the broker starts no further request of the client. One answer may be larger.',
  }),
  'connection.write.timeout.ms': whole('int', 30_000, 1, {
    says: 'The broker disconnects a client that reads nothing of its answers for this time.',
  }),
  'connections.max.idle.ms': whole('long', 600_000, 1, {
    says: 'The broker closes a connection without a request for this time.',
  }),
  'connections.unsent.max.bytes': whole('int', 128 * MIB, MIB, {
    says: 'Bytes of answers of all connections that clients have not yet read. The less room is left, the less a fetch reads at a time. Above it the broker closes a connection that reads nothing for 2 s.',
  }),
  'controller.listener.names': anyList({
    readOnly: true,
    says: 'Listeners in a configuration made for KRaft that this broker ignores, beside CONTROLLER.',
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
    says: 'The most bytes of one Fetch response, unless its first batch alone is larger.',
  }),
  'fetch.max.wait.ms': whole('int', 500, 0, {
    says: 'The longest time that a Fetch waits for data, whatever the client asks. Some clients do nothing else meanwhile.',
  }),
  'group.initial.rebalance.delay.ms': whole('int', 0, 0, {
    says: 'How long the first member of an empty group waits for others to join with it.',
  }),
  'group.max.session.timeout.ms': whole('int', 1_800_000, 1, {
    says: 'The longest session timeout of a group member.',
  }),
  'group.max.size': whole('int', 2_147_483_647, 1, { says: 'The most members of one group.' }),
  'group.min.session.timeout.ms': whole('int', 6000, 1, {
    says: 'The shortest session timeout of a group member.',
  }),
  host: fixedText(
    '127.0.0.1,::1',
    'addresses, comma-separated',
    'The addresses of the listener PLAINTEXT, without `listeners`. Other addresses than loopback need TLS with `ssl.client.auth=required`, SASL_SSL, or `i.accept.unauthenticated.network`.',
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
  'http.security.protocol': oneOf(['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'], 'PLAINTEXT', {
    readOnly: true,
    says: 'What lies between the HTTP server and its clients: SSL is HTTPS; with SASL a client sends a user and password (Basic), or a token (Bearer). `http.ssl...` and `http.sasl...` go before the properties of all listeners.',
  }),
  'i.accept.unauthenticated.network': flag(false, {
    readOnly: true,
    says: 'Whether listeners that other machines can reach may let clients in without a password or certificate, or without encryption.',
  }),
  'inbox.max.bytes': whole('int', 32 * MIB, MIB, {
    readOnly: true,
    says: 'Bytes of batches that wait for the writer; above it the broker reads from no connection.',
  }),
  'listener.security.protocol.map': row(
    'string',
    'PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'NAME:PROTOCOL, comma-separated',
    {
      readOnly: true,
      says: 'The security protocol of each listener: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.',
    },
    parseProtocolMap,
  ),
  listeners: row(
    'list',
    '',
    'NAME://HOST:PORT, comma-separated',
    {
      readOnly: true,
      says: 'The names and addresses of the listeners. A listener without a host listens on loopback. Empty: one listener on `host` and `port`.',
    },
    parseListeners,
  ),
  'log.cleaner.backoff.ms': whole('long', 15_000, 0, {
    says: 'How often the cleaner looks for partitions to compact.',
  }),
  'log.cleaner.dedupe.buffer.size': whole('long', 134_217_728, 1024, {
    says: 'Memory for the keys of one compaction, 24 bytes each. With more keys it takes several passes.',
  }),
  'log.cleaner.enable': flag(true, {
    says: 'Whether the broker compacts topics with `cleanup.policy=compact`, internal ones included.',
  }),
  'log.cleaner.io.max.bytes.per.second': row(
    'double',
    String(Number.MAX_VALUE),
    'more than 0',
    { says: 'The most bytes that compaction reads and writes per second.' },
    (value) => (Number(value) > 0 ? Number(value) : undefined),
  ),
  'log.dir': row(
    'string',
    'data',
    'one directory, without a comma: there is one, and the data in others would not be read',
    { says: 'The data directory. `log.dirs` is the same.', readOnly: true },
    (value) => (value.includes(',') ? undefined : value.trim()),
  ),
  'log.disk.min.free.bytes': whole('long', 32 * MIB, 0, {
    says: 'The broker refuses Produce while fewer bytes are free on the disk, so that deletions, commits and new topics still have room; 0 for never.',
  }),
  'log.format': oneOf(['auto', 'text', 'json'], 'auto', {
    readOnly: true,
    says: 'The format of the process log; `auto` is text on a terminal, and JSON elsewhere.',
  }),
  'log.level': oneOf(['debug', 'info', 'warn', 'error', 'silent'], 'info', {
    says: 'The lowest level of messages in the process log.',
  }),
  'log.retention.check.interval.ms': whole('long', 300_000, 1, {
    says: 'How often the broker looks for segments that retention may delete.',
  }),
  'log.retention.clock.grace.ms': whole('long', 86_400_000, 0, {
    says: 'If the clock jumps ahead by more than a day, retention uses the new time only after this time.',
  }),
  'log.scrub.interval.ms': whole('long', 604_800_000, -1, {
    says: 'The scrubber reads every segment and checks every batch once in this time, to find damage before a consumer does; 0 or -1 for never.',
  }),
  'log.scrub.io.max.bytes.per.second': row(
    'double',
    String(16 * MIB),
    'at least 1024',
    { says: 'The most bytes that the scrubber reads per second.' },
    (value) => (Number(value) >= 1024 ? Number(value) : undefined),
  ),
  'max.connection.creation.rate': whole('int', 2_147_483_647, 0, {
    says: 'New connections per second, measured as quotas are; those above it wait for their turn.',
  }),
  'max.connections': whole('int', 20_000, 1, {
    says: 'The most open connections; never more than half of the files that the process may open.',
  }),
  'max.connections.per.ip': whole('int', 2_147_483_647, 1, {
    says: 'The most open connections from one address.',
  }),
  'max.connections.per.ip.overrides': row<ReadonlyMap<string, number>>(
    'string',
    '',
    'ADDRESS:NUMBER, comma-separated',
    { says: 'The most open connections of single addresses, instead of `max.connections.per.ip`.' },
    parseAddressCounts,
  ),
  'max.handshake.rate.per.ip': whole('int', 100, 1, {
    says: 'TLS handshakes per second of one address (IPv6: one /64 network), after a burst of five times as many; above it the broker closes the connection at once.',
  }),
  'max.incremental.fetch.session.cache.slots': whole('int', 1000, 0, {
    readOnly: true,
    says: 'The most fetch sessions. Further consumers work without one.',
  }),
  'metrics.groups.max': whole('int', 1000, 0, {
    readOnly: true,
    says: 'The most groups with metrics of their own; the others are counted together as `other`.',
  }),
  'metrics.topics.max': whole('int', 1000, 0, {
    readOnly: true,
    says: 'The most topics with metrics of their own; the others are counted together as `other`.',
  }),
  'node.id': whole('int', 1, 0, {
    readOnly: true,
    says: 'The id of this node. A data directory keeps its id: the broker refuses to start with another. `broker.id` is the same.',
  }),
  'num.partitions': whole('int', 1, 1, {
    says: 'Partitions of a new topic, unless the request that creates it has a number.',
  }),
  'offset.metadata.max.bytes': whole('int', 4096, 0, {
    says: 'The most bytes of metadata that a client may store with a committed offset.',
  }),
  'offsets.retention.check.interval.ms': whole('long', 600_000, 1, {
    readOnly: true,
    says: 'How often the broker looks for committed offsets that have expired.',
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
      says: 'The port of the listener PLAINTEXT, without `listeners`; 0 for a free one.',
    },
    65_535n,
  ),
  'producer.id.expiration.ms': whole('int', 86_400_000, 1, {
    readOnly: true,
    says: 'A partition forgets the state of a producer that has not written to it for this time, and then accepts any first sequence number.',
  }),
  'principal.builder.class': row(
    'class',
    PRINCIPAL_BUILDER,
    `only ${PRINCIPAL_BUILDER}: use ssl.principal.mapping.rules or sasl.oauthbearer.sub.claim.name, because classes of Java cannot run here`,
    {
      readOnly: true,
      says: "What makes a principal of a client's certificate or login. There is only Kafka's own.",
    },
    (text) => (text.trim() === PRINCIPAL_BUILDER ? PRINCIPAL_BUILDER : undefined),
  ),
  'queued.max.request.bytes': whole('long', 256 * MIB, MIB, {
    says: 'Bytes of requests of all connections that arrive, wait or run; above it the broker reads from no connection.',
  }),
  ...quotaConfigs,
  'response.max.bytes': whole('int', 32 * MIB, MIB, {
    says: 'The largest response, without its records. The broker refuses a request whose response would be larger.',
  }),
  ...saslConfigs,
  'shutdown.timeout.ms': whole('int', 8000, 0, {
    says: 'How long a stopping broker waits for clients to read their answers.',
  }),
  'socket.request.max.bytes': whole(
    'int',
    104_857_600,
    64 * 1024,
    { readOnly: true, says: 'The largest request.' },
    BigInt(FRAME_BYTES_MAX),
  ),
  ...tlsConfigs,
  'super.users': row(
    'string',
    '',
    'TYPE:NAME, separated by semicolons, such as User:admin;User:CN=broker,O=shop',
    {
      readOnly: true,
      says: 'Principals that may do everything, whatever ACLs say. Needs `authorizer.class.name`.',
    },
    parseSuperUsers,
  ),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': whole('int', 10_000, 1, {
    readOnly: true,
    says: 'How often the broker looks for transactions past their timeout, and aborts them.',
  }),
  'transaction.max.timeout.ms': whole('int', 900_000, 1, {
    says: 'The longest transaction timeout that a producer may ask for.',
  }),
  'transaction.remove.expired.transaction.cleanup.interval.ms': whole('int', 3_600_000, 1, {
    readOnly: true,
    says: 'How often the broker looks for transactional ids that have expired.',
  }),
  'transactional.id.expiration.ms': whole('int', 604_800_000, 1, {
    says: 'The broker forgets a transactional id that no producer has used for this time.',
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

/** A name by which the property is kept: its own, when this is Kafka's other name for it, or the same in lower case. */
export function ownName(name: string): string {
  if (Object.hasOwn(otherNames, name)) return otherNames[name]!
  return listenerPropertyName(name) === undefined ? name : name.toLowerCase()
}

/** Of the broker, or of one of its listeners. */
export function isConfigName(name: string): boolean {
  return configNames.has(listenerPropertyName(name)?.property ?? name)
}

/** Properties as text by name, and where they come from, for messages: 'flag', '/etc/millrace.yaml'. */
export interface ConfigSource {
  readonly origin: string
  readonly properties: Readonly<Record<string, string>>
  /** Names of properties whose values may be secrets, whatever their type: no message shows them. */
  readonly hidden?: ReadonlySet<string>
  /** Made for Apache Kafka, where plug-ins have properties of their own: an unknown name is noted, unless it is a likely slip. */
  readonly isOfKafka?: boolean
}

/** What the properties come to. */
export interface ParsedConfig {
  readonly broker: BrokerConfig
  /** Defaults of topic configs that broker properties set: text by topic property name. */
  readonly topicDefaults: Overrides
}

export interface Settings extends ParsedConfig {
  /** What was set, as text by property name, and by whom. Everything else has its default. */
  readonly given: GivenProperties
  readonly listeners: readonly ListenerConfig[]
  readonly http: HttpConfig
  /** Which of them have no effect, and why. */
  readonly notes: readonly string[]
}

/**
 * @param sources the first one that sets a property wins
 * @throws {KafkaError} INVALID_CONFIG: what, where, and what to try
 */
export function readSettings(sources: readonly ConfigSource[]): Settings {
  const notes: string[] = []
  const given = givenBy(sources, (message) => notes.push(message))
  const config = parseConfig(given)
  const outranks = rankOf(sources)
  const note = (message: string) => notes.push(message)
  const listeners = listenersOf(config.broker, { given, outranks, note })
  const http = httpConfigOf(config.broker, given)
  return { ...config, given, listeners, http, notes }
}

/** Other machines can connect without a password, or without TLS: `i.accept.unauthenticated.network` is set, and used. */
export function isNetworkOpen({ listeners, http }: Settings): boolean {
  return listeners.some(isExposed) || isHttpExposed(http)
}

/** @returns a function that tells whether a stronger source sets one property than the other, which is set, too */
function rankOf(sources: readonly ConfigSource[]): (name: string, other: string) => boolean {
  const placeOf = (name: string) =>
    sources.findIndex(({ properties }) => Object.hasOwn(properties, name))
  return (name, other) => placeOf(name) !== -1 && placeOf(name) < placeOf(other)
}

/** @throws {KafkaError} INVALID_CONFIG for a name that is unknown, or set twice by the same source */
function givenBy(
  sources: readonly ConfigSource[],
  note: (message: string) => void,
): GivenProperties {
  const given = new Map<string, GivenProperty>()
  for (const { origin, properties, hidden, isOfKafka = false } of sources) {
    const unknown: string[] = []
    for (const [anyName, text] of Object.entries(properties)) {
      if (!isConfigName(anyName)) {
        if (!isOfKafka || isSlip(anyName)) throw unknownProperty(anyName, origin)
        unknown.push(anyName.slice(0, NAME_CHARS_SHOWN))
        continue
      }
      const name = ownName(anyName)
      const set = given.get(name)
      const isHidden = hidden?.has(anyName) ?? false
      if (set === undefined) given.set(name, { text, origin, isHidden })
      else if (set.origin === origin && set.text !== text)
        throw new KafkaError('INVALID_CONFIG', `${name} is set under two names (${origin})`)
    }
    if (unknown.length > 0)
      note(`these properties are unknown to Apache Kafka (${origin}): ${unknown.join(', ')}`)
  }
  return given
}

/** Whether an unknown name is a known one with a typing error. */
function isSlip(name: string): boolean {
  return nearestConfigName(name, SLIP_EDITS_MAX) !== undefined
}

/**
 * @param given known names only; all others have their defaults
 * @throws {KafkaError} INVALID_CONFIG: what, where, and what is allowed
 */
export function parseConfig(given: GivenProperties): ParsedConfig {
  const broker: Record<string, unknown> = {}
  for (const name of brokerConfigNames) {
    const { default: text } = brokerConfigs[name]
    broker[name] = parsed(name, brokerConfigs[name], given.get(name) ?? { text, origin: 'default' })
  }
  for (const [name, set] of given) {
    const isOfListener = listenerPropertyName(name) !== undefined
    if (isOfListener || Object.hasOwn(kafkaConfigs, name))
      parsed(name, configSpec(name, set.origin), set)
  }
  const texts = Object.fromEntries([...given].map(([name, { text }]) => [name, text]))
  return { broker: broker as BrokerConfig, topicDefaults: topicDefaults(texts) }
}

/** @throws {KafkaError} INVALID_CONFIG */
function parsed(
  name: string,
  spec: ConfigSpec,
  { text, origin, isHidden }: GivenProperty,
): unknown {
  const value = spec.parse(text)
  if (value !== undefined) return value
  const shown = spec.type === 'password' || isHidden === true ? '...' : text
  const message = `${name}=${shown} (${origin}): want ${spec.allowed} (${spec.type})`
  throw new KafkaError('INVALID_CONFIG', message)
}

/** The property's row, or that of the topic configuration whose default it sets. @throws {KafkaError} INVALID_CONFIG */
export function configSpec(name: string, origin: string): ConfigSpec {
  const own = listenerPropertyName(name)?.property ?? ownName(name)
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
  const nearest = nearestConfigName(name)
  const hint =
    nearest === undefined ? 'docs/reference/configs.md lists them all' : `did you mean ${nearest}?`
  return new KafkaError(
    'INVALID_CONFIG',
    `unknown property ${name.slice(0, NAME_CHARS_SHOWN)} (${origin}); ${hint}`,
  )
}

function nearestConfigName(name: string, editsMax?: number): string | undefined {
  const { property = name } = listenerPropertyName(name) ?? {}
  const prefix = name.slice(0, name.length - property.length)
  const near = nearestName(property, configNames, editsMax)
  return near && (isConfigName(prefix + near) ? prefix + near : near)
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
