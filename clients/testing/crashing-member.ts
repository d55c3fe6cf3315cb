// A member of a group for tests, as a process that can be killed: crashing-member.js BOOTSTRAP TOPIC GROUP LAST
// Prints the value of each record that it has handled, and has committed them up to and with value LAST.

import { Client, string, topic } from '../index.ts'

const [bootstrap = '', name = '', group = '', last] = process.argv.slice(2)

const client = new Client({ brokers: bootstrap })
const consumer = client.consumer({
  topics: [topic(name, { value: string })],
  group,
  from: 'earliest',
  commit: 'manual',
  sessionTimeoutMs: 300,
})
for await (const record of consumer) {
  if (record.value === last) await consumer.commit(record, { metadata: `after ${last}` })
  process.stdout.write(`${record.value}\n`)
}
