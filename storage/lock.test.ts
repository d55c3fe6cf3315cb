// One owner of a data directory: races between processes and within one, dead owners, and the owner's name in
// messages.

import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from '../protocol/testing/tap.ts'
import { systemClock } from './clock.ts'
import { realFs } from './fs.ts'
import { lockDirectory, OWNER_FILE, TAKEOVER_FILE } from './lock.ts'
import type { LockTried, LockTries } from './testing/lock-child.ts'
import { tempDirectory } from './testing/store-kit.ts'

const PROCESSES = 4
const TRIES_EACH = 25
const KINDS = process.platform === 'linux' ? (['flock', 'file'] as const) : (['file'] as const)

const lock = (dataDir: string, kind: LockTries['kind']) =>
  lockDirectory(dataDir, { fs: realFs, clock: systemClock, kind })

async function startChildren(t: Test): Promise<ChildProcess[]> {
  const children = Array.from({ length: PROCESSES }, () =>
    fork(new URL('testing/lock-child.js', import.meta.url), { execArgv: [] }),
  )
  t.teardown(() => children.forEach((child) => child.kill('SIGKILL')))
  await Promise.all(children.map((child) => once(child, 'message')))
  return children
}

async function race(children: readonly ChildProcess[], tries: LockTries): Promise<LockTried[]> {
  const answers = children.map((child) => once(child, 'message'))
  for (const child of children) child.send(tries)
  return (await Promise.all(answers)).map(([tried]) => tried as LockTried)
}

/** A pid that no process has. */
const deadPid = (): number => spawnSync(process.execPath, ['--version']).pid

t.test(
  'of 100 tries in 4 processes one gets the lock, and all others name its process',
  async (t) => {
    const children = await startChildren(t)
    for (const kind of KINDS) {
      const dataDir = tempDirectory(t)
      const tried = await race(children, { dataDir, kind, count: TRIES_EACH })
      t.strictSame(
        tried.map(({ wins }) => wins).sort((a, b) => a - b),
        [0, 0, 0, 1],
        kind,
      )
      const winner = children[tried.findIndex(({ wins }) => wins === 1)]!
      const refusals = tried.flatMap((each) => each.refusals)
      t.equal(refusals.length, PROCESSES * TRIES_EACH - 1)
      const named = new RegExp(`in use by process ${winner.pid}: stop that one`)
      t.strictSame(
        refusals.filter((message) => !named.test(message)),
        [],
        kind,
      )
    }
  },
)

t.test('a killed owner does not keep the directory, and again one of 100 gets it', async (t) => {
  for (const kind of KINDS) {
    const dataDir = tempDirectory(t)
    const [owner, ...others] = await startChildren(t)
    const [first] = await race([owner!], { dataDir, kind, count: 1 })
    t.equal(first!.wins, 1, kind)
    owner!.kill('SIGKILL')
    await once(owner!, 'exit')
    const tried = await race(others, { dataDir, kind, count: TRIES_EACH })
    t.equal(
      tried.reduce((sum, { wins }) => sum + wins, 0),
      1,
      kind,
    )
  }
})

t.test(
  'a process that has the directory is refused it a second time, and has it again after a release',
  async (t) => {
    for (const kind of KINDS) {
      const dataDir = tempDirectory(t)
      const first = await lock(dataDir, kind)
      await t.rejects(
        lock(dataDir, kind),
        { message: new RegExp(`in use by process ${process.pid}:`) },
        kind,
      )
      first.release()
      const second = await lock(dataDir, kind)
      second.release()
    }
  },
)

t.test('what dead owners left behind, whatever it says, is cleared away', async (t) => {
  const path = (dataDir: string, name: string) => join(dataDir, name)
  const longAgo = new Date(Date.now() - 60_000)
  const leftovers: [what: string, prepare: (dataDir: string) => void][] = [
    ['the pid of a dead process', (dir) => writeFileSync(path(dir, OWNER_FILE), `${dead}\n`)],
    ['our own pid, from before', (dir) => writeFileSync(path(dir, OWNER_FILE), `${process.pid}\n`)],
    [
      'an old file without a pid',
      (dir) => {
        writeFileSync(path(dir, OWNER_FILE), '')
        utimesSync(path(dir, OWNER_FILE), longAgo, longAgo)
      },
    ],
  ]
  const dead = deadPid()
  for (const [what, prepare] of leftovers) {
    const dataDir = tempDirectory(t)
    prepare(dataDir)
    const owner = await lock(dataDir, 'file')
    t.equal(readFileSync(path(dataDir, OWNER_FILE), 'utf8'), `${process.pid}\n`, what)
    t.notOk(existsSync(path(dataDir, TAKEOVER_FILE)), what)
    owner.release()
    t.notOk(existsSync(path(dataDir, OWNER_FILE)), what)
  }

  const dataDir = tempDirectory(t)
  writeFileSync(path(dataDir, OWNER_FILE), `${dead}\n`)
  writeFileSync(path(dataDir, TAKEOVER_FILE), `${dead}\n`)
  utimesSync(path(dataDir, TAKEOVER_FILE), longAgo, longAgo)
  await t.rejects(lock(dataDir, 'file'), /in use/, 'somebody may be clearing it away')
  const owner = await lock(dataDir, 'file')
  owner.release()
  rmSync(dataDir, { recursive: true })
})
