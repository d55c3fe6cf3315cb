// npm run bench [-- NAME...] [--json] [--dir DIR]: runs the benches one after the other and prints their figures.
// npm run bench -- --check [NAME...]: compares with the ratios in bench/baseline.json instead, which needs Apache Kafka.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { allocation } from './allocation.ts'
import { append } from './append.ts'
import { batch } from './batch.ts'
import { codec } from './codec.ts'
import { compaction } from './compaction.ts'
import { endToEnd } from './end-to-end.ts'
import { fetching } from './fetch.ts'
import { groups } from './groups.ts'
import { inbox } from './inbox.ts'
import { partitions } from './partitions.ts'
import { bombs } from './bombs.ts'
import { check } from './peers/check.ts'
import { heading, line, machine, Unavailable, type Bench, type Row } from './report.ts'
import { recordCheck } from './record-check.ts'
import { startup } from './startup.ts'
import { tables } from './tables.ts'
import { transactions } from './transactions.ts'

const benches: readonly Bench[] = [
  codec,
  batch,
  inbox,
  startup,
  partitions,
  append,
  recordCheck,
  bombs,
  allocation,
  fetching,
  endToEnd,
  groups,
  transactions,
  tables,
  compaction,
]

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    dir: { type: 'string', default: tmpdir() },
    check: { type: 'boolean', default: false },
  },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
if (flags.check) process.exit((await check(positionals)) ? 0 : 1)
const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name))
if (unknown.length > 0) {
  const known = benches.map(({ name }) => name).join(', ')
  console.error(`no bench named ${unknown.join(', ')}; there are ${known}`)
  process.exit(2)
}
const wanted = benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
/** A table on stdout, or with --json only the JSON. */
const say = (text: string) => flags.json || console.log(text)

const facts = machine(flags.dir)
for (const [name, value] of Object.entries(facts)) say(`${name.padEnd(12)}${value}`)
const results: Record<string, Row[]> = {}
for (const bench of wanted) {
  say(heading(bench))
  const dir = mkdtempSync(join(flags.dir, `millrace-bench-${bench.name}-`))
  try {
    for await (const row of bench.run(dir)) {
      say(line(row))
      ;(results[bench.name] ??= []).push(row)
    }
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    say(`  cannot run here: ${error.message}`)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
if (flags.json) console.log(JSON.stringify({ machine: facts, results }, null, 2))
