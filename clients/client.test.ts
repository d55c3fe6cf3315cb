// The client against a millrace broker: every call once, a broker that dies during a call, and wrong addresses.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from '../protocol/testing/tap.ts'
import {
  Client,
  json,
  msgpack,
  orNull,
  PartialError,
  string,
  topic,
  type Codec,
  type Consumer,
  type ConsumerRecord,
} from './index.ts'
import { Broker } from '../broker/broker.ts'
import { FakeBroker } from './testing/fake-broker.ts'
import { contents } from './testing/index.ts'

/** A broker of its own for a test, and a client. */
async function world() {
  const broker = await Broker.start({ ephemeral: true })
  const client = new Client({ brokers: broker.bootstrap })
  return {
    client,
    bootstrap: broker.bootstrap,
    async [Symbol.asyncDispose]() {
      await client.close()
      await broker.close()
    },
  }
}

type Order = { id: number; cents: number }
const orders = topic('orders', { key: string, value: json<Order>() })
const totals = topic('totals', { key: string, value: orNull(msgpack<{ cents: number }>()) })

t.test('a typed topic is written and read back, with every codec', async (t) => {
  await using kafka = await world()
  const { client } = kafka
  await client.admin().createTopics([
    { topic: orders, partitions: 3 },
    { topic: totals, config: { 'cleanup.policy': 'compact' } },
  ])
  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] satisfies Codec[]) {
    await using producer = client.producer({ compression })
    const sent = Array.from({ length: 100 }, (_, id) => ({
      key: `k${id % 7}`,
      value: { id, cents: 10 * id },
      headers: { codec: compression },
    }))
    const acks = await producer.send(orders, sent)
    const read = (await contents(kafka.client, orders)).filter(
      ({ headers }) => headers[0]![1]!.toString() === compression,
    )
    const place = ({ partition, offset }: { partition: number; offset: number }) =>
      `${partition} ${offset}`
    const byPlace = new Map(read.map((record) => [place(record), record]))
    for (const [index, ack] of acks.entries())
      t.match(byPlace.get(place(ack)), { key: sent[index]!.key, value: sent[index]!.value })
    t.equal(read.length, 100)
    await producer.send(totals, [
      { key: 'a', value: { cents: 1 } },
      { key: 'a', value: null },
    ])
  }
  t.same(
    (await contents(kafka.client, totals)).slice(0, 2).map(({ value }) => value),
    [{ cents: 1 }, null],
  )
})

t.test('reading starts and stops at times', async (t) => {
  await using kafka = await world()
  const day = 86_400_000
  const base = Date.now() - 10 * day
  await using producer = kafka.client.producer({ batchBytes: 300 })
  await producer.send(
    'days',
    Array.from({ length: 10 }, (_, n) => ({ value: `${n}`, timestamp: base + n * day })),
  )
  const between = kafka.client.consumer({
    topics: ['days'],
    from: new Date(base + 2.5 * day),
    until: new Date(base + 6 * day),
  })
  const seen = []
  for await (const { value } of between) seen.push(String(value))
  t.same(seen, ['3', '4', '5'])
})

