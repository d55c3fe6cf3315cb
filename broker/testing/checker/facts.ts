// Facts: a history in a form for the checks. Built in one pass. Tests only.

import type { Batch, History, Kind, Operation } from './history.ts'

export type Anomaly =
  | 'lost write'
  | 'unknown value'
  | 'two values'
  | 'duplicate'
  | 'send order'
  | 'poll order'
  | 'gap'
  | 'aborted read'
  | 'uncommitted read'
  | 'torn transaction'
  | 'undecided transaction'
  | 'zombie'
  | 'shared identity'
  | 'two owners'
  | 'offset moved back'
  | 'end moved back'

export interface Finding {
  readonly anomaly: Anomaly
  /** The anomaly and its place. */
  readonly message: string
  /** The operations that cannot all be right. */
  readonly operations: readonly Operation[]
}

export type Report = (
  anomaly: Anomaly,
  message: string,
  ...operations: readonly (Operation | undefined)[]
) => void

/** A batch as its producer knows it, with all attempts to send it. */
export interface Sending {
  readonly attempts: Operation<'send'>[]
  readonly partition: string
  readonly values: readonly string[]
  readonly transaction: Transaction | undefined
}

export interface Transaction {
  readonly name: string
  readonly sendings: Set<Sending>
  readonly ends: Operation<'end'>[]
}

/** The final scan's result at an offset. */
export interface LogEntry {
  readonly batch: Batch
  /** undefined in a control batch. */
  readonly value: string | undefined
}

export interface PartitionFacts {
  readonly name: string
  readonly polls: Operation<'poll'>[]
  /** In order; each once. */
  readonly batches: Batch[]
  /** By offset, as in the final scan at read_uncommitted. */
  readonly log: Map<number, LogEntry>
  /** Value -> offset, as in the final scan at read_committed. */
  readonly committed: Map<string, number>
  /** The offset at which a final scan ended. */
  scannedTo: number
}

export class Facts {
  readonly history: History
  readonly endsMayBeLate: boolean
  /** By value. */
  readonly sendings = new Map<string, Sending>()
  readonly transactions = new Map<string, Transaction>()
  readonly transactionOfTag = new Map<string, Transaction>()
  readonly partitions = new Map<string, PartitionFacts>()

  /** @param endsMayBeLate an answered EndTxn is decided, but known everywhere only in the end, as on a full disk */
  constructor(history: History, endsMayBeLate: boolean) {
    this.history = history
    this.endsMayBeLate = endsMayBeLate
    for (const operation of history.operations) this.#note(operation)
  }

  of<K extends Kind>(kind: K): Operation<K>[] {
    return this.history.operations.filter((each) => each.kind === kind) as Operation<K>[]
  }

  /** Visits invocations and ends in the order in which they happened. */
  replay(visit: { onInvoke?(operation: Operation): void; onEnd(operation: Operation): void }) {
    const events: (() => void)[] = []
    for (const each of this.history.operations) {
      events[each.invokedAt] = () => visit.onInvoke?.(each)
      if (each.endedAt !== Infinity) events[each.endedAt] = () => visit.onEnd(each)
    }
    for (const event of events) event()
  }

  #note(operation: Operation): void {
    if (operation.kind === 'send') this.#noteSend(operation)
    if (operation.kind === 'poll') this.#notePoll(operation)
    if (operation.kind === 'end') {
      this.#transaction(operation.asked.transaction).ends.push(operation)
    }
    if (operation.kind !== 'commit' || operation.asked.transaction === null) return
    const { tag, transaction } = operation.asked
    this.transactionOfTag.set(tag, this.#transaction(transaction))
  }

  #noteSend(operation: Operation<'send'>): void {
    const { partition, values, transaction: name } = operation.asked
    const known = this.sendings.get(values[0]!)
    if (known !== undefined) {
      known.attempts.push(operation)
      return
    }
    const transaction = name === null ? undefined : this.#transaction(name)
    const sending = { attempts: [operation], partition, values, transaction }
    for (const value of values) this.sendings.set(value, sending)
    transaction?.sendings.add(sending)
  }

  #notePoll(operation: Operation<'poll'>): void {
    const { asked, answer } = operation
    const partition = this.#partition(asked.partition)
    partition.polls.push(operation)
    if (!asked.isFinal || answer === undefined) return
    if (asked.isolation === 'read_committed') {
      for (const { offset, value } of answer.records) partition.committed.set(value, offset)
      return
    }
    partition.scannedTo = answer.next
    for (const batch of answer.batches) {
      if (batch.lastOffset < asked.from) continue
      partition.batches.push(batch)
      for (let offset = batch.baseOffset; offset <= batch.lastOffset; offset++) {
        const value = batch.control === null ? batch.values[offset - batch.baseOffset] : undefined
        partition.log.set(offset, { batch, value })
      }
    }
  }

  #transaction(name: string): Transaction {
    const known = this.transactions.get(name)
    if (known !== undefined) return known
    const transaction = { name, sendings: new Set<Sending>(), ends: [] }
    this.transactions.set(name, transaction)
    return transaction
  }

  #partition(name: string): PartitionFacts {
    const known = this.partitions.get(name)
    if (known !== undefined) return known
    const partition: PartitionFacts = {
      name,
      polls: [],
      batches: [],
      log: new Map(),
      committed: new Map(),
      scannedTo: -1,
    }
    this.partitions.set(name, partition)
    return partition
  }
}

/** The attempt with the first acknowledgement. */
export function acknowledged<K extends Kind>(
  attempts: readonly Operation<K>[],
): Operation<K> | undefined {
  return attempts.find(({ outcome }) => outcome === 'ok')
}

/** The first attempt to commit that may have succeeded. */
export function commitAttempt({ ends }: Transaction): Operation<'end'> | undefined {
  return ends.find(({ asked, outcome }) => asked.isCommit && outcome !== 'fail')
}

/** The end of the transaction as the broker answered it. */
export function knownEnd({ ends }: Transaction, isCommit: boolean): Operation<'end'> | undefined {
  return acknowledged(ends.filter(({ asked }) => asked.isCommit === isCommit))
}

/** A record or offset of the transaction that was read as committed. */
interface CommittedRead {
  readonly transaction: Transaction
  readonly what: string
  readonly by: Operation
}

export function* committedReads(facts: Facts): Iterable<CommittedRead> {
  for (const operation of facts.history.operations) {
    if (operation.kind === 'committed' && operation.answer) {
      const { tag } = operation.answer
      const transaction = facts.transactionOfTag.get(tag)
      if (transaction !== undefined) yield { transaction, what: `offset ${tag}`, by: operation }
    }
    if (operation.kind !== 'poll' || operation.asked.isolation !== 'read_committed') continue
    for (const { value, offset } of operation.answer?.records ?? []) {
      const transaction = facts.sendings.get(value)?.transaction
      const what = `${value} at ${operation.asked.partition}@${offset}`
      if (transaction !== undefined) yield { transaction, what, by: operation }
    }
  }
}

/**
 * The committed transactions, whatever was answered: each with an operation that saw the commit, preferably of the
 * final scan.
 */
export function witnessesOf(facts: Facts): Map<Transaction, Operation> {
  const witnesses = new Map<Transaction, Operation>()
  for (const { transaction, by } of committedReads(facts)) {
    const isFinal = by.kind === 'poll' && by.asked.isFinal
    if (isFinal || !witnesses.has(transaction)) witnesses.set(transaction, by)
  }
  return witnesses
}
