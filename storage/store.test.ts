// The store as the broker uses it: topics, appends, trims, starts and stops, and its messages when something is
// wrong.

import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from '../protocol/testing/tap.ts'
import { Offset } from '../protocol/ids.ts'
import type { Turn } from './store.ts'
import {
  appendValues,
  batchOf,
  codeOf,
  openInline,
  readRecords,
  tempDirectory,
  topicNames,
} from './testing/store-kit.ts'
import { WriterClient } from './writer/writer-client.ts'
import type { Command } from './writer/commands.ts'
import type { WriterEvents, WriterPort } from './writer/port.ts'

t.test(
  'what is in a store is there again after a stop, with the writer in a thread and without',
  async (t) => {
    for (const writer of ['thread', 'inline'] as const) {
      const dataDir = join(tempDirectory(t), 'made', 'on', 'the', 'way')
      const store = await openInline(dataDir, { writer })
      t.match(store.clusterId, /^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
      t.equal(store.nodeId, 1)
      t.equal(store.dataDir, dataDir)
      t.strictSame(topicNames(store), ['__millrace_metadata'])
      const config = { 'retention.ms': '5' }
      const made = await store.topics.create({ name: 'orders', partitionCount: 3, config })
      t.strictSame(made, {
        name: 'orders',
        id: made.id,
        partitionCount: 3,
        config,
        isInternal: false,
      })
      await appendValues(store, store.logs.get('orders', 2)!, ['a', 'b'])
      const { clusterId } = store
      await store[Symbol.asyncDispose]()

      const again = await openInline(dataDir, { writer })
      t.ok(again.recovery.cleanStart, writer)
      t.equal(again.recovery.corruptBatchCount, 0)
      t.equal(again.clusterId, clusterId)
      t.strictSame(again.topics.get('orders'), made)
      t.strictSame(again.topics.getById(made.id), made)
      t.strictSame(
        (await readRecords(again.reader, again.logs.get('orders', 2)!, 0)).map(
          ({ value }) => value,
        ),
        ['a', 'b'],
      )
      t.equal(again.logs.get('orders', 2)!.leaderEpoch, 0)
      t.equal(again.logs.get('orders', 3), undefined)
      t.equal(again.logs.get('other', 0), undefined)
      const { freeBytes, totalBytes } = await again.disk.space()
      t.ok(freeBytes > 0 && totalBytes >= freeBytes)
      await again[Symbol.asyncDispose]()
      await again[Symbol.asyncDispose]() // once more is fine
    }
  },
)

t.test('several stores live in one process, each with its own directory', async (t) => {
  const stores = await Promise.all(
    [1, 2, 3].map(() => openInline(tempDirectory(t), { writer: 'thread' })),
  )
  t.equal(new Set(stores.map(({ clusterId }) => clusterId)).size, 3)
  for (const [i, store] of stores.entries()) {
    await store.topics.create({ name: 'own', partitionCount: 1 })
    await appendValues(store, store.logs.get('own', 0)!, [`of ${i}`])
  }
  for (const [i, store] of stores.entries()) {
    t.match(await readRecords(store.reader, store.logs.get('own', 0)!, 0), [{ value: `of ${i}` }])
    await t.rejects(openInline(store.dataDir), {
      message: new RegExp(`in use by process ${process.pid}`),
    })
    await store[Symbol.asyncDispose]()
  }
})

t.test(
  'a closed store leaves no file, thread or timer behind: a process that only had one ends',
  async (t) => {
    const dataDir = tempDirectory(t)
    const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href)
    const script = `(async () => {
    const { readdirSync } = await import('node:fs')
    const { openStore } = await import(${module('open-store.js')})
    const { systemClock: clock } = await import(${module('clock.js')})
    const openFiles = () => process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0
    const counts = []
    for (const writer of ['thread', 'inline', 'thread']) {
      const store = await openStore({ dataDir: ${JSON.stringify(dataDir)}, writer, clock })
      if (!store.topics.get('t')) await store.topics.create({ name: 't', partitionCount: 3 })
      await store.reader.offsetForTimestamp(store.logs.get('t', 1), 0)
      await store[Symbol.asyncDispose]()
      counts.push(openFiles())
    }
    console.log(JSON.stringify(counts))
    })()`
    // Neither kind of flag may keep the writer's thread from starting.
    for (const flag of ['--input-type=module', '--max-old-space-size=500']) {
      const { status, stdout } = spawnSync(process.execPath, [flag, '-e', script], {
        encoding: 'utf8',
        timeout: 20_000,
      })
      t.equal(status, 0, `it ends by itself with ${flag}`)
      const [first, ...others] = JSON.parse(stdout) as number[]
      t.strictSame(others, [first, first], 'open files after each close')
    }
  },
)

