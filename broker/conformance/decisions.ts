// What a client with one permission is let do: Apache Kafka's decisions with StandardAuthorizer, recorded beside in
// decisions.txt by clients/testing/interop/denied.interop.ts, one line for each permission and question. Tests only.

import { resourceTypes, type Operation, type ResourceType } from '../auth/resources.ts'
import { errorName } from '../../protocol/errors.ts'
import { absent, existing, type Question } from '../testing/questions.ts'
import { deniedQuestions, linesIn, titleOf } from './denied.ts'

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

/** Does one permission include another? Only what is allowed has such consequences, not what is denied. */
export function includesPermission(held: Permission, wanted: Permission): boolean {
  if (held.resourceType !== wanted.resourceType) return false
  if (held.operation === wanted.operation) return true
  if (wanted.operation === 'Describe')
    return ['Read', 'Write', 'Delete', 'Alter'].includes(held.operation)
  return wanted.operation === 'DescribeConfigs' && held.operation === 'AlterConfigs'
}

/**
 * Asks every question with each permission alone.
 *
 * @param begin makes what the questions are about, and grants the permission. @returns the id of the topic
 * @returns a line for each answer that differs from that to a client without permissions
 */
export async function decisions(
  exempt: readonly string[],
  begin: (permission: Permission | undefined) => Promise<string>,
  ask: (question: Question) => Promise<unknown>,
): Promise<string[]> {
  const lines: string[] = []
  const withoutAny = new Map<string, string>()
  for (const permission of [undefined, ...permissions]) {
    const topicId = await begin(permission)
    for (const question of deniedQuestions(topicId, exempt)) {
      const title = titleOf(question)
      const decided = decidedIn(await ask(question), topicId)
      if (permission === undefined) withoutAny.set(title, decided)
      else if (decided !== withoutAny.get(title))
        lines.push(`${permission.operation} ${permission.resourceType}, ${title}: ${decided}`)
    }
  }
  return lines
}

/** What was denied of an answer, and what was not: the names of things, with the path that leads to them. */
function decidedIn(answer: unknown, topicId: string): string {
  const found = new Set<string>()
  walk(answer, 'all', topicId, found)
  return [...found].sort().join(', ')
}

const names = new Set<unknown>([...Object.values(existing), ...Object.values(absent)])

function walk(value: unknown, path: string, topicId: string, found: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) walk(item, path, topicId, found)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return
  const label = Object.values(value).find((member) => names.has(member) || member === topicId)
  const here = label === undefined ? path : `${path}/${label === topicId ? 'id' : String(label)}`
  const { errorCode } = value as { readonly errorCode?: number }
  if (errorCode !== undefined) found.add(`${here}${isDenial(errorCode) ? ' DENIED' : ' ok'}`)
  else if (label !== undefined) found.add(here)
  for (const member of Object.values(value)) walk(member, here, topicId, found)
}

function isDenial(errorCode: number): boolean {
  return errorName(errorCode)?.endsWith('_AUTHORIZATION_FAILED') ?? false
}

export function recordedDecisions(): readonly string[] {
  return linesIn(decisionsAt)
}
