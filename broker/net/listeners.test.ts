// Several listeners at once: each tells its own address, one of them that cannot be bound stops the start, and kafkajs
// goes through both.

import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import kafkajs from 'kafkajs'
import t from '../../protocol/testing/tap.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { findCoordinator } from '../../protocol/api/10_find_coordinator.ts'
import { describeCluster } from '../../protocol/api/60_describe_cluster.ts'
import { Broker } from '../broker.ts'
import { runBroker, type StartFlags } from '../main.ts'
import { RawClient } from '../testing/raw-client.ts'
import { World } from '../testing/world.ts'

const map = { 'listener.security.protocol.map': 'INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT' }

/** What a client of one listener is told, by each API that tells it. */
async function toldBy(bootstrap: string): Promise<{ host: string; port: number }[]> {
  const client = await RawClient.connect(bootstrap)
  const { brokers } = await client.send(metadata, { topics: [] })
  const { coordinators } = await client.send(findCoordinator, { coordinatorKeys: ['g'] })
  const cluster = await client.send(describeCluster, {})
  await client.close()
  return [brokers[0]!, coordinators[0]!, cluster.brokers[0]!].map(({ host, port }) => {
    return { host, port }
  })
}

t.test('each listener tells its clients its own address, whoever tells it', async (t) => {
  const listeners =
    'PLAINTEXT://127.0.0.1:0,INTERNAL://127.0.0.1:0,EXTERNAL://127.0.0.1:0,CONTROLLER://:9093'
  const advertised = 'INTERNAL://internal.example,EXTERNAL://external.example:7000'
  const config = { listeners, 'advertised.listeners': advertised, ...map }
  const { broker, logged } = await World.open(t, { config })
  t.same(Object.keys(broker.listeners), ['PLAINTEXT', 'INTERNAL', 'EXTERNAL'])
  t.equal(broker.bootstrap, broker.listeners['PLAINTEXT'])
  const portOf = (name: string) => Number(broker.listeners[name]!.split(':')[1])
  const three = (host: string, port: number) => Array(3).fill({ host, port })
  const dialled = await toldBy(broker.listeners['PLAINTEXT']!)
  t.same(dialled, three('127.0.0.1', portOf('PLAINTEXT')))
  const internal = await toldBy(broker.listeners['INTERNAL']!)
  t.same(internal, three('internal.example', portOf('INTERNAL')))
  t.same(await toldBy(broker.listeners['EXTERNAL']!), three('external.example', 7000))
  t.ok(
    logged.some(
      ({ level, message }) => level === 'warn' && /CONTROLLER.*passed over/.test(message),
    ),
  )
})

t.test('kafkajs produces through one listener and consumes through another', async (t) => {
  const listeners = 'PLAINTEXT://127.0.0.1:0,EXTERNAL://127.0.0.1:0'
  const config = { listeners, 'advertised.listeners': 'EXTERNAL://localhost', ...map }
  const { broker } = await World.open(t, { config })
  const kafkaOver = (name: string) =>
    new kafkajs.Kafka({
      brokers: [broker.listeners[name]!],
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { retries: 2, initialRetryTime: 20 },
    })
  const admin = kafkaOver('EXTERNAL').admin()
  await admin.connect()
  t.match(await admin.describeCluster(), { brokers: [{ host: 'localhost' }] })
  await admin.createTopics({ topics: [{ topic: 'both' }] })
  await admin.disconnect()
  const producer = kafkaOver('PLAINTEXT').producer()
  await producer.connect()
  await producer.send({ topic: 'both', messages: [{ value: 'one' }, { value: 'two' }] })
  await producer.disconnect()
  const consumer = kafkaOver('EXTERNAL').consumer({ groupId: 'readers' })
  await consumer.connect()
  await consumer.subscribe({ topic: 'both', fromBeginning: true })
  const values: (string | undefined)[] = []
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
      if (values.push(message.value?.toString()) === 2) resolve()
    }
    consumer.run({ eachMessage }).catch(reject)
  })
  t.same(values, ['one', 'two'])
  await consumer.disconnect()
})

t.test('a listener that cannot be bound is named, and the others let their ports go', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port: freePort } = free.address() as AddressInfo
  await new Promise((resolve) => free.close(resolve))
  const first = `INTERNAL://127.0.0.1:${freePort}`
  const start = (second: string) => {
    const config = { listeners: `${first},${second}`, ...map }
    return Broker.start({ ephemeral: true, config })
  }
  for (let i = 0; i < 2; i++) {
    await t.rejects(start(`EXTERNAL://127.0.0.1:${port}`), {
      code: 'EADDRINUSE',
      message: `listener EXTERNAL cannot listen on 127.0.0.1:${port}: the port is taken`,
    })
  }
  await t.rejects(start('EXTERNAL://broker.invalid:9092'), { code: 'INVALID_CONFIG' })
  const anywhere = { ...map, 'i.accept.unauthenticated.network': true }
  await t.rejects(
    Broker.start({
      ephemeral: true,
      config: { listeners: `${first},EXTERNAL://203.0.113.1:9092`, ...anywhere },
    }),
    /listener EXTERNAL cannot listen on 203\.0\.113\.1:9092: this machine has no such address/,
  )
  const said = async (flags: StartFlags) => {
    let text = ''
    const terminal = { out: () => {}, err: (line: string) => (text += line) }
    t.equal(await runBroker({ ephemeral: true, http: 'off', ...flags }, terminal, 'inline'), 1)
    return text
  }
  const set = [`listeners=${first},EXTERNAL://127.0.0.1:${port}`]
  const protocols = `listener.security.protocol.map=${map['listener.security.protocol.map']}`
  t.match(
    await said({ set: [...set, protocols] }),
    /EXTERNAL cannot listen .* the port is taken: stop what listens there, or choose another in listeners/,
  )
})
