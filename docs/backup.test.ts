// Runs the commands of docs/guide/operations.md that back up a running broker, while records come in.

import { join } from 'node:path'
import t from '../protocol/testing/tap.ts'
import { Broker } from '../broker/broker.ts'
import { Client, string, topic } from '../clients/index.ts'
import { contents } from '../clients/testing/index.ts'
import { blocksOf } from './pages.ts'
import { commandsOf, Shell } from './shell.ts'

const orders = topic('orders', { key: string, value: string })

t.test('a copy of a broker that runs holds all that it had acknowledged before', async (t) => {
  await using shell = await Shell.open()
  await using client = new Client({ brokers: shell.broker.bootstrap })
  await client.admin().createTopics([
    { topic: orders, partitions: 3, config: { 'segment.bytes': 65_536 } },
    { topic: 'settings', config: { 'cleanup.policy': 'compact' } },
  ])
  const producer = client.producer({ lingerMs: 0 })
  const send = (i: number) => producer.send(orders, { key: `${i}`, value: 'x'.repeat(500) })
  const acknowledged = await Promise.all(Array.from({ length: 1000 }, (_, i) => send(i)))
  await producer.send('settings', { key: 'colour', value: 'blue' })
  await using member = client.consumer({
    topics: [orders],
    group: 'audit',
    from: 'earliest',
    until: 'end',
  })
  await member.run(() => {})
  await member.close()
  const committed = await client.admin().groups.offsets('audit')

  const over = new AbortController()
  let sentCount = acknowledged.length
  const sending = (async () => {
    while (!over.signal.aborted) await send(sentCount++)
  })()
  const block = blocksOf('docs/guide/operations.md', 'sh').find((each) => each.includes('live/'))!
  const { lines, output } = await shell.run(commandsOf(block))
  over.abort()
  await sending
  t.strictSame(
    lines.filter(({ status }) => status !== 0),
    [],
  )
  t.match(output, /: sound$/m, 'verify says so')
  t.ok(sentCount > acknowledged.length, 'records came in meanwhile')

  const dataDir = join(shell.directory, 'here/copy')
  await using restored = await Broker.start({ dataDir })
  await using reader = new Client({ brokers: restored.bootstrap })
  const records = await contents(reader, orders)
  const places = new Map(records.map((each) => [`${each.partition} ${each.offset}`, each.key]))
  const kept = acknowledged.filter(
    ({ partition, offset }, i) => places.get(`${partition} ${offset}`) === `${i}`,
  )
  t.equal(kept.length, acknowledged.length, 'each at its offset')
  t.equal((await contents(reader, 'settings'))[0]?.value?.toString(), 'blue')
  t.strictSame(await reader.admin().groups.offsets('audit'), committed)
  const ack = await reader.producer().send(orders, { key: '0', value: 'and it goes on' })
  t.equal(ack.offset, records.filter(({ partition }) => partition === ack.partition).length)
})
