// AuditLog: lines of the process log about clients that were denied something, and about administrators that changed
// something. A client cannot fill a disk by being denied. Network thread. For users: docs/guide/security.md

import type { Clock } from '../../storage/clock.ts'
import { printable, type ProcessLog } from '../process-log.ts'
import { ANONYMOUS, principalText, type Requester } from './principal.ts'
import type { Operation, ResourceType } from './resources.ts'

/** A denial of the same is told once in it. */
const WINDOW_MS = 60_000
/** Lines about denials in a window, of all principals and of one. */
const LINES_MAX = 200
const LINES_OF_PRINCIPAL_MAX = 50
/** Names in one line. */
const NAMES_MAX = 20

/** Messages of the lines about changes. */
export type Change =
  | 'topics created'
  | 'topics deleted'
  | 'partitions added'
  | 'records deleted'
  | 'configurations changed'
  | 'groups deleted'
  | 'offsets deleted'
  | 'ACLs created'
  | 'ACLs deleted'
  | 'users changed'
  | 'quotas changed'

interface Question {
  readonly operation: Operation
  readonly resourceType: ResourceType
  readonly name: string
}

/** The names of what was done, without what was refused. */
export function doneAmong<Outcome extends { readonly errorCode?: number }>(
  outcomes: readonly Outcome[],
  nameOf: (outcome: Outcome) => string,
): string[] {
  return outcomes.filter(({ errorCode }) => errorCode === 0).map(nameOf)
}

export class AuditLog {
  /** Decisions since the start, without those that only leave something out of a list. */
  allowedCount = 0
  deniedCount = 0
  readonly #clock: Clock
  readonly #log: ProcessLog
  readonly #isGuarded: boolean
  #windowStartMs = -Infinity
  /** Denials that were told in this window, by principal. */
  #told = new Map<string, Set<string>>()
  #lineCount = 0
  #leftOutCount = 0

  /** @param isGuarded whether an authorizer decides who may change something */
  constructor(clock: Clock, log: ProcessLog, isGuarded: boolean) {
    this.#clock = clock
    this.#log = log
    this.#isGuarded = isGuarded
  }

  allowed(): void {
    this.allowedCount++
  }

  denied(requester: Requester, api: string, { operation, resourceType, name }: Question): void {
    this.deniedCount++
    const principal = principalText(requester.principal)
    if (!this.#isToBeTold(principal, `${operation} ${resourceType} ${name}`)) {
      this.#leftOutCount++
      return
    }
    const leftOut = this.#leftOutCount
    this.#leftOutCount = 0
    this.#log.info('access denied', {
      principal: printable(principal),
      operation,
      resourceType,
      resource: printable(name),
      api,
      remote: requester.remoteAddress,
      ...(leftOut > 0 && { leftOut }),
    })
  }

  /** Where everybody may change everything and has no name, the line is a detail. */
  changed(requester: Requester, api: string, what: Change, names: readonly string[]): void {
    const leftOut = names.length - NAMES_MAX
    const isDetail = !this.#isGuarded && requester.principal === ANONYMOUS
    this.#log[isDetail ? 'debug' : 'info'](what, {
      principal: printable(principalText(requester.principal)),
      names: names.slice(0, NAMES_MAX).map(printable),
      api,
      remote: requester.remoteAddress,
      ...(leftOut > 0 && { leftOut }),
    })
  }

  #isToBeTold(principal: string, question: string): boolean {
    const nowMs = this.#clock.monotonic()
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      this.#windowStartMs = nowMs
      this.#told = new Map()
      this.#lineCount = 0
    }
    const told = this.#told.get(principal) ?? new Set<string>()
    if (this.#lineCount >= LINES_MAX || told.size >= LINES_OF_PRINCIPAL_MAX || told.has(question))
      return false
    this.#told.set(principal, told.add(question))
    this.#lineCount++
    return true
  }
}