t.test('a refused start leaves nothing open, and the directory to its owner', async (t) => {
  const dataDir = tempDirectory(t)
  const owner = await openInline(dataDir, { writer: 'thread' })
  await t.rejects(openInline(dataDir, { writer: 'thread' }), /in use/)
  await owner.topics.create({ name: 'still-works', partitionCount: 1 })
  await owner[Symbol.asyncDispose]()
  const next = await openInline(dataDir)
  t.ok(next.topics.get('still-works'))
  await next[Symbol.asyncDispose]()
})

t.test(
  'names are those that Kafka allows, each once, and dots collide with underscores',
  async (t) => {
    await using store = await openInline(tempDirectory(t))
    const create = (name: string, partitionCount = 1) =>
      codeOf(store.topics.create({ name, partitionCount }))
    for (const name of ['', '.', '..', 'a b', 'ä', 'a/b', 'x'.repeat(250), 'a\n']) {
      t.equal(await create(name), 'INVALID_TOPIC_EXCEPTION', JSON.stringify(name.slice(0, 20)))
    }
    for (const name of ['x'.repeat(249), '...', '-', 'a.b', 'A_b', '0', 'a-0.deleted']) {
      t.equal(await create(name), undefined, name.slice(0, 20))
    }
    t.equal(await create('a.b'), 'TOPIC_ALREADY_EXISTS')
    t.equal(await create('a_b'), 'INVALID_TOPIC_EXCEPTION')
    t.equal(await create('__millrace_metadata'), 'TOPIC_ALREADY_EXISTS')
    for (const count of [0, -1, 1.5, 10_001])
      t.equal(await create('counted', count), 'INVALID_PARTITIONS', String(count))
    const both = await Promise.all([create('p.q'), create('p_q'), create('p.q')])
    t.strictSame(
      both,
      [undefined, 'INVALID_TOPIC_EXCEPTION', 'TOPIC_ALREADY_EXISTS'],
      'also at the same time',
    )
    t.equal(
      await codeOf(
        store.topics.create({ name: 'c', partitionCount: 1, config: { 'segment.byte': '1' } }),
      ),
      'INVALID_CONFIG',
    )
    t.equal(await create('c'), undefined, 'a refusal does not take the name')
    t.strictSame(topicNames(store), [...topicNames(store)].sort())
    t.ok(store.topics.get('__millrace_metadata')?.isInternal)
  },
)

t.test(
  'a deleted topic is gone with its files, and one of the same name is another one',
  async (t) => {
    const dataDir = tempDirectory(t)
    const store = await openInline(dataDir)
    const first = await store.topics.create({ name: 'again', partitionCount: 2 })
    const log = store.logs.get('again', 1)!
    await appendValues(store, log, ['old'])
    const lateAppend = store.writer.append(log, batchOf([{ value: 'late' }]))
    await store.topics.delete('again')
    t.equal((await lateAppend).error, undefined, 'what was asked before is done before')
    t.equal(store.topics.get('again'), undefined)
    t.equal(store.topics.getById(first.id), undefined)
    t.equal(store.logs.get('again', 0), undefined)
    t.equal(
      (await store.writer.append(log, batchOf([{ value: 'x' }]))).error,
      'UNKNOWN_TOPIC_OR_PARTITION',
    )
    t.strictSame(
      readdirSync(dataDir).filter((name) => name.startsWith('again')),
      [],
    )
    t.equal(await codeOf(store.topics.delete('again')), 'UNKNOWN_TOPIC_OR_PARTITION')
    t.equal(await codeOf(store.topics.delete('__millrace_metadata')), 'INVALID_TOPIC_EXCEPTION')
    const second = await store.topics.create({ name: 'again', partitionCount: 1 })
    t.not(second.id, first.id)
    t.strictSame(await readRecords(store.reader, store.logs.get('again', 0)!, 0), [])
    await appendValues(store, store.logs.get('again', 0)!, ['new'])
    const changes = [
      store.topics.delete('again'),
      store.topics.create({ name: 'again', partitionCount: 1 }),
      store.topics.delete('again'),
    ]
    t.strictSame(
      await Promise.all(changes.map(codeOf)),
      [undefined, undefined, undefined],
      'changes of one name take turns',
    )
    await store[Symbol.asyncDispose]()
    const reopened = await openInline(dataDir)
    t.strictSame(topicNames(reopened), ['__millrace_metadata'])
    await reopened[Symbol.asyncDispose]()
  },
)

