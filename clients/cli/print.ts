// Print: all output of the CLI. Data goes to stdout, everything else to stderr; colour only if it is wanted.
// Main thread. If the reader ends (`| head -1`), the process ends silently with status 0.

import { fstatSync } from 'node:fs'
import type { Clock } from '../clock.ts'
import { exitCodes } from './exit.ts'
import { Gathered } from './gathered.ts'
import type { Io, Output } from './io.ts'
import { joined, jsonLine, type Paint, paintFor, show, Shown } from './show.ts'

/** Moves the cursor home, and erases everything after it. */
export const CLEAR_SCREEN = new Shown('\u001b[H\u001b[J')

const CHUNK_BYTES = 256 * 1024
const READER_CHECK_MS = 250

const READER_GONE = 'reader-gone'

/** Work to do when the reader of stdout has ended; `act` ends the process, and may be called twice. */
export function whenReaderGoes({ stdout }: Io, act: () => void): void {
  stdout.on(READER_GONE, act)
}

function readerGone(io: Io): void {
  if (!io.stdout.emit(READER_GONE)) io.exit(exitCodes.ok)
}

/** A reader that ends is no error: for stdout it ends the process, for stderr it changes nothing. */
export function endQuietlyOnBrokenPipe(io: Io): void {
  io.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return readerGone(io)
    new Notes({ io }).error(`cannot write to stdout: ${error.message}`)
    io.exit(exitCodes.failed)
  })
  io.stderr.on('error', () => {})
}

/** The flags for the format of an answer. */
export interface Shape {
  readonly json?: boolean
  readonly yaml?: boolean
}

export function isForPrograms({ json, yaml }: Shape): boolean {
  return json === true || yaml === true
}

async function yamlDocument(value: object): Promise<Shown> {
  const { stringify } = await import('yaml')
  return show`---\n${stringify(value)}`
}

/** Standard output: gathers small writes, and waits for a slow reader. */
export class Stdout extends Gathered {
  readonly #output: Output

  constructor({ stdout }: Io) {
    super()
    this.#output = stdout
  }

  /** There are enough bytes to flush. */
  get isFull(): boolean {
    return this.sizeBytes >= CHUNK_BYTES
  }

  /** @returns when there is room for more output */
  async write(shown: Shown): Promise<void> {
    this.shown(shown)
    if (this.isFull) await this.flush()
  }

  line(text: Shown): Promise<void> {
    return this.write(show`${text}\n`)
  }

  /** Prints one object: NDJSON with --json, YAML with --yaml, else `forPeople`. */
  async object(shape: Shape, value: object, forPeople: () => Shown): Promise<void> {
    if (shape.json === true) await this.write(jsonLine(value))
    else if (shape.yaml === true) await this.write(await yamlDocument(value))
    else await this.write(forPeople())
  }

  /** Prints several objects, without --json and --yaml as a table of their fields. */
  async rows(
    shape: Shape,
    headings: readonly string[],
    rows: readonly Readonly<Record<string, Cell>>[],
    paint: Paint,
  ): Promise<void> {
    if (shape.json === true) await this.write(joined(rows.map(jsonLine)))
    else if (shape.yaml === true) await this.write(await yamlDocument(rows))
    else
      await this.write(
        table(
          headings,
          rows.map((row) => Object.values(row)),
          paint,
        ),
      )
  }

  /** @returns when the output has left the process; never if that fails, which ends the process */
  flush(): Promise<void> {
    if (this.sizeBytes === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#output.write(this.take(), (error) => error ?? resolve()) // its bytes are free again then
    })
  }
}

/**
 * Notices the end of the reader of stdout, also while there is nothing to write. Node cannot poll a pipe for
 * that, but GNU tail does: one that follows nothing, with the same stdout, ends when the reader does. It starts
 * after a moment without output. Without GNU tail (macOS, BusyBox, Windows) the next write notices it.
 */
export function endWithReader(io: Io, clock: Clock): void {
  const { fd } = io.stdout
  if (process.platform !== 'linux' || fd === undefined || !fstatSync(fd).isFIFO()) return
  let bytesBefore = -1
  const check = (): void => {
    const { bytesWritten } = io.stdout as unknown as { readonly bytesWritten: number }
    if (bytesWritten === bytesBefore) return void watchReader(io, fd)
    bytesBefore = bytesWritten
    clock.after(READER_CHECK_MS, check)
  }
  check()
}

