// Apache Kafka with its StandardAuthorizer: its answers to a client without any permission, and to one with a single
// permission. They must equal the record, with which our broker is compared too (broker/conformance/denied.test.ts).
// RECORD=1 writes the record.
//

import { writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { exemptApis } from '../../../broker/auth/api-permissions.ts'
import {
  deniedQuestions,
  inLines,
  linesIn,
  recordedAt,
  shownAnswer,
} from '../../../broker/conformance/denied.ts'
import {
  aclOf,
  decisions,
  decisionsAt,
  linesOf,
  type Permission,
} from '../../../broker/conformance/decisions.ts'
import { absent, existing, type Question } from '../../../broker/testing/questions.ts'
import type { RawClient } from '../../../broker/testing/raw-client.ts'
import { metadata } from '../../../protocol/api/03_metadata.ts'
import { offsetCommit } from '../../../protocol/api/08_offset_commit.ts'
import { findCoordinator } from '../../../protocol/api/10_find_coordinator.ts'
import { createTopics } from '../../../protocol/api/19_create_topics.ts'
import { deleteTopics } from '../../../protocol/api/20_delete_topics.ts'
import { initProducerId } from '../../../protocol/api/22_init_producer_id.ts'
import { deleteAcls } from '../../../protocol/api/31_delete_acls.ts'
import { startAuthorizingKafka, START_TIMEOUT_MS } from './authorizing-kafka.ts'
import { requireKafka } from './tools.ts'

requireKafka()

/** Coordinators take a while to start. */
const TRIES_MAX = 100
const BETWEEN_TRIES_MS = 200

t.test('what Apache Kafka denies is as recorded', async (t) => {
  t.setTimeout(START_TIMEOUT_MS + 1_000_000)
  await using kafka = await startAuthorizingKafka()
  const { admin } = kafka
  await t.test('to a client without permissions', async (t) => {
    const topicId = await prepared(admin)
    const answers = new Map<Question, string>()
    for (const question of deniedQuestions(topicId, exemptApis, true))
      answers.set(question, shownAnswer(await kafka.answerTo(question), topicId))
    compare(t, recordedAt, inLines(answers))
  })
  await t.test('to a client with one permission', async (t) => {
    t.setTimeout(900_000)
    const begin = async (permission: Permission | undefined) => {
      if (held !== undefined) await revoke(admin, held)
      const topicId = await prepared(admin)
      if (permission !== undefined) {
        const { patternType: resourcePatternType, ...acl } = aclOf(permission)
        await kafka.grant({ resourcePatternType, ...acl })
      }
      held = permission
      return topicId
    }
    let held: Permission | undefined
    const ask = (question: Question) => kafka.answerTo(question)
    compare(t, decisionsAt, linesOf(await decisions(exemptApis, true, begin, ask)))
  })
})

function compare(t: Test, at: URL, lines: readonly string[]) {
  if (process.env['RECORD'] === '1') writeFileSync(at, `${lines.join('\n')}\n`)
  t.strictSame(lines, linesIn(at))
}

/** Deletes the ACL of a permission. */
async function revoke(admin: RawClient, permission: Permission): Promise<void> {
  const { resourceType, resourceName, patternType, principal, host, ...rest } = aclOf(permission)
  const resource = { resourceTypeFilter: resourceType, resourceNameFilter: resourceName }
  const client = { principalFilter: principal, hostFilter: host }
  const filter = { ...resource, patternTypeFilter: patternType, ...client, ...rest }
  await admin.send(deleteAcls, { filters: [filter] })
}

/** Creates everything that the requests name. @returns the id of the new topic */
async function prepared(admin: RawClient): Promise<string> {
  const { topic: name, group: groupId, transactionalId } = existing
  const old = [{ name }, { name: absent.topic }]
  await admin.send(deleteTopics, { topics: old, timeoutMs: 10_000 })
  const topics = [{ name, numPartitions: 2, replicationFactor: 1 }]
  await until(async () => {
    const created = await admin.send(createTopics, { topics, timeoutMs: 10_000 })
    return created.topics[0]!.errorCode
  })
  const partitions = [{ partitionIndex: 0, committedOffset: 0 }]
  const commit = { groupId, topics: [{ name, partitions }] }
  await until(async () => {
    await admin.send(findCoordinator, { coordinatorKeys: [groupId] })
    const answer = await admin.send(offsetCommit, commit, 8)
    return answer.topics[0]!.partitions[0]!.errorCode
  })
  await until(async () => {
    await admin.send(findCoordinator, { keyType: 1, coordinatorKeys: [transactionalId] })
    const request = { transactionalId, transactionTimeoutMs: 60_000 }
    return (await admin.send(initProducerId, request)).errorCode
  })
  const { topics: described } = await admin.send(metadata, { topics: [{ name }] })
  return described[0]!.topicId
}

async function until(ask: () => Promise<number>): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    if ((await ask()) === 0) return
    await setTimeout(BETWEEN_TRIES_MS)
  }
  throw new Error('Apache Kafka is not ready')
}
