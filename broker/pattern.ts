// Regular expressions that come from clients: they run for a bounded time, whatever they are. Network thread.

import { runInNewContext } from 'node:vm'
import { KafkaError } from '../protocol/errors.ts'

const RUN_MS_MAX = 100

/**
 * @param pattern '' matches everything
 * @returns the texts that it matches from their beginning to their end
 * @throws {KafkaError} INVALID_REGULAR_EXPRESSION: it is none, or takes too long
 */
export function matchesWhole(pattern: string, texts: readonly string[]): readonly string[] {
  if (pattern === '') return texts
  const code =
    'const whole = new RegExp(`^(?:${pattern})$`, "u"); texts.filter((text) => whole.test(text))'
  try {
    return runInNewContext(code, { pattern, texts }, { timeout: RUN_MS_MAX }) as string[]
  } catch (error) {
    throw new KafkaError('INVALID_REGULAR_EXPRESSION', String(error).slice(0, 256), {
      cause: error,
    })
  }
}
