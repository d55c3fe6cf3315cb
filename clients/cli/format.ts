// Format: compiles the `-f` string of `tail` into writers of its fields. Pure. The letters: docs/guide/cli.md, "Formats"

import { CliError } from './exit.ts'
import type { Sink } from './gathered.ts'
import type { PlacedRecord } from './placed-record.ts'
import { isoTime } from './print.ts'

/** Prints a record, or a part of it, as the format says, without adding a newline. */
export type Format = (record: PlacedRecord, out: Sink) => void

const key: Format = (record, out) => {
  if (record.keyBytes > 0) out.part(record.keyIn, record.keyAt, record.keyBytes)
}
const value: Format = (record, out) => {
  if (record.valueBytes > 0) out.part(record.valueIn, record.valueAt, record.valueBytes)
}

const fields: Record<string, Format> = {
  t: ({ topic }, out) => out.text(topic),
  p: ({ partition }, out) => out.decimal(partition),
  o: ({ offset }, out) => out.decimal(offset),
  k: key,
  v: value,
  s: value,
  K: ({ keyBytes }, out) => out.decimal(keyBytes),
  S: ({ valueBytes }, out) => out.decimal(valueBytes),
  T: ({ timestamp }, out) => out.decimal(timestamp),
  d: ({ timestamp }, out) => out.text(isoTime(timestamp)),
  h: ({ headers }, out) =>
    out.text(headers.map(([name, value]) => `${name}=${value?.toString() ?? ''}`).join(',')),
}

/** Letters that print themselves, or a newline. */
const constants: Record<string, string> = { n: '\n', '%': '%' }

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', 0: '\0', '\\': '\\' }

const TOKEN = /%d\{([^}]*)\}|%(.?)|\\(.)|[^%\\]+|\\$/gsu

/** @throws {CliError} usage, for an unknown letter after `%` */
export function compileFormat(format: string): Format {
  const parts: Format[] = []
  let text = ''
  const endText = (): void => {
    if (text !== '') parts.push(constant(text))
    text = ''
  }
  for (const [token, pattern, letter, escape] of format.matchAll(TOKEN)) {
    const field = pattern === undefined ? fieldOf(letter, token) : dateIn(pattern)
    if (field === undefined) text += textOf(token, letter, escape)
    else {
      endText()
      parts.push(field)
    }
  }
  endText()
  return (record, out) => {
    for (const part of parts) part(record, out)
  }
}

/** @returns undefined for a part that is the same for every record */
function fieldOf(letter: string | undefined, token: string): Format | undefined {
  if (letter === undefined || constants[letter] !== undefined) return undefined
  const field = fields[letter]
  if (field !== undefined) return field
  const known = [...Object.keys(fields), ...Object.keys(constants)].map((name) => `%${name}`)
  throw new CliError('usage', `format has '${token}', which is none of ${known.join(' ')} %d{...}`)
}

function textOf(token: string, letter: string | undefined, escape: string | undefined): string {
  if (letter !== undefined) return constants[letter]!
  return escape === undefined ? token : (escapes[escape] ?? token)
}

function constant(text: string): Format {
  const bytes = Buffer.from(text)
  return (_, out) => out.bytes(bytes)
}

/** The record's time in UTC, with `yyyy MM dd HH mm ss SSS` replaced. */
function dateIn(pattern: string): Format {
  return ({ timestamp }, out) => {
    const iso = isoTime(timestamp)
    const parts: Record<string, string> = {
      yyyy: iso.slice(-24, -20),
      MM: iso.slice(-19, -17),
      dd: iso.slice(-16, -14),
      HH: iso.slice(-13, -11),
      mm: iso.slice(-10, -8),
      ss: iso.slice(-7, -5),
      SSS: iso.slice(-4, -1),
    }
    out.text(pattern.replace(/yyyy|MM|dd|HH|mm|ss(?!S)|SSS/g, (name) => parts[name] ?? name))
  }
}

/** `\t`, `\n`, `\0` and `\\` in a flag's text. */
export function unescape(text: string): string {
  return text.replace(/\\(.)/gs, (whole, letter: string) => escapes[letter] ?? whole)
}