async function watchReader(io: Io, stdout: number): Promise<void> {
  const { spawn } = await import('node:child_process') // not before: most commands end sooner
  const args = ['-f', '/dev/null', `--pid=${process.pid}`]
  const watcher = spawn('tail', args, { stdio: ['ignore', stdout, 'ignore'] })
  watcher.on('error', () => {}) // there is no tail: the next write tells
  watcher.on('exit', (_code, signal) => {
    if (signal === 'SIGPIPE') readerGone(io)
  })
  process.on('exit', () => watcher.kill('SIGKILL')) // or the reader would wait for its end
  watcher.unref()
}

export interface NotesOptions {
  readonly io: Io
  readonly quiet?: boolean
  readonly verbose?: boolean
}

/** Messages for the user: stderr, unless `-q`. */
export class Notes {
  readonly paint: Paint
  readonly #output: Output
  readonly #quiet: boolean
  readonly #verbose: boolean
  #troublesTold: Set<string> | undefined

  constructor(options: NotesOptions) {
    const { stderr, env } = options.io
    this.#output = stderr
    this.paint = paintFor(stderr, env)
    this.#quiet = options.quiet ?? false
    this.#verbose = options.verbose ?? false
  }

  /** Is stderr a terminal, on which lines can be redrawn? */
  get isTerminal(): boolean {
    return this.#output.isTTY === true
  }

  say(text: string): void {
    if (!this.#quiet) this.#line(show`${text}`)
  }

  #line(text: Shown): void {
    this.#output.write(`${text.text}\n`)
  }

  /** Replaces the current line of a terminal. */
  redraw(text: string): void {
    if (!this.#quiet && this.isTerminal) this.#output.write(`\r\u001b[K${show`${text}`.text}`)
  }

  /** Errors that the client retries by itself: logs each kind once, and only after `tellTrouble`. */
  trouble(kind: string, text: string, detail: string): void {
    if (this.#troublesTold?.has(kind) === false) this.say(`${text} (going on; -v tells more)`)
    this.#troublesTold?.add(kind)
    this.detail(`${text} ${detail}`)
  }

  /** Until then the command fails with its own message if it reaches no broker. */
  tellTrouble(): void {
    this.#troublesTold = new Set()
  }

  detail(text: string): void {
    if (this.#verbose) this.#line(this.paint('dim', text))
  }

  warn(text: string): void {
    this.#line(show`${this.paint('yellow', 'warning:')} ${text}`)
  }

  error(text: string): void {
    this.#line(show`${this.paint('red', 'millrace:')} ${text}`)
  }
}

/** A cell of a table; a dash for a missing value. */
export type Cell = string | number | boolean | undefined | null

/** Columns aligned for people: text to the left, numbers to the right. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  paint: Paint,
): Shown {
  const cells = rows.map((row) => row.map(cellText))
  const widths = headings.map((heading, i) =>
    Math.max(heading.length, ...cells.map((row) => row[i]!.length)),
  )
  const isNumeric = headings.map((_, i) => rows.some((row) => typeof row[i] === 'number'))
  const align = (text: string, i: number): string =>
    isNumeric[i] ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)
  const line = (row: readonly string[]): string => row.map(align).join('  ').trimEnd()
  return joined([
    show`${paint('dim', line(headings))}\n`,
    ...cells.map((row) => show`${line(row)}\n`),
  ])
}

/** The width of the text on the screen, on one line. */
function cellText(cell: Cell): string {
  if (typeof cell === 'number') return count(cell)
  const text = `${cell ?? '-'}`
  return show`${text}`.text.replaceAll('\n', '\\n')
}

const THOUSANDS = /\B(?=(?:\d{3})+$)/g

/** 1234567.8912 -> '1,234,567.891'. Without `toLocaleString`, whose first call costs more than all else of a short command. */
export function count(n: number): string {
  const [whole, fraction] = String(Math.round(n * 1_000) / 1_000).split('.')
  const grouped = whole!.replaceAll(THOUSANDS, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
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

/** `2026-01-31T10:00:00.000Z`, for any timestamp: one that JavaScript does not support becomes the nearest that it does. */
export function isoTime(timestamp: number): string {
  return new Date(Math.max(-DATE_MS_MAX, Math.min(timestamp, DATE_MS_MAX))).toISOString()
}
