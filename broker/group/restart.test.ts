// Groups over restarts: members go on, and no acknowledged commit is lost, whenever the broker is killed.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from '../../protocol/testing/tap.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { budget } from '../../protocol/testing/budget.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { Broker } from '../broker.ts'
import { GroupClient, outside, type Membership } from '../testing/group-client.ts'
import { RawClient } from '../testing/raw-client.ts'

const KILLS = budget(2, 5, 'KILLS')
const COMMITTERS = 8
const ACKS_MAX = 400

const main = fileURLToPath(new URL('../../clients/cli/main.js', import.meta.url))

async function groupClient(bootstrap: string, groupId: string): Promise<GroupClient> {
  return new GroupClient(await RawClient.connect(bootstrap), groupId)
}

async function createTopic({ client }: GroupClient): Promise<void> {
  await client.send(metadata, { topics: [{ name: 't' }] })
}

t.test('members of a stable group go on after a restart, without a rebalance', async (t) => {
  const dataDir = t.testdir()
  const before = await Broker.start({ dataDir })
  const [a, b] = [
    await groupClient(before.bootstrap, 'g'),
    await groupClient(before.bootstrap, 'g'),
  ]
  await createTopic(a)
  const first = await a.alone()
  const joining = b.join()
  while ((await a.heartbeat(first)) === undefined);
  const [leader, follower] = await Promise.all([a.joinOnce({ memberId: first.memberId }), joining])
  const shares = { [leader.memberId]: 'A', [follower.memberId]: 'B' }
  await Promise.all([b.sync(follower), a.sync(leader, shares)])
  t.equal(await a.commit(leader, 't', 7, { committedMetadata: 'kept' }), undefined)
  await before.close()

  const after = await Broker.start({ dataDir })
  const [c, d] = [await groupClient(after.bootstrap, 'g'), await groupClient(after.bootstrap, 'g')]
  t.equal(await c.heartbeat(leader), undefined)
  t.equal(await d.heartbeat(follower), undefined)
  t.equal(await c.commit(leader, 't', 8), undefined)
  t.equal(Buffer.from((await d.sync(follower)).assignment).toString(), 'B')
  t.match(await c.committed('t'), { committedOffset: 8 })
  await Promise.all([c.client.close(), d.client.close()])
  await after.close()
})

/** Commits 1, 2, 3, ... for a group of its own, until the broker is gone. */
class Committer {
  readonly groupId: string
  acked = 0
  sent = 0

  constructor(groupId: string) {
    this.groupId = groupId
  }

  async run(bootstrap: string, onAck: () => void): Promise<void> {
    const group = await groupClient(bootstrap, this.groupId)
    try {
      for (;;) {
        const offset = ++this.sent
        const error = await group.commit(outside, 't', offset, { committedMetadata: `${offset}` })
        if (error !== undefined) throw new Error(error)
        this.acked = offset
        onAck()
      }
    } catch {
      // the broker was killed
    }
  }
}

t.test('a broker killed in the middle of commits loses none that it acknowledged', async (t) => {
  t.comment(`SEED=${SEED}`)
  const dataDir = t.testdir()
  const committers = Array.from({ length: COMMITTERS }, (_, i) => new Committer(`group-${i}`))
  let membership: Membership | undefined
  for (let kill = 0; kill < KILLS; kill++) {
    const child = spawn(
      process.execPath,
      [main, 'start', '--data', dataDir, '--port', '0', '--http', 'off', '--json', '--quiet'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const exited = once(child, 'exit')
    const [banner] = (await once(child.stdout, 'data')) as [Buffer]
    const { bootstrap } = JSON.parse(banner.toString()) as { bootstrap: string }
    const members = await groupClient(bootstrap, 'members')
    await createTopic(members)
    membership ??= await members.alone()
    t.equal(await members.heartbeat(membership), undefined, 'its member is still one')

    let acksLeft = 1 + ((SEED * (kill + 1)) % ACKS_MAX)
    const runs = committers.map((committer) =>
      committer.run(bootstrap, () => {
        if (--acksLeft === 0) child.kill('SIGKILL')
      }),
    )
    await Promise.all([exited, ...runs])
    await members.client.close()

    await using broker = await Broker.start({ dataDir })
    for (const { groupId, acked, sent } of committers) {
      const group = await groupClient(broker.bootstrap, groupId)
      const { committedOffset, metadata: text } = await group.committed('t')
      t.ok(
        Math.max(0, committedOffset) >= acked && committedOffset <= sent,
        `${groupId}: ${committedOffset}, ${acked} acknowledged, ${sent} sent`,
      )
      if (committedOffset > 0) t.equal(text, `${committedOffset}`)
      await group.client.close()
    }
  }
})