t.test(
  'each listener hears of a topic when its change is durable, and the next change waits until it has',
  async (t) => {
    const dataDir = tempDirectory(t)
    const warnings: string[] = []
    const store = await openInline(dataDir, { onWarning: (message) => warnings.push(message) })
    const heard: string[] = []
    let release = () => {}
    const stop = store.topics.subscribe({
      created: ({ name, partitionCount }) => void heard.push(`${name} has ${partitionCount}`),
      partitionsAdded: ({ partitionCount }, before) =>
        void heard.push(`${before} partitions, then ${partitionCount}`),
      configured: ({ config }, before) =>
        void heard.push(`${before['retention.ms']}, then ${config['retention.ms']}`),
      deleted: ({ name }) => {
        heard.push(`${name} ${store.topics.get(name) ? 'is there' : 'is gone'}`)
        return new Promise((resolve) => (release = resolve))
      },
    })
    store.topics.subscribe({
      created: () => {
        throw new Error('no room for it')
      },
      deleted: () => void heard.push('the other one has heard'),
    })
    await store.topics.create({ name: 'told', partitionCount: 1, config: { 'retention.ms': '5' } })
    t.match(warnings, [/told.*no room for it/], 'a listener that fails fails alone')
    await store.topics.addPartitions('told', 3)
    await store.topics.configure('told', { 'retention.ms': '7' })
    const deleted = store.topics.delete('told')
    const again = store.topics.create({ name: 'told', partitionCount: 2 })
    while (heard.at(-1) !== 'told is gone') await new Promise(setImmediate)
    t.equal(store.topics.get('told'), undefined, 'the name is not given away meanwhile')
    release()
    await Promise.all([deleted, again])
    const change = ['told has 1', '1 partitions, then 3', '5, then 7', 'told is gone']
    t.strictSame(heard, [...change, 'the other one has heard', 'told has 2'])
    stop()
    await store.topics.addPartitions('told', 3)
    t.equal(heard.length, 6, 'one that has left hears no more')
    await store[Symbol.asyncDispose]()
  },
)

t.test(
  'partitions are added and configurations replaced, for appends at once and for the next start',
  async (t) => {
    const dataDir = tempDirectory(t)
    const store = await openInline(dataDir, { topicDefaults: { 'segment.bytes': '500' } })
    await store.topics.create({ name: 'grows', partitionCount: 1 })
    const log = store.logs.get('grows', 0)!
    const fill = () =>
      appendValues(
        store,
        log,
        Array.from({ length: 10 }, () => 'x'.repeat(100)),
      )
    await fill()
    t.ok(log.segmentCount > 2, 'the default of the broker counts')
    t.equal(await codeOf(store.topics.addPartitions('grows', 1)), 'INVALID_PARTITIONS')
    t.equal(await codeOf(store.topics.addPartitions('other', 2)), 'UNKNOWN_TOPIC_OR_PARTITION')
    const adding = store.topics.addPartitions('grows', 4)
    await new Promise((resolve) => store.logs.onTurn(resolve))
    t.equal(store.logs.get('grows', 3), undefined, 'not before its record is durable')
    const larger = await adding
    t.equal(larger.partitionCount, 4)
    t.equal(log.topic, larger)
    await appendValues(store, store.logs.get('grows', 3)!, ['in the new one'])
    t.equal(
      await codeOf(store.topics.configure('grows', { 'segment.bytes': 'x' })),
      'INVALID_CONFIG',
    )
    const config = { 'segment.bytes': '100000' }
    t.strictSame((await store.topics.configure('grows', config)).config, config)
    t.strictSame(log.topic.config, config)
    const { segmentCount } = log
    await fill()
    t.equal(log.segmentCount, segmentCount, 'its own configuration counts from now on')
    await store[Symbol.asyncDispose]()
    const again = await openInline(dataDir)
    t.match(again.topics.get('grows'), { partitionCount: 4, config, id: larger.id })
    t.equal(again.logs.get('grows', 0)!.highWatermark, 20)
    await again[Symbol.asyncDispose]()
  },
)

