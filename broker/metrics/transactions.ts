// TransactionMetrics: open transactions, read when metrics are requested, and counts of ended ones. Network thread.

import type { Clock } from '../../storage/clock.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'
import type { TransactionResult } from '../txn/messages.ts'
import type { Samples } from './samples.ts'

export class TransactionMetrics {
  readonly #endedCounts = new Map<TransactionResult, number>()

  ended(result: TransactionResult): void {
    this.#endedCounts.set(result, (this.#endedCounts.get(result) ?? 0) + 1)
  }

  add(samples: Samples, transactions: TransactionCoordinator, clock: Clock): void {
    const nowMs = clock.now()
    let openCount = 0
    let oldestMs = nowMs
    for (const { isOpen, record } of transactions.list()) {
      if (!isOpen) continue
      openCount++
      oldestMs = Math.min(oldestMs, record.startMs ?? nowMs)
    }
    samples.add('millrace_txn_open', openCount)
    samples.add('millrace_txn_oldest_seconds', (nowMs - oldestMs) / 1000)
    for (const [result, count] of this.#endedCounts) {
      samples.add('millrace_txn_total', count, { result })
    }
  }
}