t.test('the admin creates, describes, grows, trims and deletes', async (t) => {
  await using kafka = await world()
  const admin = kafka.client.admin()
  const [created] = await admin.createTopics([
    { topic: 'a', partitions: 2, config: { 'retention.ms': 1000 } },
  ])
  t.match(created, { topic: 'a', partitionCount: 2, id: /^[\w-]{22}$/ })
  await admin.createTopics(['checked'], { validateOnly: true })
  const error = await admin.createTopics(['a', 'b', 'bad/name']).catch((e: unknown) => e)
  t.ok(error instanceof PartialError)
  t.match(error, {
    code: 'TOPIC_ALREADY_EXISTS',
    message: /^TOPIC_ALREADY_EXISTS: 2 of 3 failed, the first: a: (?!TOPIC_ALREADY)/,
    results: [
      { code: 'TOPIC_ALREADY_EXISTS', message: 'TOPIC_ALREADY_EXISTS: a: topic a already exists' },
      { topic: 'b' },
      { code: 'INVALID_TOPIC_EXCEPTION' },
    ],
  })
  t.same(
    (await admin.listTopics()).filter(({ isInternal }) => !isInternal).map((each) => each.topic),
    ['a', 'b'],
  )
  await using early = kafka.client.producer()
  await early.send('b', { value: 'x' })
  await admin.createPartitions([{ topic: 'b', count: 9 }])
  t.equal((await early.send('b', { value: 'x', partition: 8 })).partition, 8, 'at once')
  await admin.createPartitions([{ topic: 'a', count: 3 }])
  t.match(await admin.describeTopics(['b', 'a']), [
    { topic: 'b' },
    { topic: 'a', partitions: { length: 3 } },
  ])
  await t.rejects(admin.describeTopics(['nope']), { code: 'UNKNOWN_TOPIC_OR_PARTITION' })

  await using producer = kafka.client.producer()
  await producer.send(
    'a',
    [5, 9, 7].map((timestamp) => ({ value: 'x', partition: 1, timestamp })),
  )
  const offsets = async (at: Parameters<typeof admin.listOffsets>[1]) =>
    (await admin.listOffsets(['a'], at)).map(({ offset, timestamp }) => [offset, timestamp])
  t.same(await offsets('latest'), [
    [0, -1],
    [3, -1],
    [0, -1],
  ])
  t.same(await offsets('maxTimestamp'), [
    [-1, -1],
    [1, 9],
    [-1, -1],
  ])
  t.same(await offsets(new Date(6)), [
    [-1, -1],
    [1, 9],
    [-1, -1],
  ])
  t.match(await admin.deleteRecords([{ topic: 'a', partition: 1, offset: 2 }]), [
    { topic: 'a', partition: 1, logStartOffset: 2 },
  ])
  t.match(await admin.listOffsets([{ topic: 'a', partition: 1 }], 'earliest'), [{ offset: 2 }])
  await t.rejects(admin.deleteRecords([{ topic: 'a', partition: 1, offset: 99 }]), {
    code: 'OFFSET_OUT_OF_RANGE',
  })

  const [config, broker] = await admin.configs.describe([
    { topic: 'a' },
    { broker: (await admin.cluster()).controller },
  ])
  const retention = config!.entries.find(({ name }) => name === 'retention.ms')
  t.match(retention, { value: '1000', source: 'topic' })
  t.ok(broker!.entries.length > 10)
  const [dir] = await admin.logDirs()
  t.ok(dir!.totalBytes! > dir!.usableBytes!)
  const sizes = dir!.partitions.filter(({ topic }) => topic === 'a')
  t.equal(sizes.length, 3)
  t.ok(sizes.some(({ sizeBytes }) => sizeBytes > 0))
  t.match(await admin.cluster(), { clusterId: String, brokers: [{ host: '127.0.0.1' }] })
  await admin.deleteTopics(['a', 'b'])
  await t.rejects(admin.deleteTopics(['a']), { code: 'UNKNOWN_TOPIC_OR_PARTITION' })
})

t.test(
  'a broker that is killed under a producer and a consumer: every record is there once, in order',
  async (t) => {
    const dataDir = t.testdir()
    let broker = await startBroker(dataDir, 0)
    t.teardown(() => broker.process.kill('SIGKILL'))
    await using client = new Client({
      brokers: broker.bootstrap,
      retry: { backoffMs: 10, backoffMaxMs: 50 },
    })
    const numbers = topic('numbers', { value: json<number>() })
    await using producer = client.producer({ batchBytes: 200, lingerMs: 1 })
    await using consumer = client.consumer({ topics: [numbers], from: 'earliest' })
    const acks = [producer.send(numbers, { value: 0 })]
    await acks[0]
    const read = readUntil(consumer, TOTAL - 1)
    for (let kill = 0; kill < 2; kill++) {
      const first = acks.length
      const send = (count: number) => {
        while (acks.length < first + count)
          acks.push(producer.send(numbers, { value: acks.length }))
      }
      send(500)
      await acks[first + 100] // some are acknowledged, most are in flight
      broker.process.kill('SIGKILL')
      send(600)
      await once(broker.process, 'exit')
      broker = await startBroker(dataDir, broker.port)
    }
    while (acks.length < TOTAL) acks.push(producer.send(numbers, { value: acks.length }))
    const offsets = (await Promise.all(acks)).map(({ offset }) => offset)
    const values = await read
    const sent = Array.from({ length: TOTAL }, (_, value) => value)
    t.same(
      offsets.map((offset) => values[offset]),
      sent,
      'each is where it was acknowledged',
    )
    t.same(values, sent, 'once, in the order of the calls')
  },
)

