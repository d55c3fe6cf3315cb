// Exports as the reference shows them: declarations without the compiler's punctuation, docstrings as they are.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from '../protocol/testing/tap.ts'
import { tempDirectory } from '../storage/testing/store-kit.ts'
import { exportsOf } from './declarations.ts'

const DECLARED = `/**
 * Fails when fenced;
 * or, as readonly says: never.
 */
export declare class Writer {
    #private;
    /** Bytes; none at first. */
    readonly sizeBytes?: number | undefined;
    write(bytes: {
        readonly length: number;
    }): void;
}
`

t.test('a declaration is shown without punctuation, its docstring unchanged', async (t) => {
  const entry = join(tempDirectory(t), 'entry.d.ts')
  writeFileSync(entry, DECLARED)
  const [writer, ...others] = exportsOf(pathToFileURL(entry))
  t.same(others, [])
  t.same(writer?.text.split('\n'), [
    '/**',
    ' * Fails when fenced;',
    ' * or, as readonly says: never.',
    ' */',
    'class Writer {',
    '  /** Bytes; none at first. */',
    '  sizeBytes?: number',
    '  write(bytes: {',
    '    length: number',
    '  }): void',
    '}',
  ])
})
