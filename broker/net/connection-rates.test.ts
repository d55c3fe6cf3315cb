// How fast clients may connect: by address, and all together; and how many of one address. Time is virtual.

import t from '../../protocol/testing/tap.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { alterClientQuotas } from '../../protocol/api/49_alter_client_quotas.ts'
import type { RawClient } from '../testing/raw-client.ts'
import { settle, VirtualClock } from '../testing/virtual-clock.ts'
import { World } from '../testing/world.ts'
import { AcceptLine } from './accept-line.ts'
import { parseAddressCounts } from '../address-counts.ts'

const all = { topics: null, allowAutoTopicCreation: false }

/** Lets the sockets of both ends run while time stands still. */
async function rest(): Promise<void> {
  for (let i = 0; i < 100; i++) await settle()
}

async function isClosed(client: RawClient): Promise<boolean> {
  let isThere = false
  void client.closed.then(() => (isThere = true))
  client.socket.resume()
  await rest()
  return isThere
}

t.test('an address above its rate waits, and is closed', async (t) => {
  const clock = new VirtualClock()
  const world = await World.open(t, { clock, config: { host: '127.0.0.1' } })
  const admin = await world.connect()
  const set = (entityName: string | null, value: number, remove = false) =>
    admin.send(alterClientQuotas, {
      entries: [
        {
          entity: [{ entityType: 'ip', entityName }],
          ops: [{ key: 'connection_creation_rate', value, remove }],
        },
      ],
      validateOnly: false,
    })
  await set('127.0.0.1', 1)
  for (let i = 0; i < 10; i++) await (await world.connect()).send(metadata, all)
  const late = await world.connect()
  late.write(metadata, all)
  t.equal(await isClosed(late), false)
  await clock.advance(1000)
  t.equal(await isClosed(late), true)
  await clock.advance(11_000)
  await (await world.connect()).send(metadata, all)
  await set('127.0.0.1', 0, true)
  await set(null, 1)
  for (let i = 0; i < 9; i++) await (await world.connect()).send(metadata, all)
  const another = await world.connect()
  await clock.advance(1000)
  t.equal(await isClosed(another), true, 'the default counts as well')
})

t.test('connections above max.connection.creation.rate come in one after the other', async (t) => {
  const clock = new VirtualClock()
  const limits = { ratePerSecond: 2 }
  const window = { sampleCount: 11, sampleMs: 1000 }
  const line = new AcceptLine({ limits, window, clock })
  let count = 0
  for (let i = 0; i < 30; i++)
    t.equal(
      line.pass(() => count++),
      true,
    )
  t.equal(count, 20, 'a burst of ten seconds')
  await clock.advance(10_000)
  t.ok(count > 20 && count <= 30, `${count}`)
  await clock.advance(20_000)
  t.equal(count, 30)
  limits.ratePerSecond = 0
  for (let i = 0; i < 511; i++) line.pass(() => count++)
  t.equal(
    line.pass(() => count++),
    false,
    'too many wait',
  )
  line.close()
  t.equal(count, 541)
})

t.test('single addresses may have another number of connections', async (t) => {
  const counts = parseAddressCounts('10.0.0.7:100, ::1:2,[fd00::1]:3')!
  t.strictSame(
    [...counts],
    [
      ['10.0.0.7', 100],
      ['0:0:0:0:0:0:0:1', 2],
      ['fd00:0:0:0:0:0:0:1', 3],
    ],
  )
  for (const text of ['10.0.0.7', 'host:1', '10.0.0.0/8:1', '10.0.0.7:-1', ':1', 'a,b'])
    t.equal(parseAddressCounts(text), undefined, text)
  const world = await World.open(t, {
    config: {
      host: '127.0.0.1',
      'max.connections.per.ip': 1,
      'max.connections.per.ip.overrides': '127.0.0.1:2',
    },
  })
  for (let i = 0; i < 2; i++) await (await world.connect()).send(metadata, all)
  const third = await world.connect()
  await third.closed
  t.match(world.logged.at(-1), { message: 'connection refused', ofAddress: 2 })
})
