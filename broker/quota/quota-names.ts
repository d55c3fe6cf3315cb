// The quotas that there are, and the values that each may have. Pure.

import { invalid, type QuotaEntity } from './entity.ts'

interface QuotaSpec {
  readonly isWhole: boolean
  readonly max: number
}

/** Of users and client ids, per second; request_percentage is of the network thread's time. */
export const clientQuotas = {
  producer_byte_rate: { isWhole: true, max: 2 ** 63 },
  consumer_byte_rate: { isWhole: true, max: 2 ** 63 },
  request_percentage: { isWhole: false, max: Infinity },
  controller_mutation_rate: { isWhole: false, max: Infinity },
} as const satisfies Record<string, QuotaSpec>

/** Of addresses. */
const addressQuotas = {
  connection_creation_rate: { isWhole: true, max: 2 ** 31 - 1 },
} as const satisfies Record<string, QuotaSpec>

export type ClientQuotaName = keyof typeof clientQuotas
export type QuotaName = ClientQuotaName | keyof typeof addressQuotas

export const quotaNames = Object.keys({ ...clientQuotas, ...addressQuotas }) as QuotaName[]

/** A value is whole if it is this close. */
const EPSILON = 1e-6

/** @throws {KafkaError} INVALID_REQUEST for a quota that the entity cannot have */
export function checkQuota(entity: QuotaEntity, name: string, value: number): void {
  const specs: Readonly<Record<string, QuotaSpec>> =
    entity.ip === undefined ? clientQuotas : addressQuotas
  const spec = Object.hasOwn(specs, name) ? specs[name]! : undefined
  if (spec === undefined) throw invalid(`there is no quota ${name.slice(0, 256)} of this entity`)
  if (Number.isNaN(value) || value <= 0) throw invalid(`${name} must be greater than 0`)
  if (value > spec.max) throw invalid(`${name} is at most ${spec.max}`)
  if (spec.isWhole && Math.abs(Math.trunc(value + EPSILON) - value) > EPSILON)
    throw invalid(`${name} must be a whole number`)
}
