// A process that tries for the lock of a directory as often as it is told, and keeps what it gets. Tests only.

import { systemClock } from '../clock.ts'
import { realFs } from '../fs.ts'
import { lockDirectory, type LockDeps } from '../lock.ts'

/** What the parent sends: try now. */
export interface LockTries {
  readonly dataDir: string
  readonly kind: NonNullable<LockDeps['kind']>
  readonly count: number
}

/** What it hears: how often the lock was had, and what the refusals said. */
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
  void tryLocks(tries).then((tried) => process.send!(tried)) // the parent waits for it
})
process.on('disconnect', () => process.exit())
process.send!('ready')
