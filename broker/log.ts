// The process log: JSON lines by pino, on stderr. Any string that came from a client goes through `printable`.

import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino'

export type { Logger }

/** Longest client string in the log, in characters. */
const CLIENT_TEXT_MAX = 256

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** @param stream stderr unless given */
export function createLog(level: LogLevel, stream?: DestinationStream): Logger {
  const options = { level, base: null, timestamp: stdTimeFunctions.isoTime }
  return pino(options, stream ?? destination({ fd: 2, sync: true }))
}

/** A client's text, safe to show: control characters escaped, cut at 256 characters. */
export function printable(text: string): string {
  const cut = text.length > CLIENT_TEXT_MAX ? `${text.slice(0, CLIENT_TEXT_MAX)}...` : text
  // eslint-disable-next-line no-control-regex
  return cut.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
