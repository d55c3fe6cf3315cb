// The broker's own topics: no request changes them, and with any damaged or foreign data in their logs the broker
// starts, keeps what is whole and reports the rest.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { work } from '../clients/testing/interop/kafka-data.ts'
import { createTopics } from '../protocol/api/19_create_topics.ts'
import { deleteTopics } from '../protocol/api/20_delete_topics.ts'
import { deleteRecords } from '../protocol/api/21_delete_records.ts'
import { writeTxnMarkers } from '../protocol/api/27_write_txn_markers.ts'
import { alterConfigs } from '../protocol/api/33_alter_configs.ts'
import { createPartitions } from '../protocol/api/37_create_partitions.ts'
import { incrementalAlterConfigs } from '../protocol/api/44_incremental_alter_configs.ts'
import { metadata } from '../protocol/api/03_metadata.ts'
import { describeLogDirs } from '../protocol/api/35_describe_log_dirs.ts'
import { BatchBuilder } from '../protocol/batch/build.ts'
import { buildEndMarker } from '../protocol/batch/control.ts'
import { stampBatch } from '../protocol/batch/header.ts'
import { batchesOf, recordsOf } from '../protocol/batch/record.ts'
import { errorName } from '../protocol/errors.ts'
import { budget } from '../protocol/testing/budget.ts'
import { systemClock } from '../storage/clock.ts'
import { openStore } from '../storage/open-store.ts'
import { metadataFormat, type TopicRecord } from '../storage/tables/metadata.ts'
import type { DecodedRecord } from '../storage/record-format.ts'
import { diskFrom, overwrite } from '../storage/testing/disk-from.ts'
import type { FaultyFs } from '../storage/testing/faulty-fs.ts'
import {
  internalTopics,
  METADATA_TOPIC,
  OFFSETS_TOPIC,
  TRANSACTIONS_TOPIC,
} from '../storage/topic-name.ts'
import { repairDirectory, verifyDirectory } from '../storage/verify/verify.ts'
import { Broker } from './broker.ts'
import { GroupCoordinator } from './group/coordinator.ts'
import { groupFormat } from './group/record-format.ts'
import { openGroupState } from './group/state-table.ts'
import { GroupClient } from './testing/group-client.ts'
import { RawClient } from './testing/raw-client.ts'
import { TransactionClient } from './testing/transaction-client.ts'
import { VirtualClock } from './testing/virtual-clock.ts'
import { batchOf, produceTo } from './testing/world.ts'
import { transactionFormat } from './txn/record-format.ts'

/** Flips one bit in this many; a prime, so that every position in a byte has its turn. */
const STRIDE = budget(401, 7)
const TOPIC = 2
const SET = 0

t.setTimeout(300_000)

/** Groups, offsets, transactions and topics, after a clean stop. */
const pristine = mkdtempSync(join(tmpdir(), 'millrace-internal-'))
t.teardown(() => rmSync(pristine, { recursive: true, force: true }))
const first = await Broker.start({ dataDir: pristine })
await work(first.bootstrap)
await first.close()

let copies = 0
function copyOf(directory: string): string {
  const copy = join(pristine, '..', `${pristine}-copy-${copies++}`)
  cpSync(directory, copy, { recursive: true })
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  return copy
}

/** Name of the API -> what it hears of the topic. */
type Asked = readonly (readonly [api: string, ask: () => Promise<string | undefined>])[]

