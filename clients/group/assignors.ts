// Assignors: who reads which partition. The leader of a group runs one over what all members told of themselves.
// Pure. Source: KIP-54 (sticky), KIP-429 (cooperative); names and results as in Kafka's Java client.

export interface OwnedPartition {
  readonly topic: string
  readonly partition: number
}

export interface AssignorMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly topics: readonly string[]
  /** What it holds now; only cooperative members say so. */
  readonly owned: readonly OwnedPartition[]
  /** Generation in which it was given `owned`; -1 when it does not say. */
  readonly generationId: number
}

/** Member id -> its partitions, by topic, ascending. */
export type Assignment = Map<string, Map<string, number[]>>

export type AssignorName = 'range' | 'roundrobin' | 'cooperative-sticky'

export interface Assignor {
  /** On the wire: all members must know it. */
  readonly name: AssignorName
  /** Cooperative: members keep what they own while they rejoin, and give up only what moves. KIP-429. */
  readonly isCooperative: boolean
  /** @param partitionCounts topics that exist; others are left out */
  assign(
    members: readonly AssignorMember[],
    partitionCounts: ReadonlyMap<string, number>,
  ): Assignment
}

/** Per topic, a contiguous range of partitions for each member; the first ones get one more. */
export const range: Assignor = {
  name: 'range',
  isCooperative: false,
  assign(members, partitionCounts) {
    const assignment = emptyAssignment(members)
    for (const [topic, partitionCount] of partitionCounts) {
      const readers = inOrder(members).filter((each) => each.topics.includes(topic))
      const share = Math.floor(partitionCount / readers.length)
      const extraCount = partitionCount % readers.length
      let next = 0
      readers.forEach((reader, i) => {
        const end = next + share + (i < extraCount ? 1 : 0)
        for (; next < end; next++) give(assignment, reader.memberId, topic, next)
      })
    }
    return assignment
  },
}

/** All partitions of all topics in turn, each to the next member that reads its topic. */
export const roundRobin: Assignor = {
  name: 'roundrobin',
  isCooperative: false,
  assign(members, partitionCounts) {
    const assignment = emptyAssignment(members)
    const circle = inOrder(members)
    let turn = 0
    for (const { topic, partition } of allPartitions(partitionCounts)) {
      if (!circle.some((each) => each.topics.includes(topic))) continue
      while (!circle[turn % circle.length]!.topics.includes(topic)) turn++
      give(assignment, circle[turn++ % circle.length]!.memberId, topic, partition)
    }
    return assignment
  },
}

/**
 * As even as can be with as few moves as can be. A partition that moves is left to nobody in this generation: its owner
 * gives it up, rejoins, and the next generation hands it on.
 */
export const cooperativeSticky: Assignor = {
  name: 'cooperative-sticky',
  isCooperative: true,
  assign(members, partitionCounts) {
    const owners = ownersNow(members, partitionCounts)
    const balance = new Balance(inOrder(members))
    const orphans: OwnedPartition[] = []
    for (const each of allPartitions(partitionCounts)) {
      const owner = owners.get(keyOf(each))
      if (owner === undefined) orphans.push(each)
      else balance.give(owner, each)
    }
    for (const each of orphans) balance.giveToLeastLoaded(each)
    balance.even()
    const assignment = emptyAssignment(members)
    for (const [memberId, partitions] of balance.shares()) {
      for (const each of partitions) {
        const owner = owners.get(keyOf(each))
        if (owner === undefined || owner === memberId)
          give(assignment, memberId, each.topic, each.partition)
      }
    }
    for (const topics of assignment.values())
      for (const partitions of topics.values()) partitions.sort((a, b) => a - b)
    return assignment
  },
}

export const assignors: readonly Assignor[] = [range, roundRobin, cooperativeSticky]

