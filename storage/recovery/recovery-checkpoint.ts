// recovery-checkpoint: one file for all logs that says up to where each was durable and valid, where it starts and which
// epochs it went through, so that a start reads only what came later. One line of JSON a log, under a CRC.
// Writer thread. Format: docs/formats/recovery.md

import { join } from 'node:path'
import { crc32c } from '../../protocol/crc32c.ts'
import type { Fs } from '../fs.ts'
import { RECOVERY_CHECKPOINT_FILE } from '../layout.ts'
import type { EpochStart, Heads, Quarantined, SegmentStart } from '../log-facts.ts'
import { readText, replaceText } from '../text-file.ts'

const VERSION = 1

/** How far compaction has come in a log. */
export interface Compacted {
  /** Everything before it has been compacted. */
  readonly firstDirtyOffset: number
  /** Segments before it may have gaps between their batches. */
  readonly sparseEndOffset: number
}

/** What was true of a log when the checkpoint was written. */
export interface LogCheckpoint {
  readonly directory: string
  /** Closed in order and not opened since: its files are as listed here, to the byte. */
  readonly isClosed: boolean
  readonly logStartOffset: number
  /** Every record before it is durable, and either valid or quarantined. */
  readonly durableOffset: number
  /** Ascending; each with the bytes that are durable. Appends went on in the last one. */
  readonly segments: readonly SegmentStart[]
  readonly epochs: readonly EpochStart[]
  readonly quarantined: readonly Quarantined[]
  /** Absent: nothing has been compacted. */
  readonly compacted?: Compacted
  /** Did producers with an id write before `durableOffset`, that are not forgotten yet? Absent: not known. */
  readonly hasProducers?: boolean
}

/** The checkpoint of a data directory: of the logs that are open, and of those that are not (yet). */
export class RecoveryCheckpoint {
  readonly #fs: Fs
  readonly #dataDir: string
  /** Of logs that are not open, by directory. */
  readonly #resting: Map<string, LogCheckpoint>
  /** Of the file, as it was last written. */
  sizeBytes = 0

  constructor(fs: Fs, dataDir: string) {
    this.#fs = fs
    this.#dataDir = dataDir
    this.#resting = parse(readText(fs, join(dataDir, RECOVERY_CHECKPOINT_FILE)) ?? '') ?? new Map()
  }

  /** Is there a file, and is it not what was written? */
  static isDamaged(fs: Fs, dataDir: string): boolean {
    const text = readText(fs, join(dataDir, RECOVERY_CHECKPOINT_FILE))
    return text !== undefined && parse(text) === undefined
  }

  /** Of a log that is not open; undefined when nothing is known of it. */
  get(directory: string): LogCheckpoint | undefined {
    return this.#resting.get(directory)
  }

  /** The log is open and speaks for itself, or is gone. */
  forget(directory: string): void {
    this.#resting.delete(directory)
  }

  /** The log is not open any more. */
  keep(log: LogCheckpoint): void {
    this.#resting.set(log.directory, log)
  }

  get isAnyUnclean(): boolean {
    return Array.from(this.#resting.values()).some(({ isClosed }) => !isClosed)
  }

  /**
   * Durable when it returns.
   *
   * @param openLines `checkpointLine` of each log that is open
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

/** The last four may be absent: what there is of a transaction index, and of the heads. */
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

/** @returns by directory; undefined when the text is damaged or of another version: everything is then checked */
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
