// The caller's line: an error that a timer or a socket raises has only this package in its stack.
// This adds the lines of the functions that await it. It does so at the moment of failure, so that success costs nothing.

import { KafkaError } from '../protocol/errors.ts'

/** Enough: between the user's code and an error are some frames of this package. */
const FRAMES_MAX = 50

/**
 * A rejection, for a promise that user code or an async function of this package awaits.
 *
 * V8 follows awaits from the running microtask up to the caller two turns after the promise was passed on.
 */
export async function rejection(error: unknown): Promise<never> {
  await Promise.resolve()
  await Promise.resolve()
  throw withCaller(error, rejection)
}

/**
 * In an async function: the error, with the lines of the functions that await that function.
 *
 * @returns a copy of a KafkaError, because several functions may await the same error
 */
export function withCaller(
  error: unknown,
  skip: (...args: any[]) => unknown = withCaller,
): unknown {
  if (!(error instanceof KafkaError)) return error
  const frames = waitingFrames(skip)
  if (frames === '' || error.stack?.includes(frames)) return error // the lines are there already
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
    return '' // none for users who freeze Error
  }
  const lines = typeof here.stack === 'string' ? here.stack.split('\n') : []
  return lines.filter((line) => line.startsWith('    at async ')).join('\n')
}
