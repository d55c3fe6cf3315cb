// The records of the metadata table: one for the cluster, for its secret, for every topic, ACL and
// entity with quotas, and for the producer ids given out.
// Network thread. Format: docs/formats/tables.md

import { randomBytes } from 'node:crypto'
import { UUID_ZERO, type Uuid } from '../../protocol/ids.ts'
import { scramMechanismCodes, type ScramMechanism } from '../../protocol/sasl/scram.ts'
import type { OpenLogs } from '../logs.ts'
import { randomUuid } from '../meta.ts'
import type {
  AclRecord,
  Change,
  ClientQuotaRecord,
  Overrides,
  ScramCredential,
  StoredCredential,
  Topic,
} from '../store.ts'
import { isInternalTopic, METADATA_TOPIC } from '../topic-name.ts'
import type { Opened } from '../log-facts.ts'
import { LogTable, tableConfig, type TableDeps } from './log-table.ts'
import { packedFormat, type RecordFormat } from '../record-format.ts'

export interface TopicRecord {
  readonly id: Uuid
  readonly partitionCount: number
  readonly config: Overrides
  /** Its partitions are being deleted; a crash does not restore it. */
  readonly isDeleted?: true
}

export interface ClusterRecord {
  readonly clusterId: Uuid
}

/** For what must look the same after a restart, and nobody can foresee. It is never shown. */
interface SecretRecord {
  readonly secret: Buffer
}

export interface ProducerIdsRecord {
  /** Every smaller id has been given out or reserved. */
  readonly nextProducerId: number
}

export interface BrokerRecord {
  readonly config: Overrides
}

export const CLUSTER_KEY = 'cluster'
const SECRET_KEY = 'secret'
const SECRET_BYTES = 32
export const PRODUCER_IDS_KEY = 'producer-ids'
const TOPIC_PREFIX = 'topic/'
const BROKER_PREFIX = 'broker/'
const SCRAM_PREFIX = 'scram/'
const scramPrefixes = Object.keys(scramMechanismCodes).map((name) => `${SCRAM_PREFIX}${name}/`)
export const ACL_PREFIX = 'acl/'
export const QUOTA_PREFIX = 'quota/'

export type MetadataKey =
  | typeof CLUSTER_KEY
  | typeof SECRET_KEY
  | typeof PRODUCER_IDS_KEY
  | `${typeof TOPIC_PREFIX}${string}`
  | `${typeof BROKER_PREFIX}${string}`
  | `${typeof SCRAM_PREFIX}${string}`
  | `${typeof ACL_PREFIX}${string}`
  | `${typeof QUOTA_PREFIX}${string}`

export type MetadataRecord =
  | TopicRecord
  | ClusterRecord
  | SecretRecord
  | ProducerIdsRecord
  | BrokerRecord
  | ScramCredential
  | AclRecord
  | ClientQuotaRecord
type Sound = TopicRecord &
  ClusterRecord &
  SecretRecord &
  ProducerIdsRecord &
  BrokerRecord &
  ScramCredential &
  AclRecord &
  ClientQuotaRecord

const packed = packedFormat<MetadataKey, MetadataRecord>()

export type MetadataTable = LogTable<MetadataKey, MetadataRecord>

export function topicKey(name: string): MetadataKey {
  return `${TOPIC_PREFIX}${name}`
}

/** @param broker node id as text, or '' for all brokers */
export function brokerKey(broker: string): MetadataKey {
  return `${BROKER_PREFIX}${broker}`
}

export function scramKey(mechanism: ScramMechanism, user: string): MetadataKey {
  return `${SCRAM_PREFIX}${mechanism}/${user}`
}

/** Checks a record's fields, because a checksum does not prove who wrote it. */
export const metadataFormat: RecordFormat<MetadataKey, MetadataRecord> = {
  encode: (key, value) => packed.encode(key, value),
  decode(key, value) {
    const decoded = packed.decode(key, value)
    if (!decoded) return undefined
    const isSound = soundnessOf(decoded.key)
    if (!isSound) return undefined
    if (decoded.value !== undefined && !isSound(decoded.value)) {
      throw new Error('none of its values') // which is not shown: it may be a secret
    }
    return decoded
  },
}

