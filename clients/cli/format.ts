// Format: the `-f` string of `tail`, compiled once into pieces. Pure. The letters: docs/guide/cli.md, "Formats"

import { CliError } from './exit.ts'
import { isoTime, type Sink } from './print.ts'
import type { RawRecord } from './record-json.ts'

/** Prints a record exactly as the format says: no newline is added. */
export type Format = (record: RawRecord, out: Sink) => void

type Piece = (record: RawRecord) => string | Uint8Array | null

const fields: Record<string, Piece> = {
  t: (record) => record.topic,
  p: (record) => `${record.partition}`,
  o: (record) => `${record.offset}`,
  k: (record) => record.key,
  v: (record) => record.value,
  s: (record) => record.value,
  K: (record) => `${record.key?.length ?? -1}`,
  S: (record) => `${record.value?.length ?? -1}`,
  T: (record) => `${record.timestamp}`,
  d: (record) => isoTime(record.timestamp),
  h: (record) =>
    record.headers.map(([name, value]) => `${name}=${value?.toString() ?? ''}`).join(','),
  n: () => '\n',
  '%': () => '%',
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', 0: '\0', '\\': '\\' }

const TOKEN = /%d\{([^}]*)\}|%(.?)|\\(.)|[^%\\]+|\\$/gsu

/** @throws {CliError} usage, for an unknown letter after `%` */
export function compileFormat(format: string): Format {
  const pieces = [...format.matchAll(TOKEN)].map(([text, pattern, letter, escape]): Piece => {
    if (pattern !== undefined) return datePiece(pattern)
    if (escape !== undefined) return constant(escapes[escape] ?? text)
    if (letter === undefined) return constant(text)
    const piece = fields[letter]
    if (piece === undefined) {
      const known = Object.keys(fields).map((name) => `%${name}`)
      throw new CliError(
        'usage',
        `format has '${text}', which is none of ${known.join(' ')} %d{...}`,
      )
    }
    return piece
  })
  return (record, out) => {
    for (const piece of pieces) {
      const printed = piece(record)
      if (typeof printed === 'string') out.text(printed)
      else if (printed !== null) out.bytes(printed)
    }
  }
}

function constant(text: string): Piece {
  return () => text
}

/** The record's time in UTC, with `yyyy MM dd HH mm ss SSS` replaced. */
function datePiece(pattern: string): Piece {
  return (record) => {
    const iso = isoTime(record.timestamp)
    const parts: Record<string, string> = {
      yyyy: iso.slice(-24, -20),
      MM: iso.slice(-19, -17),
      dd: iso.slice(-16, -14),
      HH: iso.slice(-13, -11),
      mm: iso.slice(-10, -8),
      ss: iso.slice(-7, -5),
      SSS: iso.slice(-4, -1),
    }
    return pattern.replace(/yyyy|MM|dd|HH|mm|ss(?!S)|SSS/g, (name) => parts[name] ?? name)
  }
}

/** `\t`, `\n`, `\0` and `\\` in a flag's text. */
export function unescape(text: string): string {
  return text.replace(/\\(.)/gs, (whole, letter: string) => escapes[letter] ?? whole)
}
