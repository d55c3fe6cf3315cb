// Planted bugs: possible mistakes of a broker, each put between the parts of a correct one. Tests only.

import { offsetCommit } from '../../../protocol/api/08_offset_commit.ts'
import {
  baseOffsetOf,
  batchSizeBytes,
  producerEpochOf,
  producerIdOf,
  readBatchHeader,
} from '../../../protocol/batch/header.ts'
import { recordsOf } from '../../../protocol/batch/record.ts'
import type { Fs } from '../../../storage/fs.ts'
import type { AppendOutcome, Change, Log, Store } from '../../../storage/store.ts'
import type { FaultyFs } from '../../../storage/testing/faulty-fs.ts'
import type { Anomaly } from '../checker/checker.ts'
import { settle } from '../virtual-clock.ts'
import { batchOf } from '../world.ts'
import type { Call, Flaw } from './crash-world.ts'
import { disguised, withLogs, withProducerIds, withTable, withWriter } from './disguise.ts'

export interface PlantedBug {
  readonly name: string
  /** The checker finds one of these. */
  readonly anomalies: readonly Anomaly[]
  /** The run that finds it, if not the first: noted, so that the search starts there. */
  readonly seed?: number
  /** Plants it for one run. */
  readonly plant: () => Flaw
}

type Answering = NonNullable<Flaw['answer']>

const PRODUCE = 0
const FETCH = 1
const INIT_PRODUCER_ID = 22
const JOIN_GROUP = 11
const SYNC_GROUP = 14
const TXN_OFFSET_COMMIT = 28

const isUsers = ({ topic }: Log) => !topic.isInternal

function written(baseOffset: number): AppendOutcome {
  return { baseOffset, logAppendTimeMs: -1 }
}

/** The same values from a producer without an id. */
function anonymous(batch: Uint8Array): Uint8Array {
  const header = readBatchHeader(batch)
  const records = recordsOf(batch, 0, header, { decompressedBytesMax: 0 })
  return batchOf(Array.from(records, ({ value }) => value!.toString()))
}

/** True once in `count` calls. */
function oncePer(count: number): () => boolean {
  let calls = 0
  return () => ++calls % count === 0
}

const storageBugs: PlantedBug[] = [
  {
    name: 'skips the sync of a log',
    anomalies: ['lost write', 'two values', 'end moved back'],
    plant: () => ({ fs: withoutSync }),
  },
  {
    name: 'acknowledges before it writes',
    anomalies: ['lost write', 'two values'],
    plant: () => ({
      store: (store) =>
        withWriter(store, (writer) => ({
          async append(log, batch, ...rest) {
            if (!isUsers(log)) return writer.append(log, batch, ...rest)
            const copy = batch.slice()
            const { logEndOffset } = log
            void settle().then(() => writer.append(log, copy, ...rest))
            return written(logEndOffset)
          },
        })),
    }),
  },
  {
    name: 'acknowledges what it does not write',
    anomalies: ['lost write', 'two values'],
    plant: () => {
      const isDue = oncePer(7)
      return {
        store: (store) =>
          withWriter(store, (writer) => ({
            async append(log, batch, ...rest) {
              const isLost = isUsers(log) && isDue()
              return isLost ? written(log.logEndOffset) : writer.append(log, batch, ...rest)
            },
          })),
      }
    },
  },
  {
    name: 'answers with an offset that is taken',
    anomalies: ['two values'],
    plant: () => {
      const isDue = oncePer(5)
      return {
        store: (store) =>
          withWriter(store, (writer) => ({
            async append(log, batch, ...rest) {
              const outcome = await writer.append(log, batch, ...rest)
              return isUsers(log) && outcome.baseOffset > 0 && isDue()
                ? written(outcome.baseOffset - 1)
                : outcome
            },
          })),
      }
    },
  },
  {
    name: 'cuts the last batch off at a start',
    anomalies: ['lost write', 'two values'],
    seed: 2,
    plant: () => ({ whileDown: cutLastBatch }),
  },
  {
    name: 'forgets the sequences of producers at a start',
    anomalies: ['duplicate'],
    seed: 7,
    plant: () => ({ store: withoutSequences }),
  },
  {
    name: 'gives a producer id out again after a start',
    anomalies: ['shared identity'],
    seed: 2,
    plant: () => {
      const given: number[] = []
      return {
        store: (store, life) => {
          let taken = 0
          return withProducerIds(store, (ids) => ({
            async next() {
              const known = life === 0 ? undefined : given[taken++]
              if (known !== undefined) return known
              given.push(await ids.next())
              return given.at(-1)!
            },
          }))
        },
      }
    },
  },
]

