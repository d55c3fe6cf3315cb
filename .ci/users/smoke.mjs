// What every package manager must have installed whole: each entry point, the native codecs, HTTP, the command's broker.

import assert from 'node:assert/strict'
import { Client } from 'millrace'
import { Broker } from 'millrace/broker'

await import('millrace/protocol')
await import('millrace/testing')
const broker = await Broker.start({ ephemeral: true, http: 0 })
assert.equal((await fetch(`${broker.httpUrl}/readyz`)).status, 200)
assert.match(await (await fetch(`${broker.httpUrl}/metrics`)).text(), /millrace_/)
const client = new Client({ brokers: broker.bootstrap })
for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  const producer = client.producer({ compression })
  await producer.send('greetings', { value: 'hello '.repeat(1000) })
}
const consumer = client.consumer({ topics: ['greetings'], from: 'earliest', until: 'end' })
let count = 0
for await (const { value } of consumer) count += value.length === 6000 ? 1 : 0
assert.equal(count, 5)
await client.close()
await broker.close()
