// npm run bench -- --check: measures the ratios of bench/baseline.json again, and reports those that have become worse.

import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { choose } from './cases/index.ts'
import { caseNameIn, missingIn, worseThan, type Baseline } from './results.ts'
import { run } from './run.ts'
import { digits } from './table.ts'

export const baselinePath = fileURLToPath(new URL('../../../bench/baseline.json', import.meta.url))

const WARM_UPS = 2
const ROUNDS = 3

/** @param names of cases; none: all in the baseline. @returns whether no ratio is clearly worse */
export async function check(names: readonly string[]): Promise<boolean> {
  const all = JSON.parse(readFileSync(baselinePath, 'utf8')) as Baseline
  const isAsked = (key: string) => names.length === 0 || names.includes(caseNameIn(key))
  const baseline = Object.fromEntries(Object.entries(all).filter(([key]) => isAsked(key)))
  const kept = new Set(Object.keys(baseline).map(caseNameIn))
  const cases = kept.size === 0 ? undefined : choose([...kept])
  if (cases === undefined) throw new Error('bench/baseline.json has none of these cases')
  const results = await run({
    cases,
    warmUps: WARM_UPS,
    rounds: ROUNDS,
    scale: 1,
    dir: tmpdir(),
    say: console.log,
  })
  const worse = worseThan(baseline, results)
  for (const { key, was, is } of worse)
    console.log(`worse than the baseline: ${key} was ${digits(was)} and is ${digits(is)}`)
  const missing = missingIn(results, baseline)
  for (const key of missing) console.log(`not measured: ${key}`)
  return worse.length === 0 && missing.length === 0
}
