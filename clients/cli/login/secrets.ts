// Secrets: read from the place that the settings name, or asked for at the terminal. No message contains them.

import { execFile } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import type { Readable } from 'node:stream'
import { Writable } from 'node:stream'
import { ReadStream } from 'node:tty'
import { CliError, exitCodes } from '../exit.ts'
import type { Io } from '../io.ts'
import type { Source } from './settings.ts'

const COMMAND_TIMEOUT_MS = 30_000
const COMMAND_OUTPUT_BYTES_MAX = 1024 * 1024

/** @throws {CliError} usage, with the name of the missing file or variable */
export async function textFrom(source: Source, what: string, env: Io['env']): Promise<string> {
  if ('text' in source) return source.text
  if ('command' in source) return withoutNewline(await outputOf(source.command, what))
  if ('file' in source) return withoutNewline(contentsOf(source.file, what).toString())
  const value = env[source.variable]
  if (value !== undefined) return value
  throw new CliError('usage', `${what}: the environment has no ${source.variable}`)
}

/** @throws {CliError} usage */
export function contentsOf(path: string, what: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CliError('usage', `${what}: ${path} cannot be read (${code})`, { cause: error })
  }
}

/**
 * Runs a user's command line in a shell. The user sees its stderr.
 *
 * @throws {CliError} failed; with the exit code, without its output
 */
export function outputOf(command: string, what: string): Promise<string> {
  const options = { timeout: COMMAND_TIMEOUT_MS, maxBuffer: COMMAND_OUTPUT_BYTES_MAX }
  const isWindows = process.platform === 'win32'
  const [shell, flag] = isWindows ? ['cmd.exe', '/c'] : ['/bin/sh', '-c']
  return new Promise((resolve, reject) => {
    const child = execFile(shell, [flag, command], options, (error, stdout) => {
      if (error === null) return resolve(stdout)
      const why = error.killed ? 'did not end in time' : `ended with ${error.code ?? error.signal}`
      reject(new CliError('failed', `${what}: its command ${why}`))
    })
    child.stderr?.pipe(process.stderr)
    child.stdin?.end()
  })
}

function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '')
}

/** @throws {CliError} usage, without a terminal */
export function passwordAsked(user: string, io: Io): Promise<string> {
  return secretAsked(
    `password for ${user}`,
    io,
    'set MILLRACE_PASSWORD, or say --password-file FILE',
  )
}

/** Asks without echo. @throws {CliError} usage, without a terminal. @param otherWays to say it, for the message */
export async function secretAsked(what: string, io: Io, otherWays: string): Promise<string> {
  const input = terminalOf(io)
  if (input === undefined) throw new CliError('usage', `there is no ${what}: ${otherWays}`)
  const muted = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input, output: muted, terminal: true })
  terminal.on('SIGINT', () => io.exit(exitCodes.interrupted))
  io.stderr.write(`${what}: `)
  try {
    return await terminal.question('')
  } finally {
    terminal.close()
    io.stderr.write('\n')
    if (input !== io.stdin) input.destroy()
  }
}

/** The terminal, also if stdin is a pipe. */
function terminalOf({ stdin, stderr }: Io): Readable | undefined {
  if (stdin.isTTY === true) return stdin
  if (stderr.isTTY !== true) return undefined
  try {
    return new ReadStream(openSync('/dev/tty', 'r'))
  } catch {
    return undefined
  }
}
