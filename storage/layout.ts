// Names of files and directories below the data directory. Any thread. What is in them: docs/formats/

/**
 * DATA/<topic>-<partition>/<20-digit base offset>.log .index .timeindex .txnindex    as Apache Kafka names them
 * DATA/<topic>-<partition>/<20-digit offset>.snapshot                      as in Apache Kafka
 * DATA/<topic>-<partition>/leader-epoch-checkpoint                         as Apache Kafka names it
 * DATA/recovery-checkpoint, scrub-place, disk-failure, ballast, meta.json, lock         ours
 */

export const segmentSuffixes = ['.log', '.index', '.timeindex', '.txnindex'] as const
export type SegmentSuffix = (typeof segmentSuffixes)[number]

/** Files and directories on their way out: whatever bears it is deleted at the next start. */
export const DELETED_SUFFIX = '.deleted'
/** A file that is still being written, to be renamed when whole. */
export const UNFINISHED_SUFFIX = '.tmp'

/** What a compaction writes; and what is about to take the place of the segments that it was made from. */
export const CLEANED_SUFFIX = '.cleaned'
export const SWAP_SUFFIX = '.swap'

/** A file that cannot be a segment of its log: nobody reads it, nobody deletes it. */
export const STRAY_SUFFIX = '.stray'

export const LEADER_EPOCH_FILE = 'leader-epoch-checkpoint'
export const RECOVERY_CHECKPOINT_FILE = 'recovery-checkpoint'
/** Says that the last process ended because the disk failed, and why. */
export const DISK_FAILURE_FILE = 'disk-failure'
/** Room for a checkpoint when the disk is full: deleting needs one. */
export const BALLAST_FILE = 'ballast'
/** How far the scrubber has come. */
export const SCRUB_FILE = 'scrub-place'
/** Copies of tables that earlier releases kept in LMDB; the seal, by which they believed them, comes first. */
export const VIEW_FILES = ['tables.seal', 'tables.lmdb', 'tables.lmdb-lock'] as const
export const META_FILE = 'meta.json'
export const LOCK_FILE = 'lock'

/** Longest name of a file or directory, in bytes, on the file systems that we know. */
const NAME_BYTES_MAX = 255

/** '<topic>-<partition>': below the data directory. */
export function partitionDirectory(topic: string, partition: number): string {
  return `${topic}-${partition}`
}

/** @returns undefined when `directory` does not name a partition */
export function parsePartitionDirectory(
  directory: string,
): { readonly topic: string; readonly partition: number } | undefined {
  const match = /^([a-zA-Z0-9._-]{1,249})-(0|[1-9]\d{0,8})$/.exec(directory)
  if (!match) return undefined
  return { topic: match[1] ?? '', partition: Number(match[2]) }
}

/** Where a partition's directory goes before it is deleted. @param serial tells apart topics that came and went */
export function deletedDirectory(directory: string, serial: number): string {
  const suffix = `.${serial}${DELETED_SUFFIX}`
  return directory.slice(0, NAME_BYTES_MAX - suffix.length) + suffix
}

const SNAPSHOT_SUFFIX = '.snapshot'

/** Of the producers' state as it was before `offset`. */
export function snapshotFile(offset: number): string {
  return String(offset).padStart(20, '0') + SNAPSHOT_SUFFIX
}

/** @returns the offset; undefined when `name` is not that of a snapshot */
export function parseSnapshotFile(name: string): number | undefined {
  const offset = Number(name.slice(0, 20))
  return snapshotFile(offset) === name ? offset : undefined
}

/** The 20 digits that start the name of every file of a segment. */
export function segmentFile(baseOffset: number, suffix: SegmentSuffix): string {
  return String(baseOffset).padStart(20, '0') + suffix
}

/** @returns undefined when `name` is not a file of a segment */
export function parseSegmentFile(
  name: string,
): { readonly baseOffset: number; readonly suffix: SegmentSuffix } | undefined {
  const baseOffset = Number(name.slice(0, 20))
  const suffix = segmentSuffixes.find((known) => known === name.slice(20))
  if (!suffix || !/^\d{20}/.test(name) || !Number.isSafeInteger(baseOffset)) return undefined
  return { baseOffset, suffix }
}

/** The offsets of segments that lie side by side, of which one segment is made. */
export interface SwapRange {
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
}

/** A file of that segment, before `CLEANED_SUFFIX` or `SWAP_SUFFIX`: its name says what it replaces. */
export function swapFile({ baseOffset, endOffset }: SwapRange, suffix: SegmentSuffix): string {
  return `${String(baseOffset).padStart(20, '0')}-${String(endOffset).padStart(20, '0')}${suffix}`
}

/** @returns undefined when `name` is no file of a segment that is to be swapped in */
export function parseSwapFile(
  name: string,
): (SwapRange & { readonly suffix: SegmentSuffix }) | undefined {
  const suffix = segmentSuffixes.find((known) => name.endsWith(known + SWAP_SUFFIX))
  const match = /^(\d{20})-(\d{20})\./.exec(name)
  if (!suffix || !match) return undefined
  const range = { baseOffset: Number(match[1]), endOffset: Number(match[2]) }
  return swapFile(range, suffix) + SWAP_SUFFIX === name ? { ...range, suffix } : undefined
}
