// ProcessLog: one JSON object per line, or one line of text for a terminal. Any string that came from a client goes through
// `printable`. It writes at most REPEATS_MAX warnings and errors with the same message in a while, because clients cause them at
// will. Our own rather than pino, which takes longer to load than a broker inside a test takes to start. Network thread.

import { writeSync } from 'node:fs'
import { types } from 'node:util'
import type { Clock } from '../storage/clock.ts'

const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof levels)[number]

/** Longest client string in the log, in characters. */
const CLIENT_CHARS_MAX = 256
const STDERR = 2
/** Lines with the same message in REPEATS_MS; the first line after that says how many were left out. */
export const REPEATS_MAX = 20
const REPEATS_MS = 10_000
const MESSAGES_MAX = 100

/** Lines of one message since `sinceMs` (monotonic). */
interface Repeats {
  sinceMs: number
  count: number
}

/** The contents of one line. */
interface Entry {
  readonly level: LogLevel
  readonly time: string
  readonly message: string
  readonly [fact: string]: unknown
}

export type LogFormat = 'text' | 'json'

interface LogOptions {
  /** Gets one line with its line end. Default: stderr. */
  readonly write?: (line: string) => void
  /** Default: json. */
  readonly format?: LogFormat
}

export class ProcessLog {
  #levelMin: number
  readonly #clock: Clock
  readonly #write: (line: string) => void
  readonly #lineOf: (entry: Entry) => string
  /** By message. */
  readonly #repeats = new Map<string, Repeats>()

  constructor(
    level: LogLevel,
    clock: Clock,
    { write = writeToStderr, format = 'json' }: LogOptions = {},
  ) {
    this.#levelMin = levels.indexOf(level)
    this.#clock = clock
    this.#write = write
    this.#lineOf = format === 'json' ? jsonLine : textLine
  }

  setLevel(level: LogLevel): void {
    this.#levelMin = levels.indexOf(level)
  }

  debug(message: string, facts?: object): void {
    this.#log('debug', message, facts)
  }

  info(message: string, facts?: object): void {
    this.#log('info', message, facts)
  }

  warn(message: string, facts?: object): void {
    this.#log('warn', message, facts)
  }

  /** @param facts an `error` among them is shown with its stack */
  error(message: string, facts?: object): void {
    this.#log('error', message, facts)
  }

  #log(level: LogLevel, message: string, facts: object | undefined): void {
    if (levels.indexOf(level) < this.#levelMin) return
    const leftOut = level === 'warn' || level === 'error' ? this.#countRepeat(message) : 0
    if (leftOut === undefined) return
    const time = new Date(this.#clock.now()).toISOString()
    const said = { level, time, message, ...facts, ...(leftOut > 0 && { leftOut }) }
    this.#write(this.#lineOf(said))
  }

  /** @returns how many lines with this message were left out before this one; undefined to leave this one out, too */
  #countRepeat(message: string): number | undefined {
    const nowMs = this.#clock.monotonic()
    const repeats = this.#repeats.get(message)
    if (repeats && nowMs - repeats.sinceMs < REPEATS_MS) {
      repeats.count++
      return repeats.count > REPEATS_MAX ? undefined : 0
    }
    if (this.#repeats.size >= MESSAGES_MAX) this.#repeats.clear()
    this.#repeats.set(message, { sinceMs: nowMs, count: 1 })
    return Math.max(0, (repeats?.count ?? 0) - REPEATS_MAX)
  }
}

function jsonLine(entry: Entry): string {
  return `${JSON.stringify(entry, showErrors)}\n`
}

/** `10:31:07.125 warn  the message  fact=value`; an error's stack comes below. */
function textLine({ level, time, message, error, ...facts }: Entry): string {
  const texts = Object.entries(facts).map(([name, value]) => `${name}=${factText(value)}`)
  const head = [time.slice(11, 23), level.padEnd(5), message].join(' ')
  const stack =
    error === undefined ? '' : `\n  ${String(showErrors('', error)).replaceAll('\n', '\n  ')}`
  return `${[head, ...texts].join('  ')}${stack}\n`
}

/** Quoted when it is text of more than one word. */
function factText(value: unknown): string {
  const isWord = typeof value === 'string' && /^[^\s"=]+$/.test(value)
  return isWord ? value : JSON.stringify(value, showErrors)
}

function showErrors(_key: string, value: unknown): unknown {
  return types.isNativeError(value) ? (value.stack ?? value.message) : value
}

/** The broker goes on when stderr is closed. */
function writeToStderr(line: string): void {
  try {
    writeSync(STDERR, line)
  } catch {}
}

/** A client's text, safe to show: control characters escaped, cut at 256 characters. */
export function printable(text: string): string {
  const cut = text.length > CLIENT_CHARS_MAX ? `${text.slice(0, CLIENT_CHARS_MAX)}...` : text
  return cut.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${character.codePointAt(0)!.toString(16)}}`
  })
}
