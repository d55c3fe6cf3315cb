// The client against Apache Kafka, and Kafka's group coordinator beside ours.

import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { Client, json, string, topic, type ConfigResource } from '../../index.ts'
import { hostileRecords } from '../hostile.ts'
import { behaving } from './behaving.ts'
import { walkGroupEdges } from './group-edges.ts'
import { freePort } from './killable-broker.ts'
import { newerGroups } from './newer-groups.ts'
import { absent, askBoth, documentedAsAbsent } from './odd-questions.ts'
import { run, requireKafka } from './tools.ts'
import { transacting } from './transacting.ts'

requireKafka()

/** Maven fetches the jars the first time; this directory keeps them, but not the data. */
const START_TIMEOUT_MS = 100_000
process.env['KAFKA_PEER_DIR'] ??= join(tmpdir(), 'millrace-kafka-interop')
const script = fileURLToPath(new URL('../../../../bench/peers/kafka.sh', import.meta.url))

t.test('a client of ours and Apache Kafka', async (t) => {
  t.setTimeout(START_TIMEOUT_MS + 120_000)
  const start = [script, 'start', `${await freePort()}`]
  const { stdout } = await run('bash', start, Buffer.of(), START_TIMEOUT_MS)
  t.teardown(() => run('bash', [script, 'stop']))
  const bootstrap = stdout.toString().trim().split('\n').at(-1)!
  await using client = new Client({ brokers: bootstrap, metadataAgeMaxMs: 500 })
  await sharing(t, client)
  await administering(t, client)
  await transacting(t, client)
  await configuring(t, client)
  await hardening(t, client)
  await behaving(t, client)
  const { stdout: classpath } = await run('bash', [script, 'classpath'])
  await newerGroups(t, client, bootstrap, classpath.toString().trim())
  await comparing(t, bootstrap, client)
})

/** Tries, 50 ms apart. */
const TRIES_MAX = 100

const orders = topic('orders', { key: string, value: json<{ id: number }>() })

async function sharing(t: Test, client: Client): Promise<void> {
  await t.test(
    'it produces, shares partitions, commits, and goes on from the commit',
    async (t) => {
      await client.admin().createTopics([{ topic: orders, partitions: 4 }])
      await using producer = client.producer({ compression: 'lz4' })
      const sent = Array.from({ length: 400 }, (_, id) => id)
      await producer.send(
        orders,
        sent.map((id) => ({ key: `k${id}`, value: { id } })),
      )
      const consumer = (more: object = {}) =>
        client.consumer({
          topics: [orders],
          group: 'audit',
          from: 'earliest',
          heartbeatIntervalMs: 100,
          until: 'end',
          ...more,
        })
      const got: number[] = []
      const [first, second] = [consumer(), consumer({ instanceId: 'static' })]
      const read = async (member: typeof first) => {
        for await (const { value } of member) got.push(value.id)
      }
      await Promise.all([read(first), read(second)])
      t.strictSame(
        got.sort((a, b) => a - b),
        sent,
        'two members, each record once',
      )
      await Promise.all([first.close(), second.close()])
      await producer.send(orders, { key: 'late', value: { id: 400 } })
      const third = consumer({ instanceId: 'static' })
      await read(third)
      await third.close()
      t.strictSame(got.slice(400), [400])
    },
  )
}

async function administering(t: Test, client: Client): Promise<void> {
  await t.test('it lists, describes, resets and deletes groups', async (t) => {
    const { groups } = client.admin()
    const consumer = client.consumer({ topics: [orders], group: 'live', from: 'earliest' })
    await consumer[Symbol.asyncIterator]().next()
    t.match(
      (await groups.list({ states: ['Stable'], types: ['classic'] })).find(
        ({ group }) => group === 'live',
      ),
      { state: 'Stable', type: 'classic', protocolType: 'consumer' },
    )
    t.match(await groups.describe(['live']), [
      { protocol: 'cooperative-sticky', members: [{ topics: ['orders'] }] },
    ])
    await t.rejects(groups.reset('live', 'earliest', { of: [orders] }), { code: 'NON_EMPTY_GROUP' })
    await consumer.close()
    t.equal((await groups.lag('audit')).total, 0)
    const reset = await groups.reset('live', 3, { of: [orders] })
    t.strictSame(
      reset.map(({ offset }) => offset),
      [3, 3, 3, 3],
    )
    await groups.delete(['live'])
    await t.rejects(groups.describe(['live']), { code: 'GROUP_ID_NOT_FOUND' })
  })
}

