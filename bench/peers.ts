// npm run bench:peers [-- NAME...]: side by side with Apache Kafka, and with NATS and Redis if they are installed.
// How to read and repeat it: docs/guide/performance.md

import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { caseNames, choose } from './peers/cases/index.ts'
import { baselineOf, type Results } from './peers/results.ts'
import { run, write } from './peers/run.ts'
import { readmeMarkdown } from './peers/table.ts'
import { baselinePath } from './peers/check.ts'

const USAGE = `npm run bench:peers [-- NAME...] [options]

  NAME             cases whose names begin so; without one all that do not take long
  --rounds N       rounds that count (5)
  --warm-ups N     rounds before them (2)
  --scale X        amounts and times in proportion (1)
  --dir DIR        where the servers keep their data (${tmpdir()})
  --out DIR        for results.json, results.md and charts (bench-results)
  --list           names of the cases
  --readme         prints the README's table from DIR/results.json, and runs nothing
  --save-baseline  writes the ratios in DIR/results.json to bench/baseline.json, and runs nothing`

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    'warm-ups': { type: 'string', default: '2' },
    scale: { type: 'string', default: '1' },
    dir: { type: 'string', default: tmpdir() },
    out: { type: 'string', default: 'bench-results' },
    list: { type: 'boolean', default: false },
    readme: { type: 'boolean', default: false },
    'save-baseline': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const saved = () => JSON.parse(readFileSync(join(flags.out, 'results.json'), 'utf8')) as Results

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
if (flags.help) console.log(USAGE)
else if (flags.list) console.log(caseNames.join('\n'))
else if (flags.readme) console.log(readmeMarkdown(saved()))
else if (flags['save-baseline'])
  writeFileSync(baselinePath, `${JSON.stringify(baselineOf(saved()), null, 2)}\n`)
else await measure()

async function measure(): Promise<void> {
  const cases = choose(positionals)
  const rounds = Number(flags.rounds)
  const warmUps = Number(flags['warm-ups'])
  const scale = Number(flags.scale)
  if (cases === undefined || !(rounds >= 1) || !(warmUps >= 0) || !(scale > 0)) {
    console.error(cases === undefined ? `${USAGE}\n\nCases:\n${caseNames.join('\n')}` : USAGE)
    process.exit(2)
  }
  await run({
    cases,
    warmUps,
    rounds,
    scale,
    dir: flags.dir,
    say: console.log,
    onResults: (results) => write(results, flags.out),
  })
  console.log(`written to ${flags.out}`)
}
