// Shared by tests of a store: temporary directories, batches with known records, and reads of them. Tests only.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualClock } from '../../broker/testing/virtual-clock.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { batchesOf, recordsOf } from '../../protocol/batch/record.ts'
import type { Codec } from '../../protocol/compression/index.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { Offset } from '../../protocol/ids.ts'
import { openStore } from '../open-store.ts'
import type { Log, Reader, Store } from '../store.ts'
import type { StoreOptions } from '../store-options.ts'

export interface TestRecord {
  readonly key?: string
  readonly value: string
  readonly timestamp?: number
}

export interface ReadRecord {
  readonly offset: number
  readonly timestamp: number
  readonly value: string | undefined
}

/** A store without a thread, in virtual time. */
export function openInline(dataDir: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  return openStore({ dataDir, writer: 'inline', clock: new VirtualClock(), ...options })
}

export function topicNames(store: Store): string[] {
  return Array.from(store.topics.list(), ({ name }) => name)
}

/** @returns the code of the refusal; undefined for none */
export async function codeOf(result: Promise<unknown>): Promise<string | undefined> {
  try {
    await result
    return undefined
  } catch (error) {
    if (error instanceof KafkaError) return error.code
    throw error
  }
}

/** A new directory, removed at the end of the test. */
export function tempDirectory(t: { teardown(step: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-store-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export function batchOf(records: readonly TestRecord[], codec: Codec = 'none'): Uint8Array {
  const builder = new BatchBuilder()
  for (const { key, value, timestamp = 0 } of records) {
    builder.append({
      timestamp,
      key: key === undefined ? null : Buffer.from(key),
      value: Buffer.from(value),
    })
  }
  return builder.finish({ codec })
}

/** Appends one record per value, each in its own batch, and waits until they are durable. */
export async function appendValues(
  store: Store,
  log: Log,
  values: readonly string[],
): Promise<void> {
  const outcomes = await Promise.all(
    values.map((value) => store.writer.append(log, batchOf([{ value }]))),
  )
  for (const { error, message } of outcomes) if (error) throw new Error(`${error}: ${message}`)
}

export function recordsIn(bytes: Uint8Array): ReadRecord[] {
  return Array.from(batchesOf(bytes)).flatMap(({ at, header }) =>
    Array.from(
      recordsOf(bytes, at, header, { decompressedBytesMax: 1024 * 1024 }),
      ({ offset, timestamp, value }) => ({ offset, timestamp, value: value?.toString() }),
    ),
  )
}

/** Every visible record from `offset` on, read as a consumer reads. */
export async function readRecords(
  reader: Reader,
  log: Log,
  offset: number,
  bytesMax = 64 * 1024,
): Promise<ReadRecord[]> {
  const records: ReadRecord[] = []
  for (let next = offset; next < log.highWatermark; next = records.at(-1)!.offset + 1) {
    const read = await reader.read(log, Offset(next), { bytesMax, atLeastOne: true })
    records.push(...recordsIn(read.bytes).filter((record) => record.offset >= next))
    read.release()
  }
  return records
}