function requestsTo(client: RawClient, p: TransactionClient, name: string): Asked {
  const marker = { producerId: 9999, producerEpoch: 0, transactionResult: false }
  const markers = [{ ...marker, coordinatorEpoch: 0, topics: [{ name, partitionIndexes: [0] }] }]
  const resource = { resourceType: TOPIC, resourceName: name }
  const config = { name: 'retention.ms', value: '1' }
  const added = [{ name, count: 5, assignments: null }]
  const configs = [{ ...config, configOperation: SET }]
  return [
    [
      'Produce',
      async () => errorName((await produceTo(client, name, 0, batchOf(['x']))).errorCode),
    ],
    [
      'DeleteRecords',
      async () => {
        const topics = [{ name, partitions: [{ partitionIndex: 0, offset: -1 }] }]
        const answer = await client.send(deleteRecords, { topics, timeoutMs: 1000 })
        return errorName(answer.topics[0]!.partitions[0]!.errorCode)
      },
    ],
    ['AddPartitionsToTxn', async () => (await p.add(name, [0]))[0]],
    [
      'WriteTxnMarkers',
      async () => {
        const answer = await client.send(writeTxnMarkers, { markers })
        return errorName(answer.markers[0]!.topics[0]!.partitions[0]!.errorCode)
      },
    ],
    [
      'CreateTopics',
      async () => {
        const topics = [{ name, numPartitions: 1, replicationFactor: 1 }]
        return errorName((await client.send(createTopics, { topics })).topics[0]!.errorCode)
      },
    ],
    [
      'DeleteTopics',
      async () => {
        const answer = await client.send(deleteTopics, { topics: [{ name }], timeoutMs: 1000 })
        return errorName(answer.responses[0]!.errorCode)
      },
    ],
    [
      'CreatePartitions',
      async () => {
        const answer = await client.send(createPartitions, { topics: added, timeoutMs: 1000 })
        return errorName(answer.results[0]!.errorCode)
      },
    ],
    [
      'AlterConfigs',
      async () => {
        const resources = [{ ...resource, configs: [config] }]
        const answer = await client.send(alterConfigs, { resources, validateOnly: false })
        return errorName(answer.responses[0]!.errorCode)
      },
    ],
    [
      'IncrementalAlterConfigs',
      async () => {
        const answer = await client.send(incrementalAlterConfigs, {
          resources: [{ ...resource, configs }],
          validateOnly: false,
        })
        return errorName(answer.responses[0]!.errorCode)
      },
    ],
  ]
}

t.test('no request writes, changes or deletes an internal topic', async (t) => {
  const dataDir = copyOf(pristine)
  const broker = await Broker.start({ dataDir })
  const client = await RawClient.connect(broker.bootstrap)
  const p = new TransactionClient(client, 'writer', 'TV1')
  await p.init()
  const expected: Record<string, string> = { AddPartitionsToTxn: 'TOPIC_AUTHORIZATION_FAILED' }
  const allowed = [`WriteTxnMarkers ${OFFSETS_TOPIC}`]
  for (const topic of internalTopics) {
    for (const [api, ask] of requestsTo(client, p, topic)) {
      const isAllowed = allowed.includes(`${api} ${topic}`)
      const error = isAllowed ? undefined : (expected[api] ?? 'INVALID_TOPIC_EXCEPTION')
      t.equal(await ask(), error, `${api} ${topic}`)
    }
    const similar = topic.replace('__', '._')
    const created = requestsTo(client, p, similar).find(([api]) => api === 'CreateTopics')!
    t.equal(await created[1](), 'INVALID_TOPIC_EXCEPTION', similar)
  }
  const { topics } = await client.send(metadata, { topics: null })
  const ours = topics.filter(({ isInternal }) => isInternal)
  t.same(
    ours.map(({ name, partitions }) => [name, partitions.length]),
    [OFFSETS_TOPIC, TRANSACTIONS_TOPIC].map((name) => [name, 1]),
  )
  await client.close()
  await broker.close()
  const { findings } = await verifyDirectory(dataDir, { clock: systemClock, onRead() {} })
  t.same(findings, [])
  const again = await Broker.start({ dataDir })
  t.teardown(() => again.close())
  const reader = await RawClient.connect(again.bootstrap)
  t.match(await new GroupClient(reader, 'simple').committed('t', 7), { committedOffset: 6 })
  const dirs = await reader.send(describeLogDirs, { topics: null })
  t.equal(dirs.results[0]!.errorCode, 0)
  await reader.close()
})

/** As if the broker had written them: behind what is there, with offsets that follow. */
function writeStrange(path: string): void {
  const log = readFileSync(path)
  let offset = Math.max(
    ...Array.from(batchesOf(log), ({ header }) => header.baseOffset + header.lastOffsetDelta + 1),
  )
  const strange = strangeBatches()
  for (const batch of strange) stampBatch(batch, 0, offset++, 0)
  writeFileSync(path, Buffer.concat([log, ...strange]))
}

