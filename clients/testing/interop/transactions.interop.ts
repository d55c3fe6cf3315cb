// Transactions of confluent-kafka (librdkafka), which speaks the protocol before KIP-890 part 2: commit, abort,
// fencing, and read-process-write under a broker that is killed.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { Client, string, topic } from '../../index.ts'
import { KillableBroker } from './killable-broker.ts'
import { finished, pythonCommand, requireTools, run } from './tools.ts'

requireTools()

const KILLS = 4
const RECORDS = 4000

const command = (bootstrap: string, verb: string, argument: object) =>
  pythonCommand('confluent_transactions.py', [bootstrap, verb, JSON.stringify(argument)])

/** Runs a verb. @returns the lines that it wrote */
async function told<Line>(bootstrap: string, verb: string, argument: object): Promise<Line[]> {
  const { stdout } = await run(...command(bootstrap, verb, argument))
  const lines = stdout.toString().trim().split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Line)
}

async function committedIn(bootstrap: string, name: string, partitions: number) {
  const argument = { topic: name, partitions }
  const lines = await told<{ value: string }>(bootstrap, 'read_committed', argument)
  return lines.map(({ value }) => value).sort()
}

t.test('librdkafka reads what librdkafka has committed, and nothing else', async (t) => {
  await using broker = await Broker.start({ ephemeral: true })
  const { bootstrap } = broker
  await using client = new Client({ brokers: bootstrap })
  await client.admin().createTopics([{ topic: 'rounds', partitions: 2 }, { topic: 'fenced' }])
  const argument = { topic: 'rounds', transactional_id: 'rounds', count: 30 }
  const rounds = await told<{ round: number; committed: boolean }>(bootstrap, 'rounds', argument)
  const wanted = rounds
    .filter(({ committed }) => committed)
    .flatMap(({ round }) => [0, 1, 2].map((j) => `${round}-${j}`))
  t.equal(wanted.length, 60)
  t.same(await committedIn(bootstrap, 'rounds', 2), wanted.sort())

  const fencing = { topic: 'fenced', transactional_id: 'fenced' }
  t.match(await told(bootstrap, 'fence', fencing), [{ error: '_FENCED', fatal: true }])
  t.same(await committedIn(bootstrap, 'fenced', 1), ['newer'])
})

t.test('what is read, processed and written is written once, over kills', async (t) => {
  await using broker = await KillableBroker.start(t.testdir())
  const { bootstrap } = broker
  const values = Array.from({ length: RECORDS }, (_, i) => `${i}`)
  {
    await using client = new Client({ brokers: bootstrap })
    await client.admin().createTopics([{ topic: 'source' }, { topic: 'target' }])
    await using producer = client.producer()
    const source = topic('source', { value: string })
    await producer.send(
      source,
      values.map((value) => ({ value })),
    )
  }
  const argument = { source: 'source', target: 'target', group: 'copy', count: RECORDS }
  const copier = spawn(...command(bootstrap, 'copy', argument))
  t.teardown(() => copier.kill())
  const lines = createInterface(copier.stdout)
  for (let kill = 0; kill < KILLS; kill++) {
    await once(lines, 'line')
    await broker.kill()
    await broker.start()
  }
  await finished(copier, 'the copier')
  t.same(await committedIn(bootstrap, 'target', 1), values.map((value) => `${value}!`).sort())
})
