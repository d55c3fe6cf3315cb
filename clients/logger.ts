// Logger: who hears what the client does on its own. A pino logger or `console` is one.

import { mute } from './shown.ts'

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** A logger that fails, at once or later, ends neither what it is told of nor the process. */
export function harmless(logger: Logger): Logger {
  const tell =
    (level: keyof Logger) =>
    (fields: object, message: string): void => {
      try {
        mute(logger[level](fields, message))
      } catch {
        // there is nobody else to tell
      }
    }
  return { debug: tell('debug'), info: tell('info'), warn: tell('warn') }
}
