// Confirm: asks before a change that cannot be undone.

import { CliError, exitCodes } from './exit.ts'
import type { Session } from './session.ts'

export interface ConfirmOptions {
  readonly dryRun?: boolean
  readonly yes?: boolean
}

/**
 * @returns whether to go on; false after --dry-run or a no
 * @throws {CliError} usage, without a terminal and without --yes
 */
export async function confirmed(
  session: Session,
  options: ConfirmOptions,
  question: string,
): Promise<boolean> {
  if (options.dryRun === true) {
    session.notes.say('dry run: nothing was changed')
    return false
  }
  if (options.yes === true) return true
  const { stdin, stderr } = session.io
  if (!stdin.isTTY)
    throw new CliError('usage', 'this cannot be undone: say --yes (stdin is not a terminal)')
  await session.stdout.flush()
  const { createInterface } = await import('node:readline/promises')
  const terminal = createInterface({ input: stdin, output: stderr })
  terminal.on('SIGINT', () => session.io.exit(exitCodes.interrupted))
  const answer = await terminal.question(`${question} [y/N] `)
  terminal.close()
  return /^y(es)?$/i.test(answer.trim())
}
