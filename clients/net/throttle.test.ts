// A broker that asks to slow down is obeyed: by one connection, in order, and not for longer than it says.

import t from '../../protocol/testing/tap.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { VirtualClock, settle } from '../../broker/testing/virtual-clock.ts'
import { FakeBroker } from '../testing/fake-broker.ts'
import { parseAddresses } from './address.ts'
import { Connection } from './connection.ts'
import { Throttle } from './throttle.ts'

/** The client's clock. */
const clockOf = () => Object.assign(new VirtualClock(), { random: () => 0 })

t.test('requests wait until the time is over, and then start in order', async (t) => {
  const clock = clockOf()
  const throttle = new Throttle(clock)
  const started: string[] = []
  const start = (name: string) => throttle.pass(async () => void started.push(name))
  await start('free')
  throttle.hold(100)
  throttle.hold(20)
  void start('a')
  await clock.advance(60)
  void start('b')
  throttle.hold(100)
  await clock.advance(99)
  t.strictSame(started, ['free'])
  await clock.advance(1)
  t.strictSame(started, ['free', 'a', 'b'])
  await start('c')
  throttle.hold(1000)
  void start('d')
  throttle.release()
  t.strictSame(started, ['free', 'a', 'b', 'c', 'd'], 'a closed connection holds nobody')
})

const all = { topics: null, allowAutoTopicCreation: false }

async function connectionTo(broker: FakeBroker, clock: ReturnType<typeof clockOf>) {
  return Connection.open(parseAddresses(broker.bootstrap)[0]!, {
    clientId: 'test',
    connectTimeoutMs: 1000,
    requestTimeoutMs: 1000,
    clock,
    logger: undefined,
  })
}

/** Requests that have reached the broker, while the client's time stands still. */
async function arrivedAt(broker: FakeBroker): Promise<number> {
  for (let i = 0; i < 50; i++) await settle()
  return broker.requests.filter(({ api }) => api === 'Metadata').length
}

t.test('a connection sends nothing while its broker would not read', async (t) => {
  const clock = clockOf()
  await using broker = await FakeBroker.start()
  const connection = await connectionTo(broker, clock)
  t.teardown(() => connection.close())
  broker.next(metadata, () => ({ throttleTimeMs: 500, brokers: [], topics: [] }))
  await connection.request(metadata, 9, all)
  const next = connection.request(metadata, 9, all)
  t.equal(await arrivedAt(broker), 1)
  await clock.advance(499)
  t.equal(await arrivedAt(broker), 1)
  await clock.advance(1)
  await next
  t.equal(await arrivedAt(broker), 2)
  broker.next(metadata, () => ({ throttleTimeMs: 500, brokers: [], topics: [] }))
  await connection.request(metadata, 9, all)
  const late = connection.request(metadata, 9, all)
  connection.close()
  await t.rejects(late, { code: 'NETWORK_EXCEPTION' })
})

t.test('a broker before Kafka 2.0 has waited already', async (t) => {
  const clock = clockOf()
  await using broker = await FakeBroker.start()
  broker.versionsMax.set('Produce', 5)
  const connection = await connectionTo(broker, clock)
  t.teardown(() => connection.close())
  broker.next(metadata, () => ({ throttleTimeMs: 500, brokers: [], topics: [] }))
  await connection.request(metadata, 9, all)
  await connection.request(metadata, 9, all)
  t.equal(await arrivedAt(broker), 2)
})
