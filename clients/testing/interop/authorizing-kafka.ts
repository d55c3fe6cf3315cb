// Apache Kafka with its StandardAuthorizer: clients of the first listener have no name, and no permission. Brokers and the
// administrator come in by another one, with a password.

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Question } from '../../../broker/testing/questions.ts'
import { RawClient } from '../../../broker/testing/raw-client.ts'
import { createAcls } from '../../../protocol/api/30_create_acls.ts'
import { saslHandshake } from '../../../protocol/api/17_sasl_handshake.ts'
import { deleteAcls } from '../../../protocol/api/31_delete_acls.ts'
import { saslAuthenticate } from '../../../protocol/api/36_sasl_authenticate.ts'
import type { RequestInput } from '../../../protocol/schema.ts'
import { freePort } from './killable-broker.ts'
import { run } from './tools.ts'

/** Maven fetches the jars the first time. */
export const START_TIMEOUT_MS = 100_000
/** A change of ACLs reaches the broker some time after it was answered. */
export const ACLS_APPLY_MS = 700

const script = fileURLToPath(new URL('../../../../bench/peers/kafka.sh', import.meta.url))

export interface AuthorizingKafka extends AsyncDisposable {
  /** HOST:PORT for clients without a name. */
  readonly bootstrap: string
  /** HOST:PORT for `admin` with the password `secret`, by PLAIN without TLS. */
  readonly adminBootstrap: string
  readonly admin: RawClient
  /** What a client without a name hears. */
  answerTo(question: Question): Promise<unknown>
  grant(...acls: RequestInput<typeof createAcls>['creations']): Promise<void>
}

export async function startAuthorizingKafka(): Promise<AuthorizingKafka> {
  process.env['KAFKA_PEER_DIR'] ??= join(tmpdir(), 'millrace-kafka-denied')
  const port = await freePort()
  const adminPort = port + 2 // the controller's is between
  process.env['KAFKA_PROPERTIES'] = properties(port, adminPort)
  await run('bash', [script, 'start', `${port}`], Buffer.of(), START_TIMEOUT_MS)
  const bootstrap = `127.0.0.1:${port}`
  const adminBootstrap = `127.0.0.1:${adminPort}`
  const admin = await connectAdmin(adminBootstrap)
  await ready(admin)
  return {
    bootstrap,
    adminBootstrap,
    admin,
    async answerTo({ api, version, request }) {
      const client = await RawClient.connect(bootstrap)
      const answer = await client.send(api, request, version)
      await client.close()
      return answer
    },
    async grant(...creations) {
      const { results } = await admin.send(createAcls, { creations })
      const refused = results.find(({ errorCode }) => errorCode !== 0)
      if (refused !== undefined) throw new Error(refused.errorMessage ?? 'no ACL')
      await setTimeout(ACLS_APPLY_MS)
    },
    async [Symbol.asyncDispose]() {
      await admin.close()
      await run('bash', [script, 'stop'])
    },
  }
}

/** The first changes of ACLs after the start are answered with nothing. */
async function ready(admin: RawClient): Promise<void> {
  const acl = { resourceType: 2, resourceName: 'x', principal: 'User:x', host: '*', operation: 3 }
  const creations = [{ ...acl, permissionType: 3 }]
  for (;;) {
    const { results } = await admin.send(createAcls, { creations })
    if (results[0]?.errorCode === 0) break
    await setTimeout(ACLS_APPLY_MS)
  }
  const filter = { resourceTypeFilter: 1, resourceNameFilter: null, patternTypeFilter: 1 }
  const rest = { principalFilter: null, hostFilter: null, operation: 1, permissionType: 1 }
  await admin.send(deleteAcls, { filters: [{ ...filter, ...rest }] })
  await setTimeout(ACLS_APPLY_MS)
}

export async function connectAdmin(adminBootstrap: string): Promise<RawClient> {
  const admin = await RawClient.connect(adminBootstrap)
  await admin.send(saslHandshake, { mechanism: 'PLAIN' })
  await admin.send(saslAuthenticate, { authBytes: Buffer.from('\0admin\0secret') })
  return admin
}

function properties(port: number, adminPort: number): string {
  const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
  const jaas = `${login} username="admin" password="secret" user_admin="secret" user_ann="secret";`
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
