// Known troubles of other clients, each by name, which this client must not have.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import t from '../../protocol/testing/tap.ts'
import { GroupClient } from '../../broker/testing/group-client.ts'
import { RawClient } from '../../broker/testing/raw-client.ts'
import { GroupWorld, numbers, read, readAll, sorted, until } from '../testing/group-world.ts'

t.test(
  'pain: a handler that takes longer than the session is not given its record again',
  async (t) => {
    await using w = await GroupWorld.open(1)
    await w.send(3)
    const sessionTimeoutMs = 500
    const raw = await RawClient.connect(w.broker.bootstrap)
    const slow = read(w.consumer({ until: 'end', sessionTimeoutMs }), async () => {
      await new GroupClient(raw, 'silent').alone({ sessionTimeoutMs }) // its session begins now
      await until(async () => !(await hasMembers(w, 'silent')))
      t.ok(await hasMembers(w, 'g'))
    })
    await slow.done
    t.same(slow.values, numbers(3))
    await slow.consumer.close()
    t.equal(await w.committed(), 3)
    await raw.close()
  },
)

async function hasMembers({ client }: GroupWorld, group: string): Promise<boolean> {
  const [described] = await client.admin().groups.describe([group])
  return described!.members.length > 0
}

t.test('pain: members that join at once do not rebalance for ever', async (t) => {
  const MEMBERS = 12
  await using w = await GroupWorld.open(MEMBERS, { http: 0 })
  await w.send(10 * MEMBERS)
  const members = Array.from({ length: MEMBERS }, () => read(w.consumer()))
  await until(() => members.every(({ consumer }) => consumer.assignment().length === 1))
  const values = () => members.flatMap((each) => each.values)
  await until(() => new Set(values()).size === 10 * MEMBERS)
  const rebalances = await w.rebalances()
  t.ok(rebalances <= 2 * MEMBERS, `${rebalances} rebalances for ${MEMBERS} members`)
  const readCount = values().length
  await w.send(10 * MEMBERS)
  await until(() => new Set(values()).size === 20 * MEMBERS)
  t.equal(values().length - readCount, 10 * MEMBERS, 'once at rest, nothing is read twice')
  t.equal(await w.rebalances(), rebalances, 'and no rebalance')
  await Promise.all(members.map(({ consumer }) => consumer.close()))
})

t.test(
  'pain: a restart of the broker neither skips nor repeats beyond the last commit',
  async (t) => {
    await using w = await GroupWorld.open(3, { dataDir: t.testdir() })
    await w.send(60)
    const member = read(w.consumer())
    await until(async () => (await w.committed()) === 60)
    await w.restart()
    await w.send(60)
    await until(() => member.values.length >= 120)
    t.same(sorted(member.values), numbers(120), 'a member goes on where it was')
    await until(async () => (await w.committed()) === 120)
    await member.consumer.close()
    await w.send(30)
    await w.restart()
    t.same(sorted(await readAll(w.consumer({ until: 'end' }))), numbers(30, 120))
  },
)

t.test('pain: closing takes milliseconds, also while a fetch waits', async (t) => {
  await using w = await GroupWorld.open(1)
  const idle = read(w.consumer({ fetchWaitMs: 60_000 })) // or the test would run into its time limit
  await until(() => idle.consumer.assignment().length === 1)
  await idle.consumer.close()
  await idle.done
  t.notOk(await hasMembers(w, 'g'), 'it has left')
})

t.test('pain: what is written beside a commit comes back', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.send(4)
  const { groups } = w.client.admin()
  const noteOf = async () => (await groups.offsets('g'))[0]
  await using consumer = w.consumer({ commit: 'manual' })
  for await (const record of consumer) {
    if (record.value === '1') await consumer.commit(record, { metadata: 'naïve ✓' })
    if (record.value === '2') break
  }
  t.match(await noteOf(), { offset: 2, metadata: 'naïve ✓' })
  const tooLong = consumer.commit(undefined, { metadata: 'x'.repeat(4097) })
  await t.rejects(tooLong, { code: 'OFFSET_METADATA_TOO_LARGE' })
  for await (const batch of consumer.batches({ maxRecords: 1 })) {
    await batch.commit({ metadata: 'batch' })
    break
  }
  t.match(await noteOf(), { offset: 4, metadata: 'batch' })
  await consumer.commit()
  t.match(await noteOf(), { offset: 4, metadata: '' }, 'a commit without one has none')
})

t.test(
  'pain: a crash between processing and commit redelivers exactly from the commit',
  async (t) => {
    await using w = await GroupWorld.open(1)
    await w.send(10)
    const script = fileURLToPath(new URL('../testing/crashing-member.js', import.meta.url))
    const args = [script, w.broker.bootstrap, 'texts', 'g', '2']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    for await (const line of createInterface(child.stdout)) if (line === '6') break
    child.kill('SIGKILL')
    await once(child, 'exit')
    t.equal(await w.committed(), 3)
    t.same(await readAll(w.consumer({ until: 'end' })), numbers(7, 3))
  },
)
