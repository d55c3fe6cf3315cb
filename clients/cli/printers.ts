// Printers: the shapes in which `tail` shows a record. Pure. For users: docs/guide/cli.md, "What tail prints"

import { isUtf8 } from 'node:buffer'
import { compileFormat } from './format.ts'
import { harmless, isoTime, type Paint } from './print.ts'
import { recordToJson, type RawRecord, type ValueCodec } from './record-json.ts'
import { guess } from './serdes.ts'

/** One record as it goes to stdout, newline included where there is one. */
export type Printer = (record: RawRecord) => Buffer | string

export interface PrinterOptions {
  readonly json?: boolean | undefined
  readonly raw?: boolean | undefined
  readonly lengthPrefixed?: boolean | undefined
  readonly format?: string | undefined
  /** Absent: no --serde was given. */
  readonly codec?: ValueCodec | undefined
  /** A person looks at it: aligned columns, indented JSON. */
  readonly forTerminal: boolean
  /** Columns of the terminal. */
  readonly width: number
  readonly paint: Paint
  /** More than one topic is read. */
  readonly showTopic: boolean
}

/** @throws {CliError} usage, for a malformed --format */
export function printerFor(options: PrinterOptions): Printer {
  const { codec } = options
  if (options.format !== undefined) return compileFormat(options.format)
  if (options.json === true) return (record) => `${recordToJson(record, codec)}\n`
  if (options.raw === true) return ({ value }) => value ?? ''
  if (options.lengthPrefixed === true) return ({ value }) => withLength(value ?? Buffer.alloc(0))
  if (options.forTerminal) return terminalPrinter(options)
  if (codec === undefined)
    return ({ value }) => (value === null ? '\n' : Buffer.concat([value, NEWLINE]))
  return ({ value }) => `${value === null ? '' : plainText(codec.decode(value))}\n`
}

const NEWLINE = Buffer.from('\n')

/** 4 bytes, big endian, then the value. */
function withLength(value: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(4 + value.length)
  framed.writeUInt32BE(value.length)
  value.copy(framed, 4)
  return framed
}

function plainText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** `orders 0:42  10:31:07.125  ann  {"id":"1"}`; columns grow with what they have held. */
function terminalPrinter({ codec, paint, width, showTopic }: PrinterOptions): Printer {
  const widths: [number, number] = [0, 0]
  const column = (i: 0 | 1, text: string): string => {
    widths[i] = Math.max(widths[i], text.length)
    return text.padEnd(widths[i])
  }
  return (record) => {
    const place = `${showTopic ? `${record.topic} ` : ''}${record.partition}:${record.offset}`
    const time = isoTime(record.timestamp).slice(-13, -1)
    const key = record.key === null ? '' : harmless(textOrHex(record.key)).replaceAll('\n', '\\n')
    const head = [
      paint('dim', column(0, place)),
      paint('dim', time),
      paint('cyan', column(1, key)),
    ].join('  ')
    const room = width - widths[0] - widths[1] - time.length - 6
    const headers = record.headers.map(([name, value]) =>
      paint('magenta', harmless(`${name}=${value === null ? '' : textOrHex(value)}`)),
    )
    return `${[head, ...headers, showValue(record.value, codec, room, paint)].join('  ')}\n`
  }
}

function showValue(
  value: Buffer | null,
  codec: ValueCodec | undefined,
  room: number,
  paint: Paint,
): string {
  if (value === null) return paint('dim', '(tombstone)')
  const shown = codec === undefined ? guess(value) : codec.decode(value)
  if (Buffer.isBuffer(shown)) return paint('dim', textOrHex(shown))
  if (typeof shown === 'string') return harmless(shown)
  const compact = JSON.stringify(shown)
  return colourJson(compact.length <= room ? compact : JSON.stringify(shown, null, 2), paint)
}

const HEX_BYTES_MAX = 64

function textOrHex(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString()
  const more = bytes.length > HEX_BYTES_MAX ? `… (${bytes.length} bytes)` : ''
  return `0x${bytes.toString('hex', 0, HEX_BYTES_MAX)}${more}`
}

const JSON_TOKEN =
  /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

function colourJson(text: string, paint: Paint): string {
  return text.replace(JSON_TOKEN, (token, quoted?: string, colon?: string) => {
    if (quoted === undefined) return paint('yellow', token)
    return colon === undefined ? paint('green', quoted) : paint('blue', quoted) + colon
  })
}
