// JsonPrinter: the NDJSON of `tail --json` for most records, which have no headers and are ASCII: it copies bytes that are the
// same in JSON from the record. `recordToJson` prints all others, and defines the format of both. Pure.

import type { Sink } from './gathered.ts'
import type { PlacedRecord } from './placed-record.ts'
import { recordToJson } from './record-json.ts'
import type { ValueCodec } from './serdes.ts'
import { asciiJson } from './show.ts'

const QUOTE = 0x22
const TIMESTAMP = Buffer.from(',"timestamp":')
const KEY = Buffer.from(',"key":')
const VALUE = Buffer.from(',"value":')
const END = Buffer.from(',"headers":[]}\n')

export function jsonPrinter(
  codec: ValueCodec | undefined,
): (record: PlacedRecord, out: Sink) => void {
  const headOf = headMaker()
  return (record, out) => {
    const { keyIn, keyAt, keyBytes, valueIn, valueAt, valueBytes } = record
    const key = fieldJson(keyIn, keyAt, keyBytes)
    const value = codec === undefined ? fieldJson(valueIn, valueAt, valueBytes) : undefined
    const head = headOf(record)
    if (key === undefined || value === undefined || head === undefined || record.hasHeaders)
      return out.shown(recordToJson(record, codec))
    out.bytes(head)
    out.decimal(record.offset)
    out.bytes(TIMESTAMP)
    out.decimal(record.timestamp)
    out.bytes(KEY)
    putField(out, key, keyIn, keyAt, keyBytes)
    out.bytes(VALUE)
    putField(out, value, valueIn, valueAt, valueBytes)
    out.bytes(END)
  }
}

/** @returns as `asciiJson` */
function fieldJson(bytes: Buffer, at: number, sizeBytes: number): string | undefined {
  return sizeBytes < 0 ? 'null' : asciiJson(bytes.toString('latin1', at, at + sizeBytes))
}

function putField(out: Sink, json: string, bytes: Buffer, at: number, sizeBytes: number): void {
  if (json !== '') return out.text(json)
  out.byte(QUOTE)
  out.part(bytes, at, sizeBytes)
  out.byte(QUOTE)
}

/** Makes the part before the offset. It keeps the last one, because most records have the partition of the one before. */
function headMaker(): (record: PlacedRecord) => Buffer | undefined {
  let last: { topic: string; partition: number; head: Buffer | undefined } | undefined
  return ({ topic, partition }) => {
    if (last?.topic !== topic || last.partition !== partition) {
      const topicJson = asciiJson(Buffer.from(topic).toString('latin1'))
      const text = `{"topic":${topicJson === '' ? `"${topic}"` : topicJson},"partition":${partition},"offset":`
      last = { topic, partition, head: topicJson === undefined ? undefined : Buffer.from(text) }
    }
    return last.head
  }
}
