// Groups without sockets: a coordinator, a virtual clock, and a table whose durability a test controls. Tests only.

import { strict as assert } from 'node:assert'
import type { ErrorName } from '../../protocol/errors.ts'
import { TableState } from '../../storage/tables/table-state.ts'
import { ClassicGroup } from '../group/classic.ts'
import type { CommittedOffset } from '../group/committed-offsets.ts'
import { GroupCoordinator } from '../group/coordinator.ts'
import { LAST_TURN_MS } from '../group/last-call.ts'
import type { JoinAnswer, JoinRequest, SyncAnswer } from '../group/messages.ts'
import type {
  GroupEntry,
  GroupStateTable,
  OffsetKey,
  OffsetProducer,
} from '../group/state-table.ts'
import { VirtualClock } from './virtual-clock.ts'

/** Keeps records at once, or once they are released. */
class MemoryTable implements GroupStateTable {
  readonly #state = new TableState<string, GroupEntry>()
  #order = 0
  failure: ErrorName | undefined
  #held: { readonly keep: () => void; readonly lose: () => void }[] | undefined

  hold(): void {
    this.#held ??= []
  }

  release(): void {
    for (const { keep } of this.#held ?? []) keep()
    this.#held = undefined
  }

  /** A crash: held records never become durable. */
  crash(): void {
    for (const { lose } of this.#held ?? []) lose()
    this.#held = undefined
  }

  get kept(): GroupEntry[] {
    return Array.from(this.#state.entries(), ([, entry]) => entry)
  }

  entries(): Iterable<GroupEntry> {
    return this.kept
  }

  pending(): { producerId: number; key: OffsetKey }[] {
    return Array.from(this.#state.pending(), ([producerId, key]) => ({
      producerId,
      key: JSON.parse(key) as OffsetKey,
    }))
  }

  pendingOf(producerId: number): OffsetKey[] {
    return Array.from(this.#state.pendingOf(producerId), (key) => JSON.parse(key) as OffsetKey)
  }

  isPending(key: OffsetKey): boolean {
    return this.#state.isPending(textOf(key))
  }

  offsetOf(key: OffsetKey): CommittedOffset | undefined {
    const entry = this.#state.get(textOf(key))
    return (entry?.value ?? undefined) as CommittedOffset | undefined
  }

  put(entries: readonly GroupEntry[]): Promise<ErrorName | undefined> {
    return this.#durably(() => {
      for (const each of entries) {
        const key = each.kind === 'group' ? each.groupId : textOf(each.key)
        this.#state.set(key, each.value === null ? undefined : each, ++this.#order)
      }
      return undefined
    })
  }

  putPending(
    { producerId }: OffsetProducer,
    offsets: readonly { readonly key: OffsetKey; readonly value: CommittedOffset }[],
  ): Promise<ErrorName | undefined> {
    return this.#durably(() => {
      for (const offset of offsets) {
        const entry = { kind: 'offset', ...offset } as const
        this.#state.setPending(producerId, textOf(offset.key), entry, ++this.#order)
      }
      return undefined
    })
  }

  end({ producerId }: OffsetProducer, isCommit: boolean): Promise<OffsetKey[] | ErrorName> {
    return this.#durably(() =>
      this.#state.end(producerId, isCommit).map(([key]) => JSON.parse(key) as OffsetKey),
    )
  }

  async #durably<Result>(keep: () => Result): Promise<Result | ErrorName> {
    if (this.failure !== undefined) return this.failure
    if (this.#held === undefined) return keep()
    return new Promise((resolve) => {
      const lose = () => resolve('COORDINATOR_NOT_AVAILABLE')
      this.#held!.push({ keep: () => resolve(keep()), lose })
    })
  }
}

function textOf({ groupId, topic, partition }: OffsetKey): string {
  return JSON.stringify({ groupId, topic, partition })
}

export interface World {
  readonly clock: VirtualClock
  readonly table: MemoryTable
  coordinator: GroupCoordinator
  readonly rebalances: string[]
  restart(): void
}

