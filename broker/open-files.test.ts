// A broker that may open few files: it closes and reopens them instead of refusing work.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createTopics } from '../protocol/api/19_create_topics.ts'
import { RawClient } from './testing/raw-client.ts'
import { batchOf, fetchFrom, produceTo, valuesOf } from './testing/world.ts'

const PARTITION_COUNT = 60
const OPEN_FILES_MAX = 96
const main = fileURLToPath(new URL('../bundle/cli/millrace.cjs', import.meta.url))

t.setTimeout(120_000)

t.test(
  `${PARTITION_COUNT} partitions are written and read with ${OPEN_FILES_MAX} open files`,
  async (t) => {
    if (process.platform === 'win32') {
      t.comment('no ulimit on Windows')
      return
    }
    const dataDir = mkdtempSync(join(tmpdir(), 'millrace-few-files-'))
    t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
    const limited = ['-c', `ulimit -n ${OPEN_FILES_MAX} && unset NODE_OPTIONS && exec "$0" "$@"`]
    const start = [process.execPath, main, 'start', '--data', dataDir, '--port', '0', '--http', '0']
    const child = spawn('sh', [...limited, ...start, '--json', '-c', 'log.segment.bytes=20000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    const [banner] = (await once(createInterface(child.stdout), 'line')) as [string]
    const { bootstrap, http } = JSON.parse(banner) as { bootstrap: string; http: string }
    const client = await RawClient.connect(bootstrap)
    t.teardown(() => client.close())
    const topic = { name: 'wide', numPartitions: PARTITION_COUNT, replicationFactor: 1 }
    const { topics } = await client.send(createTopics, { topics: [topic] })
    t.match(topics, [{ errorCode: 0 }])
    const { port } = new URL(http)
    const idle = Array.from({ length: 80 }, () => connect(Number(port), '127.0.0.1'))
    for (const socket of idle) socket.on('error', () => {})
    const errors = new Set<number>()
    for (let round = 0; round < 8; round++) {
      const asked = Array.from({ length: PARTITION_COUNT }, (_, partition) =>
        produceTo(client, 'wide', partition, batchOf([`${round}`.repeat(4000)])),
      )
      for (const { errorCode } of await Promise.all(asked)) errors.add(errorCode)
    }
    t.same([...errors], [0], 'no append was refused')
    const lengths = new Set<number>()
    for (let partition = 0; partition < PARTITION_COUNT; partition++) {
      const { records } = await fetchFrom(client, 'wide', partition, 0)
      lengths.add(valuesOf(records).length)
    }
    t.ok(
      [...lengths].every((length) => length > 0),
      'and all is read',
    )
    for (const socket of idle) socket.destroy()
    child.kill('SIGTERM')
    const [code] = (await once(child, 'exit')) as [number | null]
    t.equal(code, 0, 'it stops in order')
  },
)
