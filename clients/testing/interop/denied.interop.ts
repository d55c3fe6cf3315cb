// Apache Kafka with its StandardAuthorizer: its answers to a client without any permission, and to one with a single
// permission. They must equal the record, with which our broker is compared too (broker/conformance/denied.test.ts).
// RECORD=1 writes the record.
// Skipped where Kafka cannot be run.

import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { exemptApis } from '../../../broker/auth/api-permissions.ts'
import {
  deniedQuestions,
  lineOf,
  recorded,
  recordedAt,
} from '../../../broker/conformance/denied.ts'
import { CLUSTER_NAME, operations } from '../../../broker/auth/resources.ts'
import {
  decisions,
  decisionsAt,
  recordedDecisions,
  type Permission,
} from '../../../broker/conformance/decisions.ts'
import { absent, existing, type Question } from '../../../broker/testing/questions.ts'
import { RawClient } from '../../../broker/testing/raw-client.ts'
import { metadata } from '../../../protocol/api/03_metadata.ts'
import { offsetCommit } from '../../../protocol/api/08_offset_commit.ts'
import { findCoordinator } from '../../../protocol/api/10_find_coordinator.ts'
import { saslHandshake } from '../../../protocol/api/17_sasl_handshake.ts'
import { createTopics } from '../../../protocol/api/19_create_topics.ts'
import { deleteTopics } from '../../../protocol/api/20_delete_topics.ts'
import { initProducerId } from '../../../protocol/api/22_init_producer_id.ts'
import { createAcls } from '../../../protocol/api/30_create_acls.ts'
import { deleteAcls } from '../../../protocol/api/31_delete_acls.ts'
import { saslAuthenticate } from '../../../protocol/api/36_sasl_authenticate.ts'
import { freePort } from './killable-broker.ts'
import { run, whyNoKafka } from './tools.ts'

/** Maven fetches the jars the first time. */
const START_TIMEOUT_MS = 100_000
/** Coordinators take a while to start. */
const TRIES_MAX = 100
const BETWEEN_TRIES_MS = 200
/** A new ACL takes effect some time after its answer. */
const ACLS_APPLY_MS = 1000
process.env['KAFKA_PEER_DIR'] ??= join(tmpdir(), 'millrace-kafka-denied')
const script = fileURLToPath(new URL('../../../../bench/peers/kafka.sh', import.meta.url))

/** Clients of the first listener have no name and no permission. Brokers and the administrator use another listener. */
function properties(port: number, adminPort: number): string {
  const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
  const jaas = `${login} username="admin" password="secret" user_admin="secret";`
  return [
    `listeners=PLAINTEXT://127.0.0.1:${port},ADMIN://127.0.0.1:${adminPort},CONTROLLER://127.0.0.1:${port + 1}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${port},ADMIN://127.0.0.1:${adminPort}`,
    'listener.security.protocol.map=CONTROLLER:SASL_PLAINTEXT,PLAINTEXT:PLAINTEXT,ADMIN:SASL_PLAINTEXT',
    'inter.broker.listener.name=ADMIN',
    'sasl.mechanism.controller.protocol=PLAIN',
    'sasl.mechanism.inter.broker.protocol=PLAIN',
    'sasl.enabled.mechanisms=PLAIN',
    `listener.name.controller.plain.sasl.jaas.config=${jaas}`,
    `listener.name.admin.plain.sasl.jaas.config=${jaas}`,
    'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users=User:admin',
  ].join('\n')
}

t.test('what Apache Kafka denies is as recorded', { skip: whyNoKafka() ?? false }, async (t) => {
  t.setTimeout(START_TIMEOUT_MS + 300_000)
  const port = await freePort()
  const adminPort = port + 2 // the controller has the port between
  process.env['KAFKA_PROPERTIES'] = properties(port, adminPort)
  await run('bash', [script, 'start', `${port}`], Buffer.of(), START_TIMEOUT_MS)
  t.teardown(() => run('bash', [script, 'stop']))
  const admin = await connected(adminPort)
  t.teardown(() => admin.close())
  await t.test('to a client without permissions', async (t) => {
    const topicId = await prepared(admin)
    const lines: string[] = []
    for (const question of deniedQuestions(topicId, exemptApis))
      lines.push(lineOf(question, await answerTo(port, question), topicId))
    compare(t, recordedAt, lines, recorded)
  })
  await t.test('to a client with one permission', async (t) => {
    t.setTimeout(300_000)
    const begin = async (permission: Permission | undefined) => {
      if (held !== undefined) await admin.send(deleteAcls, { filters: [aclOf(held)] })
      const topicId = await prepared(admin)
      if (permission !== undefined) await grant(admin, permission)
      held = permission
      return topicId
    }
    let held: Permission | undefined
    const lines = await decisions(exemptApis, begin, (question) => answerTo(port, question))
    compare(t, decisionsAt, lines, recordedDecisions)
  })
})

function compare(
  t: Test,
  at: URL,
  lines: readonly string[],
  recordedLines: () => readonly string[],
) {
  if (process.env['RECORD'] === '1') writeFileSync(at, `${lines.join('\n')}\n`)
  t.strictSame(lines, recordedLines())
}

async function answerTo(port: number, { api, version, request }: Question): Promise<unknown> {
  const client = await RawClient.connect(`127.0.0.1:${port}`)
  const answer = await client.send(api, request, version)
  await client.close()
  return answer
}

const LITERAL = 3
const ALLOW = 3
const resourceTypeCodes = { Topic: 2, Group: 3, Cluster: 4, TransactionalId: 5 } as const

/** A permission as an ACL to create, and as a filter that finds it. */
function aclOf({ operation, resourceType }: Permission) {
  const resourceName = resourceType === 'Cluster' ? CLUSTER_NAME : '*'
  const [principal, host] = ['User:ANONYMOUS', '*']
  const code = resourceTypeCodes[resourceType]
  return {
    resourceType: code,
    resourceTypeFilter: code,
    resourceName,
    resourceNameFilter: resourceName,
    resourcePatternType: LITERAL,
    patternTypeFilter: LITERAL,
    principal,
    principalFilter: principal,
    host,
    hostFilter: host,
    operation: operations[operation],
    permissionType: ALLOW,
  }
}

async function grant(admin: RawClient, permission: Permission): Promise<void> {
  const { results } = await admin.send(createAcls, { creations: [aclOf(permission)] })
  if (results[0]!.errorCode !== 0) throw new Error(results[0]!.errorMessage ?? 'no ACL')
  await setTimeout(ACLS_APPLY_MS)
}

async function connected(port: number): Promise<RawClient> {
  const admin = await RawClient.connect(`127.0.0.1:${port}`)
  await admin.send(saslHandshake, { mechanism: 'PLAIN' })
  await admin.send(saslAuthenticate, { authBytes: Buffer.from('\0admin\0secret') })
  return admin
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
