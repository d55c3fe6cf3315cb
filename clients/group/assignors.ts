// The built-in assignors, with the names and results of Kafka's Java client. Pure.
// Source: KIP-54 (sticky), KIP-429 (cooperative)

import { byPlace, partitionText, type TopicPartition } from '../topic.ts'
import type {
  Assignor,
  GroupAssignment,
  GroupSubscription,
  MemberSubscription,
} from './assignor.ts'

/** A built-in assignor answers synchronously. */
interface BuiltInAssignor extends Assignor {
  readonly name: AssignorName
  assign(group: GroupSubscription): GroupAssignment
}

export type AssignorName = 'range' | 'roundrobin' | 'cooperative-sticky'

/** Per topic, a contiguous range of partitions for each member; the first ones get one more. */
export const range: BuiltInAssignor = {
  name: 'range',
  assign({ members, partitionCounts }) {
    const shares = sharesOf(members)
    for (const [topic, partitionCount] of partitionCounts) {
      const readers = inOrder(members).filter((each) => each.topics.includes(topic))
      const share = Math.floor(partitionCount / readers.length)
      const extraCount = partitionCount % readers.length
      let next = 0
      readers.forEach((reader, i) => {
        const end = next + share + (i < extraCount ? 1 : 0)
        for (; next < end; next++) give(shares, reader.memberId, topic, next)
      })
    }
    return assignmentOf(shares)
  },
}

/** All partitions of all topics in turn, each to the next member that reads its topic. */
export const roundRobin: BuiltInAssignor = {
  name: 'roundrobin',
  assign({ members, partitionCounts }) {
    const shares = sharesOf(members)
    const circle = inOrder(members)
    let turn = 0
    for (const { topic, partition } of allPartitions(partitionCounts)) {
      if (!circle.some((each) => each.topics.includes(topic))) continue
      while (!circle[turn % circle.length]!.topics.includes(topic)) turn++
      give(shares, circle[turn++ % circle.length]!.memberId, topic, partition)
    }
    return assignmentOf(shares)
  },
}

/**
 * Balances with as few moves as possible. A partition that moves is assigned to no member in this generation: its
 * owner gives it up and rejoins, and the next generation assigns it (KIP-429).
 */
export const cooperativeSticky: BuiltInAssignor = {
  name: 'cooperative-sticky',
  rebalanceProtocols: ['cooperative', 'eager'],
  assign({ members, partitionCounts }) {
    const owners = ownersNow(members, partitionCounts)
    const balance = new Balance(inOrder(members))
    const orphans: TopicPartition[] = []
    for (const each of allPartitions(partitionCounts)) {
      const owner = owners.get(partitionText(each))
      if (owner === undefined) orphans.push(each)
      else balance.give(owner, each)
    }
    for (const each of orphans) balance.giveToLeastLoaded(each)
    balance.even()
    const shares = sharesOf(members)
    for (const [memberId, partitions] of balance.shares()) {
      for (const each of partitions) {
        const owner = owners.get(partitionText(each))
        if (owner === undefined || owner === memberId)
          give(shares, memberId, each.topic, each.partition)
      }
    }
    for (const partitions of shares.values()) partitions.sort(byPlace)
    return assignmentOf(shares)
  },
}

export const assignors: readonly BuiltInAssignor[] = [range, roundRobin, cooperativeSticky]

/** An assignment in the making: moves partitions from members with many to members with few. */
class Balance {
  readonly #members: readonly MemberSubscription[]
  readonly #shares: Map<string, TopicPartition[]>

  constructor(members: readonly MemberSubscription[]) {
    this.#members = members
    this.#shares = new Map(members.map((each) => [each.memberId, []]))
  }

  shares(): Iterable<[string, TopicPartition[]]> {
    return this.#shares
  }

  give(memberId: string, partition: TopicPartition): void {
    this.#shares.get(memberId)!.push(partition)
  }

  giveToLeastLoaded(partition: TopicPartition): void {
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

/**
 * The owner of each partition, by the members' claims. Of two claims the newer generation counts; two claims of one
 * generation cancel each other.
 */
function ownersNow(
  members: readonly MemberSubscription[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, string> {
  const claims = new Map<string, { memberId: string | undefined; generationId: number }>()
  for (const { memberId, owned, topics, generationId } of members) {
    for (const each of owned) {
      if (!topics.includes(each.topic) || each.partition >= (partitionCounts.get(each.topic) ?? 0))
        continue
      const rival = claims.get(partitionText(each))
      if (rival === undefined || rival.generationId < generationId)
        claims.set(partitionText(each), { memberId, generationId })
      else if (rival.generationId === generationId) rival.memberId = undefined
    }
  }
  const owners = new Map<string, string>()
  for (const [key, { memberId }] of claims) if (memberId !== undefined) owners.set(key, memberId)
  return owners
}

/** Orders static members by instance id, which outlives their member id, and the others by member id. */
function inOrder(members: readonly MemberSubscription[]): MemberSubscription[] {
  const nameOf = (each: MemberSubscription): string => each.groupInstanceId ?? each.memberId
  return members.toSorted((a, b) => {
    if ((a.groupInstanceId === null) !== (b.groupInstanceId === null))
      return a.groupInstanceId === null ? 1 : -1
    return nameOf(a) < nameOf(b) ? -1 : 1
  })
}

function allPartitions(partitionCounts: ReadonlyMap<string, number>): TopicPartition[] {
  const topics = [...partitionCounts.keys()].toSorted()
  return topics.flatMap((topic) =>
    Array.from({ length: partitionCounts.get(topic)! }, (_, partition) => ({ topic, partition })),
  )
}

/** Member id -> its partitions. */
type Shares = Map<string, TopicPartition[]>

function sharesOf(members: readonly MemberSubscription[]): Shares {
  return new Map(members.map((each) => [each.memberId, []]))
}

function give(shares: Shares, memberId: string, topic: string, partition: number): void {
  shares.get(memberId)!.push({ topic, partition })
}

function assignmentOf(shares: Shares): GroupAssignment {
  return new Map(Array.from(shares, ([memberId, partitions]) => [memberId, { partitions }]))
}
