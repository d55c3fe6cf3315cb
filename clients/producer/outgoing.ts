// Outgoing records: the one way from a user's record into a batch. The producer checks every record here, and refuses
// a wrong one alone. Pure.

import { types } from 'node:util'
import type { NewRecord } from '../../protocol/batch/build.ts'
import { string, type Serde } from '../serde.ts'
import { mute, shown, thrownText } from '../shown.ts'
import { raw, type HeadersInput, type Topic } from '../topic.ts'

/** More than the lengths and deltas of a record take; the two lengths of a header take less. */
const OVERHEAD_BYTES = 32
const UTF8_BYTES_MAX = 3
/** Keeps a batch of `batchBytes` and one record within its int32 lengths. */
const RECORD_BYTES_MAX = 512 * 1024 * 1024
/** The last ms that a Date can hold. */
const TIMESTAMP_MAX = 8.64e15
/** The timestamp that consumers get for records without one. */
const NO_TIMESTAMP = -1

/** A record on its way into a batch. One object serves for many records, because the batch copies it. */
export class OutgoingRecord implements NewRecord {
  timestamp = 0
  key: Uint8Array | null = null
  value: Uint8Array | string | null = null
  headers: NewRecord['headers']
  partition: number | undefined

  /**
   * Reads each property of `given` once, because a getter may return something else the second time. @throws
   * {TypeError}
   */
  read(topic: Topic, given: unknown, now: number): void {
    if (typeof given !== 'object' || given === null)
      throw new TypeError(`the record is ${shown(given)}, expected an object with a value`)
    const fields = given as Readonly<Record<string, unknown>>
    const { timestamp = now, partition } = fields
    if (!isTimestamp(timestamp))
      throw wrong('timestamp', timestamp, 'ms since the epoch, a whole number')
    if (partition !== undefined && !Number.isInteger(partition))
      throw wrong('partition', partition, 'a whole number')
    const key = keyOf(topic, fields['key'])
    const value = valueOf(topic, fields['value'])
    const entries = fields['headers']
    const headers = entries === undefined ? undefined : headersOf(entries)
    this.timestamp = timestamp
    this.key = key
    this.value = value
    this.headers = headers
    this.partition = partition as number | undefined
    if (!this.fits(RECORD_BYTES_MAX)) {
      const what = `the record takes ${this.#sizeBytes()} bytes, at most ${RECORD_BYTES_MAX} are sent`
      throw new TypeError(what)
    }
  }

  /** Does the record take at most `roomBytes` of a batch? Text is measured only if it may be too long. */
  fits(roomBytes: number): boolean {
    const { value } = this
    const isShort =
      typeof value === 'string' && this.#sizeBytes(UTF8_BYTES_MAX * value.length) <= roomBytes
    return isShort || this.#sizeBytes() <= roomBytes
  }

  /** A lower bound of its bytes in a batch. */
  #sizeBytes(valueBytes = bytesIn(this.value)): number {
    const { key, headers } = this
    let sizeBytes = (key?.length ?? 0) + valueBytes + OVERHEAD_BYTES
    if (headers !== undefined) sizeBytes += headersBytes(headers)
    return sizeBytes
  }
}

function bytesIn(value: NewRecord['value']): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : (value?.length ?? 0)
}

function isTimestamp(value: unknown): value is number {
  return (
    Number.isInteger(value) &&
    (value as number) >= NO_TIMESTAMP &&
    (value as number) <= TIMESTAMP_MAX
  )
}

function keyOf(topic: Topic, value: unknown): Uint8Array | null {
  return value === undefined ? nullOf('key', topic.key, value) : fieldOf('key', topic, value)
}

/** The value is required: without this check a misspelt or forgotten property would become a tombstone. */
function valueOf(topic: Topic, value: unknown): NewRecord['value'] {
  const serde = topic.value
  if (typeof value === 'string' && (serde === raw || serde === string)) return value // most records; any string is valid
  if (value !== undefined) return fieldOf('value', topic, value)
  throw new TypeError(
    `value is missing${serde.nullable ? '; null in its place writes a tombstone' : ''}`,
  )
}

function fieldOf(name: 'key' | 'value', topic: Topic, value: unknown): Uint8Array | null {
  const serde = topic[name]
  if (value === null) return nullOf(name, serde, value)
  if (serde === raw && typeof value === 'string') return Buffer.from(value)
  const stored: unknown = serialized(name, topic, value)
  if (isBytes(stored)) return stored
  if (stored === null && serde !== raw) return null
  if (serde === raw)
    throw wrong(name, value, 'text, bytes or null; topic() gives it a serde for other values')
  mute(stored)
  throw new TypeError(`${name}: its serde gave ${shown(stored)}, expected bytes`)
}

function nullOf(name: string, serde: Serde<unknown, any>, value: unknown): null {
  if (serde.nullable) return null
  const what = value === undefined ? 'missing' : 'null'
  throw new TypeError(`${name} is ${what}; orNull() in its topic() would allow it`)
}

function serialized(name: 'key' | 'value', topic: Topic, value: unknown): unknown {
  try {
    return topic[name].serialize(value, topic.name, name)
  } catch (cause) {
    throw new TypeError(`${name}: ${thrownText(cause)}`, { cause })
  }
}

function headersOf(given: unknown): NonNullable<NewRecord['headers']> {
  if (typeof given !== 'object' || given === null || isOtherIterable(given))
    throw wrong('headers', given, 'an object of names and values, or an array of [name, value]')
  const entries: readonly unknown[] = Array.isArray(given)
    ? Array.from(given)
    : Object.entries(given as Extract<HeadersInput, object>)
  return entries.map(headerOf)
}

/** A Map, for instance: its entries are no properties. */
function isOtherIterable(given: object): boolean {
  return !Array.isArray(given) && Symbol.iterator in given
}

function headerOf(entry: unknown, index: number): readonly [string, Uint8Array | null] {
  if (!Array.isArray(entry)) throw wrong(`headers[${index}]`, entry, '[name, value]')
  const [name, value] = entry as unknown[]
  if (typeof name !== 'string') throw wrong(`the name of headers[${index}]`, name, 'text')
  if (value === null || isBytes(value)) return [name, value]
  if (typeof value === 'string') return [name, Buffer.from(value)]
  throw wrong(`header ${JSON.stringify(name.slice(0, 100))}`, value, 'text, bytes or null')
}

function headersBytes(headers: NonNullable<NewRecord['headers']>): number {
  let size = headers.length * OVERHEAD_BYTES
  for (const [name, value] of headers) size += 3 * name.length + (value?.length ?? 0)
  return size
}

const trueLength = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  'length',
)!

/**
 * Accepts bytes of another realm (vm, Jest). An object with a false `length` would send memory that is not the
 * user's.
 */
function isBytes(value: unknown): value is Uint8Array {
  return types.isUint8Array(value) && trueLength.get!.call(value) === value.length
}

function wrong(name: string, value: unknown, expected: string): TypeError {
  return new TypeError(
    `${name} is ${value === undefined ? 'missing' : shown(value)}, expected ${expected}`,
  )
}
