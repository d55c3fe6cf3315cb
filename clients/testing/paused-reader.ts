// A process whose loop waits for a consumer that is paused until its signal fires: `node paused-reader.js HOST:PORT`.

import { Client } from '../index.ts'

const [bootstrap] = process.argv.slice(2)
const client = new Client({ brokers: bootstrap! })
const signal = AbortSignal.timeout(200) // which keeps no process alive
const consumer = client.consumer({ topics: ['t'], signal })
await consumer.start()
consumer.pause()
for await (const record of consumer) process.stdout.write(`${record.offset}\n`)
await client.close()
process.stdout.write('over\n')
