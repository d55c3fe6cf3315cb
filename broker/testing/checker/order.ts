// Checks that acknowledged offsets, the durable ends of a log and committed offsets never go back in time. Tests
// only.

import { knownEnd, witnessesOf, type Facts, type Report, type Sending } from './facts.ts'
import type { Operation } from './history.ts'

/** The highest values that ended operations prove, by partition or group. */
class Bounds {
  readonly #bounds = new Map<string, { readonly value: number; readonly by: Operation }>()

  of(where: string) {
    return this.#bounds.get(where)
  }

  raise(where: string, value: number, by: Operation): void {
    const known = this.#bounds.get(where)
    if (known === undefined || value > known.value) this.#bounds.set(where, { value, by })
  }
}

type Bound = ReturnType<Bounds['of']>

/** A record sent after an acknowledgement lies behind the acknowledged one. */
export function checkSendOrder(facts: Facts, report: Report): void {
  const bounds = new Bounds()
  const boundAtFirst = new Map<Sending, Bound>()
  const sendingOf = ({ asked }: Operation<'send'>) => facts.sendings.get(asked.values[0]!)!
  facts.replay({
    onInvoke(operation) {
      if (operation.kind !== 'send') return
      const sending = sendingOf(operation)
      if (operation === sending.attempts[0] || operation.asked.producer === null)
        boundAtFirst.set(sending, bounds.of(sending.partition))
    },
    onEnd(operation) {
      if (operation.kind !== 'send' || operation.answer === undefined) return
      const { partition, values } = operation.asked
      const { baseOffset } = operation.answer
      const bound = boundAtFirst.get(sendingOf(operation))
      if (bound !== undefined && baseOffset < bound.value) {
        const message = `${values[0]} is at ${baseOffset} of ${partition}, behind ${bound.value}`
        report('send order', message, bound.by, operation)
      }
      bounds.raise(partition, baseOffset + values.length, operation)
    },
  })
}

/** High watermark and last stable offset only rise, and an acknowledgement is below the high watermark. */
export function checkEnds(facts: Facts, report: Report): void {
  const bounds = new Bounds()
  const boundsAtStart = new Map<Operation, { readonly high: Bound; readonly stable: Bound }>()
  const judge = (name: string, value: number, bound: Bound, poll: Operation<'poll'>) => {
    if (bound === undefined || value >= bound.value) return
    const message = `the ${name} of ${poll.asked.partition} is ${value}, it was ${bound.value}`
    report('end moved back', message, bound.by, poll)
  }
  facts.replay({
    onInvoke(operation) {
      if (operation.kind !== 'poll') return
      const { partition } = operation.asked
      boundsAtStart.set(operation, {
        high: bounds.of(`high ${partition}`),
        stable: bounds.of(`stable ${partition}`),
      })
    },
    onEnd(operation) {
      if (operation.kind === 'send' && operation.answer !== undefined) {
        const { partition, values } = operation.asked
        bounds.raise(`high ${partition}`, operation.answer.baseOffset + values.length, operation)
      }
      if (operation.kind !== 'poll' || operation.answer === undefined) return
      const { partition } = operation.asked
      const { highWatermark, lastStableOffset } = operation.answer
      const { high, stable } = boundsAtStart.get(operation)!
      judge('high watermark', highWatermark, high, operation)
      judge('last stable offset', lastStableOffset, stable, operation)
      if (lastStableOffset > highWatermark) {
        const message = `${partition} is stable to ${lastStableOffset}, durable to ${highWatermark}`
        report('end moved back', message, operation)
      }
      bounds.raise(`high ${partition}`, highWatermark, operation)
      bounds.raise(`stable ${partition}`, lastStableOffset, operation)
    },
  })
}

/** A commit under one tag: all its attempts, and when it may have taken effect. */
interface Commit {
  readonly first: Operation<'commit'>
  /** Infinity: unknown, so it may still take effect. */
  endsAt: number
}

/** A committed offset is the last commit; a transaction's commit comes with its records. */
export function checkCommittedOffsets(facts: Facts, report: Report): void {
  const { commits, settledBy } = commitsOf(facts)
  const bounds = new Bounds()
  const boundAtStart = new Map<Operation, Bound>()
  facts.replay({
    onInvoke(operation) {
      if (operation.kind === 'committed')
        boundAtStart.set(operation, bounds.of(placeOf(operation.asked)))
    },
    onEnd(operation) {
      for (const { first } of settledBy.get(operation) ?? [])
        bounds.raise(placeOf(first.asked), first.invokedAt, operation)
      if (operation.kind !== 'committed' || operation.answer === undefined) return
      const found = operation.answer === null ? null : commits.get(operation.answer.tag)
      if (found === undefined) {
        report('unknown value', `nobody committed ${JSON.stringify(operation.answer)}`, operation)
        return
      }
      const place = placeOf(operation.asked)
      const bound = boundAtStart.get(operation)
      if (bound !== undefined && (found === null || found.endsAt < bound.value)) {
        const isTorn = bound.by.kind === 'end' || bound.by.kind === 'poll'
        const message = `the offset of ${place} is not what was committed last`
        report(
          isTorn ? 'torn transaction' : 'offset moved back',
          message,
          found?.first,
          bound.by,
          operation,
        )
      }
      if (found !== null) bounds.raise(place, found.first.invokedAt, operation)
    },
  })
}

/** By tag; and the commits that are final when an operation ends. */
function commitsOf(facts: Facts) {
  const witnesses = witnessesOf(facts)
  const commits = new Map<string, Commit>()
  const settledBy = new Map<Operation, Commit[]>()
  for (const operation of facts.of('commit')) {
    const { tag } = operation.asked
    const transaction = facts.transactionOfTag.get(tag)
    const end = transaction && !facts.endsMayBeLate ? knownEnd(transaction, true) : undefined
    const by = transaction === undefined ? operation : end
    const endsAt = by?.outcome === 'ok' ? by.endedAt : Infinity
    const commit = commits.get(tag) ?? { first: operation, endsAt }
    commit.endsAt = Math.min(commit.endsAt, endsAt)
    commits.set(tag, commit)
    const settling = by ?? finalOf(witnesses.get(transaction!))
    if (operation.outcome !== 'ok' || settling === undefined) continue
    settledBy.set(settling, [...(settledBy.get(settling) ?? []), commit])
  }
  return { commits, settledBy }
}

/** A transaction ends in one partition after the other; only the final scan sees all of it. */
function finalOf(witness: Operation | undefined): Operation | undefined {
  return witness?.kind === 'poll' && witness.asked.isFinal ? witness : undefined
}

function placeOf({ group, partition }: { readonly group: string; readonly partition: string }) {
  return `${group} ${partition}`
}
