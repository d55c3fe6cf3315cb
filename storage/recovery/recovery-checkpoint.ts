// recovery-checkpoint: one file for all logs: up to which offset each is durable and valid, its log start and its
// epochs, so that a start reads only what follows. One line of JSON per log, under a CRC. Writer thread. Format:
// docs/formats/recovery.md

import { join } from 'node:path'
import { crc32c } from '../../protocol/crc32c.ts'
import type { Fs } from '../fs.ts'
import { RECOVERY_CHECKPOINT_FILE } from '../layout.ts'
import type { EpochStart, Heads, Quarantined, SegmentStart } from '../log-facts.ts'
import { readText, replaceText } from '../text-file.ts'

const VERSION = 1

/** How far compaction has come in a log. */
export interface Compacted {
  /** Everything before it is compacted. */
  readonly firstDirtyOffset: number
  /** Segments before it may have gaps between their batches. */
  readonly sparseEndOffset: number
}

/** The state of a log when the checkpoint was written. */
export interface LogCheckpoint {
  readonly directory: string
  /** The log was closed in order and not opened since: its files are exactly as listed here. */
  readonly isClosed: boolean
  readonly logStartOffset: number
  /** Every record before it is durable, and either valid or quarantined. */
  readonly durableOffset: number
  /** Ascending, each with its durable bytes. Appends went on in the last one. */
  readonly segments: readonly SegmentStart[]
  readonly epochs: readonly EpochStart[]
  readonly quarantined: readonly Quarantined[]
  /** Absent: nothing is compacted. */
  readonly compacted?: Compacted
  /** Does the log remember producers with an id that wrote before `durableOffset`? Absent: unknown. */
  readonly hasProducers?: boolean
}

/** The checkpoint of a data directory, with its open logs and those that are not open (yet). */
export class RecoveryCheckpoint {
  readonly #fs: Fs
  readonly #dataDir: string
  /** Logs that are not open, by directory. */
  readonly #resting: Map<string, LogCheckpoint>
  /** Size of the file when last written. */
  sizeBytes = 0

  constructor(fs: Fs, dataDir: string) {
    this.#fs = fs
    this.#dataDir = dataDir
    this.#resting = parse(readText(fs, join(dataDir, RECOVERY_CHECKPOINT_FILE)) ?? '') ?? new Map()
  }

  /** Does the file exist, damaged? */
  static isDamaged(fs: Fs, dataDir: string): boolean {
    const text = readText(fs, join(dataDir, RECOVERY_CHECKPOINT_FILE))
    return text !== undefined && parse(text) === undefined
  }

  /** The log's checkpoint, if it is not open; undefined: unknown. */
  get(directory: string): LogCheckpoint | undefined {
    return this.#resting.get(directory)
  }

  /** The log is open, and has its own state, or is deleted. */
  forget(directory: string): void {
    this.#resting.delete(directory)
  }

  /** The log is closed. */
  keep(log: LogCheckpoint): void {
    this.#resting.set(log.directory, log)
  }

  get isAnyUnclean(): boolean {
    return Array.from(this.#resting.values()).some(({ isClosed }) => !isClosed)
  }

  /**
   * Durable when it returns.
   *
   * @param openLines `checkpointLine` of each open log
   * @throws when the disk refuses: the old checkpoint stays; {DiskFailure} when it fails
   */
  write(openLines: Iterable<string>): void {
    const lines = [...Array.from(this.#resting.values(), checkpointLine), ...openLines]
    const body = lines.map((line) => `${line}\n`).join('')
    const text = headOf(body) + body
    replaceText(this.#fs, this.#dataDir, RECOVERY_CHECKPOINT_FILE, text, { isDurable: true })
    this.sizeBytes = text.length
  }
}

/** The last four may be absent: the facts about the transaction index, and the heads. */
type SegmentFields = readonly [
  ...[number, number, number, number, number, number, number, number],
  abortedCount?: number,
  abortedChecksum?: number,
  firstHead?: number,
  headsSum?: number,
]

export function checkpointLine(log: LogCheckpoint): string {
  const segments = log.segments.map((segment) => [
    segment.baseOffset,
    segment.endOffset,
    segment.sizeBytes,
    segment.maxTimestamp,
    segment.maxTimestampOffset,
    segment.offsetEntryCount,
    segment.timeEntryCount,
    segment.lastTimeEntryTimestamp,
    ...lastFields(segment),
  ])
  return JSON.stringify({ ...log, segments })
}

function lastFields({ abortedCount, abortedChecksum, heads }: SegmentStart): number[] {
  if (heads) return [abortedCount, abortedChecksum, heads.first, heads.sum]
  return abortedCount > 0 ? [abortedCount, abortedChecksum] : []
}

export function parseLine(line: string): LogCheckpoint {
  const { segments, ...log } = JSON.parse(line) as Omit<LogCheckpoint, 'segments'> & {
    segments: readonly SegmentFields[]
  }
  return {
    ...log,
    segments: segments.map((fields) => ({
      baseOffset: fields[0],
      endOffset: fields[1],
      sizeBytes: fields[2],
      maxTimestamp: fields[3],
      maxTimestampOffset: fields[4],
      offsetEntryCount: fields[5],
      timeEntryCount: fields[6],
      lastTimeEntryTimestamp: fields[7],
      abortedCount: fields[8] ?? 0,
      abortedChecksum: fields[9] ?? 0,
      heads: headsOf(fields),
    })),
  }
}

function headsOf({ 10: first, 11: sum }: SegmentFields): Heads | undefined {
  return first === undefined || sum === undefined ? undefined : { first, sum }
}

/** @returns by directory; undefined when the text is damaged or of another version: a start then checks everything */
function parse(text: string): Map<string, LogCheckpoint> | undefined {
  const headEnd = text.indexOf('\n') + 1
  const body = text.slice(headEnd)
  if (text.slice(0, headEnd) !== headOf(body)) return undefined
  const logs = body.split('\n').slice(0, -1).map(parseLine)
  return new Map(logs.map((log) => [log.directory, log]))
}

function headOf(body: string): string {
  const crc = crc32c(Buffer.from(body)).toString(16).padStart(8, '0')
  return `millrace-recovery-checkpoint ${VERSION} crc32c ${crc}\n`
}
