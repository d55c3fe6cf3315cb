// The duration of a start with many partitions, each with a record: after a clean stop, and after a SIGKILL that left a
// record past the checkpoint in each. And the number of descriptors.

import { join } from 'node:path'
import { produce } from '../protocol/api/00_produce.ts'
import { BatchBuilder } from '../protocol/batch/build.ts'
import { BrokerProcess } from './broker-process.ts'
import type { Bench, Row } from './report.ts'
import { WireClient } from './wire-client.ts'

const COUNTS = [1000, 10_000]
const MIB = 2 ** 20
/** Partitions in one Produce request. */
const AT_ONCE = 500
const READY_MS_WANTED = 5000

export const partitions: Bench = {
  name: 'partitions',
  title: 'spawn to ready with many partitions, one record in each since the last start',

  async *run(dir) {
    for (const count of COUNTS) yield* measure(join(dir, `${count}`), count)
  },
}

async function* measure(dataDir: string, count: number): AsyncGenerator<Row> {
  {
    await using broker = await BrokerProcess.start(dataDir)
    using client = await WireClient.connect(broker.bootstrap)
    await client.createTopic('many', {}, count)
    await writeToAll(client, count)
  }
  {
    await using broker = await BrokerProcess.start(dataDir)
    yield row(`${count} partitions, orderly stop`, broker)
    using client = await WireClient.connect(broker.bootstrap)
    await writeToAll(client, count)
    const figures = [{ name: '', value: broker.descriptorCount, unit: 'descriptors' }]
    yield { title: `${count} partitions, all written to`, figures }
    await broker.kill()
  }
  await using broker = await BrokerProcess.start(dataDir)
  yield row(`${count} partitions, SIGKILL`, broker)
}

function row(title: string, broker: BrokerProcess): Row {
  const { cpuSeconds, rssBytes } = broker.usage()
  return {
    title,
    figures: [
      { name: '', value: broker.readyMs, unit: 'ms', atMost: READY_MS_WANTED },
      { name: '', value: cpuSeconds, unit: 'CPU-s' },
      { name: 'RSS', value: rssBytes / MIB, unit: 'MiB' },
    ],
  }
}

async function writeToAll(client: WireClient, count: number): Promise<void> {
  for (let first = 0; first < count; first += AT_ONCE) {
    const length = Math.min(AT_ONCE, count - first)
    const partitions = Array.from({ length }, (_, i) => ({ index: first + i, records: batch() }))
    const topics = [{ name: 'many', partitions }]
    const request = { transactionalId: null, acks: 1, timeoutMs: 30_000, topics }
    const [topic] = (await client.call(produce, 9, request)).topics
    const failed = topic!.partitions.find(({ errorCode }) => errorCode !== 0)
    if (failed) throw new Error(`partition ${failed.index}: error ${failed.errorCode}`)
  }
}

function batch(): Uint8Array {
  const builder = new BatchBuilder()
  builder.append({ timestamp: Date.now(), key: null, value: Buffer.from('hello') })
  return builder.finish()
}
