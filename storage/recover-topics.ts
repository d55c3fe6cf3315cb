// Opens the logs of every topic at a start, and first makes the directory agree with the metadata table: it removes
// partitions that a crash left half created or half deleted, and nothing else. Network thread.

import { join } from 'node:path'
import type { Fs } from './fs.ts'
import { parsePartitionDirectory, parseSegmentFile, partitionDirectory } from './layout.ts'
import type { OpenLogs } from './logs.ts'
import { randomUuid } from './meta.ts'
import { tableConfig } from './tables/log-table.ts'
import {
  topicKey,
  topicOf,
  topicRecords,
  type MetadataTable,
  type TopicRecord,
} from './tables/metadata.ts'
import { internalTopics, METADATA_TOPIC } from './topic-name.ts'
import type { WriterClient } from './writer/writer-client.ts'
import type { Opened } from './log-facts.ts'

export interface RecoverTopicsDeps {
  readonly fs: Fs
  readonly dataDir: string
  readonly logs: OpenLogs
  readonly table: MetadataTable
  readonly writer: WriterClient
  readonly warn: (message: string) => void
}

/** @returns the writer's `Opened` of every log but the metadata's */
export async function recoverTopics(deps: RecoverTopicsDeps): Promise<readonly Opened[]> {
  const { logs, table } = deps
  await adoptInternal(deps)
  const records = new Map(topicRecords(table))
  await discardLeftovers(deps, records)
  const ranges = [...records]
    .filter(([name, record]) => name !== METADATA_TOPIC && !record.isDeleted)
    .map(([name, record]) => ({ topic: topicOf(name, record), from: 0, to: record.partitionCount }))
  return ranges.length > 0 ? logs.open(ranges, false) : []
}

/** The broker knows an internal topic even if damage has destroyed its record. */
async function adoptInternal({ fs, dataDir, table, warn }: RecoverTopicsDeps): Promise<void> {
  for (const name of internalTopics) {
    if (table.get(topicKey(name))) continue
    const directory = partitionDirectory(name, 0)
    if (!holdsRecords(fs, join(dataDir, directory))) continue
    await table.put(topicKey(name), { id: randomUuid(), partitionCount: 1, config: tableConfig })
    warn(`${directory} holds records, and the record of its topic is lost: it is made anew`)
  }
}

/** Finishes deletions, and removes directories of partitions that no client ever saw. */
async function discardLeftovers(
  deps: RecoverTopicsDeps,
  records: ReadonlyMap<string, TopicRecord>,
): Promise<void> {
  const { fs, dataDir, table, writer, warn } = deps
  const directories: string[] = []
  for (const { name: directory, isDirectory } of fs.readDirectory(dataDir)) {
    const parsed = isDirectory ? parsePartitionDirectory(directory) : undefined
    if (!parsed) continue
    const record = records.get(parsed.topic)
    const isOwned = record && !record.isDeleted && parsed.partition < record.partitionCount
    if (isOwned) continue
    if (record?.isDeleted || !holdsRecords(fs, join(dataDir, directory)))
      directories.push(directory)
    else warn(`${directory} holds records, but no topic owns it; it is left alone`)
  }
  if (directories.length > 0) await writer.ask({ kind: 'discard', directories })
  for (const [name, record] of records) {
    if (record.isDeleted) await table.delete(topicKey(name))
  }
}

/** Directories with records and without a topic that are in the way of new partitions. */
export function strangersOf(
  fs: Fs,
  dataDir: string,
  topic: string,
  from: number,
  to: number,
): string[] {
  return Array.from({ length: to - from }, (_, i) => partitionDirectory(topic, from + i)).filter(
    (directory) => holdsRecords(fs, join(dataDir, directory)),
  )
}

function holdsRecords(fs: Fs, path: string): boolean {
  if (!fs.stat(path)) return false
  return fs
    .readDirectory(path)
    .some(
      ({ name }) =>
        parseSegmentFile(name)?.suffix === '.log' &&
        (fs.stat(join(path, name))?.sizeBytes ?? 0) > 0,
    )
}
