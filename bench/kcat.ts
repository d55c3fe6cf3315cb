// librdkafka as the load generator, through kcat, because a client in JavaScript would measure itself.

import { execFile } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { Unavailable } from './report.ts'

const run = promisify(execFile)
const MS_MAX = 120_000

/** @returns the duration in seconds. @throws {Unavailable} without kcat */
export async function kcat(
  bootstrap: string,
  args: readonly string[],
  settings: Record<string, string | number>,
): Promise<number> {
  const options = Object.entries(settings).flatMap(([name, value]) => ['-X', `${name}=${value}`])
  const start = performance.now()
  try {
    await run('kcat', ['-b', bootstrap, '-q', ...args, ...options], { timeout: MS_MAX })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new Unavailable('install kcat (Debian package kcat)', { cause: error })
  }
  return (performance.now() - start) / 1000
}

const SAME_TEXT = 'the quick brown fox jumps over the lazy dog '

/**
 * A file of `count` lines, each of `sizeBytes` without its newline: `kcat -P -l` sends each line as a record.
 *
 * @param textOf text that is repeated to fill line `i`
 */
export function writeRecordLines(
  path: string,
  count: number,
  sizeBytes: number,
  textOf: (i: number) => string = () => SAME_TEXT,
): void {
  const file = openSync(path, 'w')
  const LINES_AT_ONCE = 10_000
  for (let done = 0; done < count; done += LINES_AT_ONCE) {
    const lines = Array.from({ length: Math.min(LINES_AT_ONCE, count - done) }, (_, i) =>
      `${done + i} `.padEnd(sizeBytes, textOf(done + i)),
    )
    writeSync(file, `${lines.join('\n')}\n`)
  }
  closeSync(file)
}
