// RecordJson: the NDJSON shape that `tail --json` writes and `produce --json` reads. Pure.
// Bytes that are not UTF-8 travel as base64, and say so. For users: docs/guide/cli.md, "NDJSON"

import { isUtf8 } from 'node:buffer'
import { CliError } from './exit.ts'

/** A record with its bytes as they are in the log. */
export interface RawRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** ms since the epoch. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
}

/** What `produce` needs to know of a record; where it goes and its offset are the command's business. */
export interface NewRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
  readonly timestamp?: number | undefined
}

/** Turns a value's bytes into what JSON shows of it, and back. */
export interface ValueCodec {
  decode(bytes: Buffer): unknown
  encode(value: unknown): Buffer
}

type Encoding = 'base64'

/**
 * @param codec decodes the value; absent: as text when it is UTF-8, else base64
 * @returns one line, without the newline
 */
export function recordToJson(record: RawRecord, codec?: ValueCodec): string {
  const { topic, partition, offset, timestamp } = record
  const encoding: { key?: Encoding; value?: Encoding } = {}
  const text = (field: 'key' | 'value', bytes: Buffer | null): string | null => {
    if (bytes !== null && !isUtf8(bytes)) encoding[field] = 'base64'
    return bytes && bytes.toString(encoding[field] ?? 'utf8')
  }
  const key = text('key', record.key)
  const value =
    codec !== undefined && record.value !== null
      ? codec.decode(record.value)
      : text('value', record.value)
  const headers = record.headers.map(([name, bytes]) =>
    bytes === null || isUtf8(bytes)
      ? [name, bytes && bytes.toString()]
      : [name, bytes.toString('base64'), 'base64'],
  )
  const isEncoded = encoding.key !== undefined || encoding.value !== undefined
  return JSON.stringify({
    topic,
    partition,
    offset,
    timestamp,
    key,
    value,
    headers,
    ...(isEncoded && { encoding }),
  })
}

/**
 * Parse one line. `topic`, `partition` and `offset` say where the record was, and are ignored.
 *
 * @param codec encodes the value; absent: a string as its UTF-8 (or base64), anything else as JSON
 * @throws {CliError} failed: what is wrong with the line
 */
export function recordFromJson(line: string, codec?: ValueCodec): NewRecord {
  const fields = parseObject(line)
  const { timestamp } = fields
  if (timestamp !== undefined && !Number.isSafeInteger(timestamp))
    throw malformed('timestamp is not a whole number')
  const encoding = fields['encoding'] ?? {}
  if (typeof encoding !== 'object') throw malformed('encoding is not an object')
  const { key: keyEncoding, value: valueEncoding } = encoding as Record<string, unknown>
  const value = fields['value'] ?? null
  return {
    key: toBytes('key', fields['key'] ?? null, keyEncoding),
    value:
      value !== null && codec !== undefined
        ? codec.encode(value)
        : toBytes('value', value, valueEncoding),
    headers: headersFrom(fields['headers'] ?? []),
    ...(timestamp !== undefined && { timestamp: timestamp as number }),
  }
}

function parseObject(line: string): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch (error) {
    throw malformed((error as Error).message)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw malformed('not an object')
  return parsed as Record<string, unknown>
}

function toBytes(name: string, value: unknown, encoding: unknown): Buffer | null {
  if (value === null) return null
  if (encoding === undefined)
    return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  if (encoding !== 'base64' || typeof value !== 'string')
    throw malformed(`${name} is not a base64 string`)
  return Buffer.from(value, 'base64')
}

function headersFrom(headers: unknown): NewRecord['headers'] {
  if (!Array.isArray(headers)) throw malformed('headers is not an array of [name, value]')
  return headers.map((header: unknown) => {
    if (!Array.isArray(header) || typeof header[0] !== 'string')
      throw malformed('headers is not an array of [name, value]')
    return [header[0], toBytes('header', header[1] ?? null, header[2])]
  })
}

function malformed(reason: string): CliError {
  return new CliError('failed', `not a record in JSON: ${reason}`)
}