async function configuring(t: Test, client: Client): Promise<void> {
  await t.test(
    'it changes configs of topics and brokers, and asks for log directories',
    async (t) => {
      const { configs } = client.admin()
      const resource = { topic: orders }
      /** In a real cluster a change takes effect a moment after its answer. */
      const value = async (of: ConfigResource, name: string, wanted: string) => {
        for (let tries = 1; ; tries++) {
          const [description] = await configs.describe([of])
          const found = description!.entries.find((entry) => entry.name === name)?.value
          if (found === wanted || tries === TRIES_MAX) return found
          await setTimeout(50)
        }
      }
      await configs.alter([
        { resource, set: { 'retention.ms': 77 }, append: { 'cleanup.policy': 'compact' } },
      ])
      t.equal(await value(resource, 'retention.ms', '77'), '77')
      t.equal(await value(resource, 'cleanup.policy', 'delete,compact'), 'delete,compact')
      await configs.alter([
        { resource, unset: ['retention.ms'], subtract: { 'cleanup.policy': 'compact' } },
      ])
      t.equal(await value(resource, 'retention.ms', '604800000'), '604800000')
      const { controller } = await client.admin().cluster()
      for (const broker of [controller, 'all'] as const) {
        await configs.alter([{ resource: { broker }, set: { 'log.cleaner.threads': 1 } }])
        t.equal(await value({ broker }, 'log.cleaner.threads', '1'), '1')
        await configs.alter([{ resource: { broker }, unset: ['log.cleaner.threads'] }])
      }
      await t.rejects(configs.alter([{ resource, set: { 'retention.mss': 1 } }]), {
        code: 'INVALID_CONFIG',
      })
      const [dir] = await client.admin().logDirs()
      t.ok(dir!.totalBytes! >= dir!.usableBytes!)
      t.ok(dir!.partitions.some(({ topic: name }) => name === orders.name))
    },
  )
}

async function hardening(t: Test, client: Client): Promise<void> {
  await t.test('no value of any type in any field of a record harms other records', async (t) => {
    await client.admin().createTopics([{ topic: 'hostile', partitions: 2 }])
    await hostileRecords(t, client, 'hostile', 300)
  })
  await t.test('a record that the broker refuses fails alone', async (t) => {
    const config = { 'cleanup.policy': 'compact' }
    await client.admin().createTopics([{ topic: 'compacted', partitions: 1, config }])
    await using producer = client.producer({ lingerMs: 50 })
    const outcomes = await Promise.allSettled([
      producer.send('compacted', { key: 'a', value: '1' }),
      producer.send('compacted', { value: 'no key' }),
      producer.send('compacted', { key: 'b', value: '2' }),
      producer.send('hostile', { value: 'far', timestamp: 8e15, partition: 0 }),
      producer.send('hostile', { value: 'now', partition: 0 }),
    ])
    t.same(
      outcomes.map((each) => (each as PromiseRejectedResult).reason?.code),
      [undefined, 'INVALID_RECORD', undefined, 'INVALID_TIMESTAMP', undefined],
    )
  })
  await t.test('a session timeout that is refused says the bounds', async (t) => {
    const options = { topics: ['hostile'], group: 'short', sessionTimeoutMs: 1 }
    await using consumer = client.consumer(options)
    await t.rejects(consumer[Symbol.asyncIterator]().next(), {
      code: 'INVALID_SESSION_TIMEOUT',
      message: /sessionTimeoutMs is 1, .*: 6000 to 1800000$/,
    })
  })
}

async function comparing(t: Test, bootstrap: string, client: Client): Promise<void> {
  await t.test('odd questions get the same answers from it and from us', async (t) => {
    await using broker = await Broker.start({ ephemeral: true })
    await askBoth(t, bootstrap, broker.bootstrap)
  })
  await t.test('docs/not-implemented.md names all that it serves and we do not', async (t) => {
    await using broker = await Broker.start({ ephemeral: true })
    const page = readFileSync(new URL('../../../../docs/not-implemented.md', import.meta.url))
    const documented = new Set(documentedAsAbsent(page.toString()))
    const undocumented = await absent(bootstrap, broker.bootstrap)
    t.strictSame(
      undocumented.filter((each) => !documented.has(each)),
      [],
    )
    t.ok(undocumented.length > 10, 'there is something to compare')
  })
  await t.test('its group coordinator and ours agree at every edge', async (t) => {
    await using broker = await Broker.start({ ephemeral: true })
    await using ours = new Client({ brokers: broker.bootstrap })
    for (const each of [client, ours]) await each.admin().createTopics(['t'])
    const [theirSteps, ourSteps] = [
      await walkGroupEdges(bootstrap),
      await walkGroupEdges(broker.bootstrap),
    ]
    for (const [i, [what, answer]] of ourSteps.entries())
      t.strictSame(answer, theirSteps[i]![1], what)
  })
}
