// What the disk says no to, told apart: no room (refuse, go on) or failing (stop). Any thread.
// See docs/architecture.md, "What an acknowledgement means"

import { types } from 'node:util'
import { errnoCode } from './fs.ts'

/** The disk failed in a way after which nothing that was not durable before is known: acknowledge nothing more, end the process. */
export class DiskFailure extends Error {
  override readonly name = 'DiskFailure'
}

const refusals = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE'])

/** Is the disk well, but out of room or the process out of descriptors? The same may succeed later. */
export function isRefusal(error: unknown): boolean {
  return refusals.has(errnoCode(error) ?? '')
}

/** May no further file be opened, by this process or on this machine? */
export function isOutOfDescriptors(error: unknown): boolean {
  const code = errnoCode(error)
  return code === 'EMFILE' || code === 'ENFILE'
}

/** Runs a write or a sync of `path`. @throws the refusal as it is; {DiskFailure} for everything else */
export function orDiskFailure<Result>(path: string, operation: () => Result): Result {
  try {
    return operation()
  } catch (error) {
    if (isRefusal(error) || error instanceof DiskFailure) throw error
    throw diskFailure(path, error)
  }
}

/** Runs a sync of `path`. @throws {DiskFailure} whatever the reason: after a failed sync nothing is known */
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
