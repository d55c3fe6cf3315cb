// ACLs beside Apache Kafka with its StandardAuthorizer: what it answers to requests for ACLs, sensible and odd ones, is as
// recorded, which our broker is compared with (broker/conformance/acls.test.ts). RECORD=1 writes the record.

import { writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import {
  lineOf,
  questions,
  recordedAnswers,
  recordedAt,
  refusedHere,
} from '../../../broker/conformance/acls.ts'
import { createAcls } from '../../../protocol/api/30_create_acls.ts'
import { deleteAcls } from '../../../protocol/api/31_delete_acls.ts'
import {
  ACLS_APPLY_MS,
  connectAdmin,
  startAuthorizingKafka,
  START_TIMEOUT_MS,
} from './authorizing-kafka.ts'
import { requireKafka } from './tools.ts'

requireKafka()

t.test('ACLs beside Apache Kafka', async (t) => {
  t.setTimeout(START_TIMEOUT_MS + 300_000)
  await using kafka = await startAuthorizingKafka()

  await t.test('what Apache Kafka answers to requests for ACLs is as recorded', async (t) => {
    const lines: string[] = []
    for (const question of [...questions, ...refusedHere]) {
      const { api, version, request } = question
      const client = await connectAdmin(kafka.adminBootstrap)
      const answer = await client.send(api, request, version).catch(() => undefined)
      await client.close()
      lines.push(lineOf(question, answer))
      const isChange = api === createAcls || api === deleteAcls
      if (isChange && answer !== undefined) await setTimeout(ACLS_APPLY_MS)
    }
    if (process.env['RECORD'] === '1') writeFileSync(recordedAt, `${lines.join('\n')}\n`)
    t.strictSame(lines, recordedAnswers())
  })
})
