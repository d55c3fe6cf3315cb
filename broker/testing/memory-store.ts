// MemoryStore: a Store without a disk, to stand in until storage/store.ts opens a real one.

import { randomBytes } from 'node:crypto'
import {
  batchSizeBytes,
  baseOffsetOf,
  lastOffsetDeltaOf,
  maxTimestampOf,
  stampBatch,
} from '../../protocol/batch/header.ts'
import { recordsOf } from '../../protocol/batch/record.ts'
import { readBatchHeader, crcMatches } from '../../protocol/batch/header.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { LeaderEpoch, Offset } from '../../protocol/ids.ts'
import type {
  AppendOutcome,
  Log,
  OffsetAndTimestamp,
  ReadResult,
  Store,
  Topic,
  TopicSpec,
  Turn,
} from '../../storage/store.ts'

class MemoryLog implements Log {
  topic: Topic
  readonly partition: number
  readonly leaderEpoch = LeaderEpoch(0)
  logStartOffset = Offset(0)
  logEndOffset = Offset(0)
  batches: Buffer[] = []
  segmentCount = 1
  constructor(topic: Topic, partition: number) {
    this.topic = topic
    this.partition = partition
  }
  get highWatermark() {
    return this.logEndOffset
  }
  get lastStableOffset() {
    return this.logEndOffset
  }
  get sizeBytes() {
    return this.batches.reduce((n, b) => n + b.length, 0)
  }
  #from(offset: number) {
    return this.batches.findIndex((b) => baseOffsetOf(b) + lastOffsetDeltaOf(b) >= offset)
  }
  bytesAvailable(offset: Offset): number {
    const i = this.#from(offset)
    return i < 0 ? 0 : this.batches.slice(i).reduce((n, b) => n + b.length, 0)
  }
  read(offset: Offset, bytesMax: number, atLeastOne: boolean): ReadResult {
    if (offset < this.logStartOffset || offset > this.logEndOffset)
      throw new KafkaError('OFFSET_OUT_OF_RANGE', `${offset}`)
    const i = this.#from(offset)
    const out: Buffer[] = []
    let size = 0
    for (let j = i; j >= 0 && j < this.batches.length; j++) {
      const b = this.batches[j]!
      if (size + b.length > bytesMax && !(atLeastOne && out.length === 0)) break
      out.push(b)
      size += b.length
    }
    return { bytes: Buffer.concat(out), release() {} }
  }
  async offsetForTimestamp(timestamp: number): Promise<OffsetAndTimestamp | undefined> {
    for (const b of this.batches) {
      if (maxTimestampOf(b) < timestamp) continue
      for (const r of recordsOf(b, 0, readBatchHeader(b), { decompressedBytesMax: 1e9 })) {
        if (r.timestamp >= timestamp) return { offset: Offset(r.offset), timestamp: r.timestamp }
      }
    }
    return undefined
  }
  async offsetForMaxTimestamp() {
    const max = Math.max(...this.batches.map((b) => maxTimestampOf(b)))
    return this.offsetForTimestamp(max)
  }
  endOffsetOfEpoch(epoch: number) {
    return epoch === 0 ? { epoch: this.leaderEpoch, endOffset: this.logEndOffset } : undefined
  }
}

export async function openMemoryStore(dataDir: string): Promise<Store> {
  const byName = new Map<string, Topic>()
  const logs = new Map<string, MemoryLog>()
  let onTurn: (turn: Turn) => void = () => {}
  let nextId = 1000
  const topics = {
    get: (name: string) => byName.get(name),
    getById: (id: string) => [...byName.values()].find((t) => t.id === id),
    list: () => [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    async create({ name, partitionCount, config = {} }: TopicSpec) {
      if (byName.has(name)) throw new KafkaError('TOPIC_ALREADY_EXISTS', name)
      const topic: Topic = {
        name,
        id: randomBytes(16).toString('base64url'),
        partitionCount,
        config,
        isInternal: false,
      }
      byName.set(name, topic)
      for (let i = 0; i < partitionCount; i++) logs.set(`${name}/${i}`, new MemoryLog(topic, i))
      return topic
    },
    async delete(name: string) {
      const topic = byName.get(name)
      if (!topic) throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', name)
      byName.delete(name)
      for (let i = 0; i < topic.partitionCount; i++) logs.delete(`${name}/${i}`)
    },
    async addPartitions(name: string, partitionCount: number) {
      const old = byName.get(name)!
      const topic = { ...old, partitionCount }
      byName.set(name, topic)
      for (let i = old.partitionCount; i < partitionCount; i++)
        logs.set(`${name}/${i}`, new MemoryLog(topic, i))
      return topic
    },
    async configure(name: string, config: Record<string, string>) {
      const topic = { ...byName.get(name)!, config }
      byName.set(name, topic)
      return topic
    },
  }
  return {
    clusterId: randomBytes(16).toString('base64url'),
    nodeId: 1,
    dataDir,
    topics,
    recovery: { seconds: 0, cleanStart: true, corruptBatchCount: 0 },
    log: (topic, partition) => logs.get(`${topic}/${partition}`),
    append(log, batch): Promise<AppendOutcome> {
      const copy = Buffer.from(batch)
      const target = log as MemoryLog
      if (!crcMatches(copy, 0, batchSizeBytes(copy)!)) {
        return Promise.resolve({ error: 'CORRUPT_MESSAGE', baseOffset: -1, logAppendTimeMs: -1 })
      }
      const baseOffset = target.logEndOffset
      stampBatch(copy, 0, baseOffset, target.leaderEpoch)
      target.batches.push(copy)
      target.logEndOffset = Offset(baseOffset + lastOffsetDeltaOf(copy) + 1)
      return new Promise((resolve) =>
        setImmediate(() => {
          onTurn({
            logs: [log],
            batchCount: 1,
            batchBytes: copy.length,
            writeSeconds: 0,
            syncSeconds: 0,
          })
          resolve({ baseOffset, logAppendTimeMs: -1 })
        }),
      )
    },
    isCongested: false,
    inboxBytesUsed: 0,
    onDrain() {},
    onTurn(callback) {
      onTurn = callback
    },
    onFatal() {},
    async deleteRecordsBefore(log, offset) {
      const target = log as MemoryLog
      if (offset > target.logEndOffset) throw new KafkaError('OFFSET_OUT_OF_RANGE', `${offset}`)
      target.logStartOffset = offset
      return offset
    },
    nextProducerId: async () => nextId++,
    diskFreeBytes: async () => 1e12,
    async [Symbol.asyncDispose]() {},
  }
}
