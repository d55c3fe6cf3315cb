// A process that tries for the lock of a directory as often as its parent says, and keeps the lock. Tests only.

import { systemClock } from '../clock.ts'
import { realFs } from '../fs.ts'
import { lockDirectory, type LockDeps } from '../lock.ts'

/** The parent's message: try now. */
export interface LockTries {
  readonly dataDir: string
  readonly kind: NonNullable<LockDeps['kind']>
  readonly count: number
}

/** The answer: how often the lock was taken, and the messages of the refusals. */
export interface LockTried {
  readonly wins: number
  readonly refusals: readonly string[]
}

async function tryLocks({ dataDir, kind, count }: LockTries): Promise<LockTried> {
  const refusals: string[] = []
  const tries = Array.from({ length: count }, () =>
    lockDirectory(dataDir, { fs: realFs, clock: systemClock, kind }).then(
      () => 1,
      (error: Error) => {
        refusals.push(error.message)
        return 0
      },
    ),
  )
  const wins = (await Promise.all(tries)).reduce<number>((sum, win) => sum + win, 0)
  return { wins, refusals }
}

process.on('message', (tries: LockTries) => {
  void tryLocks(tries).then((tried) => process.send!(tried)) // the parent waits for the message
})
process.on('disconnect', () => process.exit())
process.send!('ready')
