// Which assignor a classic group uses: the members vote among those that all of them support. Pure. Source: KIP-62

import type { GroupMember } from './member.ts'

type Members = ReadonlyMap<string, GroupMember>

export function namesInCommon(members: Members): string[] {
  const [first, ...others] = members.values()
  if (first === undefined) return []
  const names = first.protocols.map((each) => each.name)
  return names.filter((name) => others.every((each) => each.metadataFor(name) !== undefined))
}

/** Each member votes for the first of its protocols that all of them support. */
export function vote(members: Members): string {
  const candidates = namesInCommon(members)
  const votes = new Map(candidates.map((name) => [name, 0]))
  for (const member of members.values()) {
    const choice = member.protocols.find((each) => votes.has(each.name))!
    votes.set(choice.name, votes.get(choice.name)! + 1)
  }
  return candidates.reduce((best, name) => (votes.get(name)! > votes.get(best)! ? name : best))
}