/** Batches that no table writes, of one record each. */
function strangeBatches(): Uint8Array[] {
  const record = (key: Uint8Array | null, value: Uint8Array | null) => {
    const batch = new BatchBuilder()
    batch.append({ timestamp: 1, key, value })
    return batch
  }
  const marker = { coordinatorEpoch: 0, producerId: 77, producerEpoch: 0, timestamp: 1 }
  const strange = [
    record(null, Buffer.from('no key')),
    record(Buffer.from('k'), Buffer.from([0x92, 1])),
    record(Buffer.from([0, 9, 1, 2]), Buffer.from([0, 1, 2])),
    record(Buffer.from([0, 1, 0, 200]), Buffer.from([0, 3])),
    record(Buffer.from([0, 0, 0, 1, 120]), Buffer.from([0, 1, 5])),
    record(Buffer.from([0, 0, 0, 1, 120]), Buffer.from([0, 77])),
    record(Buffer.alloc(0), Buffer.alloc(0)),
    record(Buffer.from('topic/x'), Buffer.from([0x05])),
    record(Buffer.from('offset/0/t/g'), Buffer.from([0x05])),
  ]
  return [
    buildEndMarker({ kind: 'commit', ...marker }),
    buildEndMarker({ kind: 'abort', ...marker }),
    ...strange.map((batch) => batch.finish()),
    record(Buffer.from([0, 9]), Buffer.from('x')).finish({ isControl: true }),
    record(Buffer.from('other/key'), Buffer.from([0x80])).finish({ codec: 'gzip' }),
  ]
}

