// Secrets: read from where the settings say they are, or asked for at the terminal. They go into no message.

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

/** @throws {CliError} usage, that names what is missing */
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
 * Runs a command line of the user's own, in a shell. Its stderr is the user's to see.
 *
 * @throws {CliError} failed; with the status, without what it printed
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

/** Asks without showing what is typed. @throws {CliError} usage, when nobody is there to ask */
export async function passwordAsked(user: string, io: Io): Promise<string> {
  const input = terminalOf(io)
  if (input === undefined) {
    const ways = 'set MILLRACE_PASSWORD, or say --password-file FILE'
    throw new CliError('usage', `there is no password for ${user}: ${ways}`)
  }
  const muted = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input, output: muted, terminal: true })
  terminal.on('SIGINT', () => io.exit(exitCodes.interrupted))
  io.stderr.write(`password for ${user}: `)
  try {
    return await terminal.question('')
  } finally {
    terminal.close()
    io.stderr.write('\n')
    if (input !== io.stdin) input.destroy()
  }
}

/** Where somebody can type, also while stdin is a pipe. */
function terminalOf({ stdin, stderr }: Io): Readable | undefined {
  if (stdin.isTTY === true) return stdin
  if (stderr.isTTY !== true) return undefined
  try {
    return new ReadStream(openSync('/dev/tty', 'r'))
  } catch {
    return undefined
  }
}