/** Does not sync users' records. */
function withoutSync(disk: Fs): Fs {
  const users = new Set<number>()
  return disguised(disk, {
    open(path, mode) {
      const fd = disk.open(path, mode)
      if (/\/[ab]-\d+\/\d+\.log$/.test(path)) users.add(fd)
      return fd
    },
    sync(fd) {
      if (!users.has(fd)) disk.sync(fd)
    },
  })
}

function cutLastBatch(disk: FaultyFs): void {
  const directory = '/data/a-0'
  const names = disk.readDirectory(directory).map(({ name }) => name)
  const last = names
    .filter((name) => name.endsWith('.log'))
    .sort()
    .at(-1)
  if (last === undefined) return
  const content = disk.contentOf(`${directory}/${last}`)
  let at = 0
  let next = batchSizeBytes(content, at)
  while (next !== undefined && at + next < content.length) {
    at += next
    next = batchSizeBytes(content, at)
  }
  disk.place(`${directory}/${last}`, content.subarray(0, at))
}

/** Accepts a producer's first batch after a start with any sequence. */
function withoutSequences(store: Store, life: number): Store {
  const known = new Set<string>()
  return withWriter(store, (writer) => ({
    append(log, batch, ...rest) {
      const producer = `${producerIdOf(batch)} ${log.topic.name}-${log.partition}`
      const { isTransactional } = readBatchHeader(batch)
      const isNew = life > 0 && !isTransactional && isUsers(log) && !known.has(producer)
      known.add(producer)
      return writer.append(log, isNew ? anonymous(batch) : batch, ...rest)
    },
  }))
}

const readingBugs: PlantedBug[] = [
  {
    name: 'takes the high watermark for the last stable offset',
    anomalies: ['uncommitted read'],
    seed: 21,
    plant: () => ({
      store: (store) =>
        withLogs(store, (log) => ({
          get lastStableOffset() {
            return log.highWatermark
          },
        })),
    }),
  },
  {
    name: 'leaves an aborted transaction out of the list',
    anomalies: ['aborted read'],
    plant: () => ({
      store: (store) =>
        disguised(store, {
          reader: disguised(store.reader, {
            async abortedTransactions(...asked) {
              return (await store.reader.abortedTransactions(...asked)).slice(1)
            },
          }),
        }),
    }),
  },
  {
    name: 'tells a high watermark ahead of what is durable',
    anomalies: ['end moved back'],
    plant: () => {
      const isDue = oncePer(3)
      return {
        answer: onFetch((partition) => {
          if (isDue()) partition.highWatermark++
        }),
      }
    },
  },
  {
    name: 'leaves a batch out of an answer',
    anomalies: ['gap'],
    plant: () => ({
      answer: onFetch((partition) => {
        const { records } = partition
        const first = records === null ? undefined : batchSizeBytes(records, 0)
        const second = first === undefined ? undefined : batchSizeBytes(records, first)
        if (first === undefined || second === undefined) return
        const rest = records.subarray(first + second)
        if (rest.length > 0) partition.records = Buffer.concat([records.subarray(0, first), rest])
      }),
    }),
  },
  {
    name: 'serves records at another offset',
    anomalies: ['two values'],
    plant: () => {
      const isDue = oncePer(4)
      return {
        answer: onFetch(({ records }) => {
          if (records !== null && records.length > 0 && isDue())
            records.writeBigInt64BE(BigInt(baseOffsetOf(records) + 1), 0)
        }),
      }
    },
  },
]

function onFetch(change: (partition: any) => void): Answering {
  return async (call, next) => {
    const answer = await next(call)
    if (call.api.key === FETCH)
      for (const { partitions } of answer.responses) partitions.forEach(change)
    return answer
  }
}

const endingBugs: PlantedBug[] = [
  {
    name: 'writes markers before the decision is durable',
    anomalies: ['torn transaction', 'aborted read'],
    seed: 5,
    plant: () => ({
      store: (store) =>
        withTable(store, '__transaction_state', (table) => ({
          async write(changes) {
            if (!isPrepared(changes)) await table.write(changes)
          },
        })),
    }),
  },
  {
    name: 'forgets a decided transaction at a start',
    anomalies: ['undecided transaction', 'torn transaction', 'shared identity'],
    seed: 2,
    plant: () => ({
      store: (store) =>
        withTable(store, '__transaction_state', (table) => ({
          entries: () => Array.from(table.entries()).filter((each) => !isPrepared([each])),
        })),
    }),
  },
  {
    name: 'loses the marker of one partition',
    anomalies: ['undecided transaction'],
    plant: () => ({
      store: (store) =>
        withWriter(store, (writer) => ({
          async endTransaction(log, marker) {
            return log.partition === 1 ? written(0) : writer.endTransaction(log, marker)
          },
        })),
    }),
  },
  {
    name: 'answers EndTxn before the markers are written',
    anomalies: ['undecided transaction'],
    plant: () => ({
      store: (store) =>
        withWriter(store, (writer) => ({
          async endTransaction(log, marker) {
            void pause().then(() => writer.endTransaction(log, marker))
            return written(0)
          },
        })),
    }),
  },
  {
    name: 'commits one partition of an aborted transaction',
    anomalies: ['aborted read'],
    plant: () => ({
      store: (store) =>
        withWriter(store, (writer) => ({
          endTransaction: (log, marker) =>
            writer.endTransaction(log, {
              ...marker,
              isCommit: marker.isCommit || log.partition === 1,
            }),
        })),
    }),
  },
  {
    name: 'aborts one partition of a committed transaction',
    anomalies: ['torn transaction'],
    plant: () => ({
      store: (store) =>
        withWriter(store, (writer) => ({
          endTransaction: (log, marker) =>
            writer.endTransaction(log, {
              ...marker,
              isCommit: marker.isCommit && log.partition !== 1,
            }),
        })),
    }),
  },
]

