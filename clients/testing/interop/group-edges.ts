// The edges of the group protocol over a raw socket: a broker's answers, in the order of the steps, without values
// that differ between runs. Two brokers that agree give the same list.

import { offsetCommit } from '../../../protocol/api/08_offset_commit.ts'
import { offsetFetch } from '../../../protocol/api/09_offset_fetch.ts'
import { joinGroup } from '../../../protocol/api/11_join_group.ts'
import { heartbeat } from '../../../protocol/api/12_heartbeat.ts'
import { leaveGroup } from '../../../protocol/api/13_leave_group.ts'
import { syncGroup } from '../../../protocol/api/14_sync_group.ts'
import { describeGroups } from '../../../protocol/api/15_describe_groups.ts'
import { deleteGroups } from '../../../protocol/api/42_delete_groups.ts'
import { offsetDelete } from '../../../protocol/api/47_offset_delete.ts'
import type { Api, RequestInput, ResponseOf } from '../../../protocol/schema.ts'
import { GroupClient } from '../../../broker/testing/group-client.ts'
import { RawClient } from '../../../broker/testing/raw-client.ts'

export type Step = readonly [what: string, answer: unknown]

class Walk {
  readonly steps: Step[] = []
  readonly client: RawClient
  /** Member ids in order of appearance. */
  readonly #memberIds: string[] = []

  constructor(client: RawClient) {
    this.client = client
  }

