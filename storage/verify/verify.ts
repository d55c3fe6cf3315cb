// Verify: checks a data directory that no broker uses from end to end: every batch, every index, the tables, and
// leftovers of interrupted work. It tells what a start would do about each finding; `repairDirectory` repairs them by
// a start's recovery. Main thread of the command line. For users: docs/guide/cli.md, "Verifying a data directory"

import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { logConfig, parseTopicConfig, topicConfigNames } from '../config.ts'
import { realFs, type Fs } from '../fs.ts'
import {
  DELETED_SUFFIX,
  DISK_FAILURE_FILE,
  parsePartitionDirectory,
  parseSegmentFile,
  partitionDirectory,
  RECOVERY_CHECKPOINT_FILE,
  UNFINISHED_SUFFIX,
} from '../layout.ts'
import { lockForReading } from '../lock.ts'
import { readMeta } from '../meta.ts'
import { openStore } from '../open-store.ts'
import { tableConfig } from '../tables/log-table.ts'
import type { TopicRecord } from '../tables/metadata.ts'
import { isInternalTopic, METADATA_TOPIC } from '../topic-name.ts'
import type { LogConfig } from '../log-facts.ts'
import { RecoveryCheckpoint } from '../recovery/recovery-checkpoint.ts'
import { verifyLog, withoutTrust, type Finding, type VerifiedLog } from './verify-log.ts'
import { verifyTable } from './verify-table.ts'

export interface VerifyDeps {
  readonly clock: Clock
  /** Called often. @param bytes read since the last call */
  readonly onRead: (bytes: number) => void
}

export interface Verified {
  readonly findings: readonly Finding[]
  readonly logCount: number
  readonly segmentCount: number
  readonly batchCount: number
}

const leftoverSuffixes = [DELETED_SUFFIX, UNFINISHED_SUFFIX]
/** Roughly: once for the batches, once for the indexes and in part for their places, twice for the records. */
const READS_OF_A_SEGMENT = 4.5

/** Roughly how many bytes `verifyDirectory` will read. */
export function bytesToRead(dataDir: string): number {
  let bytes = 0
  for (const { name } of partitionsIn(realFs, dataDir)) {
    for (const file of realFs.readDirectory(join(dataDir, name))) {
      if (parseSegmentFile(file.name)?.suffix !== '.log') continue
      bytes += realFs.stat(join(dataDir, name, file.name))?.sizeBytes ?? 0
    }
  }
  return bytes * READS_OF_A_SEGMENT
}

/** @throws {Error} that says what to do, when the directory is in use, or not millrace's */
export async function verifyDirectory(dataDir: string, deps: VerifyDeps): Promise<Verified> {
  readMeta(realFs, dataDir)
  const lock = await lockForReading(dataDir, { fs: realFs, clock: deps.clock })
  try {
    return new Verification(dataDir, { ...deps, fs: countingReads(deps.onRead) }).run()
  } finally {
    lock.release()
  }
}

/**
 * Lets a start repair the findings; it trusts nothing in the logs with damage.
 *
 * @throws {Error} as a start
 */
export async function repairDirectory(
  dataDir: string,
  findings: readonly Finding[],
  clock: Clock,
): Promise<void> {
  const damaged = new Set(findings.map(({ where }) => where.split('/')[0]!))
  await distrust(dataDir, damaged, clock)
  const cleaner = { isCompactionEnabled: false }
  const store = await openStore({ dataDir, writer: 'inline', clock, cleaner })
  await store[Symbol.asyncDispose]()
}

/** Makes the next start read these logs in full. */
async function distrust(dataDir: string, directories: ReadonlySet<string>, clock: Clock) {
  const lock = await lockForReading(dataDir, { fs: realFs, clock })
  try {
    const checkpoint = new RecoveryCheckpoint(realFs, dataDir)
    const known = [...directories].flatMap((directory) => checkpoint.get(directory) ?? [])
    for (const log of known) checkpoint.keep(withoutTrust(log))
    if (known.length > 0) checkpoint.write([])
  } finally {
    lock.release()
  }
}

class Verification {
  readonly #dataDir: string
  readonly #deps: VerifyDeps & { readonly fs: Fs }
  readonly #checkpoint: RecoveryCheckpoint
  readonly #findings: Finding[] = []
  #logCount = 0
  #segmentCount = 0
  #batchCount = 0

  constructor(dataDir: string, deps: VerifyDeps & { readonly fs: Fs }) {
    this.#dataDir = dataDir
    this.#deps = deps
    this.#checkpoint = new RecoveryCheckpoint(deps.fs, dataDir)
  }