const TOTAL = 2_000

/** @returns the values of a topic of one partition in order of offsets, up to the first `last` */
async function readUntil(
  consumer: Consumer<ConsumerRecord<string, any, number>>,
  last: number,
): Promise<number[]> {
  const values: number[] = []
  for await (const { offset, value } of consumer) {
    if (offset !== values.push(value) - 1)
      throw new Error(`offset ${offset} where ${values.length - 1} was due`)
    if (value === last) break
  }
  return values
}

t.test('closing the client closes what it has opened, flushed', async (t) => {
  await using kafka = await world()
  const client = new Client({ brokers: kafka.bootstrap })
  const sent = client.producer({ lingerMs: 60_000 }).send('t', { value: 'x' })
  const consumer = client.consumer({ topics: ['t'] })
  await client.close()
  t.match(await sent, { offset: 0 })
  t.match(await consumer[Symbol.asyncIterator]().next(), { done: true })
  await client.close()
})

t.test('what cannot be reached says what was dialled, why it failed and what to try', async (t) => {
  const http = createHttpServer((_, response) => response.end())
  const mute = createServer(() => {})
  const curt = createServer((socket) => socket.destroy())
  const ports = await Promise.all([http, mute, curt].map(listening))
  t.teardown(() => [http, mute, curt].forEach((server) => server.close()))
  const reach = async (brokers: string, connectTimeoutMs = 10_000) => {
    await using client = new Client({ brokers, bootstrapTimeoutMs: 0, connectTimeoutMs })
    await client.admin().cluster()
  }
  const refused = {
    code: 'BROKER_NOT_AVAILABLE',
    message: /127\.0\.0\.1:1 refused the connection: is a broker running/,
  }
  await t.rejects(reach('127.0.0.1:1'), refused)
  await t.rejects(reach('127.0.0.1:1,nowhere.invalid:9092'), {
    message: /:1 refused.*; nowhere\.invalid:9092 is a name that does not resolve/,
  })
  await t.rejects(reach(`127.0.0.1:${ports[0]}`), { message: /looks like HTTP/ })
  await t.rejects(reach(`127.0.0.1:${ports[1]}`, 50), {
    message: /did not answer ApiVersions within 50 ms/,
  })
  await t.rejects(reach(`127.0.0.1:${ports[2]}`), {
    message: /closed the connection: is it a Kafka listener, without TLS/,
  })
  const elsewhere = await FakeBroker.start()
  elsewhere.createTopic('t')
  elsewhere.advertised = 1
  await using lost = new Client({ brokers: elsewhere.bootstrap })
  await t.rejects(lost.admin().listOffsets(['t'], 'latest', { timeoutMs: 50 }), {
    message: /127\.0\.0\.1:1 refused.*; broker 1 advertises that address \(advertised\.listeners\)/,
  })
  await elsewhere.stop()
  for (const brokers of ['', 'a:b', 'host:0', 'host:70000', '1:2:3']) {
    t.throws(() => new Client({ brokers }), {
      name: 'TypeError',
      message: /^(new Client: )?brokers/,
    })
  }
  const patient = new Client({ brokers: '127.0.0.1:1', retry: { backoffMs: 1 } })
  await t.rejects(patient.admin().cluster({ timeoutMs: 20 }), {
    code: 'REQUEST_TIMED_OUT',
    message: /gave up after 20 ms.*refused/,
  })
  await t.rejects(patient.admin().cluster({ signal: AbortSignal.abort(new Error('enough')) }), {
    message: 'enough',
  })
})

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const main = fileURLToPath(new URL('cli/main.js', import.meta.url))

/** A broker in a process of its own, so that the test can kill it. */
async function startBroker(
  dataDir: string,
  port: number,
): Promise<{ process: ChildProcess; bootstrap: string; port: number }> {
  const args = [
    main,
    'start',
    '--data',
    dataDir,
    '--port',
    String(port),
    '--http',
    'off',
    '--json',
    '-q',
  ]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const { bootstrap } = JSON.parse(line) as { bootstrap: string }
  return { process: child, bootstrap, port: Number(bootstrap.split(':')[1]) }
}
