// RecordJson: the NDJSON format that `tail --json` writes and `produce --json` reads. Pure.
// Bytes that are not UTF-8 are written as base64, and marked; other JSON than strings is kept as text, so numbers keep their
// digits. For users: docs/guide/cli.md, "NDJSON"

import { isUtf8 } from 'node:buffer'
import { CliError } from './exit.ts'
import { compactJson, elementTexts, memberText } from './json-text.ts'
import type { ValueCodec } from './serdes.ts'
import { harmlessJson, type Shown } from './show.ts'

/** A record with its bytes in the log. */
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

/** The fields that `produce` takes of a record; the command chooses topic and partition. */
export interface NewRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
  readonly timestamp?: number | undefined
}

/**
 * @param codec decodes the value; undefined: text if it is UTF-8, else base64
 * @returns one line, with its newline
 */
export function recordToJson(record: RawRecord, codec?: ValueCodec): Shown {
  const { topic, partition, offset, timestamp, key, value, headers } = record
  const keyText = textOf(key)
  const isDecoded = codec !== undefined && value !== null
  const valueText = isDecoded ? null : textOf(value)
  const valueJson = isDecoded ? codec.toJson(value) : jsonOf(value, valueText)
  const encoding =
    keyText === undefined || valueText === undefined ? encodingJson(keyText, valueText) : ''
  const line =
    `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":${offset}` +
    `,"timestamp":${timestamp},"key":${jsonOf(key, keyText)},"value":${valueJson}` +
    `,"headers":[${headers.length === 0 ? '' : headers.map(headerJson).join()}]${encoding}}\n`
  return harmlessJson(line)
}

/** @returns undefined for bytes that are not UTF-8. A replacement character may be in the bytes themselves */
function textOf(bytes: Buffer | null): string | null | undefined {
  if (bytes === null) return null
  const text = bytes.toString()
  return text.includes('\ufffd') && !isUtf8(bytes) ? undefined : text
}

/** @param text of the bytes; undefined: they are not UTF-8 */
function jsonOf(bytes: Buffer | null, text: string | null | undefined): string {
  return text === undefined ? `"${bytes!.toString('base64')}"` : JSON.stringify(text)
}

function headerJson([name, value]: RawRecord['headers'][number]): string {
  const text = textOf(value)
  return `[${JSON.stringify(name)},${jsonOf(value, text)}${text === undefined ? ',"base64"' : ''}]`
}

function encodingJson(key: string | null | undefined, value: string | null | undefined): string {
  const nameOf = (text: string | null | undefined) => (text === undefined ? 'base64' : undefined)
  return `,"encoding":${JSON.stringify({ key: nameOf(key), value: nameOf(value) })}`
}

/**
 * Parse one line. `topic`, `partition` and `offset` are ignored.
 *
 * @param codec encodes the value; undefined: a string as its UTF-8 (or base64), anything else as JSON
 * @throws {CliError} failed; the message says what is wrong with the line
 */
export function recordFromJson(line: string, codec?: ValueCodec): NewRecord {
  const fields = parseObject(line)
  const { timestamp } = fields
  if (timestamp !== undefined && !Number.isSafeInteger(timestamp))
    throw malformed('timestamp is not a whole number')
  const encoding = fields['encoding'] ?? {}
  if (typeof encoding !== 'object') throw malformed('encoding is not an object')
  const { key: keyEncoding, value: valueEncoding } = encoding as Record<string, unknown>
  const textOf = (name: string) => () => memberText(line, name)!
  const value = fields['value'] ?? null
  return {
    key: toBytes('key', fields['key'] ?? null, keyEncoding, textOf('key')),
    value:
      value !== null && codec !== undefined
        ? codec.fromJson(textOf('value')())
        : toBytes('value', value, valueEncoding, textOf('value')),
    headers: headersFrom(fields['headers'] ?? [], textOf('headers')),
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

/** @param textOf the JSON of `value` */
function toBytes(
  name: string,
  value: unknown,
  encoding: unknown,
  textOf: () => string,
): Buffer | null {
  if (value === null) return null
  if (encoding === undefined)
    return Buffer.from(typeof value === 'string' ? value : compactJson(textOf()))
  if (encoding !== 'base64' || typeof value !== 'string')
    throw malformed(`${name} is not a base64 string`)
  return Buffer.from(value, 'base64')
}

function headersFrom(headers: unknown, textOf: () => string): NewRecord['headers'] {
  if (!Array.isArray(headers)) throw malformed('headers is not an array of [name, value]')
  return headers.map((header: unknown, i) => {
    if (!Array.isArray(header) || typeof header[0] !== 'string')
      throw malformed('headers is not an array of [name, value]')
    const valueText = () => elementTexts(elementTexts(textOf())[i]!)[1]!
    return [header[0], toBytes('header', header[1] ?? null, header[2], valueText)]
  })
}

function malformed(reason: string): CliError {
  return new CliError('failed', `not a record in JSON: ${reason}`)
}
