// What a client with one permission is let do: Apache Kafka's decisions with StandardAuthorizer, recorded beside in
// decisions.txt by clients/testing/interop/denied.interop.ts, one line for each permission and question. Tests only.

import {
  aclPatternTypes,
  aclPermissionTypes,
  CLUSTER_NAME,
  WILDCARD,
} from '../../protocol/acl-codes.ts'
import type { Acl } from '../auth/acl.ts'
import { operations, resourceTypes, type Operation, type ResourceType } from '../auth/resources.ts'
import { errorName } from '../../protocol/errors.ts'
import { absent, existing, type Question } from '../testing/questions.ts'
import { deniedQuestions, inLines, titleOf } from './denied.ts'

export const decisionsAt = new URL('../../../broker/conformance/decisions.txt', import.meta.url)

export interface Permission {
  readonly operation: Operation
  readonly resourceType: ResourceType
}

/** Each of them, on all resources of the type. */
export const permissions: readonly Permission[] = Object.entries(resourceTypes).flatMap(
  ([resourceType, { operations }]) =>
    operations.map((operation) => ({ operation, resourceType: resourceType as ResourceType })),
)

/** A permission as an ACL: on all resources of the type. */
export function aclOf({ operation, resourceType }: Permission): Acl {
  return {
    resourceType: resourceTypes[resourceType].code,
    resourceName: resourceType === 'Cluster' ? CLUSTER_NAME : WILDCARD,
    patternType: aclPatternTypes.literal,
    principal: 'User:ANONYMOUS',
    host: WILDCARD,
    operation: operations[operation],
    permissionType: aclPermissionTypes.allow,
  }
}

/** The answers to a client with one permission; undefined where it hears what a client without any does. */
export interface Decided {
  readonly permission: Permission
  readonly texts: ReadonlyMap<Question, string | undefined>
}

/**
 * Asks every question with each permission alone.
 *
 * @param isEvery in every version, else the oldest and the newest
 * @param begin makes what the questions are about, and grants the permission. @returns the id of the topic
 */
export async function decisions(
  exempt: readonly string[],
  isEvery: boolean,
  begin: (permission: Permission | undefined) => Promise<string>,
  ask: (question: Question) => Promise<unknown>,
): Promise<Decided[]> {
  const withoutAny = new Map<string, string>()
  const decided: Decided[] = []
  for (const permission of [undefined, ...permissions]) {
    const topicId = await begin(permission)
    const texts = new Map<Question, string | undefined>()
    for (const question of deniedQuestions(topicId, exempt, isEvery)) {
      const title = titleOf(question)
      const text = decidedIn(await ask(question), topicId)
      if (permission === undefined) withoutAny.set(title, text)
      else texts.set(question, text === withoutAny.get(title) ? undefined : text)
    }
    if (permission !== undefined) decided.push({ permission, texts })
  }
  return decided
}

/** For the record: a line for each answer that differs from that to a client without permissions. */
export function linesOf(decided: readonly Decided[]): string[] {
  return decided.flatMap(({ permission, texts }) => {
    const differing = new Map<Question, string>()
    for (const [question, text] of texts) if (text !== undefined) differing.set(question, text)
    return inLines(differing).map((line) => `${permissionText(permission)}, ${line}`)
  })
}

export function permissionText({ operation, resourceType }: Permission): string {
  return `${operation} ${resourceType}`
}

/** The error codes of an answer and its masks of operations, with the names of things and the path that leads to them. */
function decidedIn(answer: unknown, topicId: string): string {
  const found = new Set<string>()
  walk(answer, 'all', topicId, found)
  return [...found].sort().join(', ')
}

/** Of an answer whose request does not ask for operations. */
const NO_MASK = -0x8000_0000

const names = new Set<unknown>([...Object.values(existing), ...Object.values(absent)])

function walk(value: unknown, path: string, topicId: string, found: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) walk(item, path, topicId, found)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return
  const label = Object.values(value).find((member) => names.has(member) || member === topicId)
  const here = label === undefined ? path : `${path}/${label === topicId ? 'id' : String(label)}`
  const { errorCode } = value as { readonly errorCode?: number }
  if (errorCode !== undefined) found.add(`${here} ${errorName(errorCode) ?? 'ok'}`)
  else if (label !== undefined) found.add(here)
  for (const [name, mask] of Object.entries(value))
    if (name.endsWith('uthorizedOperations') && mask !== NO_MASK) found.add(`${here} may ${mask}`)
  for (const member of Object.values(value)) walk(member, here, topicId, found)
}