t.test(
  'changed defaults reach open logs, and those of a topic that is being made meanwhile',
  async (t) => {
    const store = await openInline(tempDirectory(t))
    await store.topics.create({ name: 'follows', partitionCount: 1 })
    await store.topics.create({
      name: 'insists',
      partitionCount: 1,
      config: { 'segment.bytes': '100000' },
    })
    const making = store.topics.create({ name: 'made-meanwhile', partitionCount: 1 })
    await store.logs.setTopicDefaults({ 'segment.bytes': '500' })
    await making
    const values = Array.from({ length: 10 }, () => 'x'.repeat(100))
    for (const name of ['follows', 'made-meanwhile', 'insists']) {
      await appendValues(store, store.logs.get(name, 0)!, values)
    }
    t.ok(store.logs.get('follows', 0)!.segmentCount > 2)
    t.ok(store.logs.get('made-meanwhile', 0)!.segmentCount > 2)
    t.equal(store.logs.get('insists', 0)!.segmentCount, 1, 'its own configuration is stronger')
    await store[Symbol.asyncDispose]()
  },
)

t.test(
  'records before an offset are deleted: whole segments from the disk, the rest from sight',
  async (t) => {
    const dataDir = tempDirectory(t)
    const store = await openInline(dataDir)
    await store.topics.create({
      name: 'trimmed',
      partitionCount: 1,
      config: { 'segment.bytes': '400' },
    })
    const log = store.logs.get('trimmed', 0)!
    await appendValues(
      store,
      log,
      Array.from({ length: 12 }, (_, i) => `${i}`.padEnd(100)),
    )
    const { segmentCount, sizeBytes } = log
    t.equal(await store.writer.deleteRecordsBefore(log, Offset(7)), 7)
    t.equal(log.logStartOffset, 7)
    t.ok(log.segmentCount < segmentCount && log.sizeBytes < sizeBytes)
    t.equal(
      readdirSync(join(dataDir, 'trimmed-0')).filter((name) => name.endsWith('.log')).length,
      log.segmentCount,
    )
    t.strictSame(
      (await readRecords(store.reader, log, 7)).map(({ offset }) => offset),
      [7, 8, 9, 10, 11],
    )
    t.equal(
      await codeOf(
        (async () => store.reader.read(log, Offset(6), { bytesMax: 100, atLeastOne: true }))(),
      ),
      'OFFSET_OUT_OF_RANGE',
    )
    t.match(await store.reader.offsetForTimestamp(log, 0), { offset: 7 })
    t.equal(await store.writer.deleteRecordsBefore(log, Offset(3)), 7, 'it never moves back')
    t.equal(await codeOf(store.writer.deleteRecordsBefore(log, Offset(13))), 'OFFSET_OUT_OF_RANGE')
    t.equal(await store.writer.deleteRecordsBefore(log, Offset(12)), 12)
    t.equal(await store.reader.offsetForMaxTimestamp(log), undefined)
    t.strictSame(await readRecords(store.reader, log, 12), [])
    await appendValues(store, log, ['after'])
    await store[Symbol.asyncDispose]()
    const again = await openInline(dataDir)
    t.equal(again.logs.get('trimmed', 0)!.logStartOffset, 12)
    t.match(await readRecords(again.reader, again.logs.get('trimmed', 0)!, 12), [
      { offset: 12, value: 'after' },
    ])
    await again[Symbol.asyncDispose]()
  },
)

t.test(
  'producer ids are never given out twice, and a block of them costs one record',
  async (t) => {
    const dataDir = tempDirectory(t)
    const given = new Set<number>()
    for (let start = 0; start < 3; start++) {
      const store = await openInline(dataDir)
      const before = store.logs.get('__millrace_metadata', 0)!.logEndOffset
      for (const id of await Promise.all(
        Array.from({ length: 1500 }, () => store.producerIds.next()),
      ))
        given.add(id)
      t.equal(store.logs.get('__millrace_metadata', 0)!.logEndOffset - before, 2)
      await store[Symbol.asyncDispose]()
    }
    t.equal(given.size, 4500)
  },
)

t.test('every turn of the writer is told once, with the logs it changed', async (t) => {
  await using store = await openInline(tempDirectory(t))
  await store.topics.create({ name: 'turns', partitionCount: 3 })
  const turns: Turn[] = []
  store.logs.onTurn((turn) => turns.push(turn))
  await Promise.all(
    [0, 2, 0].map((partition) =>
      appendValues(store, store.logs.get('turns', partition)!, ['a', 'b']),
    ),
  )
  t.equal(turns.length, 1)
  const [turn] = turns
  t.equal(turn!.batchCount, 6)
  t.equal(turn!.batchBytes, 6 * batchOf([{ value: 'a' }]).length)
  t.strictSame(
    turn!.logs.map(({ partition }) => partition).sort((a, b) => a - b),
    [0, 2],
  )
  t.ok(turn!.writeSeconds >= 0 && turn!.syncSeconds >= 0)
})

