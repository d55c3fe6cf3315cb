// Session: what every verb that talks to a broker holds: the client, the outputs, and how it is stopped.
// Main thread.

import type { Client } from '../client.ts'
import { exitCodes } from './exit.ts'
import { DEFAULT_BROKERS, type CommonOptions } from './flags.ts'
import { Notes, paintFor, Stdout, type Paint } from './print.ts'

export interface Session extends AsyncDisposable {
  readonly client: Client
  readonly notes: Notes
  readonly stdout: Stdout
  /** Colours for stdout. */
  readonly paint: Paint
  /** Aborted by the first ^C; the second ends the process. */
  readonly signal: AbortSignal
}

/** Dials nobody yet. Disposing closes the client, then empties stdout. */
export async function openSession(options: CommonOptions): Promise<Session> {
  const { Client } = await import('../client.ts')
  const notes = new Notes(options)
  const stdout = new Stdout()
  const detail = (fields: object, message: string): void =>
    notes.detail(`${message} ${JSON.stringify(fields)}`)
  const client = new Client({
    brokers: brokersOf(options),
    clientId: 'millrace-cli',
    logger: { debug: detail, info: detail, warn: detail },
  })
  return {
    client,
    notes,
    stdout,
    paint: paintFor(process.stdout),
    signal: interruptSignal(notes),
    async [Symbol.asyncDispose]() {
      await client.close()
      await stdout.flush()
    },
  }
}

function brokersOf(options: CommonOptions): string[] {
  const list = options.brokers ?? process.env['MILLRACE_BROKERS'] ?? DEFAULT_BROKERS
  return list.split(',').map((address) => address.trim())
}

function interruptSignal(notes: Notes): AbortSignal {
  const controller = new AbortController()
  process.on('SIGINT', () => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted)
    process.exitCode = exitCodes.interrupted
    notes.say('finishing; press Ctrl-C again to stop at once')
    controller.abort()
  })
  return controller.signal
}
