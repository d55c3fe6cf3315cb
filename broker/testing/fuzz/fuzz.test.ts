// A broker among attackers: hostile frames over sockets, honest clients beside them, then a restart on the remaining
// data.
// FRAMES=1000000 node dist/broker/testing/fuzz/fuzz.test.js; SECONDS=60 ends it before that; SEED=7 sends the frames
// of a run again.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createTopics } from '../../../protocol/api/19_create_topics.ts'
import { deleteTopics } from '../../../protocol/api/20_delete_topics.ts'
import { metadata } from '../../../protocol/api/03_metadata.ts'
import { listGroups } from '../../../protocol/api/16_list_groups.ts'
import { deleteGroups } from '../../../protocol/api/42_delete_groups.ts'
import { apis } from '../../../protocol/apis.ts'
import { budget } from '../../../protocol/testing/budget.ts'
import { mulberry32 } from '../../../protocol/testing/mutations.ts'
import { SEED } from '../../../protocol/testing/seed.ts'
import { systemClock } from '../../../storage/clock.ts'
import { verifyDirectory } from '../../../storage/verify/verify.ts'
import { KillableBroker } from '../../../clients/testing/interop/killable-broker.ts'
import { RawClient } from '../raw-client.ts'
import { Attacker } from './attacker.ts'
import { HostileFrames, knownNames, templatesOf } from './hostile-frames.ts'
import { Honest } from './honest.ts'

const FRAMES = budget(400, 20_000, 'FRAMES')
const SECONDS = budget(86_400, 86_400, 'SECONDS')
const ATTACKERS = 8
/** Between two looks at what the attackers have made. */
const SWEEP_FRAMES = 5000
const TOPICS_MAX = 50
const PEAK_BYTES_MAX = 900e6

t.setTimeout(Math.min(SECONDS + 120, 60 + FRAMES / 50) * 1000)
t.comment(`SEED=${SEED}`)

t.test('hostile frames neither stop the broker nor touch what it has acknowledged', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-fuzz-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const config = { 'log.level': 'error', 'fetch.max.wait.ms': 5, 'num.partitions': 2 }
  await using broker = await KillableBroker.start(dataDir, config)
  const random = mulberry32(SEED)
  const honest = new Honest(broker.bootstrap, random().toString(36).slice(2))
  await honest.prepare()

  const templates = templatesOf(apis, SEED)
  const attackers = Array.from({ length: ATTACKERS }, (_, i) => {
    return new Attacker(new HostileFrames(templates, SEED + i), honest, broker.bootstrap)
  })
  try {
    await Promise.all([honest.work(), attackAll(broker, attackers, honest)])
  } catch (error) {
    for (const attacker of attackers) t.comment(attacker.lastFrames().join('\n'))
    throw error
  } finally {
    for (const attacker of attackers) attacker.close()
  }
  t.comment(`${sum(attackers, 'sentCount')} frames, ${sum(attackers, 'answeredCount')} answered`)
  t.comment(`${(broker.peakBytes / 1e6).toFixed()} MB at most, ${honest.acknowledgedCount} records`)
  t.ok(sum(attackers, 'answeredCount') > 0 && honest.acknowledgedCount > 0)
  t.ok(broker.peakBytes < PEAK_BYTES_MAX, 'its memory is bounded')

  const isKilled = random() < 0.5
  await (isKilled ? broker.kill() : broker.stop())
  await broker.start()
  t.same(
    await honest.complaints(),
    [],
    `what was acknowledged is there after a ${isKilled ? 'kill' : 'stop'}`,
  )
  await broker.stop()
  const { findings } = await verifyDirectory(dataDir, { clock: systemClock, onRead() {} })
  t.same(
    findings.filter(({ severity }) => severity === 'damage'),
    [],
    'the data directory is sound',
  )
})

function sum(attackers: readonly Attacker[], of: 'sentCount' | 'answeredCount'): number {
  return attackers.reduce((all, attacker) => all + attacker[of], 0)
}

/** Ends the honest too, whatever happens. */
async function attackAll({ bootstrap }: KillableBroker, attackers: Attacker[], honest: Honest) {
  const admin = await RawClient.connect(bootstrap)
  const endsAt = performance.now() + SECONDS * 1000
  try {
    for (let left = FRAMES; left > 0 && performance.now() < endsAt; left -= SWEEP_FRAMES) {
      await sweep(admin, honest)
      const share =
        sum(attackers, 'sentCount') / ATTACKERS + Math.min(left, SWEEP_FRAMES) / ATTACKERS
      await Promise.all(
        attackers.map(async (attacker) => {
          while (attacker.sentCount < share && performance.now() < endsAt) await attacker.attack()
        }),
      )
    }
  } finally {
    honest.stop()
    await admin.close()
  }
}

/** Makes the topics that attackers know, and deletes what they have made when it is much. */
async function sweep(admin: RawClient, honest: Honest): Promise<void> {
  const names = knownNames.topic.filter((name) => !name.startsWith('__'))
  const spec = { numPartitions: 2, replicationFactor: 1 }
  const configs = (name: string) =>
    name.endsWith('compacted') ? [{ name: 'cleanup.policy', value: 'compact' }] : []
  const wanted = names.map((name) => ({ ...spec, name, configs: configs(name) }))
  await admin.send(createTopics, { topics: wanted, timeoutMs: 10_000 })
  const { topics } = await admin.send(metadata, { topics: null })
  const strange = topics.filter(
    ({ name, isInternal }) => !isInternal && name !== honest.topic && !names.includes(name!),
  )
  if (strange.length > TOPICS_MAX)
    await admin.send(deleteTopics, {
      topics: strange.map(({ name }) => ({ name })),
      timeoutMs: 10_000,
    })
  const { groups } = await admin.send(listGroups, {})
  const groupsNames = groups.map(({ groupId }) => groupId).filter((id) => id !== honest.group)
  await admin.send(deleteGroups, { groupsNames })
}
