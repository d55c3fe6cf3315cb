// The real disk behind storage/fs.ts: what it promises, on files of a temporary directory.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { realFs } from './fs.ts'

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
