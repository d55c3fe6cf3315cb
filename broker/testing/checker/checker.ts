// The history checker: finds answers that no broker which keeps its promises could give. Linear in the history. Tests
// only.
// Pure: workloads run the operations elsewhere. The promises: docs/architecture.md, docs/guide/.

import { Facts, type Finding, type Report } from './facts.ts'
import { describe, type History } from './history.ts'
import { checkLogs } from './logs.ts'
import { checkCommittedOffsets, checkEnds, checkSendOrder } from './order.ts'
import { checkOwners } from './owners.ts'
import { checkTransactions } from './transactions.ts'

export type { Anomaly, Finding } from './facts.ts'

/** @returns empty when the whole history is possible */
export function findAnomalies(history: History, { endsMayBeLate = false } = {}): Finding[] {
  const findings: Finding[] = []
  const report: Report = (anomaly, message, ...operations) => {
    findings.push({ anomaly, message, operations: operations.filter((each) => each !== undefined) })
  }
  const facts = new Facts(history, endsMayBeLate)
  checkLogs(facts, report)
  checkSendOrder(facts, report)
  checkEnds(facts, report)
  checkTransactions(facts, report)
  checkCommittedOffsets(facts, report)
  checkOwners(facts, report)
  return findings
}

/** For people: the anomaly, its place, and the operations that cannot all be right. */
export function explain({ anomaly, message, operations }: Finding): string {
  return [`${anomaly}: ${message}`, ...operations.map((each) => `  ${describe(each)}`)].join('\n')
}
