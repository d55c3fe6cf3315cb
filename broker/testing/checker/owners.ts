// Checks a group's promise: in one generation, each partition has one owner. Tests only.

import type { Facts, Report } from './facts.ts'
import type { Operation } from './history.ts'

export function checkOwners(facts: Facts, report: Report): void {
  const owners = new Map<string, Operation<'own'>>()
  for (const operation of facts.of('own')) {
    const { group, generation, member } = operation.asked
    for (const partition of operation.answer?.partitions ?? []) {
      const where = `${partition} in generation ${generation} of ${group}`
      const owner = owners.get(where)
      owners.set(where, operation)
      if (owner === undefined || owner.asked.member === member) continue
      const message = `${where} belongs to ${owner.asked.member} and to ${member}`
      report('two owners', message, owner, operation)
    }
  }
}