  run(): Verified {
    this.#files()
    const topics = this.#metadata()
    for (const [name, { partitionCount, config }] of topics) {
      if (name === METADATA_TOPIC) continue
      for (let i = 0; i < partitionCount; i++) {
        const verified = this.#log(partitionDirectory(name, i), configOf(config))
        if (verified && isInternalTopic(name)) this.#table(name, verified)
      }
    }
    this.#strangers(topics)
    return {
      findings: this.#findings,
      logCount: this.#logCount,
      segmentCount: this.#segmentCount,
      batchCount: this.#batchCount,
    }
  }

  /** Checks the files beside the logs. */
  #files(): void {
    const { fs } = this.#deps
    if (RecoveryCheckpoint.isDamaged(fs, this.#dataDir)) {
      this.#findings.push({
        severity: 'damage',
        where: RECOVERY_CHECKPOINT_FILE,
        what: 'is not what was written: log starts fall back to the first segment',
        repair: 'written anew; every log is read in full',
      })
    }
    if (fs.stat(join(this.#dataDir, DISK_FAILURE_FILE))) {
      this.#findings.push({
        severity: 'note',
        where: DISK_FAILURE_FILE,
        what: 'the disk failed, which ended the last broker',
        repair: 'segments that grew since are copied before they are trusted',
      })
    }
    for (const { name } of fs.readDirectory(this.#dataDir)) {
      if (!leftoverSuffixes.some((suffix) => name.endsWith(suffix))) continue
      const what = 'was left by work that was broken off'
      this.#findings.push({ severity: 'note', where: name, what, repair: 'deleted' })
    }
  }

  /** @returns the existing topics, as far as they are known */
  #metadata(): Map<string, TopicRecord> {
    const directory = partitionDirectory(METADATA_TOPIC, 0)
    const verified = this.#log(directory, configOf(tableConfig))
    const values = verified ? this.#table(METADATA_TOPIC, verified) : new Map()
    const topics = new Map<string, TopicRecord>()
    for (const [key, record] of values as Map<string, TopicRecord>) {
      if (!key.startsWith('topic/')) continue
      const name = key.slice('topic/'.length)
      if (!record.isDeleted) topics.set(name, record)
      else this.#note(name, 'is being deleted', 'deleted with its records')
    }
    return topics
  }

  #table(topic: string, { recovered }: VerifiedLog): ReadonlyMap<string, unknown> {
    const directory = partitionDirectory(topic, 0)
    const { values, flaws } = verifyTable(recovered.fs, recovered.segments, topic)
    for (const what of flaws) this.#findings.push({ severity: 'damage', where: directory, what })
    return values
  }

  #log(directory: string, config: LogConfig): VerifiedLog | undefined {
    const { fs, clock } = this.#deps
    const checkpoint = this.#checkpoint.get(directory)
    if (!fs.stat(join(this.#dataDir, directory))) {
      this.#missing(directory, checkpoint?.durableOffset ?? 0)
      return undefined
    }
    const verified = verifyLog({ fs, clock, dataDir: this.#dataDir, directory, config, checkpoint })
    this.#findings.push(...verified.findings)
    this.#logCount++
    this.#segmentCount += verified.segmentCount
    this.#batchCount += verified.batchCount
    return verified
  }

  #missing(directory: string, durableOffset: number): void {
    if (durableOffset === 0) return this.#note(directory, 'is not there, and held nothing', 'made')
    const what = `is gone, with records up to offset ${durableOffset - 1}: put it back from a backup`
    this.#findings.push({ severity: 'damage', where: directory, what })
  }

  /** Reports directories of partitions without a topic. */
  #strangers(topics: ReadonlyMap<string, TopicRecord>): void {
    for (const { name, topic, partition } of partitionsIn(this.#deps.fs, this.#dataDir)) {
      if (partition < (topics.get(topic)?.partitionCount ?? 0) || topic === METADATA_TOPIC) continue
      this.#note(name, 'belongs to no topic', 'deleted if it is empty, else left alone')
    }
  }

  #note(where: string, what: string, repair: string): void {
    this.#findings.push({ severity: 'note', where, what, repair })
  }
}

/** Only the names that this release knows. */
function configOf(config: TopicRecord['config']): LogConfig {
  const known = Object.entries(config).filter(([name]) =>
    topicConfigNames.some((each) => each === name),
  )
  return logConfig(parseTopicConfig(Object.fromEntries(known)))
}

function partitionsIn(fs: Fs, dataDir: string) {
  return fs.readDirectory(dataDir).flatMap(({ name, isDirectory }) => {
    const parsed = isDirectory ? parsePartitionDirectory(name) : undefined
    return parsed === undefined ? [] : [{ name, ...parsed }]
  })
}

function countingReads(onRead: (bytes: number) => void): Fs {
  return {
    ...realFs,
    read(fd, into, position) {
      const count = realFs.read(fd, into, position)
      onRead(count)
      return count
    },
  }
}
