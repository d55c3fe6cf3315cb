// Assignor: assigns a group's partitions to its members. Built-in and user-made assignors are called through
// `CheckedAssignor`, whose errors name the assignor that threw, returned something wrong or did not answer.
// Source: KIP-54, KIP-429; docs/guide/groups.md

import { types } from 'node:util'
import { KafkaError } from '../../protocol/errors.ts'
import type { Call } from '../call.ts'
import { rule, text, type Rule } from '../options.ts'
import { mute, shown, thrownText } from '../shown.ts'
import { partitionText, topicPartition, type TopicPartition } from '../topic.ts'

/**
 * `eager`: members give up all partitions before they rejoin. `cooperative`: they keep the partitions that do not
 * move (KIP-429).
 */
export type RebalanceProtocol = 'eager' | 'cooperative'

/**
 * Assigns the partitions of a group to its members. Each member offers its assignors by name, the group chooses one
 * that all members offer, and the leader's `assign` decides. Any object with `name` and `assign` is an assignor.
 */
export interface Assignor {
  readonly name: string
  /**
   * The protocols by which members may rejoin. All assignors of a member must have one in common; `cooperative` wins
   * if all have it. Default `['eager']`.
   */
  readonly rebalanceProtocols?: readonly RebalanceProtocol[]
  /**
   * Called on every member before each join. The leader's `assign` gets the bytes. If they differ from those of the
   * last join, the group assigns again.
   */
  subscriptionUserData?(topics: readonly string[]): MaybeLater<Uint8Array | null>
  /**
   * Called on the leader. A member without an entry in the result gets no partitions. With `cooperative`, a partition
   * that moves is first assigned to no member: its owner gives it up and rejoins, and the next generation assigns it.
   */
  assign(group: GroupSubscription): MaybeLater<GroupAssignment>
  /** Called on every member with its assignment, before it reads. */
  onAssignment?(assignment: OwnAssignment): MaybeLater<void>
}

type MaybeLater<T> = T | Promise<T>

/** The members of a group and their subscriptions. */
export interface GroupSubscription {
  readonly members: readonly MemberSubscription[]
  /** Only topics that exist and that a member subscribes to. */
  readonly partitionCounts: ReadonlyMap<string, number>
}

export interface MemberSubscription {
  readonly memberId: string
  /** null for a dynamic member (KIP-345). */
  readonly groupInstanceId: string | null
  readonly topics: readonly string[]
  /** The partitions that the member has now; empty unless it is cooperative. */
  readonly owned: readonly TopicPartition[]
  /** The generation that assigned `owned`; -1 if the member does not tell. */
  readonly generationId: number
  readonly userData: Buffer | null
}

/** By member id. */
export type GroupAssignment = ReadonlyMap<string, MemberAssignment>

export interface MemberAssignment {
  readonly partitions: readonly TopicPartition[]
  /** Passed to the member's `onAssignment`. */
  readonly userData?: Uint8Array | null | undefined
}

/** This member's part of an assignment. */
export interface OwnAssignment {
  readonly memberId: string
  readonly generationId: number
  readonly partitions: readonly TopicPartition[]
  readonly userData: Buffer | null
}

const protocols: readonly unknown[] = ['eager', 'cooperative'] satisfies RebalanceProtocol[]

export const assignorRule: Rule<Assignor> = rule(
  'an assignor (name and assign; rebalanceProtocols, subscriptionUserData and onAssignment if it has them)',
  (value: Record<keyof Assignor, any>) =>
    text().allows(value.name) &&
    typeof value.assign === 'function' &&
    isFunctionOrMissing(value.subscriptionUserData) &&
    isFunctionOrMissing(value.onAssignment) &&
    (value.rebalanceProtocols === undefined || isProtocols(value.rebalanceProtocols)),
)

function isFunctionOrMissing(value: unknown): boolean {
  return value === undefined || typeof value === 'function'
}

function isProtocols(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((each) => protocols.includes(each))
}

/** Calls an assignor for the membership, and checks its results. */
export class CheckedAssignor {
  readonly name: string
  readonly rebalanceProtocols: readonly RebalanceProtocol[]
  readonly #assignor: Assignor

  constructor(assignor: Assignor) {
    this.#assignor = assignor
    this.name = assignor.name
    this.rebalanceProtocols = [...(assignor.rebalanceProtocols ?? (['eager'] as const))]
  }

  async subscriptionUserData(topics: readonly string[], call: Call): Promise<Uint8Array | null> {
    const userData: unknown = await this.#ask('subscriptionUserData', call, topics)
    if (isUserData(userData)) return userData ?? null
    throw this.#wrong('subscriptionUserData', `gave ${shown(userData)}, expected bytes or null`)
  }

