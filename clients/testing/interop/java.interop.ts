// Apache Kafka's Java client in transactions: 3.x speaks the protocol before KIP-890 part 2, 4.x the one since then.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { Client, string, topic } from '../../index.ts'
import { KillableBroker } from './killable-broker.ts'
import {
  finished,
  KAFKA_FETCH_TIMEOUT_MS,
  kafkaClasspath,
  run,
  requireJavaCompiler,
  requireKafka,
} from './tools.ts'

const VERSIONS = ['3.9.1', '4.1.0']
const KILLS = 3
const RECORDS = 1000

requireKafka()
requireJavaCompiler()
const timeout = KAFKA_FETCH_TIMEOUT_MS + 60_000

/** The command that runs a Java program of this directory with one version of the client. */
async function javaCommand(version: string, program: string): Promise<string[]> {
  const source = new URL(`../../../../clients/testing/interop/${program}`, import.meta.url)
  return ['-cp', await kafkaClasspath(version), fileURLToPath(source)]
}

for (const version of VERSIONS) {
  t.test(`transactions of the Java client ${version}`, { timeout }, async (t) => {
    const command = await javaCommand(version, 'Transactions.java')
    const config = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 200 }
    await using broker = await Broker.start({ ephemeral: true, config })
    const { stdout } = await run('java', [...command, broker.bootstrap])
    t.match(stdout.toString(), /^done$/m)
  })

  t.test(`what the Java client ${version} copies is there once`, { timeout }, async (t) => {
    const command = await javaCommand(version, 'Copy.java')
    await using broker = await KillableBroker.start(t.testdir())
    await using client = new Client({ brokers: broker.bootstrap })
    await client.admin().createTopics([{ topic: 'source' }, { topic: 'target' }])
    const values = Array.from({ length: RECORDS }, (_, i) => `${i}`)
    await using producer = client.producer()
    await producer.send(
      topic('source', { value: string }),
      values.map((value) => ({ value })),
    )
    const copier = spawn('java', [...command, broker.bootstrap, `${RECORDS}`])
    t.teardown(() => copier.kill())
    const lines = createInterface(copier.stdout)
    const ending = finished(copier, 'the copier')
    for (let kill = 0; kill < KILLS; kill++) {
      await Promise.race([once(lines, 'line'), ending])
      await broker.kill()
      await broker.start()
    }
    await ending
    const target = topic('target', { value: string })
    const reading = { from: 'earliest', until: 'end', isolation: 'committed' } as const
    const copied: string[] = []
    for await (const { value } of client.consumer({ topics: [target], ...reading }))
      copied.push(value)
    t.same(copied.sort(), values.map((value) => `${value}!`).sort())
  })
}