export function world(
  overrides: { initialRebalanceDelayMs?: number; membersMax?: number } = {},
): World {
  const clock = new VirtualClock()
  const table = new MemoryTable()
  const rebalances: string[] = []
  let ids = 0
  const build = (): GroupCoordinator =>
    new GroupCoordinator({
      clock,
      table,
      config: {
        sessionTimeoutMsMin: 6000,
        sessionTimeoutMsMax: 1_800_000,
        initialRebalanceDelayMs: 0,
        membersMax: 1000,
        offsetsRetentionMs: 604_800_000,
        offsetsRetentionCheckMs: 600_000,
        ...overrides,
      },
      newMemberId: (prefix) => `${prefix}-${++ids}`,
      topicExists: (topic) => topic !== 'deleted',
      subscribedTopics: (_type, metadata) => Buffer.from(metadata).toString().split(','),
      onRebalance: (_groupId, reason) => rebalances.push(reason),
    })
  const made: World = {
    clock,
    table,
    rebalances,
    coordinator: build(),
    restart() {
      made.coordinator.close()
      table.crash()
      made.coordinator = build()
    },
  }
  return made
}

/** @throws when the group does not exist, or has another type */
export function classicGroup({ coordinator }: World, groupId = 'g'): ClassicGroup {
  const group = coordinator.groups.get(groupId)
  assert(group instanceof ClassicGroup, `no classic group ${groupId}`)
  return group
}

export function joining(changes: Partial<JoinRequest> = {}): JoinRequest {
  return {
    memberId: '',
    groupInstanceId: null,
    clientId: 'app',
    clientHost: '/127.0.0.1',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 30_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('t') }],
    requiresKnownMemberId: false,
    supportsSkippingAssignment: true,
    ...changes,
  }
}

export function identity(memberId: string, groupInstanceId: string | null = null) {
  return { memberId, groupInstanceId }
}

export function sync(
  w: World,
  answer: JoinAnswer,
  assignments: Record<string, string> = {},
  groupInstanceId: string | null = null,
): Promise<SyncAnswer> {
  return w.coordinator.sync('g', {
    ...identity(answer.memberId, groupInstanceId),
    generationId: answer.generationId,
    protocolType: null,
    protocolName: null,
    assignments: Object.entries(assignments).map(([memberId, text]) => ({
      memberId,
      assignment: Buffer.from(text),
    })),
  })
}

/** A stable group of `count` members, the first of them the leader; each is assigned its own id. */
export async function stableGroup(
  w: World,
  count: number,
  changes: Partial<JoinRequest> = {},
): Promise<JoinAnswer[]> {
  let answers: JoinAnswer[] = []
  for (let i = 0; i < count; i++) {
    const newcomer = w.coordinator.join('g', joining(changes))
    const rejoins = answers.map((each) =>
      w.coordinator.join('g', joining({ ...changes, memberId: each.memberId })),
    )
    answers = await Promise.all([...rejoins, newcomer])
  }
  const leader = answers.find((each) => each.memberId === each.leaderId)!
  const shares = Object.fromEntries(answers.map((each) => [each.memberId, each.memberId]))
  await Promise.all(answers.map((each) => sync(w, each, each === leader ? shares : {})))
  return answers
}

/** Two members that have joined and not yet synced, the leader first. */
export async function joinedPair(
  w: World,
  changes: Partial<JoinRequest> = {},
): Promise<[JoinAnswer, JoinAnswer]> {
  const { memberId } = await w.coordinator.join('g', joining(changes))
  const second = w.coordinator.join('g', joining(changes))
  const first = w.coordinator.join('g', joining({ ...changes, memberId }))
  return Promise.all([first, second])
}

export function heartbeat(w: World, answer: JoinAnswer): ErrorName | undefined {
  return w.coordinator.heartbeat('g', identity(answer.memberId), answer.generationId)
}

/** Lets `ms` pass, and the last call after it. */
export function pass(w: World, ms: number): Promise<void> {
  return w.clock.advance(ms + LAST_TURN_MS)
}
