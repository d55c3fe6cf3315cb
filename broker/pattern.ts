// Regular expressions of clients, in RE2's syntax as in Apache Kafka: they match in linear time, and are refused if
// they would compile into more than a little. Network thread.

import { KafkaError } from '../protocol/errors.ts'

const PATTERN_CHARS_MAX = 1024
/** A repetition multiplies instructions: `(.{1000}){1000}` would be a million. */
const INSTRUCTIONS_MAX = 5000
/** Instructions by characters: some milliseconds at worst. Between slices the loop turns. */
const SLICE_STEPS_MAX = 2_000_000
/** One text by itself: some 20 ms at worst, for a pattern and a text that are made for it. */
export const TEXT_STEPS_MAX = 10_000_000

/**
 * @param pattern '' matches everything
 * @returns the texts that it matches as a whole
 * @throws {KafkaError} INVALID_REGULAR_EXPRESSION: it is malformed, or costs too much
 */
export async function matchesWhole(
  pattern: string,
  texts: readonly string[],
): Promise<readonly string[]> {
  if (pattern === '') return texts
  const expression = await compilePattern(pattern)
  const instructionCount = expression.programSize()
  const matched: string[] = []
  let steps = 0
  for (const text of texts) {
    const textSteps = instructionCount * text.length
    if (textSteps > TEXT_STEPS_MAX)
      throw invalid(`too large for texts of ${text.length} characters`)
    if (expression.matches(text)) matched.push(text)
    steps += textSteps
    if (steps < SLICE_STEPS_MAX) continue
    steps = 0
    await new Promise(setImmediate)
  }
  return matched
}

/**
 * The library is loaded with the first pattern: most brokers never see one.
 *
 * @throws {KafkaError} INVALID_REGULAR_EXPRESSION
 */
export async function compilePattern(pattern: string) {
  if (pattern.length > PATTERN_CHARS_MAX)
    throw invalid(`${pattern.length} characters, at most ${PATTERN_CHARS_MAX} are taken`)
  const atMost = instructionsIn(pattern)
  if (atMost > INSTRUCTIONS_MAX)
    throw invalid(
      `its repetitions make it ${atMost} instructions, at most ${INSTRUCTIONS_MAX} are taken`,
    )
  const { RE2JS } = await import('re2js')
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    throw invalid(String(error).slice(0, 256), error)
  }
}

function invalid(why: string, cause?: unknown): KafkaError {
  return new KafkaError('INVALID_REGULAR_EXPRESSION', why, { cause })
}

/** Quoted text, flags, an escape, a class, a counted repetition, or any one character. */
const TOKEN =
  /\\Q[^]*?(?:\\E|$)|\(\?[a-zA-Z-]+\)|\\[pP]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}|[^]/g

/** An upper bound, from the text alone, because compiling would be the cost. A malformed pattern has some bound too. */
export function instructionsIn(pattern: string): number {
  const outer: { total: number; last: number }[] = []
  let current = { total: 0, last: 0 }
  for (const [token, from, to] of pattern.matchAll(TOKEN)) {
    if (token.startsWith('(?') && token.endsWith(')')) continue
    if (token === '(') {
      outer.push(current)
      current = { total: 0, last: 0 }
    } else if (token === ')') {
      const groupSize = current.total + 2
      current = outer.pop() ?? { total: 0, last: 0 }
      current.total += groupSize
      current.last = groupSize
    } else if (from !== undefined) {
      const times = Math.max(Number(from), Number(to ?? 0), 1)
      const more = (current.last + 1) * times
      current.total += more
      current.last += more
    } else {
      const size = token.startsWith('\\Q') ? token.length : 1
      current.total += size
      current.last = '*+?'.includes(token) ? current.last + 1 : size
    }
  }
  return outer.reduce((sum, { total }) => sum + total, current.total)
}
