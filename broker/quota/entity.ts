// QuotaEntity: which clients a quota is for: a user, a client id, both, or an address; a null name is the default for those
// without a quota of their own. Pure.

import { canonicalAddress } from '../../protocol/canonical-address.ts'
import { KafkaError } from '../../protocol/errors.ts'

const entityTypes = ['user', 'client-id', 'ip'] as const
export type EntityType = (typeof entityTypes)[number]

/** Names by type. */
export type QuotaEntity = Readonly<Partial<Record<EntityType, string | null>>>

/** As requests and answers have it. */
export type EntityNames = readonly {
  readonly entityType: string
  readonly entityName: string | null
}[]

/** Kafka has no limit, but the names are in memory and in a record. */
const NAME_CHARS_MAX = 1024

export function isEntityType(text: string): text is EntityType {
  return (entityTypes as readonly string[]).includes(text)
}

/** Of a type that is named twice the last name counts, as in Apache Kafka. @throws {KafkaError} INVALID_REQUEST */
export function entityOf(names: EntityNames): QuotaEntity {
  const entity: { [Type in EntityType]?: string | null } = {}
  for (const { entityType: type, entityName: name } of names) {
    if (!isEntityType(type)) throw invalid(`unknown entity type ${type.slice(0, 256)}`)
    entity[type] = name
  }
  checkEntity(entity)
  return entity
}

/** @throws {KafkaError} INVALID_REQUEST for an entity that no client can match */
export function checkEntity(entity: QuotaEntity): void {
  const named = Object.entries(entity)
  if (named.length === 0) throw invalid('the entity is empty')
  for (const [type, name] of named) {
    if (!isEntityType(type)) throw invalid(`unknown entity type ${type.slice(0, 256)}`)
    if (name === '') throw invalid(`the name of ${type} is empty`)
    if (name !== null && name.length > NAME_CHARS_MAX)
      throw invalid(`a name of ${name.length} characters; want ${NAME_CHARS_MAX}`)
  }
  if (entity.ip === undefined) return
  if (named.length > 1) throw invalid('ip cannot be combined with user or client-id')
  if (entity.ip !== null && canonicalAddress(entity.ip) === undefined)
    throw invalid(`${entity.ip.slice(0, 256)} is no address: host names and ranges have no effect`)
}

export function invalid(reason: string): KafkaError {
  return new KafkaError('INVALID_REQUEST', reason)
}

/** The same for all spellings of an address. */
export function entityId(entity: QuotaEntity): string {
  const names = entityTypes.flatMap((type) => {
    const name = entity[type]
    return name === undefined ? [] : [[type, name === null ? null : canonicalName(type, name)]]
  })
  return JSON.stringify(names)
}

export function canonicalName(type: string, name: string): string {
  return type === 'ip' ? (canonicalAddress(name) ?? name) : name
}

export function namesOf(entity: QuotaEntity): { entityType: string; entityName: string | null }[] {
  return Object.entries(entity).map(([entityType, entityName]) => ({ entityType, entityName }))
}

/** For the audit log. */
export function entityText(entity: QuotaEntity): string {
  return Object.entries(entity)
    .map(([type, name]) => (name === null ? `default ${type}` : `${type} ${name}`))
    .join(', ')
}
