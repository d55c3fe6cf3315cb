// Logger: receives log lines of the client. A pino logger or `console` is one.

import { mute } from './shown.ts'

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** An error of the logger, thrown or rejected, ends neither the client's work nor the process. */
export function harmless(logger: Logger): Logger {
  const tell =
    (level: keyof Logger) =>
    (fields: object, message: string): void => {
      try {
        mute(logger[level](fields, message))
      } catch {
        // no other logger could report it
      }
    }
  return { debug: tell('debug'), info: tell('info'), warn: tell('warn') }
}
