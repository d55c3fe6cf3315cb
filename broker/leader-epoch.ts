// Fencing by leader epoch (KIP-320): a request with another epoch than the log's is refused, so that its client refreshes its
// metadata.

import type { ErrorName } from '../protocol/errors.ts'
import type { Log } from '../storage/store.ts'

const NOT_CHECKED = -1

/** @param currentLeaderEpoch the client's epoch; -1 for no check */
export function epochRefusal(log: Log, currentLeaderEpoch: number): ErrorName | undefined {
  if (currentLeaderEpoch === NOT_CHECKED || currentLeaderEpoch === log.leaderEpoch) return undefined
  return currentLeaderEpoch < log.leaderEpoch ? 'FENCED_LEADER_EPOCH' : 'UNKNOWN_LEADER_EPOCH'
}
