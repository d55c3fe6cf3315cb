// A broker is killed and restarted under a group with members of all clients: at-least-once, by the value of every
// record.

import t from 'tap'
import { Client } from '../../index.ts'
import { KillableBroker } from './killable-broker.ts'
import { clientNames, Crew, sendNumbers, sorted } from './members.ts'
import { requireTools } from './tools.ts'

requireTools()

const KILLS = 3
const PARTITIONS = 10
/** The most records sent and not yet read. */
const AHEAD_MAX = 500
const argument = { topic: 'killed', group: 'killed', assignor: 'range', session_ms: 6000 } as const

t.test('nothing is lost, and nothing that was committed comes again', async (t) => {
  await using broker = await KillableBroker.start(t.testdir())
  const retry = { backoffMs: 20, backoffMaxMs: 200 }
  await using client = new Client({ brokers: broker.bootstrap, retry })
  await client.admin().createTopics([{ topic: 'killed', partitions: PARTITIONS }])
  await using crew = new Crew(broker.bootstrap, argument)
  const members = clientNames.map((name) => crew.join(name))
  await crew.shares(PARTITIONS, members)

  const acknowledged: string[] = []
  let isSending = true
  const sending = (async () => {
    while (isSending) {
      await crew.until(() => crew.readCount >= acknowledged.length - AHEAD_MAX)
      const sent = await sendNumbers(client, 'killed', PARTITIONS, acknowledged.length, 50)
      acknowledged.push(...sent)
    }
  })()
  for (let kill = 0; kill < KILLS; kill++) {
    const before = crew.readCount
    await crew.until(() => crew.readCount >= before + 500)
    await broker.kill()
    await broker.start()
  }
  isSending = false
  await sending
  await crew.until(() => new Set(crew.values).size >= acknowledged.length)
  t.comment(`${acknowledged.length} records, read ${crew.readCount} times`)
  t.strictSame(sorted([...new Set(crew.values)]), sorted(acknowledged), 'nothing is lost')
  t.strictSame(crew.repeatedAfterCommit(), [])
  for (const { client: name, deliveries, commits } of members) {
    t.ok(deliveries.length > 0, `${name} has read`)
    t.ok(commits.length > 0 || name === 'kcat', `${name} has told what it committed`)
  }

  for (const member of members) await member.stop()
  await using last = client.consumer({ topics: ['killed'], group: 'killed', until: 'end' })
  const left: number[] = []
  for await (const { offset } of last) left.push(offset)
  t.strictSame(left, [], 'what was done is committed')
})
