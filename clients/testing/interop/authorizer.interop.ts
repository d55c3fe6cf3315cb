// Apache Kafka's StandardAuthorizer, in a process of its own, and ours decide the same by random ACLs. RECORD=1 writes the
// record that `npm test` goes by. WORLDS=100000 asks more.

import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import {
  decisionsIn,
  RECORDED_WORLDS,
  recordedAt,
  recordedDecisions,
  textOf,
  worldOf,
} from '../../../broker/conformance/authorizer.ts'
import { kafkaClasspath, run, requireJavaCompiler, requireKafka } from './tools.ts'

requireKafka()
requireJavaCompiler()

const WORLDS = Number(process.env['WORLDS'] ?? 5000)
const TIMEOUT_MS = 300_000
const script = fileURLToPath(
  new URL('../../../../clients/testing/interop/Authorize.java', import.meta.url),
)

t.test(
  'our authorizer decides as Apache Kafka',

  async (t) => {
    t.setTimeout(TIMEOUT_MS)
    const worlds = Array.from({ length: WORLDS }, (_, i) => worldOf(i + 1))
    const input = Buffer.from(worlds.map(textOf).join(''))
    const args = ['-cp', await kafkaClasspath(), script]
    const { stdout } = await run('java', args, input, TIMEOUT_MS)
    const decided = stdout.toString().trimEnd().split('\n')
    t.equal(decided.length, WORLDS)
    for (const [i, decisions] of decided.entries()) {
      const ours = decisionsIn(worlds[i]!)
      if (ours !== decisions) t.equal(ours, decisions, `seed ${i + 1}`)
    }
    const record = decided.slice(0, RECORDED_WORLDS)
    if (process.env['RECORD'] === '1') writeFileSync(recordedAt, `${record.join('\n')}\n`)
    t.strictSame(record, recordedDecisions())
  },
)
