// The error of a fenced producer in all versions of a request (KIP-588). Network thread.

import type { ErrorName } from '../protocol/errors.ts'

/** @param versionMin of the request: older clients do not know PRODUCER_FENCED, and take INVALID_PRODUCER_EPOCH for it */
export function fencedError(
  version: number,
  versionMin: number,
  error: ErrorName | undefined,
): ErrorName | undefined {
  return error === 'PRODUCER_FENCED' && version < versionMin ? 'INVALID_PRODUCER_EPOCH' : error
}
