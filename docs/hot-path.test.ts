// Follows the bytes of one record through a broker, from the socket to the disk and back, and holds the files that they pass
// through against the lists below and the picture in docs/architecture.md: a new file on the way is a decision.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createTopics } from '../protocol/api/19_create_topics.ts'
import { fetch } from '../protocol/api/01_fetch.ts'
import t from '../protocol/testing/tap.ts'
import type { Sighting } from '../broker/testing/follow-bytes.ts'
import { RawClient } from '../broker/testing/raw-client.ts'
import { batchOf, fetchRequest, produceTo } from '../broker/testing/world.ts'
import { root } from './sources.ts'

const produceWay = [
  'broker/net/transport.ts',
  'broker/net/kafka-protocol.ts',
  'broker/call.ts',
  'broker/api/00_produce.ts',
  'storage/writer/writer-client.ts',
  'storage/writer/inbox.ts',
  'storage/writer/writer.ts',
  'storage/writer/partition-log.ts',
  'storage/segment/segment.ts',
  'storage/fs.ts',
]
const fetchWay = [
  'broker/net/transport.ts',
  'broker/net/kafka-protocol.ts',
  'broker/call.ts',
  'broker/api/01_fetch.ts',
  'broker/fetch/read.ts',
  'storage/read/reader.ts',
  'storage/fs.ts',
]

const FOLLOWED = 'follow-these-bytes'

/** Where a broker with threads, a socket and a disk saw the bytes of the second record that it was sent. */
async function follow(): Promise<Sighting[]> {
  const hook = new URL('../broker/testing/follow-bytes.js', import.meta.url).href
  const cli = fileURLToPath(new URL('../clients/cli/main.js', import.meta.url))
  const start = [cli, 'start', '--ephemeral', '--port', '0', '--http', 'off', '--json']
  const child = spawn(process.execPath, ['--import', hook, ...start], {
    env: { ...process.env, FOLLOWED_BYTES: FOLLOWED },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const sightings: Sighting[] = []
  createInterface(child.stderr).on('line', (line) => {
    if (line.startsWith('{"place"')) sightings.push(JSON.parse(line) as Sighting)
  })
  const closed = once(child, 'close')
  try {
    const [banner] = (await once(child.stdout, 'data')) as [Buffer]
    const { bootstrap } = JSON.parse(String(banner)) as { bootstrap: string }
    const client = await RawClient.connect(bootstrap)
    const topic = { name: 't', numPartitions: 1, replicationFactor: 1 }
    await client.send(createTopics, { topics: [topic] })
    await produceTo(client, 't', 0, batchOf(['the first one']))
    await produceTo(client, 't', 0, batchOf([FOLLOWED]))
    await client.send(fetch, fetchRequest('t', 0, 1), 12)
    await client.close()
  } finally {
    child.kill()
    await closed
  }
  return sightings
}

/**
 * The files that hand the bytes on. One that only calls back into the file that called it (the cutter of frames, a clock or a
 * `try` around a write) is no step: the bytes stay where they are.
 */
function steps(files: readonly string[]): string[] {
  const taken: string[] = []
  for (const file of files) {
    if (taken.at(-2) === file) taken.pop()
    if (taken.at(-1) !== file) taken.push(file)
  }
  return taken
}

/** The names in the picture, as they end a path. */
function picture(): string[] {
  const page = readFileSync(new URL('docs/architecture.md', root), 'utf8')
  const [, drawn = ''] = /## A produce and a fetch[^]*?```text\n([^]*?)```/.exec(page) ?? []
  return (drawn.match(/\w[\w./-]*/g) ?? []).map((name) => `${name.replace(/\.ts$/, '')}.ts`)
}

t.test('a detour counts, a file that only calls back does not', async (t) => {
  t.strictSame(steps(['a', 'b', 'c', 'b', 'd']), ['a', 'b', 'd'])
  t.strictSame(steps(['a', 'b', 'c', 'a']), ['a', 'b', 'c', 'a'])
})

t.test('a produced record passes 10 files to the disk, a fetched one 7', async (t) => {
  const sightings = await follow()
  const filesAt = (place: Sighting['place']) =>
    sightings.find((sighting) => sighting.place === place)?.files ?? []
  const written = filesAt('write')
  const fromInbox = written.slice(written.indexOf('storage/writer/inbox.ts')) // the writer drains it for ever
  t.strictSame(steps([...filesAt('ring'), ...fromInbox]), produceWay)
  t.strictSame(steps(filesAt('read')), fetchWay)
})

t.test('the picture shows both ways', async (t) => {
  const names = picture()
  for (const way of [produceWay, fetchWay]) {
    let at = 0
    for (const path of way) {
      const found = names.findIndex((name, i) => i >= at && `/${path}`.endsWith(`/${name}`))
      t.ok(found >= at, `${path} is there, behind ${names[at - 1] ?? 'the start'}`)
      at = found + 1
    }
  }
})
