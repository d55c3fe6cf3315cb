// GroupRegistry: the groups of this broker by id, of any type: finds, lists and deletes them, and forgets them once
// they are idle and their offsets have expired. Network thread. Source: KIP-211 (offset expiry);
// docs/formats/groups.md

import type { ErrorName } from '../../protocol/errors.ts'
import type { Clock, Timer } from '../../storage/clock.ts'
import type { Commits } from './commits.ts'
import type { PartitionOffset } from './committed-offsets.ts'
import type { Group } from './group.ts'

export interface GroupRegistryDeps {
  readonly clock: Clock
  readonly commits: Commits
  readonly offsetsRetentionMs: number
  readonly offsetsRetentionCheckMs: number
  /** Offsets of a deleted topic are dropped. */
  readonly topicExists: (topic: string) => boolean
}

export class GroupRegistry {
  readonly #deps: GroupRegistryDeps
  readonly #groups = new Map<string, Group>()
  #expiryTimer: Timer

  constructor(deps: GroupRegistryDeps) {
    this.#deps = deps
    this.#expiryTimer = this.#scheduleExpiry()
  }

  get(groupId: string): Group | undefined {
    return this.#groups.get(groupId)
  }

  list(): Iterable<Group> {
    return [...this.#groups.values()]
  }

  /** @returns the group */
  add<Type extends Group>(group: Type): Type {
    this.#groups.set(group.groupId, group)
    return group
  }

  /** Deletes an empty group and its offsets. Durable when it resolves. */
  async delete(groupId: string): Promise<ErrorName | undefined> {
    const { commits } = this.#deps
    const group = this.#groups.get(groupId)
    if (group === undefined) return 'GROUP_ID_NOT_FOUND'
    while (commits.hasUnderWay(groupId)) await commits.settled(groupId)
    if (this.#groups.get(groupId) !== group) return 'GROUP_ID_NOT_FOUND'
    return group.isEmpty ? this.#forget(group) : 'NON_EMPTY_GROUP'
  }

  /** Forgets offsets past their retention, and groups that have neither members nor offsets. KIP-211 */
  async expire(): Promise<void> {
    const { commits } = this.#deps
    for (const [groupId, group] of this.#groups) {
      if (commits.hasUnderWay(groupId)) continue // it is in use
      const error = await commits.delete(groupId, this.#expiredOffsets(group))
      if (error !== undefined) return
      const isInUse = !group.isIdle || commits.hasUnderWay(groupId)
      const hasOffsets = !commits.of(groupId).isEmpty || commits.hasPending(groupId)
      if (!isInUse && !hasOffsets) await this.#forget(group)
    }
  }

  close(): void {
    this.#expiryTimer.cancel()
    for (const group of this.#groups.values()) group.close('COORDINATOR_NOT_AVAILABLE')
    this.#groups.clear()
  }

  *#expiredOffsets(group: Group): Iterable<PartitionOffset> {
    const { clock, commits, offsetsRetentionMs, topicExists } = this.#deps
    const nowMs = clock.now()
    const retentionOf = group.offsetRetention()
    for (const each of commits.of(group.groupId).list()) {
      const { topic, partition, committed } = each
      if (!topicExists(topic)) yield each
      else if (!commits.isPending(group.groupId, topic, partition)) {
        const sinceMs = retentionOf(topic, committed.committedMs)
        if (sinceMs === undefined) continue
        if ((committed.expiresMs ?? sinceMs + offsetsRetentionMs) <= nowMs) yield each
      }
    }
  }

  /** A member that joins meanwhile starts a new group with the same id. */
  async #forget(group: Group): Promise<ErrorName | undefined> {
    const { groupId } = group
    this.#groups.delete(groupId)
    const error = await this.#deps.commits.deleteAll(groupId, group.tombstones())
    if (error === undefined) group.close('COORDINATOR_NOT_AVAILABLE')
    else if (!this.#groups.has(groupId)) this.#groups.set(groupId, group)
    return error
  }

  #scheduleExpiry(): Timer {
    return this.#deps.clock.after(this.#deps.offsetsRetentionCheckMs, () => {
      this.#expiryTimer = this.#scheduleExpiry()
      void this.expire() // the next check tries again
    })
  }
}
