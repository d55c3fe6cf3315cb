// Names of files and directories below the data directory. Any thread. Their contents: docs/formats/

/**
 * DATA/<topic>-<partition>/<20-digit base offset>.log .index .timeindex .txnindex    as Apache Kafka names them
 * DATA/<topic>-<partition>/<20-digit offset>.snapshot                      as in Apache Kafka
 * DATA/<topic>-<partition>/leader-epoch-checkpoint                         as Apache Kafka names it
 * DATA/recovery-checkpoint, scrub-place, disk-failure, ballast, meta.json, lock         ours
 */

export const segmentSuffixes = ['.log', '.index', '.timeindex', '.txnindex'] as const
export type SegmentSuffix = (typeof segmentSuffixes)[number]

/** Suffix of files and directories that wait for deletion; the next start deletes them at the latest. */
export const DELETED_SUFFIX = '.deleted'
/** Suffix of a file that is being written, and renamed when it is whole. */
export const UNFINISHED_SUFFIX = '.tmp'

/** Suffixes of a compacted segment, and of one that is about to replace its source segments. */
export const CLEANED_SUFFIX = '.cleaned'
export const SWAP_SUFFIX = '.swap'

/** Suffix of a file that is not a segment of its log: nothing reads or deletes it. */
export const STRAY_SUFFIX = '.stray'

export const LEADER_EPOCH_FILE = 'leader-epoch-checkpoint'
export const RECOVERY_CHECKPOINT_FILE = 'recovery-checkpoint'
/** Its presence means that the previous process ended because the disk failed; it holds the reason. */
export const DISK_FAILURE_FILE = 'disk-failure'
/** Keeps room for a checkpoint on a full disk, because deletions need one. */
export const BALLAST_FILE = 'ballast'
/** The scrubber's place. */
export const SCRUB_FILE = 'scrub-place'
/** Copies of tables that earlier releases kept in LMDB; first the seal, by which those releases trusted them. */
export const VIEW_FILES = ['tables.seal', 'tables.lmdb', 'tables.lmdb-lock'] as const
export const META_FILE = 'meta.json'
export const LOCK_FILE = 'lock'

/** The longest name of a file or directory, in bytes, on common file systems. */
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

/** The name under which a partition's directory waits for deletion. @param serial makes the name unique */
export function deletedDirectory(directory: string, serial: number): string {
  const suffix = `.${serial}${DELETED_SUFFIX}`
  return directory.slice(0, NAME_BYTES_MAX - suffix.length) + suffix
}

const SNAPSHOT_SUFFIX = '.snapshot'

/** The snapshot of the producers' state before `offset`. */
export function snapshotFile(offset: number): string {
  return String(offset).padStart(20, '0') + SNAPSHOT_SUFFIX
}

/** @returns the offset; undefined when `name` is not a snapshot's */
export function parseSnapshotFile(name: string): number | undefined {
  const offset = Number(name.slice(0, 20))
  return snapshotFile(offset) === name ? offset : undefined
}

/** A segment's file: 20 digits and a suffix. */
export function segmentFile(baseOffset: number, suffix: SegmentSuffix): string {
  return String(baseOffset).padStart(20, '0') + suffix
}

/** @returns undefined when `name` is not a segment's */
export function parseSegmentFile(
  name: string,
): { readonly baseOffset: number; readonly suffix: SegmentSuffix } | undefined {
  const baseOffset = Number(name.slice(0, 20))
  const suffix = segmentSuffixes.find((known) => known === name.slice(20))
  if (!suffix || !/^\d{20}/.test(name) || !Number.isSafeInteger(baseOffset)) return undefined
  return { baseOffset, suffix }
}

/** The offsets of neighbouring segments that become one. */
export interface SwapRange {
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
}

/**
 * A file of the compacted segment, before `CLEANED_SUFFIX` or `SWAP_SUFFIX`: its name tells the range that it
 * replaces.
 */
export function swapFile({ baseOffset, endOffset }: SwapRange, suffix: SegmentSuffix): string {
  return `${String(baseOffset).padStart(20, '0')}-${String(endOffset).padStart(20, '0')}${suffix}`
}

/** @returns undefined when `name` is not of a segment to swap in */
export function parseSwapFile(
  name: string,
): (SwapRange & { readonly suffix: SegmentSuffix }) | undefined {
  const suffix = segmentSuffixes.find((known) => name.endsWith(known + SWAP_SUFFIX))
  const match = /^(\d{20})-(\d{20})\./.exec(name)
  if (!suffix || !match) return undefined
  const range = { baseOffset: Number(match[1]), endOffset: Number(match[2]) }
  return swapFile(range, suffix) + SWAP_SUFFIX === name ? { ...range, suffix } : undefined
}
