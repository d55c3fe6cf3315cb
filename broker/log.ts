// The process log: one JSON object per line. Any string that came from a client goes through `printable`.
// Twenty lines rather than pino: a broker inside a test should be there before a logger has loaded. Network thread.

import { writeSync } from 'node:fs'
import type { Clock } from '../storage/clock.ts'

const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof levels)[number]

/** Longest client string in the log, in characters. */
const CLIENT_CHARS_MAX = 256
const STDERR = 2

export class Log {
  #levelMin: number
  readonly #clock: Clock
  readonly #write: (line: string) => void

  /** @param write stderr unless given; gets one line with its line end */
  constructor(level: LogLevel, clock: Clock, write: (line: string) => void = writeToStderr) {
    this.#levelMin = levels.indexOf(level)
    this.#clock = clock
    this.#write = write
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
    const time = new Date(this.#clock.now()).toISOString()
    this.#write(`${JSON.stringify({ level, time, message, ...facts }, showErrors)}\n`)
  }
}

function showErrors(_key: string, value: unknown): unknown {
  return value instanceof Error ? (value.stack ?? value.message) : value
}

/** A log that nobody can write to any more is no reason to stop. */
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
