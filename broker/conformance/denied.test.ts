// Every API for a client without permissions, or with one: the answers are Apache Kafka's, and every handler asks for
// permission. Without sockets.

import t from '../../protocol/testing/tap.ts'
import { addPartitionsToTxn } from '../../protocol/api/24_add_partitions_to_txn.ts'
import { offsetCommit } from '../../protocol/api/08_offset_commit.ts'
import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { apis } from '../../protocol/apis.ts'
import { apiPermissions, exemptApis } from '../auth/api-permissions.ts'
import type { Authorizer } from '../auth/permissions.ts'
import type { Requester } from '../auth/principal.ts'
import type { Operation, ResourceType } from '../auth/resources.ts'
import { existing, questions } from '../testing/questions.ts'
import { answerTo } from '../testing/local-client.ts'
import { World } from '../testing/world.ts'
import { decisions, includesPermission, recordedDecisions, type Permission } from './decisions.ts'
import { deniedQuestions, lineOf, recorded } from './denied.ts'

/** An authorizer that a test changes, and asks what it was asked. */
class Rights implements Authorizer {
  isAllowed: (operation: Operation, resourceType: ResourceType) => boolean = () => true
  /** 'Read Topic'. */
  readonly asked = new Set<string>()

  allows(requester: Requester, operation: Operation, resourceType: ResourceType): boolean {
    return this.allowsAny(requester, operation, resourceType)
  }

  allowsAny(_requester: Requester, operation: Operation, resourceType: ResourceType): boolean {
    this.asked.add(`${operation} ${resourceType}`)
    return this.isAllowed(operation, resourceType)
  }
}

async function prepared() {
  const rights = new Rights()
  const config = { 'fetch.max.wait.ms': 0, 'group.initial.rebalance.delay.ms': 0 }
  const world = await World.open(t, { authorizer: rights, config })
  const { topic: name, group: groupId, transactionalId } = existing
  const { topicId } = await world.topic(name, 2)
  const partitions = [{ partitionIndex: 0, committedOffset: 0 }]
  await world.local.perform(offsetCommit, { groupId, topics: [{ name, partitions }] }, 8)
  const { producerId = -1, producerEpoch } = await world.local.perform(initProducerId, {
    transactionalId,
    transactionTimeoutMs: 60_000,
  })
  const begun = { transactionalId, producerId, producerEpoch }
  await world.local.perform(addPartitionsToTxn, { ...begun, topics: [{ name, partitions: [0] }] })
  return { world, rights, topicId }
}

t.test('a client without permissions hears what Apache Kafka tells it', async (t) => {
  const { world, rights, topicId } = await prepared()
  rights.isAllowed = () => false
  const answers = new Map(recorded().map((line) => [line.slice(0, line.indexOf(': ')), line]))
  for (const question of deniedQuestions(topicId, exemptApis)) {
    const line = lineOf(question, await answerTo(world.local, question), topicId)
    const what = line.slice(0, line.indexOf(': '))
    t.equal(line, answers.get(what), what)
    answers.delete(what)
  }
  t.strictSame([...answers.keys()], [], 'each answer on record was compared')
})

t.test('a client with one permission is denied what Apache Kafka denies it', async (t) => {
  let { world, rights, topicId } = await prepared()
  const begin = async (permission: Permission | undefined) => {
    await world.broker.close()
    ;({ world, rights, topicId } = await prepared())
    rights.isAllowed = (operation, resourceType) =>
      permission !== undefined && includesPermission(permission, { operation, resourceType })
    return topicId
  }
  const lines = await decisions(exemptApis, begin, (question) => answerTo(world.local, question))
  t.strictSame(lines, recordedDecisions())
})

t.test('every API has a handler that asks for the permissions of the table', async (t) => {
  const asked = new Map<string, Set<string>>()
  const ask = async (isAllowed: Rights['isAllowed'], isWanted: (api: string) => boolean) => {
    const { world, rights, topicId } = await prepared()
    rights.isAllowed = isAllowed
    for (const question of questions(topicId)) {
      const { name } = question.api
      if (!isWanted(name)) continue
      rights.asked.clear()
      await world.local.perform(question.api, question.request, question.version)
      const ofApi = asked.get(name) ?? new Set()
      asked.set(name, ofApi)
      for (const right of rights.asked) ofApi.add(right)
    }
  }
  const everything = () => true
  await ask(() => false, everything)
  await ask(everything, (api) => api.startsWith('Describe'))
  await ask((_operation, resourceType) => resourceType !== 'Cluster', everything)
  await ask(everything, everything)
  for (const { name } of apis) {
    const wanted = new Set(
      (apiPermissions[name] ?? []).map(
        ({ operation, resourceType }) => `${operation} ${resourceType}`,
      ),
    )
    const found = asked.get(name)!
    t.equal(wanted.size === 0, exemptApis.includes(name), `${name} asks, or is exempt`)
    if (answersMasks(name))
      t.strictSame(
        [...wanted].filter((right) => !found.has(right)),
        [],
        name,
      )
    else t.strictSame([...found].sort(), [...wanted].sort(), name)
  }
})

/** A mask of authorized operations asks for each of them. */
function answersMasks(api: string): boolean {
  return ['Metadata', 'DescribeGroups', 'DescribeCluster', 'DescribeTopicPartitions'].includes(api)
}
