// Session: the client, the outputs and ^C of a verb that connects to a broker.
// Main thread.

import { KafkaError } from '../../protocol/errors.ts'
import { systemClock } from '../clock.ts'
import { CliClient } from './cli-client.ts'
import { CliError, exitCodes } from './exit.ts'
import type { CommonOptions } from './flags.ts'
import type { Io } from './io.ts'
import { loginOptions } from './login/login.ts'
import { endWithReader, Notes, Stdout } from './print.ts'
import { paintFor, type Paint } from './show.ts'

export interface Session extends AsyncDisposable {
  readonly io: Io
  readonly client: CliClient
  readonly notes: Notes
  readonly stdout: Stdout
  /** Colours for stdout. */
  readonly paint: Paint
  /** From now on the first ^C only aborts this signal; the second ends the process. */
  readonly interruptible: () => AbortSignal
}

/** Short, because a user waits; but a broker that was just started may need a moment. */
const BOOTSTRAP_TIMEOUT_MS = 1_500

/** Does not connect yet. Disposing closes the client, then flushes stdout. */
export async function openSession(options: CommonOptions): Promise<Session> {
  const notes = new Notes(options)
  const { io } = options
  endWithReader(io, systemClock)
  const stdout = new Stdout(io)
  const detail = (fields: object, message: string): void =>
    notes.detail(`${message} ${JSON.stringify(fields)}`)
  const warn = (fields: { readonly error?: unknown }, message: string): void => {
    const { error } = fields
    const isKafkas = error instanceof KafkaError
    const text = isKafkas ? `${message}: ${error.message}${patienceWith(error)}` : message
    notes.trouble(isKafkas ? error.code : message, text, JSON.stringify(fields))
  }
  const login = await loginOptions(options, (text) => notes.say(text))
  const client = orUsage(
    () =>
      new CliClient({
        ...login,
        bootstrapTimeoutMs: BOOTSTRAP_TIMEOUT_MS,
        logger: { debug: detail, info: detail, warn },
      }),
  )
  return {
    io,
    client,
    notes,
    stdout,
    paint: paintFor(io.stdout, io.env),
    interruptible: () => interruptSignal(io, notes),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]()
      await stdout.flush()
    },
  }
}

/** How long the client retries on a full disk. */
function patienceWith({ code }: KafkaError): string {
  return code === 'KAFKA_STORAGE_ERROR' ? '; a record that waits for two minutes fails' : ''
}

/** @throws {CliError} usage, for invalid addresses */
function orUsage(build: () => CliClient): CliClient {
  try {
    return build()
  } catch (error) {
    throw new CliError('usage', (error as Error).message, { cause: error })
  }
}

function interruptSignal(io: Io, notes: Notes): AbortSignal {
  const controller = new AbortController()
  io.on('SIGINT', () => {
    if (controller.signal.aborted) return io.exit(exitCodes.interrupted)
    io.exitCode = exitCodes.interrupted
    notes.say('finishing; press Ctrl-C again to stop at once')
    controller.abort()
  })
  return controller.signal
}