/** @throws {TypeError} for a name that is none */
export function assignorOf(name: AssignorName): Assignor {
  const found = assignors.find((each) => each.name === name)
  if (found !== undefined) return found
  throw new TypeError(
    `assignor ${name}: known are ${assignors.map((each) => each.name).join(', ')}`,
  )
}

/** Shares under way: moves partitions from members with many to members with few. */
class Balance {
  readonly #members: readonly AssignorMember[]
  readonly #shares: Map<string, OwnedPartition[]>

  constructor(members: readonly AssignorMember[]) {
    this.#members = members
    this.#shares = new Map(members.map((each) => [each.memberId, []]))
  }

  shares(): Iterable<[string, OwnedPartition[]]> {
    return this.#shares
  }

  give(memberId: string, partition: OwnedPartition): void {
    this.#shares.get(memberId)!.push(partition)
  }

  giveToLeastLoaded(partition: OwnedPartition): void {
    const reader = this.#leastLoaded(partition.topic)
    if (reader !== undefined) this.give(reader, partition)
  }

  /** Each move lowers the sum of the squared shares, so this ends. */
  even(): void {
    for (let moved = true; moved;) {
      moved = false
      for (const [memberId, partitions] of this.#shares) {
        for (const each of [...partitions].toReversed()) {
          const reader = this.#leastLoaded(each.topic)!
          if (this.#shares.get(reader)!.length + 1 >= partitions.length) continue
          partitions.splice(partitions.indexOf(each), 1)
          this.give(reader, each)
          moved = moved || reader !== memberId
        }
      }
    }
  }

  #leastLoaded(topic: string): string | undefined {
    let least: string | undefined
    for (const { memberId, topics } of this.#members) {
      if (!topics.includes(topic)) continue
      if (
        least === undefined ||
        this.#shares.get(memberId)!.length < this.#shares.get(least)!.length
      )
        least = memberId
    }
    return least
  }
}

/** Who holds what, from the members' own words: the newer generation is right, two of the same age are both wrong. */
function ownersNow(
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, string> {
  const claims = new Map<string, { memberId: string | undefined; generationId: number }>()
  for (const { memberId, owned, topics, generationId } of members) {
    for (const each of owned) {
      if (!topics.includes(each.topic) || each.partition >= (partitionCounts.get(each.topic) ?? 0))
        continue
      const rival = claims.get(keyOf(each))
      if (rival === undefined || rival.generationId < generationId)
        claims.set(keyOf(each), { memberId, generationId })
      else if (rival.generationId === generationId) rival.memberId = undefined
    }
  }
  const owners = new Map<string, string>()
  for (const [key, { memberId }] of claims) if (memberId !== undefined) owners.set(key, memberId)
  return owners
}

/** Static members by their instance id, which outlives their member id; the others by member id. */
function inOrder(members: readonly AssignorMember[]): AssignorMember[] {
  const nameOf = (each: AssignorMember): string => each.groupInstanceId ?? each.memberId
  return members.toSorted((a, b) => {
    if ((a.groupInstanceId === null) !== (b.groupInstanceId === null))
      return a.groupInstanceId === null ? 1 : -1
    return nameOf(a) < nameOf(b) ? -1 : 1
  })
}

function allPartitions(partitionCounts: ReadonlyMap<string, number>): OwnedPartition[] {
  const topics = [...partitionCounts.keys()].toSorted()
  return topics.flatMap((topic) =>
    Array.from({ length: partitionCounts.get(topic)! }, (_, partition) => ({ topic, partition })),
  )
}

function emptyAssignment(members: readonly AssignorMember[]): Assignment {
  return new Map(members.map((each) => [each.memberId, new Map()]))
}

function give(assignment: Assignment, memberId: string, topic: string, partition: number): void {
  const topics = assignment.get(memberId)!
  const partitions = topics.get(topic)
  if (partitions === undefined) topics.set(topic, [partition])
  else partitions.push(partition)
}

function keyOf({ topic, partition }: OwnedPartition): string {
  return `${topic}/${partition}`
}
