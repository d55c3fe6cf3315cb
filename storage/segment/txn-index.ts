// TxnIndex: the transactions that markers in this segment aborted, one 34-byte entry each, ascending by marker.
// The writer thread appends before it writes the marker; the network thread reads the file. The first entry creates
// the file. Format, Kafka's own: docs/formats/indexes.md

import { dirname } from 'node:path'
import { int16At, int64At, putInt16, putInt32, putInt64 } from '../../protocol/batch/header.ts'
import { crc32c } from '../../protocol/crc32c.ts'
import { orDiskFailure, syncOrDie } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'
import { IndexFile } from './index-file.ts'
import type { TxnIndexStart } from '../log-facts.ts'

export const TXN_ENTRY_BYTES = 34
const VERSION = 0

export interface TxnEntry {
  readonly producerId: number
  readonly firstOffset: number
  /** Offset of the marker. */
  readonly lastOffset: number
  /** When the marker was written: the start of the oldest open transaction, else the offset after the marker. */
  readonly lastStableOffset: number
}

export class TxnIndex {
  readonly file: IndexFile
  readonly #fs: Fs
  #checksum: number
  #isDurable = true

  constructor(fs: Fs, path: string, start: TxnIndexStart) {
    this.#fs = fs
    this.file = new IndexFile(fs, path, TXN_ENTRY_BYTES, start.abortedCount)
    this.#checksum = start.abortedChecksum
  }

  get info(): TxnIndexStart {
    return { abortedCount: this.file.count, abortedChecksum: this.#checksum }
  }

  append(aborted: TxnEntry): void {
    const entry = this.file.extend()
    putTxnEntry(entry, aborted)
    this.#checksum = checksumWith(this.#checksum, entry)
    this.#isDurable = false
  }

  /** Durable when it returns: to rebuild it, a start must read the log from before the segment. */
  sync(): void {
    if (this.#isDurable) return
    orDiskFailure(this.file.path, () => this.file.seal())
    const directory = dirname(this.file.path)
    syncOrDie(directory, () => this.#fs.syncDirectory(directory))
    this.#isDurable = true
  }

  /** When it returns readers see the entries. @throws when the disk refuses: then none is in the file */
  appendAndSave(aborted: readonly TxnEntry[]): void {
    if (aborted.length === 0) return
    const before = this.info
    for (const each of aborted) this.append(each)
    try {
      orDiskFailure(this.file.path, () => this.file.save())
    } catch (error) {
      this.cutTo(before)
      throw error
    }
  }

  /** Removes the entries behind these. */
  cutTo({ abortedCount, abortedChecksum }: TxnIndexStart): void {
    this.file.cutTo(abortedCount)
    this.#checksum = abortedChecksum
  }
}

/** @param entry the place of its 34 bytes */
export function putTxnEntry(entry: Uint8Array, aborted: TxnEntry): void {
  putInt16(entry, 0, VERSION)
  putInt64(entry, 2, aborted.producerId)
  putInt64(entry, 10, aborted.firstOffset)
  putInt64(entry, 18, aborted.lastOffset)
  putInt64(entry, 26, aborted.lastStableOffset)
}

/** @param at position of its first byte. @returns undefined for bytes that are no valid entry */
export function readTxnEntry(bytes: Uint8Array, at = 0): TxnEntry | undefined {
  const entry = {
    producerId: int64At(bytes, at + 2),
    firstOffset: int64At(bytes, at + 10),
    lastOffset: int64At(bytes, at + 18),
    lastStableOffset: int64At(bytes, at + 26),
  }
  const { producerId, firstOffset, lastOffset, lastStableOffset } = entry
  const isSound =
    int16At(bytes, at) === VERSION &&
    producerId >= 0 &&
    firstOffset >= 0 &&
    firstOffset < lastOffset &&
    lastStableOffset >= 0 &&
    lastStableOffset <= lastOffset + 1
  return isSound ? entry : undefined
}

/** Adds an entry to the checksum of those before it. */
function checksumWith(checksum: number, entry: Uint8Array): number {
  const bytes = new Uint8Array(4 + TXN_ENTRY_BYTES)
  putInt32(bytes, 0, checksum)
  bytes.set(entry, 4)
  return crc32c(bytes)
}

/** The first `count` entries of a file; undefined when it is missing, too short or damaged. */
export function readTxnIndex(
  fs: Fs,
  path: string,
  { abortedCount, abortedChecksum }: TxnIndexStart,
): TxnEntry[] | undefined {
  if (abortedCount === 0) return []
  const wantedBytes = abortedCount * TXN_ENTRY_BYTES
  if ((fs.stat(path)?.sizeBytes ?? 0) < wantedBytes) return undefined
  const bytes = Buffer.alloc(wantedBytes)
  const fd = fs.open(path, 'read')
  try {
    fs.read(fd, bytes, 0)
  } finally {
    fs.close(fd)
  }
  const entries: TxnEntry[] = []
  let checksum = 0
  for (let at = 0; at < wantedBytes; at += TXN_ENTRY_BYTES) {
    const entry = readTxnEntry(bytes, at)
    if (!entry) return undefined
    entries.push(entry)
    checksum = checksumWith(checksum, bytes.subarray(at, at + TXN_ENTRY_BYTES))
  }
  return checksum === abortedChecksum ? entries : undefined
}