  async assign(group: GroupSubscription, call: Call): Promise<GroupAssignment> {
    const given: unknown = await this.#ask('assign', call, group)
    try {
      return this.#assignmentOf(given, group)
    } catch (cause) {
      throw cause instanceof KafkaError ? cause : this.#wrong('assign', thrownText(cause), cause)
    }
  }

  async onAssignment(assignment: OwnAssignment, call: Call): Promise<void> {
    await this.#ask('onAssignment', call, assignment)
  }

  /** @throws {KafkaError}, or the error of a getter of the user's */
  #assignmentOf(given: unknown, group: GroupSubscription): GroupAssignment {
    if (!types.isMap(given))
      throw this.#wrong('assign', `gave ${shown(given)}, expected a Map of member ids`)
    const memberIds = new Set(group.members.map(({ memberId }) => memberId))
    const owners = new Map<string, string>()
    const assignment = new Map<string, MemberAssignment>()
    for (const [memberId, share] of given) {
      if (typeof memberId !== 'string' || !memberIds.has(memberId))
        throw this.#wrong('assign', `gave partitions to ${shown(memberId)}, which is no member`)
      const partitions = this.#partitionsOf(share, group.partitionCounts)
      for (const where of partitions) {
        const place = partitionText(where)
        if (owners.has(place))
          throw this.#wrong('assign', `gave ${place} to ${owners.get(place)} and ${memberId}`)
        owners.set(place, memberId)
      }
      assignment.set(memberId, { partitions, userData: this.#userDataOf(share) })
    }
    return assignment
  }

  #partitionsOf(share: unknown, counts: ReadonlyMap<string, number>): TopicPartition[] {
    const given = (share as Partial<MemberAssignment> | null | undefined)?.partitions
    if (!Array.isArray(given))
      throw this.#wrong('assign', `gave ${shown(given ?? share)}, expected { partitions: [...] }`)
    return given.map((where: unknown) => {
      if (!topicPartition.allows(where))
        throw this.#wrong('assign', `gave ${shown(where)}, expected ${topicPartition.expected}`)
      const { topic, partition } = where as TopicPartition
      if (partition >= (counts.get(topic) ?? 0))
        throw this.#wrong('assign', `gave ${partitionText({ topic, partition })}: there is none`)
      return { topic, partition }
    })
  }

  #userDataOf(share: unknown): Uint8Array | null {
    const { userData } = share as { readonly userData?: unknown }
    if (isUserData(userData)) return userData ?? null
    throw this.#wrong('assign', `gave ${shown(userData)} as userData, expected bytes or null`)
  }

  /**
   * @throws {KafkaError} the assignor's error. A retriable KafkaError is passed on as it is, and the next join tries
   *   again
   */
  async #ask(name: keyof Assignor, call: Call, argument: unknown): Promise<unknown> {
    try {
      const method = this.#assignor[name] as ((argument: unknown) => unknown) | undefined
      const answer = method?.call(this.#assignor, argument)
      if (!types.isPromise(answer)) return answer
      mute(answer)
      return await call.wait(answer)
    } catch (cause) {
      if (cause instanceof KafkaError && cause.retriable && !call.isOver) throw cause
      const what = call.isOver ? `did not settle in ${call.timeoutMs} ms` : thrownText(cause)
      throw this.#wrong(name, what, cause)
    }
  }

  #wrong(method: keyof Assignor, what: string, cause?: unknown): KafkaError {
    const why = `assignor ${this.name.slice(0, 100)}: ${method}: ${what}`
    return new KafkaError('INCONSISTENT_GROUP_PROTOCOL', why, { cause, fatal: true })
  }
}

/**
 * The protocol by which a member with these assignors rejoins.
 *
 * @throws {TypeError} when they have none in common, or two have the same name
 */
export function rebalanceProtocolOf(assignors: readonly CheckedAssignor[]): RebalanceProtocol {
  const twice = assignors.find(
    ({ name }, i) => assignors.findIndex((each) => each.name === name) < i,
  )
  if (twice !== undefined)
    throw new TypeError(`client.consumer: assignor ${twice.name} is named twice`)
  const isCommon = (protocol: RebalanceProtocol): boolean =>
    assignors.every((each) => each.rebalanceProtocols.includes(protocol))
  if (isCommon('cooperative')) return 'cooperative'
  if (isCommon('eager')) return 'eager'
  const names = assignors.map((each) => `${each.name} (${each.rebalanceProtocols.join()})`)
  throw new TypeError(
    `client.consumer: assignors have no rebalance protocol in common: ${names.join(', ')}`,
  )
}

function isUserData(value: unknown): value is Uint8Array | null | undefined {
  return value === undefined || value === null || types.isUint8Array(value)
}
