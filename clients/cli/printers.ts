// Printers: the formats in which `tail` prints a record. Pure. For users: docs/guide/cli.md, "What tail prints"

import { isUtf8 } from 'node:buffer'
import { compileFormat } from './format.ts'
import { indentedJson } from './json-text.ts'
import { jsonPrinter } from './json-printer.ts'
import type { Sink } from './gathered.ts'
import type { PlacedRecord } from './placed-record.ts'
import { isoTime } from './print.ts'
import { jsonIn, plainText, type ValueCodec } from './serdes.ts'
import { harmlessJson, joined, show, type Paint, type Shown } from './show.ts'

/** Prints one record to stdout, with a newline if the format has one. */
export type Printer = (record: PlacedRecord, out: Sink) => void

export interface PrinterOptions {
  readonly json?: boolean | undefined
  readonly raw?: boolean | undefined
  readonly lengthPrefixed?: boolean | undefined
  readonly format?: string | undefined
  /** undefined without --serde. */
  readonly codec?: ValueCodec | undefined
  /** For a terminal: aligned columns, indented JSON. */
  readonly forTerminal: boolean
  /** Columns of the terminal. */
  readonly width: number
  readonly paint: Paint
  /** The command reads more than one topic. */
  readonly showTopic: boolean
}

/** @throws {CliError} usage, for a malformed --format */
export function printerFor(options: PrinterOptions): Printer {
  const { codec, format } = options
  if (format !== undefined) return compileFormat(format)
  if (options.json === true) return jsonPrinter(codec)
  if (options.raw === true) return printValue
  if (options.lengthPrefixed === true) return printWithLength
  if (options.forTerminal) return terminalPrinter(options)
  return codec === undefined ? printLine : decodedPrinter(codec)
}

const NEWLINE = 0x0a

const printValue: Printer = ({ valueIn, valueAt, valueBytes }, out) => {
  if (valueBytes > 0) out.part(valueIn, valueAt, valueBytes)
}

const printLine: Printer = (record, out) => {
  printValue(record, out)
  out.byte(NEWLINE)
}

/** 4 bytes, big endian, then the value. */
const printWithLength: Printer = (record, out) => {
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32BE(Math.max(0, record.valueBytes))
  out.bytes(length)
  printValue(record, out)
}

function decodedPrinter(codec: ValueCodec): Printer {
  return ({ value }, out) => {
    if (value !== null) out.text(plainText(codec.toJson(value)))
    out.byte(NEWLINE)
  }
}

/** `orders 0:42  10:31:07.125  ann  {"id":"1"}`; columns grow to the widest content so far. */
function terminalPrinter({ codec, paint, width, showTopic }: PrinterOptions): Printer {
  const widths: [number, number] = [0, 0]
  const column = (i: 0 | 1, shown: Shown): Shown => {
    widths[i] = Math.max(widths[i], shown.text.length)
    return show`${shown}${' '.repeat(widths[i] - shown.text.length)}`
  }
  return (record, out) => {
    const topic = showTopic ? `${record.topic} ` : ''
    const place = show`${topic}${record.partition}:${record.offset}`
    const time = isoTime(record.timestamp).slice(-13, -1)
    const key = record.key === null ? '' : textOrHex(record.key).replaceAll('\n', '\\n')
    const head = [
      paint('dim', column(0, place)),
      paint('dim', time),
      paint('cyan', column(1, show`${key}`)),
    ]
    const room = width - widths[0] - widths[1] - time.length - 6
    const headers = record.headers.map(([name, value]) =>
      paint('magenta', `${name}=${value === null ? '' : textOrHex(value)}`),
    )
    const value = showValue(record.value, codec, room, paint)
    out.shown(show`${joined([...head, ...headers, value], '  ')}\n`)
  }
}

function showValue(
  value: Buffer | null,
  codec: ValueCodec | undefined,
  room: number,
  paint: Paint,
): Shown {
  if (value === null) return paint('dim', '(tombstone)')
  const json = codec === undefined ? jsonIn(value) : codec.toJson(value)
  if (json === undefined)
    return isUtf8(value) ? show`${value.toString()}` : paint('dim', textOrHex(value))
  if (json.startsWith('"')) return show`${plainText(json)}`
  const { text } = harmlessJson(json)
  return colourJson(text.length <= room ? text : indentedJson(text), paint)
}

const HEX_BYTES_MAX = 64

function textOrHex(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString()
  const more = bytes.length > HEX_BYTES_MAX ? `… (${bytes.length} bytes)` : ''
  return `0x${bytes.toString('hex', 0, HEX_BYTES_MAX)}${more}`
}

const JSON_TOKEN =
  /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[^"\w-]+/g

function colourJson(json: string, paint: Paint): Shown {
  const tokens = [...json.matchAll(JSON_TOKEN)].map(([token, quoted, colon]) => {
    if (quoted === undefined) return /^[\w-]/.test(token) ? paint('yellow', token) : show`${token}`
    return colon === undefined ? paint('green', quoted) : show`${paint('blue', quoted)}${colon}`
  })
  return joined(tokens)
}
