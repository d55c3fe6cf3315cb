// Directories that hold something else than a store left there: another format, foreign records, a rotted metadata
// log.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { batchesOf } from '../protocol/batch/record.ts'
import t from '../protocol/testing/tap.ts'
import { appendValues, codeOf, openInline, tempDirectory, topicNames } from './testing/store-kit.ts'

t.test(
  'a directory that is not ours, or of another format, is refused with what to do',
  async (t) => {
    const strange = tempDirectory(t)
    writeFileSync(join(strange, 'thesis.txt'), 'do not touch')
    await t.rejects(openInline(strange), {
      message: /no meta.json but holds thesis.txt. Use an empty directory/,
    })
    t.equal(readFileSync(join(strange, 'thesis.txt'), 'utf8'), 'do not touch')

    const dataDir = tempDirectory(t)
    await (await openInline(dataDir))[Symbol.asyncDispose]()
    const path = join(dataDir, 'meta.json')
    const good = JSON.parse(readFileSync(path, 'utf8')) as object
    const cases: [text: string, message: RegExp][] = [
      [
        JSON.stringify({ ...good, formatVersion: 2 }),
        /format version 2, and this millrace knows 1: start the version that wrote/,
      ],
      ['{', /is not JSON: put it back/],
      ['', /is not JSON/],
      ['null', /no formatVersion/],
      [JSON.stringify({ ...good, clusterId: 'short' }), /no valid clusterId and nodeId/],
      [JSON.stringify({ ...good, nodeId: -1 }), /no valid clusterId and nodeId/],
      [
        JSON.stringify({ ...good, clusterId: 'AAAAAAAAAAAAAAAAAAAAAQ' }),
        /come from different data directories/,
      ],
    ]
    for (const [text, message] of cases) {
      writeFileSync(path, text)
      await t.rejects(openInline(dataDir), { message }, text)
    }
    writeFileSync(path, JSON.stringify(good))
    await (await openInline(dataDir))[Symbol.asyncDispose]()
    await t.rejects(openInline(dataDir, { topicDefaults: { 'segment.bytes': 'x' } }), {
      code: 'INVALID_CONFIG',
    })
  },
)

t.test(
  'records that no topic owns are left alone and reported; a topic does not take them over',
  async (t) => {
    const dataDir = tempDirectory(t)
    const store = await openInline(dataDir)
    await store.topics.create({ name: 'real', partitionCount: 1 })
    await appendValues(store, store.logs.get('real', 0)!, ['x'])
    await store[Symbol.asyncDispose]()
    cpSync(join(dataDir, 'real-0'), join(dataDir, 'stray-0'), { recursive: true })
    cpSync(join(dataDir, 'real-0'), join(dataDir, 'real-7'), { recursive: true })
    mkdirSync(join(dataDir, 'empty-0'))
    mkdirSync(join(dataDir, 'backup'))
    const warnings: string[] = []
    const again = await openInline(dataDir, { onWarning: (message) => warnings.push(message) })
    t.strictSame(warnings.sort(), [
      'real-7 holds records, but no topic owns it; it is left alone',
      'stray-0 holds records, but no topic owns it; it is left alone',
    ])
    t.ok(existsSync(join(dataDir, 'backup')))
    t.notOk(existsSync(join(dataDir, 'empty-0')), 'what a crash leaves of a create goes')
    t.equal(
      await codeOf(again.topics.create({ name: 'stray', partitionCount: 1 })),
      'KAFKA_STORAGE_ERROR',
    )
    t.equal(await codeOf(again.topics.addPartitions('real', 8)), 'KAFKA_STORAGE_ERROR')
    rmSync(join(dataDir, 'stray-0'), { recursive: true })
    t.equal(await codeOf(again.topics.create({ name: 'stray', partitionCount: 1 })), undefined)
    await again[Symbol.asyncDispose]()
  },
)

t.test(
  'a metadata log that has rotted costs what its damaged records said, and no user data',
  async (t) => {
    const dataDir = tempDirectory(t)
    const store = await openInline(dataDir)
    const { clusterId } = store
    await store.topics.create({ name: 'lost', partitionCount: 1 })
    await appendValues(store, store.logs.get('lost', 0)!, ['still here'])
    await store.topics.create({ name: 'kept', partitionCount: 1 })
    await store[Symbol.asyncDispose]()
    const path = join(dataDir, '__millrace_metadata-0', '00000000000000000000.log')
    const bytes = readFileSync(path)
    const damaged = Array.from(batchesOf(bytes)).slice(0, 2) // the cluster and the topic itself; 'lost'
    for (const { at, header } of damaged) bytes[at + header.sizeBytes - 1]! ^= 1
    writeFileSync(path, bytes)
    const warnings: string[] = []
    const again = await openInline(dataDir, { onWarning: (message) => warnings.push(message) })
    t.strictSame(topicNames(again), ['__millrace_metadata', 'kept'])
    t.equal(again.clusterId, clusterId)
    t.match(warnings, [
      /__millrace_metadata-0: damaged: 1 place .* stand for 4 keys \("cluster", "secret", .*"topic\/lost"\)/,
      /lost-0 holds records, but no topic owns it; it is left alone/,
    ])
    await appendValues(again, again.logs.get('kept', 0)!, ['x'])
    await again[Symbol.asyncDispose]()
    t.ok(existsSync(join(dataDir, 'lost-0')))
  },
)