/** @returns undefined for a key of another kind */
function soundnessOf(key: string): ((value: Partial<Sound>) => boolean) | undefined {
  if (key === CLUSTER_KEY) return (value) => typeof value?.clusterId === 'string'
  if (key === SECRET_KEY)
    return (value) => Buffer.isBuffer(value?.secret) && value.secret.length === SECRET_BYTES
  if (key === PRODUCER_IDS_KEY) return (value) => Number.isSafeInteger(value?.nextProducerId)
  if (key.startsWith(BROKER_PREFIX)) return (value) => isText(value?.config)
  if (scramPrefixes.some((prefix) => key.startsWith(prefix))) return isCredential
  if (key.startsWith(ACL_PREFIX)) return isAcl
  if (key.startsWith(QUOTA_PREFIX)) return isQuota
  if (!key.startsWith(TOPIC_PREFIX)) return undefined
  return (value) =>
    typeof value?.id === 'string' && Number.isInteger(value.partitionCount) && isText(value.config)
}

function isAcl(value: Partial<AclRecord>): boolean {
  const texts = [value?.resourceName, value?.principal, value?.host]
  const codes = [value?.resourceType, value?.patternType, value?.operation, value?.permissionType]
  return texts.every((text) => typeof text === 'string') && codes.every(Number.isInteger)
}

function isQuota({ entity, quotas }: Partial<ClientQuotaRecord>): boolean {
  if (typeof entity !== 'object' || entity === null) return false
  if (typeof quotas !== 'object' || quotas === null) return false
  const names = Object.values(entity)
  return (
    names.every((name) => name === null || typeof name === 'string') &&
    Object.values(quotas).every((quota) => typeof quota === 'number')
  )
}

function isText(config: unknown): boolean {
  if (typeof config !== 'object' || config === null) return false
  return Object.values(config).every((value) => typeof value === 'string')
}

function isCredential(value: Partial<ScramCredential>): boolean {
  const parts = [value?.salt, value?.storedKey, value?.serverKey]
  return parts.every((part) => Buffer.isBuffer(part)) && Number.isSafeInteger(value.iterations)
}

export function secretOf(table: MetadataTable): Buffer {
  return (table.get(SECRET_KEY) as SecretRecord).secret
}

export function topicOf(name: string, { id, partitionCount, config }: TopicRecord): Topic {
  return { name, id, partitionCount, config, isInternal: isInternalTopic(name) }
}

export function* scramCredentials(table: MetadataTable): Generator<StoredCredential> {
  for (const [key, record] of table.entries()) {
    if (!key.startsWith(SCRAM_PREFIX)) continue
    const end = key.indexOf('/', SCRAM_PREFIX.length)
    const mechanism = key.slice(SCRAM_PREFIX.length, end) as ScramMechanism
    yield { mechanism, user: key.slice(end + 1), credential: record as ScramCredential }
  }
}

/** Every topic's name and record. */
export function topicRecords(table: MetadataTable): [name: string, record: TopicRecord][] {
  return Array.from(table.entries())
    .filter(([key]) => key.startsWith(TOPIC_PREFIX))
    .map(([key, record]) => [key.slice(TOPIC_PREFIX.length), record as TopicRecord])
}

export interface MetadataDeps extends Omit<TableDeps, 'log'> {
  readonly logs: OpenLogs
  readonly clusterId: Uuid
}

/**
 * Recovers the metadata topic's log and the table in it. The first start writes the topic's own record and the cluster's
 * secret, as does a start that finds them lost to rot.
 *
 * @throws {Error} when the log belongs to another cluster
 */
export async function openMetadata(
  deps: MetadataDeps,
): Promise<{ readonly table: MetadataTable; readonly opened: readonly Opened[] }> {
  const { logs, clusterId } = deps
  const partitionCount = 1
  const topic = {
    name: METADATA_TOPIC,
    id: UUID_ZERO,
    partitionCount,
    config: tableConfig,
    isInternal: true,
  }
  const opened = await logs.open([{ topic, from: 0, to: partitionCount }], false)
  const log = logs.find(METADATA_TOPIC, 0)!
  const table = await LogTable.open({ ...deps, log }, metadataFormat)
  const cluster = table.get(CLUSTER_KEY) as ClusterRecord | undefined
  if (cluster && cluster.clusterId !== clusterId) {
    throw new Error(
      `meta.json says cluster ${clusterId}, and the log of ${METADATA_TOPIC} cluster ${cluster.clusterId}: ` +
        'they come from different data directories. Put back the ones that belong together.',
    )
  }
  const own = { id: randomUuid(), partitionCount, config: tableConfig }
  const missing: Change<MetadataKey, MetadataRecord>[] = []
  if (!cluster) missing.push([CLUSTER_KEY, { clusterId }])
  if (!table.get(SECRET_KEY)) missing.push([SECRET_KEY, { secret: randomBytes(SECRET_BYTES) }])
  if (!table.get(topicKey(METADATA_TOPIC))) missing.push([topicKey(METADATA_TOPIC), own])
  if (missing.length > 0) await table.write(missing)
  return { table, opened }
}