t.test('a full inbox is congestion until the writer has taken it', async (t) => {
  await using store = await openInline(tempDirectory(t), { inboxBytesMax: 1000, writer: 'thread' })
  await store.topics.create({ name: 'busy', partitionCount: 1 })
  const log = store.logs.get('busy', 0)!
  const drained = new Promise<void>((resolve) => store.writer.onDrain(resolve))
  t.notOk(store.writer.isCongested)
  const batch = batchOf([{ value: 'x'.repeat(600) }])
  const first = store.writer.append(log, batch)
  t.notOk(store.writer.isCongested)
  t.equal(store.writer.bytesWaiting, batch.length)
  batch.fill(0) // borrowed until append returns, and ours again
  const second = store.writer.append(log, batchOf([{ value: 'y'.repeat(600) }]))
  t.ok(store.writer.isCongested)
  await drained
  t.notOk(store.writer.isCongested)
  t.strictSame(
    (await Promise.all([first, second])).map(({ baseOffset }) => baseOffset),
    [0, 1],
  )
  t.equal(store.writer.bytesWaiting, 0)
})

t.test('bytes that are not one batch are refused, and leave no trace in the log', async (t) => {
  await using store = await openInline(tempDirectory(t))
  await store.topics.create({ name: 'strict', partitionCount: 1 })
  const log = store.logs.get('strict', 0)!
  const batch = batchOf([{ value: 'good' }])
  const flipped = Uint8Array.from(batch, (byte, i) => (i === batch.length - 1 ? byte ^ 1 : byte))
  const two = Buffer.concat([batch, batch])
  for (const bytes of [new Uint8Array(3), batch.subarray(1), batch.subarray(0, -1), two, flipped]) {
    const { error, baseOffset } = await store.writer.append(log, bytes)
    t.strictSame({ error, baseOffset }, { error: 'CORRUPT_MESSAGE', baseOffset: -1 })
  }
  t.equal(log.sizeBytes, 0)
  await appendValues(store, log, ['good'])
  t.match(await readRecords(store.reader, log, 0), [{ offset: 0, value: 'good' }])
})

t.test(
  'a writer that dies while it closes fails the close, which does not wait for it',
  async (t) => {
    let events: WriterEvents | undefined
    const client = new WriterClient({
      connect: (given) => {
        events = given
        return { inbox: { put() {}, isFull: false, bytesUsed: 0 }, stop: async () => {} }
      },
      onResult() {},
    })
    const finished = client.finish()
    events!.onDeath(new Error('out of memory'))
    await t.rejects(finished, { code: 'KAFKA_STORAGE_ERROR', message: /out of memory/ })
    await client.stop()
  },
)

t.test(
  'a writer that dies is fatal, once; what waits and what comes later is refused',
  async (t) => {
    let events: WriterEvents | undefined
    const put: Command[] = []
    const connect = (given: WriterEvents): WriterPort => {
      events = given
      const inbox = {
        put: (command: Command) => void put.push(command),
        isFull: false,
        bytesUsed: 0,
      }
      return { inbox, stop: async () => {} }
    }
    const client = new WriterClient({ connect, onResult() {} })
    const fatal: string[] = []
    client.onFatal(({ message }) => fatal.push(message))
    const batch = batchOf([{ value: 'x' }])
    const waiting = [client.write(0, batch), client.write(0, batch)]
    const asked = client.ask({ kind: 'remove', slots: [0] })
    const counts = { batchCount: 0, batchBytes: 0, writeSeconds: 0, syncSeconds: 0 }
    const outcomes = [{ id: put[0]!.id, baseOffset: 7, logAppendTimeMs: -1 }]
    events!.onResult({ outcomes, states: [], rolled: [], swapped: [], dropped: [], ...counts })
    events!.onDeath(new Error('out of memory'))
    events!.onDeath(new Error('again'))
    t.match(await waiting[0], { baseOffset: 7 }, 'what was answered stays answered')
    t.match(await waiting[1], {
      error: 'KAFKA_STORAGE_ERROR',
      message: /out of memory/,
      baseOffset: -1,
    })
    await t.rejects(asked, { code: 'KAFKA_STORAGE_ERROR' })
    t.match(await client.write(0, batch), { error: 'KAFKA_STORAGE_ERROR' })
    t.equal(put.length, 3, 'nothing more is handed over')
    client.onFatal(({ message }) => fatal.push(message))
    t.strictSame(fatal, ['out of memory', 'out of memory'], 'who asks later hears it too')
    await client.finish()
    await client.stop()
  },
)
