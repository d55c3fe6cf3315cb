// Attempts: how often clients have logged in or failed to, and a line in the log of each failure, never with a secret. Network
// thread.

import { printable, type ProcessLog } from '../process-log.ts'
import type { Session } from '../session.ts'
import type { Refusal } from './mechanism.ts'

/** The client that logs in. */
export type Applicant = Pick<Session, 'listener' | 'remoteAddress' | 'principal'>

/** Mechanisms that are not offered, in metrics. Their names are the client's. */
export const OTHER_MECHANISM = 'other'

export interface AttemptCounts {
  readonly listener: string
  readonly mechanism: string
  doneCount: number
  failedCount: number
}

export class Attempts {
  readonly #log: ProcessLog
  readonly #counts = new Map<string, AttemptCounts>()

  constructor(log: ProcessLog) {
    this.#log = log
  }

  done(applicant: Applicant, mechanism: string): void {
    this.#countsOf(applicant, mechanism).doneCount++
    const { remoteAddress: remote, listener, principal } = applicant
    const user = printable(principal.name)
    this.#log.debug('authenticated', { remote, listener, mechanism, user })
  }

  failed(applicant: Applicant, mechanism: string, reason: string, user?: Refusal['user']): void {
    this.#countsOf(applicant, mechanism).failedCount++
    const { remoteAddress: remote, listener } = applicant
    const facts = { remote, listener, mechanism, reason: printable(reason) }
    const known = user === undefined ? {} : { user: printable(user) }
    this.#log.warn('authentication failed', { ...facts, ...known })
  }

  /** By listener and mechanism. */
  [Symbol.iterator](): Iterator<AttemptCounts> {
    return this.#counts.values()
  }

  #countsOf({ listener }: Applicant, mechanism: string): AttemptCounts {
    const key = `${listener} ${mechanism}`
    const counts = this.#counts.get(key) ?? { listener, mechanism, doneCount: 0, failedCount: 0 }
    this.#counts.set(key, counts)
    return counts
  }
}
