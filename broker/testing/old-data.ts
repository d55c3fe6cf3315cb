// A data directory as the first release left it, whose tables held values of its own: records of msgpack under keys of text,
// and snapshots alike. Tests only; written by that release, by hand, once.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('../../../broker/testing/old-data.json', import.meta.url))

interface OldData {
  readonly facts: {
    /** When it was written. */
    readonly atMs: number
    /** Has written 7 batches of two records to t-0. */
    readonly idempotent: { readonly producerId: number; readonly producerEpoch: number }
    /** Of the transactional id 'open' (TV1): has written 'b' to t-1, and committed t-0 at 11 for the group 'eos'. */
    readonly open: { readonly producerId: number; readonly producerEpoch: number }
    /** Of 'open 2' (TV2): 'c' and 'd' to t-1, and t-0 at 9 for 'simple', which stands at 6. */
    readonly open2: { readonly producerId: number; readonly producerEpoch: number }
  }
  readonly files: Record<string, string>
}

export function oldData(t: { teardown(step: () => void): void }) {
  const { facts, files } = JSON.parse(readFileSync(file, 'utf8')) as OldData
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-old-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dataDir, name)), { recursive: true })
    writeFileSync(join(dataDir, name), Buffer.from(content, 'base64'))
  }
  return { dataDir, facts }
}
