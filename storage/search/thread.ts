// The network thread's end of the search thread (search-thread.ts). The thread starts with the first task and ends
// after a while without one, because most brokers never need it, and decompressed batches take memory.

import { KafkaError, type ErrorName } from '../../protocol/errors.ts'
import type { Clock } from '../clock.ts'
import { SideThread } from '../side-thread.ts'
import type { OffsetAndTimestamp } from '../store.ts'
import type { SearchPort, SearchTask } from './port.ts'

export interface SearchAnswer {
  readonly found?: OffsetAndTimestamp | undefined
  readonly failure?: {
    /** The code of a KafkaError. */
    readonly code: ErrorName | undefined
    /** The code of a disk error. */
    readonly errno: string | undefined
    readonly message: string
  }
}

const REST_MS = 10_000

export interface SearchThreadDeps {
  readonly clock: Clock
  readonly warn: (message: string) => void
  /** The thread's script; tests pass another. */
  readonly script?: URL
}

export class ThreadSearchPort implements SearchPort {
  readonly #thread: SideThread<SearchTask, SearchAnswer>

  constructor({ clock, warn, script }: SearchThreadDeps) {
    this.#thread = new SideThread({
      script: script ?? new URL('./search-thread.js', import.meta.url),
      name: 'search',
      rest: { clock, afterMs: REST_MS },
      onDeath(error) {
        warn(`the thread that looks inside batches is gone: ${error.message}`)
        return refusal('the thread that looked inside the batch is gone')
      },
    })
  }

  async ask(task: SearchTask): Promise<OffsetAndTimestamp | undefined> {
    const { found, failure } = await this.#thread.ask(task)
    if (failure !== undefined) throw errorOf(failure)
    return found
  }

  stop(): Promise<void> {
    return this.#thread.stop(refusal('the store is closing'))
  }
}

function refusal(why: string): KafkaError {
  return new KafkaError('KAFKA_STORAGE_ERROR', why)
}

function errorOf({ code, errno, message }: NonNullable<SearchAnswer['failure']>): Error {
  if (code !== undefined) return new KafkaError(code, message)
  return errno === undefined
    ? new Error(message)
    : Object.assign(new Error(message), { code: errno })
}
