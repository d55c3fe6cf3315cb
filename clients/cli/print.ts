// Print: everything the CLI writes. Data on stdout, everything else on stderr; colour only where it is wanted.
// Main thread. A reader that goes away (`| head -1`) ends the process with status 0, without a word.

import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import type { Clock } from '../clock.ts'
import { exitCodes } from './exit.ts'

const styles = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
} as const
export type Style = keyof typeof styles

/** Colours `text`, or leaves it alone. */
export type Paint = (style: Style, text: string) => string

const plain: Paint = (_style, text) => text
const ansi: Paint = (style, text) => (text === '' ? '' : `\u001b[${styles[style]}m${text}\u001b[0m`)

/** NO_COLOR and FORCE_COLOR (https://no-color.org) decide, else whether the stream is a terminal. */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  env: NodeJS.ProcessEnv = process.env,
): Paint {
  const { NO_COLOR, FORCE_COLOR } = env
  if (NO_COLOR !== undefined && NO_COLOR !== '') return plain
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR === '0' ? plain : ansi
  return stream.isTTY === true ? ansi : plain
}

const STDOUT = 1
const CHUNK_BYTES = 64 * 1024
const READER_CHECK_MS = 250

let readerGone = (): void => process.exit(exitCodes.ok)

/** Something is left to do when the reader of stdout has gone away; `act` ends the process, and may be called twice. */
export function whenReaderGoes(act: () => void): void {
  readerGone = act
}

/** A reader that goes away is no error: of stdout it ends the process, of stderr it changes nothing. */
export function endQuietlyOnBrokenPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return readerGone()
    new Notes({}).error(`cannot write to stdout: ${error.message}`)
    process.exit(exitCodes.failed)
  })
  process.stderr.on('error', () => {})
}

/** Standard output: gathers small writes, and waits while the reader is slow. */
export class Stdout {
  #chunks: Buffer[] = []
  #bytesGathered = 0

  /** @param bytes given. @returns when there is room for more */
  async write(bytes: Buffer | string): Promise<void> {
    const chunk = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    this.#chunks.push(chunk)
    this.#bytesGathered += chunk.length
    if (this.#bytesGathered >= CHUNK_BYTES) await this.flush()
  }

  line(text: string): Promise<void> {
    return this.write(`${text}\n`)
  }

  /** @returns when what was written has left the process; never when that fails, which ends the process */
  flush(): Promise<void> {
    if (this.#bytesGathered === 0) return Promise.resolve()
    const gathered = Buffer.concat(this.#chunks, this.#bytesGathered)
    this.#chunks = []
    this.#bytesGathered = 0
    return new Promise((resolve) => {
      process.stdout.write(gathered, (error) => error ?? resolve())
    })
  }
}

/**
 * Notices that nobody reads the pipe on stdout any more, also while there is nothing to write.
 * Works on Linux, where opening a pipe without a reader fails; elsewhere the next write tells.
 */
export function endWithReader(clock: Clock): void {
  if (process.platform !== 'linux' || !fstatSync(STDOUT).isFIFO()) return
  const check = (): void => {
    try {
      closeSync(openSync(`/proc/self/fd/${STDOUT}`, constants.O_WRONLY | constants.O_NONBLOCK))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENXIO') return readerGone()
    }
    clock.after(READER_CHECK_MS, check)
  }
  check()
}

/** Messages for the person: stderr, unless `-q`. */
export class Notes {
  readonly paint = paintFor(process.stderr)
  readonly #quiet: boolean
  readonly #verbose: boolean
  #troublesTold: Set<string> | undefined

  constructor(options: { readonly quiet?: boolean; readonly verbose?: boolean }) {
    this.#quiet = options.quiet ?? false
    this.#verbose = options.verbose ?? false
  }

  /** Lines can be redrawn, and a person watches. */
  get isTerminal(): boolean {
    return process.stderr.isTTY === true
  }

  say(text: string): void {
    if (!this.#quiet) process.stderr.write(`${text}\n`)
  }

  /** Replaces the current line of a terminal. */
  redraw(text: string): void {
    if (!this.#quiet && this.isTerminal) process.stderr.write(`\r\u001b[K${text}`)
  }

  /** What the client goes on after by itself: each kind once, and only from `tellTrouble` on. */
  trouble(text: string, detail: string): void {
    if (this.#troublesTold?.has(text) === false) this.say(`${text} (going on; -v tells more)`)
    this.#troublesTold?.add(text)
    this.detail(`${text} ${detail}`)
  }

  /** Until then the command fails of its own when nobody can be reached, and says so itself. */
  tellTrouble(): void {
    this.#troublesTold = new Set()
  }

  detail(text: string): void {
    if (this.#verbose) process.stderr.write(`${this.paint('dim', text)}\n`)
  }

  warn(text: string): void {
    process.stderr.write(`${this.paint('yellow', 'warning:')} ${text}\n`)
  }

  error(text: string): void {
    process.stderr.write(`${this.paint('red', 'millrace:')} ${harmless(text)}\n`)
  }
}

/** What a table shows; what there is not is a dash. */
export type Cell = string | number | undefined | null

/** NDJSON with --json, else a table of the same fields. */
export function rowsAs(
  options: { readonly json?: boolean },
  headings: readonly string[],
  rows: readonly Readonly<Record<string, Cell>>[],
  paint: Paint,
): string {
  if (options.json === true) return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  return table(
    headings,
    rows.map((row) => Object.values(row)),
    paint,
  )
}

/** Columns aligned for people: text to the left, numbers to the right. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  paint: Paint,
): string {
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? count(cell) : (cell ?? '-'))),
  )
  const widths = headings.map((heading, i) =>
    Math.max(heading.length, ...cells.map((row) => row[i]!.length)),
  )
  const isNumeric = headings.map((_, i) => rows.some((row) => typeof row[i] === 'number'))
  const align = (text: string, i: number): string =>
    isNumeric[i] ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)
  const line = (row: readonly string[]): string => row.map(align).join('  ').trimEnd()
  return [paint('dim', line(headings)), ...cells.map(line)].map((text) => `${text}\n`).join('')
}

/** 1234567 -> '1,234,567'. */
export function count(n: number): string {
  return n.toLocaleString('en-US')
}

/** 1536 -> '1.5 KiB'. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024
    unit++
  }
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${units[unit]}`
}

const DATE_MS_MAX = 8.64e15

/** `2026-01-31T10:00:00.000Z`, whatever a producer has written: a time that JavaScript lacks is the nearest it has. */
export function isoTime(timestamp: number): string {
  return new Date(Math.max(-DATE_MS_MAX, Math.min(timestamp, DATE_MS_MAX))).toISOString()
}

/** Text that cannot move the cursor, change the colour or ring the bell. */
export function harmless(text: string): string {
  return text.replace(
    /[^\P{Cc}\t\n]/gu,
    (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
