// Logger: who hears what the client does on its own. A pino logger or `console` is one.

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}
