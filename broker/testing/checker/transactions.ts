// Checks of transactions: all or nothing, nothing visible before the end, and nothing from a replaced producer. Tests
// only.

import {
  acknowledged,
  commitAttempt,
  committedReads,
  knownEnd,
  witnessesOf,
  type Facts,
  type Report,
  type Transaction,
} from './facts.ts'
import type { Operation } from './history.ts'

export function checkTransactions(facts: Facts, report: Report): void {
  checkReads(facts, report)
  const witnesses = witnessesOf(facts)
  for (const transaction of facts.transactions.values()) {
    const commit = knownEnd(transaction, true)
    const abort = knownEnd(transaction, false)
    if (commit !== undefined && abort !== undefined) {
      report('torn transaction', `${transaction.name} has two ends`, commit, abort)
    }
    const because = commit ?? witnesses.get(transaction)
    if (because !== undefined) checkIsWhole(facts, transaction, because, report)
  }
  checkIsDecided(facts, report)
  checkOwnership(facts, report)
}

/** No reader sees an uncommitted record as committed. */
function checkReads(facts: Facts, report: Report): void {
  for (const { transaction, what, by } of committedReads(facts)) {
    const { name, ends } = transaction
    const attempt = commitAttempt(transaction)
    if (attempt === undefined) {
      report('aborted read', `${what} of ${name}, which was not committed`, by, ...ends)
    } else if (by.endedAt < attempt.invokedAt) {
      report('uncommitted read', `${what} of ${name}, before it was committed`, by, attempt)
    }
  }
}

/** Everything acknowledged in a committed transaction is there. @param because the proof of the commit */
function checkIsWhole(
  { partitions }: Facts,
  { name, sendings }: Transaction,
  because: Operation,
  report: Report,
): void {
  for (const { attempts, partition, values } of sendings) {
    const sent = acknowledged(attempts)
    const found = partitions.get(partition)
    if (sent === undefined || found === undefined || found.scannedTo < 0) continue
    const missing = values.find((value) => !found.committed.has(value))
    if (missing === undefined) continue
    report('torn transaction', `${missing} of ${name} is not there`, because, sent)
  }
}

/** An answered end is known everywhere: it holds back no log. In the end no transaction does. */
function checkIsDecided(facts: Facts, report: Report): void {
  for (const { name, polls, log } of facts.partitions.values()) {
    for (const poll of polls) {
      if (poll.answer === undefined) continue
      const { lastStableOffset, highWatermark } = poll.answer
      if (lastStableOffset === highWatermark) continue
      if (poll.asked.isFinal) {
        const message = `${name} is held back at ${lastStableOffset} for ever`
        report('undecided transaction', message, poll)
      }
      if (facts.endsMayBeLate) continue
      const value = log.get(lastStableOffset)?.value
      const transaction = facts.sendings.get(value ?? '')?.transaction
      const end = transaction && acknowledged(transaction.ends)
      if (end === undefined || end.endedAt > poll.invokedAt) continue
      const message = `${name} is held back at ${lastStableOffset} by ${transaction!.name}, which has ended`
      report('undecided transaction', message, end, poll)
    }
  }
}

/** An identity belongs to one instance, and a newer instance of a transactional id ends all older ones. */
function checkOwnership(facts: Facts, report: Report): void {
  const owners = new Map<string, { readonly instance: string; readonly by: Operation }>()
  const alive = new Map<string, Set<string>>()
  /** Instance -> the one that replaced it. */
  const replaced = new Map<string, Operation>()
  const olderAtStart = new Map<Operation, readonly string[]>()
  const late = new Map<Operation, Operation>()
  const own = (instance: string, answer: Operation<'init'>['answer'], by: Operation) => {
    const identity = `${answer!.producerId}:${answer!.producerEpoch}`
    const owner = owners.get(identity)
    if (owner !== undefined && owner.instance !== instance) {
      const message = `${owner.instance} and ${instance} are both ${identity}`
      report('shared identity', message, owner.by, by)
    }
    owners.set(identity, { instance, by })
  }
  facts.replay({
    onInvoke(operation) {
      if (operation.kind === 'init') {
        olderAtStart.set(operation, [...(alive.get(operation.asked.transactionalId ?? '') ?? [])])
      }
      const instance = instanceOf(operation)
      const newer = instance === null ? undefined : replaced.get(instance)
      if (newer !== undefined) late.set(operation, newer)
    },
    onEnd(operation) {
      if (operation.outcome !== 'ok') return
      const newer = late.get(operation)
      if (newer !== undefined)
        report('zombie', `${instanceOf(operation)} was replaced, and is obeyed`, newer, operation)
      if (operation.kind === 'end') own(operation.asked.instance, operation.answer, operation)
      if (operation.kind !== 'init') return
      const { transactionalId, instance } = operation.asked
      own(instance, operation.answer, operation)
      if (transactionalId === null) return
      for (const older of olderAtStart.get(operation)!) replaced.set(older, operation)
      alive.set(transactionalId, (alive.get(transactionalId) ?? new Set()).add(instance))
    },
  })
}

/** The instance on whose life an operation depends. */
function instanceOf(operation: Operation): string | null {
  switch (operation.kind) {
    case 'send':
      return operation.asked.producer?.instance ?? null
    case 'end':
    case 'commit':
      return operation.asked.instance
    default:
      return null
  }
}