t.test(
  'a start passes over what does not belong into an internal log, and says where',
  async (t) => {
    const dataDir = copyOf(pristine)
    for (const topic of internalTopics) writeStrange(join(dataDir, logOf(topic)))
    const { findings } = await verifyDirectory(dataDir, { clock: systemClock, onRead() {} })
    for (const topic of internalTopics) {
      const told = findings.filter(({ where }) => where === `${topic}-0`)
      t.ok(told.length > 2, `verify says what is strange in ${topic}`)
      t.match(
        told,
        Array.from(told, () => ({ severity: 'damage', what: /^offset \d+: / })),
      )
    }
    await repairDirectory(dataDir, findings, systemClock)

    const truth = await stateOf(diskFrom(pristine))
    const found = await stateOf(diskFrom(dataDir))
    t.same(found.state, truth.state, 'what is whole is kept')
    for (const topic of internalTopics) {
      const warnings = found.warnings.filter((each) => each.startsWith(`${topic}-0: `))
      t.match(warnings.join('\n'), /say nothing are passed over: \d+ records \(offset \d+, /, topic)
      t.match(warnings.join('\n'), /records? are of kinds that this release does not know/, topic)
    }
    const broker = await Broker.start({ dataDir })
    await broker.close()
  },
)

interface Found {
  /** Everything that tables hold, as text by table and key. */
  readonly state: Map<string, string>
  readonly warnings: readonly string[]
}

const groups = groupFormat(() => undefined)

async function stateOf(fs: FaultyFs): Promise<Found> {
  const warnings: string[] = []
  const cleaner = { isCompactionEnabled: false }
  const onWarning = (message: string) => warnings.push(message)
  const store = await openStore({
    dataDir: '/d',
    writer: 'inline',
    clock: new VirtualClock(),
    fs,
    cleaner,
    onWarning,
  })
  const state = new Map<string, string>()
  const offsets = await store.tables.open(OFFSETS_TOPIC, groups)
  const transactions = await store.tables.open(TRANSACTIONS_TOPIC, transactionFormat)
  for (const topic of store.topics.list()) state.set(`topic/${topic.name}`, textOf(topic))
  for (const [key, value] of offsets.entries()) state.set(key, JSON.stringify(value))
  for (const [key, value] of transactions.entries()) state.set(`txn/${key}`, JSON.stringify(value))
  await store[Symbol.asyncDispose]()
  return { state, warnings }
}

function textOf({ partitionCount, config }: Pick<TopicRecord, 'partitionCount' | 'config'>) {
  return JSON.stringify({ partitionCount, config })
}

function logOf(topic: string): string {
  return `${topic}-0/00000000000000000000.log`
}

/** Every value that each key of the tables ever had. */
function historyOf(dataDir: string): Map<string, Set<string>> {
  const history = new Map<string, Set<string>>()
  const note = (key: string, text: string) =>
    history.set(key, (history.get(key) ?? new Set()).add(text))
  const decoders = {
    [METADATA_TOPIC]: metadataFormat,
    [OFFSETS_TOPIC]: groups,
    [TRANSACTIONS_TOPIC]: transactionFormat,
  }
  for (const [topic, format] of Object.entries(decoders)) {
    const bytes = readFileSync(join(dataDir, logOf(topic)))
    for (const { at, header } of batchesOf(bytes)) {
      if (header.isControl) continue
      for (const { key, value } of recordsOf(bytes, at, header, { decompressedBytesMax: 0 })) {
        const decoded = format.decode(key!, value) as DecodedRecord<string, unknown>
        if (decoded.value === undefined) continue
        if (topic === TRANSACTIONS_TOPIC) note(`txn/${decoded.key}`, JSON.stringify(decoded.value))
        else if (topic === OFFSETS_TOPIC) note(decoded.key, JSON.stringify(decoded.value))
        else if (decoded.key.startsWith('topic/'))
          note(decoded.key, textOf(decoded.value as TopicRecord))
      }
    }
  }
  return history
}

t.test(
  'with any bit of an internal log flipped a start loses nothing silently, and invents nothing',
  async (t) => {
    const history = historyOf(pristine)
    const truth = (await stateOf(diskFrom(pristine))).state
    t.ok(truth.size > 10)
    let flips = 0
    let changes = 0
    for (const topic of internalTopics) {
      const log = readFileSync(join(pristine, logOf(topic)))
      for (let bit = 0; bit < log.length * 8; bit += STRIDE) {
        const disk = diskFrom(pristine)
        overwrite(
          disk,
          `/d/${logOf(topic)}`,
          Buffer.of(log[bit >> 3]! ^ (1 << (bit & 7))),
          bit >> 3,
        )
        const where = `bit ${bit} of ${topic}`
        const found = await stateOf(disk).catch((error: unknown) =>
          t.fail(`${where}: ${String(error)}`),
        )
        if (typeof found === 'boolean') continue
        flips++
        const changed = [...new Set([...truth.keys(), ...found.state.keys()])].filter(
          (key) => truth.get(key) !== found.state.get(key),
        )
        if (changed.length > 0) changes++
        for (const key of changed) {
          const text = found.state.get(key)
          if (text !== undefined && !history.get(key)?.has(text))
            t.fail(`${where} invents ${key}: ${text}`)
        }
        const isTold = found.warnings.some((each) => /damaged: \d+ place/.test(each))
        if (changed.length > 0 && !isTold) t.fail(`${where} changes ${changed.join()} silently`)
        if (changed.length > 8) t.fail(`${where} changes ${changed.length} keys: ${changed.join()}`)
      }
    }
    t.comment(`${flips} flips, ${changes} of which changed something`)
    t.ok(changes > 0)
  },
)

/** Where the control batches of a log lie, with the producer whose transaction each ends. */
function markersIn(log: Uint8Array) {
  return Array.from(batchesOf(log), ({ at, header }) => ({ at, ...header })).filter(
    ({ isControl }) => isControl,
  )
}

t.test(
  'when damage takes the end of a transaction, its offsets follow what became of it',
  async (t) => {
    const log = readFileSync(join(pristine, logOf(OFFSETS_TOPIC)))
    const [committed, aborted] = markersIn(log)
    const committedMark = committed!
    const abortedMark = aborted!
    const dataDir = copyOf(pristine)
    for (const { at, sizeBytes } of [committedMark, abortedMark]) log[at + sizeBytes - 1]! ^= 1
    writeFileSync(join(dataDir, logOf(OFFSETS_TOPIC)), log)
    const { warnings } = await stateOf(diskFrom(dataDir))
    const ids = [committedMark, abortedMark].map(({ producerId }) => producerId).join(', ')
    t.match(warnings.join(), `ends of transactions are lost of producers 2 ids (${ids})`)
    for (const when of ['at the first start', 'at the next']) {
      const broker = await Broker.start({ dataDir })
      const client = await RawClient.connect(broker.bootstrap)
      t.match(
        await new GroupClient(client, 'simple').committed('t', 7),
        { committedOffset: 6 },
        when,
      )
      t.match(await new GroupClient(client, 'eos').committed('t', 7), { committedOffset: -1 }, when)
      await client.close()
      await broker.close()
    }
  },
)

t.test(
  'producer ids are not given out twice when damage takes the record of the last ones',
  async (t) => {
    const log = readFileSync(join(pristine, logOf(METADATA_TOPIC)))
    const batches = Array.from(batchesOf(log)).filter(({ at, header }) =>
      log.subarray(at, at + header.sizeBytes).includes('producer-ids'),
    )
    t.equal(batches.length, 1)
    const { at, header } = batches[0]!
    const disk = diskFrom(pristine)
    overwrite(
      disk,
      `/d/${logOf(METADATA_TOPIC)}`,
      Buffer.of(log[at + header.sizeBytes - 1]! ^ 1),
      at + header.sizeBytes - 1,
    )
    const given = await Promise.all(
      [disk, diskFrom(pristine)].map(async (fs) => {
        const store = await openStore({
          dataDir: '/d',
          writer: 'inline',
          clock: new VirtualClock(),
          fs,
        })
        const id = await store.producerIds.next()
        await store[Symbol.asyncDispose]()
        return id
      }),
    )
    t.ok(given[0]! >= given[1]!, `${given.join()}: the second is what it should be`)
  },
)

t.test(
  'a commit and the end of a transaction in one turn leave in memory what the log says',
  async (t) => {
    const fs = diskFrom(pristine)
    const store = await openStore({
      dataDir: '/d',
      writer: 'inline',
      clock: new VirtualClock(),
      fs,
    })
    const table = await openGroupState(store, () => undefined)
    const coordinator = new GroupCoordinator({
      clock: systemClock,
      table,
      config: {
        sessionTimeoutMsMin: 6000,
        sessionTimeoutMsMax: 60_000,
        initialRebalanceDelayMs: 0,
        membersMax: 10,
        offsetsRetentionMs: 1e9,
        offsetsRetentionCheckMs: 1e9,
      },
      newMemberId: (prefix) => prefix,
      topicExists: () => true,
      subscribedTopics: () => [],
      onRebalance() {},
    })
    const producer = { producerId: 500, producerEpoch: 0 }
    const commitOf = (offset: number) => {
      const committed = { offset, leaderEpoch: -1, metadata: '', committedMs: 0, expiresMs: null }
      const offsets = [{ topic: 't', partition: 0, committed }]
      const outside = { memberId: '', groupInstanceId: null, generationId: -1 }
      return {
        ...outside,
        groupId: 'both',
        offsets,
        unknownGroupError: 'ILLEGAL_GENERATION' as const,
      }
    }
    const acts = {
      end: () => coordinator.commits.endPending(producer, true),
      commit: () => coordinator.commit(commitOf(7)),
      forget: () => coordinator.deleteOffsets('both', [{ topic: 't', partition: 0 }]),
    }
    for (const [wanted, ...order] of [
      [7, 'end', 'commit'],
      [7, 'commit', 'end'],
      [undefined, 'end', 'forget'],
      [undefined, 'commit', 'forget', 'end'],
      [7, 'end', 'forget', 'commit'],
      [5, 'end'],
    ] as const) {
      t.equal(await coordinator.commitPending(producer, commitOf(5)), undefined)
      await Promise.all(order.map((act) => acts[act]()))
      const seen = coordinator.commits.of('both').get('t', 0)?.offset
      const key = { groupId: 'both', topic: 't', partition: 0 }
      t.equal(seen, table.offsetOf(key)?.offset, `${order.join()}: memory and table agree`)
      t.equal(seen, wanted, order.join())
    }
    coordinator.close()
    await store[Symbol.asyncDispose]()
  },
)
