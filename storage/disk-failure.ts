// Two kinds of disk errors: a refusal for want of room (go on) and a failure (stop). Any thread.
// See docs/architecture.md, "What an acknowledgement means"

import { types } from 'node:util'
import { errnoCode } from './fs.ts'

/** The disk failed, and it is unknown which recent writes are durable: acknowledge nothing more, end the process. */
export class DiskFailure extends Error {
  override readonly name = 'DiskFailure'
}

const refusals = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE'])

/** Is the disk full, or has the process too many open files? The operation may succeed later. */
export function isRefusal(error: unknown): boolean {
  return refusals.has(errnoCode(error) ?? '')
}

/** Does the process or the machine have too many open files? */
export function isOutOfDescriptors(error: unknown): boolean {
  const code = errnoCode(error)
  return code === 'EMFILE' || code === 'ENFILE'
}

/** Runs a write or a sync of `path`. @throws a refusal unchanged; {DiskFailure} for every other error */
export function orDiskFailure<Result>(path: string, operation: () => Result): Result {
  try {
    return operation()
  } catch (error) {
    if (isRefusal(error) || error instanceof DiskFailure) throw error
    throw diskFailure(path, error)
  }
}

/** Runs a sync of `path`. @throws {DiskFailure} for every error: after a failed sync it is unknown what is durable */
export function syncOrDie(path: string, sync: () => void): void {
  try {
    sync()
  } catch (error) {
    throw diskFailure(path, error)
  }
}

function diskFailure(path: string, error: unknown): DiskFailure {
  const reason = types.isNativeError(error) ? error.message : String(error)
  return new DiskFailure(`${path}: ${reason}`, { cause: error })
}
