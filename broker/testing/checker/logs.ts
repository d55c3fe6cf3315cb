// Checks of a log: it must not lose, change, invent, repeat, reorder or skip records. Tests only.

import {
  acknowledged,
  type Facts,
  type LogEntry,
  type PartitionFacts,
  type Report,
  type Sending,
} from './facts.ts'
import type { Batch, Operation } from './history.ts'

export function checkLogs(facts: Facts, report: Report): void {
  checkValues(facts, report)
  checkAcknowledged(facts, report)
  for (const partition of facts.partitions.values()) {
    checkPolls(facts, partition, report)
    if (partition.scannedTo < 0) continue
    checkSequences(facts, partition, report)
    checkRepetitions(facts, partition, report)
  }
}

/** One offset holds one value for ever, and one that a producer sent there. */
function checkValues(facts: Facts, report: Report): void {
  const witnesses = new Map<string, { readonly value: string; readonly by: Operation }>()
  const see = (partition: string, offset: number, value: string, by: Operation) => {
    const where = `${partition}@${offset}`
    const first = witnesses.get(where)
    if (first === undefined) witnesses.set(where, { value, by })
    else if (first.value !== value)
      report('two values', `${where} held ${first.value}, then ${value}`, first.by, by)
  }
  for (const operation of facts.history.operations) {
    if (operation.kind === 'send' && operation.answer !== undefined) {
      const { partition, values } = operation.asked
      const { baseOffset } = operation.answer
      for (const [i, value] of values.entries()) see(partition, baseOffset + i, value, operation)
    }
    if (operation.kind !== 'poll') continue
    const { partition } = operation.asked
    for (const { baseOffset, control, values } of operation.answer?.batches ?? []) {
      if (control !== null) continue
      for (const [i, value] of values.entries()) {
        see(partition, baseOffset + i, value, operation)
        checkIsWanted(partition, value, facts.sendings.get(value), operation, report)
      }
    }
  }
  checkSeenStays(facts, witnesses, report)
}

function checkIsWanted(
  partition: string,
  value: string,
  sending: Sending | undefined,
  poll: Operation<'poll'>,
  report: Report,
): void {
  if (sending?.partition !== partition) {
    report('unknown value', `${value} in ${partition} was never sent there`, poll)
  } else if (sending.attempts.every(({ outcome }) => outcome === 'fail')) {
    report('unknown value', `${value} in ${partition} was refused`, ...sending.attempts, poll)
  }
}

/** Records that were read or acknowledged are there in the end. */
function checkSeenStays(
  facts: Facts,
  witnesses: ReadonlyMap<string, { readonly value: string; readonly by: Operation }>,
  report: Report,
): void {
  for (const [where, { value, by }] of witnesses) {
    const at = where.lastIndexOf('@')
    const partition = facts.partitions.get(where.slice(0, at))
    if (partition === undefined || partition.scannedTo < 0) continue
    const found = partition.log.get(Number(where.slice(at + 1)))
    if (found === undefined) report('lost write', `${value} is no more at ${where}`, by)
    else if (found.value === undefined)
      report('two values', `${where} held ${value}, then a control batch`, by)
  }
}

/** All attempts to send a batch are answered with the same offset. */
function checkAcknowledged({ sendings }: Facts, report: Report): void {
  for (const sending of new Set(sendings.values())) {
    const { attempts, partition, values } = sending
    if (isPlain(sending)) continue // its attempts are separate batches
    const first = acknowledged(attempts)
    const other = attempts.find(
      ({ answer }) => answer !== undefined && answer.baseOffset !== first!.answer!.baseOffset,
    )
    if (other !== undefined)
      report('duplicate', `${values[0]} has two places in ${partition}`, first, other)
  }
}