function isPrepared(changes: readonly Change<string, any>[]): boolean {
  return changes.some(([, record]) => record?.state.startsWith('Prepare'))
}

async function pause(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await settle()
}

const offsetBugs: PlantedBug[] = [
  {
    name: 'shows offsets of a transaction at once',
    anomalies: ['aborted read', 'uncommitted read'],
    plant: () => ({
      answer: (call, next) =>
        call.api.key === TXN_OFFSET_COMMIT ? next(withoutTransaction(call)) : next(call),
    }),
  },
  {
    name: 'drops the offsets of a committed transaction',
    anomalies: ['torn transaction'],
    plant: () => ({
      store: (store) =>
        withTable(store, '__consumer_offsets', (table) => ({
          end: (producer) => table.end(producer, false),
        })),
    }),
  },
  {
    name: 'forgets a committed offset at a start',
    anomalies: ['offset moved back', 'torn transaction'],
    seed: 2,
    plant: () => {
      const isDue = oncePer(3)
      return {
        store: (store) =>
          withTable(store, '__consumer_offsets', (table) => ({
            async write(changes) {
              if (!isDue()) await table.write(changes)
            },
          })),
      }
    },
  },
]

function withoutTransaction({ request: { groupId, topics } }: Call): Call {
  return { api: offsetCommit, version: offsetCommit.versions.to, request: { groupId, topics } }
}

const fencingBugs: PlantedBug[] = [
  {
    name: 'does not bump the epoch for a new instance',
    anomalies: ['shared identity'],
    plant: () => {
      const given = new Map<string, unknown>()
      return {
        async answer(call, next) {
          const { transactionalId } = call.request
          if (call.api.key !== INIT_PRODUCER_ID || transactionalId === null) return next(call)
          const answer = given.get(transactionalId) ?? (await next(call))
          if (answer.errorCode === 0) given.set(transactionalId, answer)
          return answer
        },
      }
    },
  },
  {
    name: 'accepts the batch of a zombie',
    anomalies: ['zombie'],
    plant: () => ({ answer: acceptZombies() }),
  },
]

/** Writes a batch of a past epoch as if it had no producer. */
function acceptZombies(): Answering {
  const newest = new Map<number, number>()
  return async (call, next) => {
    if (call.api.key !== PRODUCE) {
      const answer = await next(call)
      if (call.api.key === INIT_PRODUCER_ID) newest.set(answer.producerId, answer.producerEpoch)
      return answer
    }
    const { topics, ...request } = call.request
    const [{ name, partitions }] = topics
    const [{ index, records }] = partitions
    const isZombie = producerEpochOf(records) < (newest.get(producerIdOf(records)) ?? -1)
    if (!isZombie) return next(call)
    const accepted = [{ name, partitions: [{ index, records: anonymous(records) }] }]
    return next({ ...call, request: { ...request, transactionalId: null, topics: accepted } })
  }
}

const groupBugs: PlantedBug[] = [
  {
    name: 'gives a partition to two members',
    anomalies: ['two owners'],
    plant: () => ({
      async answer(call, next) {
        const answer = await next(call)
        if (call.api.key === SYNC_GROUP && answer.errorCode === 0)
          answer.assignment = Buffer.from('a-0')
        return answer
      },
    }),
  },
  {
    name: 'does not count the generations of a group',
    anomalies: ['two owners'],
    plant: () => {
      let generationId = -1
      return {
        async answer(call, next) {
          const isMembers = call.request.generationId === 1
          const request = isMembers ? { ...call.request, generationId } : call.request
          const answer = await next({ ...call, request })
          if (call.api.key !== JOIN_GROUP || answer.errorCode !== 0) return answer
          generationId = answer.generationId
          return { ...answer, generationId: 1 }
        },
      }
    },
  },
]

export const plantedBugs: readonly PlantedBug[] = [
  ...storageBugs,
  ...readingBugs,
  ...endingBugs,
  ...offsetBugs,
  ...fencingBugs,
  ...groupBugs,
]
