// The message that brings a turn's result to the network thread. The usual content, appended batches and moved
// watermarks, goes as one array of numbers: cloning that costs a tenth of cloning objects. Everything else goes as
// objects. Either thread.

import { types } from 'node:util'
import type { Outcome, TurnResult } from './commands.ts'
import type { LogState } from '../log-facts.ts'

export type ResultMessage = Float64Array | TurnResult

/** How many numbers the totals, an append's outcome and a log's state have. */
const TOTALS = 6
const OUTCOME = 3
const STATE = 7

export function packResult(result: TurnResult): ResultMessage {
  const { outcomes, states, rolled, swapped, dropped, fatal } = result
  if (rolled.length > 0 || swapped.length > 0 || dropped.length > 0 || fatal !== undefined)
    return result
  if (!outcomes.every(isPlainAppend)) return result
  const numbers = new Float64Array(TOTALS + OUTCOME * outcomes.length + STATE * states.length)
  numbers[0] = outcomes.length
  numbers[1] = states.length
  numbers[2] = result.batchCount
  numbers[3] = result.batchBytes
  numbers[4] = result.writeSeconds
  numbers[5] = result.syncSeconds
  let at = TOTALS
  for (const { id, baseOffset, logAppendTimeMs } of outcomes) {
    numbers[at++] = id
    numbers[at++] = baseOffset!
    numbers[at++] = logAppendTimeMs!
  }
  for (const state of states) {
    numbers[at++] = state.slot
    numbers[at++] = state.logStartOffset
    numbers[at++] = state.logEndOffset
    numbers[at++] = state.highWatermark
    numbers[at++] = state.lastStableOffset
    numbers[at++] = state.activeBytesVisible
    numbers[at++] = state.activeAbortedCount
  }
  return numbers
}

export function unpackResult(message: ResultMessage): TurnResult {
  if (!types.isFloat64Array(message)) return message
  let at = TOTALS
  const next = () => message[at++]!
  const outcomes = Array.from({ length: message[0]! }, (): Outcome => {
    return { id: next(), baseOffset: next(), logAppendTimeMs: next() }
  })
  const states = Array.from({ length: message[1]! }, (): LogState => {
    return {
      slot: next(),
      logStartOffset: next(),
      logEndOffset: next(),
      highWatermark: next(),
      lastStableOffset: next(),
      activeBytesVisible: next(),
      activeAbortedCount: next(),
    }
  })
  return {
    outcomes,
    states,
    rolled: [],
    swapped: [],
    dropped: [],
    batchCount: message[2]!,
    batchBytes: message[3]!,
    writeSeconds: message[4]!,
    syncSeconds: message[5]!,
  }
}

function isPlainAppend({ error, baseOffset, logAppendTimeMs }: Outcome): boolean {
  return error === undefined && baseOffset !== undefined && logAppendTimeMs !== undefined
}