  async step<A extends Api<any, any>>(
    what: string,
    api: A,
    request: RequestInput<A>,
    version?: number,
  ): Promise<ResponseOf<A>> {
    const answer = await this.client.send(api, request, version)
    this.steps.push([what, this.#normal(answer)])
    return answer
  }

  /** Replaces member ids by their number and bytes by text, and drops error messages, which may differ. */
  #normal(value: unknown): unknown {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
    if (Array.isArray(value)) return value.map((each) => this.#normal(each))
    if (typeof value === 'string') return this.#withoutId(value)
    if (typeof value !== 'object' || value === null) return value
    const fields = Object.entries(value).map(([name, each]) => {
      const isSaid = name === 'errorMessage' && each !== null
      return [name, isSaid ? 'some words' : this.#normal(each)]
    })
    return Object.fromEntries(fields)
  }

  #withoutId(text: string): string {
    const id = /^(.*)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.exec(text)
    if (id === null) return text
    if (!this.#memberIds.includes(text)) this.#memberIds.push(text)
    return `${id[1]}-#${this.#memberIds.indexOf(text)}`
  }
}

/** @param bootstrap a broker with a topic `t` */
export async function walkGroupEdges(bootstrap: string): Promise<readonly Step[]> {
  const client = await RawClient.connect(bootstrap)
  const walk = new Walk(client)
  await unknownGroups(walk)
  await joining(walk)
  await offsets(walk)
  await staticMembers(walk)
  await client.close()
  return walk.steps
}

/**
 * SyncGroup repeats these since version 5 (KIP-559). Apache Kafka refuses a request without them, millrace does not.
 */
const sharing = { protocolType: 'consumer', protocolName: 'range' }

const nobody = { groupId: 'nobody', memberId: 'stranger', generationId: 1 }

async function unknownGroups(walk: Walk): Promise<void> {
  await walk.step('heartbeat to no group', heartbeat, nobody)
  await walk.step('sync with no group', syncGroup, { ...nobody, ...sharing })
  await walk.step('leave no group', leaveGroup, { ...nobody, members: [{ memberId: 'stranger' }] })
  await walk.step('leave no group, v2', leaveGroup, nobody, 2)
  const join = new GroupClient(walk.client, 'nobody').joining()
  await walk.step('join no group as somebody', joinGroup, { ...join, memberId: 'stranger' })
  for (const version of [5, 6])
    await walk.step('describe no group', describeGroups, { groups: ['nobody'] }, version)
  await walk.step('delete no group', deleteGroups, { groupsNames: ['nobody'] })
  const topics = [{ name: 't', partitions: [{ partitionIndex: 0 }] }]
  await walk.step('forget offsets of no group', offsetDelete, { groupId: 'nobody', topics })
  const asked = [{ name: 't', partitionIndexes: [0] }]
  await walk.step('offsets of no group', offsetFetch, { groupId: 'nobody', topics: asked }, 7)
  await walk.step('all offsets of no group', offsetFetch, { groupId: 'nobody', topics: null }, 7)
  const groups = [{ groupId: 'nobody', topics: asked }]
  await walk.step('offsets of no group', offsetFetch, { groups }, 9)
  for (const version of [8, 9]) {
    const request = { ...commitOf(3), ...nobody, generationIdOrMemberEpoch: 1 }
    await walk.step('commit as a member of no group', offsetCommit, request, version)
  }
}

function commitOf(committedOffset: number, committedMetadata = '', partitionIndex = 0) {
  const partitions = [{ partitionIndex, committedOffset, committedMetadata }]
  return { topics: [{ name: 't', partitions }] }
}

async function joining(walk: Walk): Promise<void> {
  const group = new GroupClient(walk.client, 'joining')
  const join = group.joining()
  await walk.step('join with no group id', joinGroup, { ...join, groupId: '' })
  await walk.step('join with a short session', joinGroup, { ...join, sessionTimeoutMs: 1 })
  await walk.step('join without protocols', joinGroup, { ...join, protocols: [] })
  await walk.step('join without a type', joinGroup, { ...join, protocolType: '' })
  const { memberId } = await walk.step('join without an id', joinGroup, join)
  const request = { ...join, memberId }
  const { generationId } = await walk.step('join with the id given', joinGroup, request)
  const member = { groupId: 'joining', memberId, generationId }
  await walk.step('heartbeat before the sync', heartbeat, member)
  await walk.step('commit before the sync', offsetCommit, committing(member, 1), 9)
  const assignments = [{ memberId, assignment: Buffer.from('mine') }]
  const wrong = { ...member, ...sharing, protocolName: 'other', assignments }
  await walk.step('sync for another protocol', syncGroup, wrong)
  await walk.step('sync for none', syncGroup, { ...member, assignments })
  await walk.step('sync', syncGroup, { ...member, ...sharing, assignments })
  await walk.step('sync again', syncGroup, { ...member, ...sharing })
  await walk.step('heartbeat', heartbeat, member)
  await walk.step('heartbeat of a past generation', heartbeat, { ...member, generationId: 0 })
  await walk.step('heartbeat of a stranger', heartbeat, { ...member, memberId: 'stranger' })
  await walk.step('join of a stranger', joinGroup, { ...join, memberId: 'stranger' })
  await walk.step('join of another type', joinGroup, { ...join, protocolType: 'connect' })
  const other = [{ name: 'other', metadata: Buffer.of() }]
  await walk.step('join with another protocol', joinGroup, { ...join, protocols: other })
  await walk.step('commit', offsetCommit, committing(member, 2), 9)
  await walk.step('commit from outside', offsetCommit, committing(outsider, 3), 9)
  await walk.step('delete with a member', deleteGroups, { groupsNames: ['joining'] })
  const leaving = [{ memberId: 'stranger' }, { memberId }]
  await walk.step('leave, with a stranger', leaveGroup, { groupId: 'joining', members: leaving })
  await walk.step('described when empty', describeGroups, { groups: ['joining'] })
  await walk.step('heartbeat after leaving', heartbeat, member)
}

const outsider = { groupId: 'joining', memberId: '', generationId: -1 }

function committing(
  { groupId, memberId, generationId }: typeof outsider,
  offset: number,
  metadata?: string,
) {
  return {
    groupId,
    memberId,
    generationIdOrMemberEpoch: generationId,
    ...commitOf(offset, metadata),
  }
}

async function offsets(walk: Walk): Promise<void> {
  const simple = { ...outsider, groupId: 'simple' }
  const nothing = { ...committing(simple, 0), topics: [] }
  await walk.step('commit of nothing', offsetCommit, nothing, 9)
  await walk.step('after a commit of nothing', describeGroups, { groups: ['simple'] })
  await walk.step('commit', offsetCommit, committing(simple, 7, 'note'), 9)
  const long = committing(simple, 8, 'x'.repeat(4097))
  await walk.step('commit with a long note', offsetCommit, long, 9)
  const missing = { ...committing(simple, 8), ...commitOf(8, '', 99) }
  await walk.step('commit for no such partition', offsetCommit, missing, 9)
  const asked = [{ name: 't', partitionIndexes: [0, 1] }]
  await walk.step('committed', offsetFetch, { groups: [{ groupId: 'simple', topics: asked }] }, 9)
  await walk.step('all', offsetFetch, { groups: [{ groupId: 'simple', topics: null }] }, 9)
  await walk.step('a group of commits', describeGroups, { groups: ['simple'] })
  for (const partitionIndex of [0, 1]) {
    const topics = [{ name: 't', partitions: [{ partitionIndex }] }]
    await walk.step('forget an offset', offsetDelete, { groupId: 'simple', topics })
  }
  await walk.step('delete', deleteGroups, { groupsNames: ['simple'] })
}

async function staticMembers(walk: Walk): Promise<void> {
  const group = new GroupClient(walk.client, 'static')
  const join = { ...group.joining(), groupInstanceId: 'one' }
  const first = await walk.step('static join', joinGroup, join)
  const { generationId } = first
  const old = { groupId: 'static', memberId: first.memberId, generationId, groupInstanceId: 'one' }
  const assignments = [{ memberId: first.memberId, assignment: Buffer.from('mine') }]
  await walk.step('static sync', syncGroup, { ...old, ...sharing, assignments })
  const second = await walk.step('replaced', joinGroup, join)
  await walk.step('heartbeat of the old', heartbeat, old)
  await walk.step('sync of the old', syncGroup, { ...old, ...sharing })
  await walk.step('join of the old', joinGroup, { ...join, memberId: first.memberId })
  const commit = { ...committing(old, 1), groupInstanceId: 'one' }
  await walk.step('commit of the old', offsetCommit, commit, 9)
  const now = { ...old, memberId: second.memberId }
  await walk.step('sync of the new', syncGroup, { ...now, ...sharing })
  await walk.step('heartbeat of the new', heartbeat, now)
  await walk.step('replaced, as v8 tells it', joinGroup, join, 8)
  await walk.step('static described', describeGroups, { groups: ['static'] })
  const members = [
    { memberId: '', groupInstanceId: 'two' },
    { memberId: '', groupInstanceId: 'one' },
  ]
  await walk.step('leave by instance', leaveGroup, { groupId: 'static', members })
  await walk.step('static described when empty', describeGroups, { groups: ['static'] })
}
