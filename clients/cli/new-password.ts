// NewPasswordSource: where the verbs of users take a new password from: a file, the environment, chance or the terminal.

import type { Command } from 'commander'
import { randomPassword } from '../../protocol/sasl/new-password.ts'
import { CliError } from './exit.ts'
import { exclusive } from './flags.ts'
import type { Io } from './io.ts'
import { secretAsked, textFrom } from './login/secrets.ts'

export interface NewPasswordSource {
  readonly newPasswordFile?: string
  readonly generate?: boolean
}

const VARIABLE = 'MILLRACE_NEW_PASSWORD'
const WAYS = `say --generate or --new-password-file FILE, or set ${VARIABLE}`

/** Adds the flags. @returns the command */
export function newPasswordFlags(command: Command): Command {
  exclusive(command, [
    ['--generate', 'make a password up, and print it once'],
    ['--new-password-file <file>', `has the new password (or ${VARIABLE}); else it is asked for`],
  ])
  return command
}

/** @throws {CliError} usage */
export async function newPassword(
  user: string,
  { generate, newPasswordFile: file }: NewPasswordSource,
  io: Io,
): Promise<string> {
  if (generate === true) return randomPassword()
  const password =
    file !== undefined
      ? await textFrom({ file }, 'the new password', io.env)
      : (io.env[VARIABLE] ?? (await askedTwice(user, io)))
  if (password === '') throw new CliError('usage', `the new password of ${user} is empty`)
  return password
}

async function askedTwice(user: string, io: Io): Promise<string> {
  const password = await secretAsked(`new password for ${user}`, io, WAYS)
  if (password !== (await secretAsked('the same again', io, WAYS)))
    throw new CliError('usage', 'the two passwords differ: nothing was changed')
  return password
}
