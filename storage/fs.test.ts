// The real disk behind storage/fs.ts keeps its promises, on files of a temporary directory.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from '../protocol/testing/tap.ts'
import { VirtualClock } from '../broker/testing/virtual-clock.ts'
import { realFs } from './fs.ts'
import { openStore } from './open-store.ts'
import { appendValues } from './testing/store-kit.ts'

t.test(
  'directories are made with their parents, again without complaint, never where they cannot be',
  async (t) => {
    const root = mkdtempSync(join(tmpdir(), 'millrace-fs-test-'))
    t.teardown(() => rmSync(root, { recursive: true, force: true }))
    const deep = join(root, 'a', 'b', 'c')
    realFs.makeDirectory(deep)
    realFs.makeDirectory(deep)
    t.equal(realFs.stat(deep)?.isDirectory, true)
    writeFileSync(join(root, 'file'), '')
    t.throws(() => realFs.makeDirectory(join(root, 'file')), { code: 'EEXIST' })
    t.throws(() => realFs.makeDirectory(join(root, 'file', 'below')), { code: 'ENOTDIR' })
    if (process.platform === 'linux')
      t.throws(() => realFs.makeDirectory('/proc/nowhere/below'), { code: 'ENOENT' })
  },
)

t.test('what a store makes is for nobody else; what was there stays as it is', async (t) => {
  if (process.platform === 'win32') {
    t.comment('Windows has other permissions')
    return
  }
  const root = mkdtempSync(join(tmpdir(), 'millrace-fs-test-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
  const before = join(root, 'before')
  mkdirSync(before)
  const modeBefore = mode(before)
  for (const dataDir of [join(root, 'parent', 'new'), before]) {
    for (const topic of ['first', 'second']) {
      const store = await openStore({ dataDir, writer: 'inline', clock: new VirtualClock() })
      await store.topics.create({ name: topic, partitionCount: 1, config: {} })
      await appendValues(store, store.logs.get(topic, 0)!, ['x'])
      await store[Symbol.asyncDispose]()
    }
    const entries = readdirSync(dataDir, { recursive: true, withFileTypes: true })
    t.ok(entries.length > 10, `${entries.length} entries`)
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name)
      t.equal(mode(path), entry.isDirectory() ? '700' : '600', path.slice(root.length))
    }
  }
  t.equal(mode(join(root, 'parent', 'new')), '700')
  t.equal(mode(before), modeBefore)
})
