// The caller's line: an error that is made in a timer or of what a socket brought has a stack of nothing but this
// package. Here the lines of those who wait for it are added, at the moment of failure, so that success costs nothing.

import { KafkaError } from '../protocol/errors.ts'

/** Between an outer call and the user's code lie some of ours. */
const FRAMES_MAX = 50

/**
 * A rejection to resolve a promise with that user code, or an async function of ours, waits for.
 *
 * V8 follows awaits from the microtask that runs up to the caller, as soon as the promise has been handed on: two turns.
 */
export async function rejection(error: unknown): Promise<never> {
  await Promise.resolve()
  await Promise.resolve()
  throw withCaller(error, rejection)
}

/**
 * In an async function: the error, with the lines of whoever waits for that function.
 *
 * @returns a copy of a KafkaError, which several may be waiting for
 */
export function withCaller(
  error: unknown,
  skip: (...args: any[]) => unknown = withCaller,
): unknown {
  if (!(error instanceof KafkaError)) return error
  const frames = waitingFrames(skip)
  if (frames === '' || error.stack?.includes(frames)) return error // told nearer to where it was made
  const own = error.constructor === KafkaError ? copyOf(error) : error
  own.stack = `${error.stack}\n${frames}`
  return own
}

function copyOf(error: KafkaError): KafkaError {
  const { code, reason, cause, fatal, stack } = error
  const copy = new KafkaError(code, reason, { cause, fatal })
  if (stack !== undefined) copy.stack = stack
  return copy
}

function waitingFrames(skip: (...args: any[]) => unknown): string {
  const limit = Error.stackTraceLimit
  const here: { stack?: unknown } = {}
  try {
    Error.stackTraceLimit = FRAMES_MAX
    Error.captureStackTrace(here, skip)
    Error.stackTraceLimit = limit
  } catch {
    return '' // whoever freezes Error goes without
  }
  const lines = typeof here.stack === 'string' ? here.stack.split('\n') : []
  return lines.filter((line) => line.startsWith('    at async ')).join('\n')
}
