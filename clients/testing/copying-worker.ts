// A worker for tests that copies exactly once, as a process that can be killed: copying-worker.js BOOTSTRAP FROM TO
// Prints a line within each transaction, once a part of it is written. Ends when all records are copied.

import { setTimeout as sleep } from 'node:timers/promises'
import { Client, string, topic } from '../index.ts'

const [bootstrap = '', from = '', to = ''] = process.argv.slice(2)
const outputs = topic(to, { value: string })

await using client = new Client({ brokers: bootstrap })
await using tx = client.producer({ transactionalId: 'worker', lingerMs: 0 })
await using source = client.consumer({
  topics: [topic(from, { value: string })],
  group: 'workers',
  instanceId: 'worker',
  commit: 'manual',
  isolation: 'committed',
  from: 'earliest',
  until: 'end',
})
for await (const batch of source.batches({ maxRecords: 50 })) {
  await tx.transaction(async (t) => {
    for (const { value } of batch.records) await t.send(outputs, { value })
    t.commitOffsetsOf(source, batch.records.at(-1)!)
    process.stdout.write('copying\n')
    await sleep(5)
  })
}
