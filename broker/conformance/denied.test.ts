// Every API for a client without permissions, or with one: the answers are Apache Kafka's, and every handler asks for
// permission. Without sockets.

import { isFull } from '../../protocol/testing/budget.ts'
import t from '../../protocol/testing/tap.ts'
import { createTopics } from '../../protocol/api/19_create_topics.ts'
import { createAcls } from '../../protocol/api/30_create_acls.ts'
import { addPartitionsToTxn } from '../../protocol/api/24_add_partitions_to_txn.ts'
import { offsetCommit } from '../../protocol/api/08_offset_commit.ts'
import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { apis } from '../../protocol/apis.ts'
import { apiPermissions, exemptApis } from '../auth/api-permissions.ts'
import { STANDARD_AUTHORIZER } from '../auth/configs.ts'
import type { Authorizer } from '../auth/permissions.ts'
import type { Requester } from '../auth/principal.ts'
import type { Operation, ResourceType } from '../auth/resources.ts'
import { existing, questions, type Question } from '../testing/questions.ts'
import { answerTo } from '../testing/local-client.ts'
import { World } from '../testing/world.ts'
import {
  aclOf,
  decisions,
  decisionsAt,
  permissions,
  permissionText,
  type Permission,
} from './decisions.ts'
import { deniedQuestions, recordedAt, shownAnswer, textsIn, titleOf } from './denied.ts'

/** Apache Kafka refuses to unset everything of its broker (INVALID_CONFIG), because its record was made with listeners of names of their own. */
const EXCEPTION = /^AlterConfigs Cluster, AlterConfigs \d/

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

/** @param authorizer Default: by ACLs */
async function prepared(authorizer?: Authorizer) {
  const config = {
    'fetch.max.wait.ms': 0,
    'group.initial.rebalance.delay.ms': 0,
    'authorizer.class.name': STANDARD_AUTHORIZER,
    'super.users': 'User:admin',
  }
  const world = await World.open(t, { config, ...(authorizer && { authorizer }) })
  const admin = world.local
  admin.session.principal = { type: 'User', name: 'admin' }
  const { topic: name, group: groupId, transactionalId } = existing
  const topics = [{ name, numPartitions: 2, replicationFactor: 1 }]
  const created = await admin.perform(createTopics, { topics })
  const partitions = [{ partitionIndex: 0, committedOffset: 0 }]
  await admin.perform(offsetCommit, { groupId, topics: [{ name, partitions }] }, 8)
  const { producerId = -1, producerEpoch } = await admin.perform(initProducerId, {
    transactionalId,
    transactionTimeoutMs: 60_000,
  })
  const begun = { transactionalId, producerId, producerEpoch }
  await admin.perform(addPartitionsToTxn, { ...begun, topics: [{ name, partitions: [0] }] })
  return { world, admin, client: world.client(), topicId: created.topics[0]!.topicId! }
}

t.test('a client without permissions hears what Apache Kafka tells it', async (t) => {
  const { client, topicId } = await prepared()
  const recorded = textsIn(recordedAt)
  for (const question of deniedQuestions(topicId, exemptApis, isFull)) {
    const text = shownAnswer(await answerTo(client, question), topicId)
    t.equal(text, recorded.get(titleOf(question)), titleOf(question))
  }
})

t.test('a client with one permission hears the codes of Apache Kafka', async (t) => {
  let begun: Awaited<ReturnType<typeof prepared>> | undefined
  const begin = async (permission: Permission | undefined) => {
    await begun?.world.broker.close()
    begun = await prepared()
    const { patternType: resourcePatternType, ...acl } = aclOf(permission ?? permissions[0]!)
    const creations = [{ resourcePatternType, ...acl }]
    if (permission !== undefined) await begun.admin.perform(createAcls, { creations })
    return begun.topicId
  }
  const recorded = textsIn(decisionsAt)
  const ask = (question: Question) => answerTo(begun!.client, question)
  for (const { permission, texts } of await decisions(exemptApis, isFull, begin, ask)) {
    for (const [question, text] of texts) {
      const title = `${permissionText(permission)}, ${titleOf(question)}`
      const isException = EXCEPTION.test(title)
      if (isException)
        t.equal(
          text,
          'all ok, all/absent TOPIC_AUTHORIZATION_FAILED, all/logs TOPIC_AUTHORIZATION_FAILED',
        )
      else if (text !== recorded.get(title)) t.equal(text, recorded.get(title), title)
    }
    t.pass(permissionText(permission))
  }
})

t.test('every API has a handler that asks for the permissions of the table', async (t) => {
  const asked = new Map<string, Set<string>>()
  const ask = async (isAllowed: Rights['isAllowed'], isWanted: (api: string) => boolean) => {
    const rights = new Rights()
    const { client, topicId } = await prepared(rights)
    rights.isAllowed = isAllowed
    for (const question of questions(topicId)) {
      const { name } = question.api
      if (!isWanted(name)) continue
      rights.asked.clear()
      await client.perform(question.api, question.request, question.version)
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