/** Within each epoch of a producer, the batches in the log follow each other. */
function checkSequences(facts: Facts, partition: PartitionFacts, report: Report): void {
  const next = new Map<string, number>()
  let nextOffset: number | undefined
  for (const batch of partition.batches) {
    const { baseOffset, lastOffset, producerId, producerEpoch, baseSequence } = batch
    const where = `${partition.name}@${baseOffset}`
    if (nextOffset !== undefined && baseOffset > nextOffset)
      report('gap', `nothing from ${nextOffset} to before ${where}`)
    if (nextOffset !== undefined && baseOffset < nextOffset)
      report('poll order', `${where} comes after ${nextOffset - 1}`)
    nextOffset = lastOffset + 1
    if (producerId < 0 || batch.control !== null) continue
    const epoch = `${producerId}:${producerEpoch}`
    const expected = next.get(epoch) ?? 0
    next.set(epoch, baseSequence + batch.values.length)
    if (baseSequence === expected) continue
    const message = `${where} has sequence ${baseSequence} of ${epoch}, after ${expected - 1}`
    report(
      baseSequence < expected ? 'duplicate' : 'send order',
      message,
      ...attemptsOf(facts, batch),
    )
  }
}

/** A value of a producer with an id is there once. */
function checkRepetitions(facts: Facts, partition: PartitionFacts, report: Report): void {
  const places = new Map<string, number>()
  for (const [offset, { value }] of partition.log) {
    const sending = facts.sendings.get(value ?? '')
    if (value === undefined || sending === undefined || isPlain(sending)) continue
    const first = places.get(value)
    places.set(value, offset)
    if (first === undefined) continue
    const message = `${value} is at ${first} and at ${offset} of ${partition.name}`
    report('duplicate', message, ...sending.attempts)
  }
}

/** A poll returns records in order from its offset, and leaves out only what it may. */
function checkPolls(facts: Facts, partition: PartitionFacts, report: Report): void {
  for (const poll of partition.polls) {
    const { from, isolation, isFinal } = poll.asked
    if (isFinal && poll.answer === undefined)
      report('lost write', `${partition.name} cannot be read from ${from} on`, poll)
    if (poll.answer === undefined) continue
    const { records, next } = poll.answer
    let expected = from
    for (const { offset } of records) {
      if (offset < expected) {
        report('poll order', `${partition.name}@${offset} comes after ${expected - 1}`, poll)
      }
      checkSkipped(facts, partition, expected, offset, poll, report)
      expected = Math.max(expected, offset + 1)
    }
    checkSkipped(facts, partition, expected, next, poll, report)
    if (next < expected) report('poll order', `${isolation} goes back to ${next}`, poll)
  }
}

function checkSkipped(
  facts: Facts,
  partition: PartitionFacts,
  from: number,
  to: number,
  poll: Operation<'poll'>,
  report: Report,
): void {
  if (partition.scannedTo < 0) return
  for (let offset = from; offset < to; offset++) {
    const entry = partition.log.get(offset)
    const where = `${partition.name}@${offset}`
    if (entry === undefined) report('gap', `there is no ${where}`, poll)
    else if (!maySkip(facts, partition, entry, poll))
      report('gap', `${poll.asked.isolation} skips ${entry.value} at ${where}`, poll)
  }
}

/** A control batch; for read_committed, also records of a transaction that did not commit. */
function maySkip(
  { sendings }: Facts,
  { committed }: PartitionFacts,
  { value }: LogEntry,
  { asked }: Operation<'poll'>,
): boolean {
  if (value === undefined) return true
  if (asked.isolation === 'read_uncommitted') return false
  const isTransactional = sendings.get(value)?.transaction !== undefined
  return isTransactional && !committed.has(value)
}

/** Is it from a producer without an id? */
function isPlain({ attempts }: Sending): boolean {
  return attempts[0]!.asked.producer === null
}

function attemptsOf({ sendings }: Facts, { values }: Batch): readonly Operation[] {
  return sendings.get(values[0] ?? '')?.attempts ?? []
}
