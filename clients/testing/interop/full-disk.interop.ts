// A real disk that is filled and emptied repeatedly: a tmpfs of 16 MiB. Root can mount one.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { Client, KafkaError, type ErrorName } from '../../index.ts'

const DISK_MIB = 16
const CYCLES = 8
const VALUE = 'x'.repeat(500_000)
/** Far more values than fit. */
const VALUES_MAX = 100
/** The producer's delivery timeout: it retries on a full disk until then. */
const DELIVERY_TIMEOUT_MS = 200
const RESUME_MS_MAX = 2000

const mountPoint = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', mountPoint])
t.teardown(() => {
  if (mounted.status === 0) spawnSync('umount', ['--lazy', mountPoint])
  rmSync(mountPoint, { recursive: true, force: true })
})

if (mounted.status !== 0)
  throw new Error(
    'a tmpfs cannot be mounted: run the tests as root, or in `unshare --map-root-user --mount`',
  )

/** Sends until a value is refused. @returns the acknowledged values */
async function fill(
  client: Client,
): Promise<{ readonly count: number; readonly error: ErrorName }> {
  await using producer = client.producer({ deliveryTimeoutMs: DELIVERY_TIMEOUT_MS })
  for (let count = 0; count < VALUES_MAX; count++) {
    try {
      await producer.send('filling', { value: VALUE })
    } catch (error) {
      if (error instanceof KafkaError) return { count, error: error.code }
      throw error
    }
  }
  throw new Error('the disk does not fill up')
}

/** Requests that work on a full disk. */
async function goesOn(client: Client): Promise<void> {
  const admin = client.admin()
  await admin.createTopics(['made-on-a-full-disk'])
  await admin.configs.alter([{ resource: { topic: 'filling' }, set: { 'retention.ms': -1 } }])
  await admin.groups.reset('group', [{ topic: 'filling', partition: 0, offset: 1 }])
  await using consumer = client.consumer({ topics: ['filling'], from: 'earliest', until: 'end' })
  for await (const record of consumer) if (record.offset === 1) break
}

async function cycles(t: Test, freeBytesMin: number): Promise<void> {
  const config = {
    'log.disk.min.free.bytes': freeBytesMin,
    'log.segment.bytes': 1024 * 1024,
    'log.index.size.max.bytes': 65_536,
  }
  const dataDir = join(mountPoint, `min-${freeBytesMin}`)
  await using broker = await Broker.start({ dataDir, config, http: 0 })
  await using client = new Client({ brokers: broker.bootstrap })
  const admin = client.admin()
  await admin.createTopics(['filling'])
  let acknowledged = 0
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const { count, error } = await fill(client)
    if (error !== 'KAFKA_STORAGE_ERROR' && error !== 'REQUEST_TIMED_OUT') t.fail(error)
    if (count === 0 && freeBytesMin > 0) t.fail(`nothing was written in cycle ${cycle}`)
    acknowledged += count
    if (cycle === 0) {
      if (freeBytesMin > 0) {
        t.equal((await fetch(`${broker.httpUrl}/readyz`)).status, 503)
        await goesOn(client)
      }
    }
    const [end] = await admin.listOffsets(['filling'], 'latest')
    if (end!.offset < acknowledged) t.fail('an acknowledged record is lost')
    acknowledged = end!.offset
    await admin.deleteRecords([end!])
    const freedAtMs = performance.now()
    await using producer = client.producer({ deliveryTimeoutMs: 10_000 })
    await producer.send('filling', { value: 'there is room' })
    acknowledged++
    const resumedMs = performance.now() - freedAtMs
    if (resumedMs > RESUME_MS_MAX) t.fail(`resumed after ${resumedMs} ms in cycle ${cycle}`)
  }
  t.equal((await fetch(`${broker.httpUrl}/readyz`)).status, 200)
  t.pass(`${CYCLES} times full and emptied, ${acknowledged} records`)
}

t.test('produce stops before the disk is full, and resumes when records are deleted', (t) =>
  cycles(t, 4 * 1024 * 1024),
)

t.test('a disk that is really full costs nothing that was acknowledged', (t) => cycles(t, 0))
