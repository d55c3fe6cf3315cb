// A data directory of the first release, whose tables had their own format: msgpack records under text keys, and such
// snapshots. Tests only; written once by that release, by hand.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('../../../broker/testing/old-data.json', import.meta.url))

interface OldData {
  readonly facts: {
    /** The time of writing. */
    readonly atMs: number
    /** It wrote 7 batches of two records to t-0. */
    readonly idempotent: { readonly producerId: number; readonly producerEpoch: number }
    /**
     * Transactional id 'open' (transaction version 1): wrote 'b' to t-1, and committed t-0 at 11 for the group 'eos'.
     */
    readonly open: { readonly producerId: number; readonly producerEpoch: number }
    /**
     * Transactional id 'open 2' (version 2): wrote 'c' and 'd' to t-1, and committed t-0 at 9 for 'simple', which
     * stands at 6.
     */
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
