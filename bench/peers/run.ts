// A run: the chosen cases one after the other; prints and writes the results of each when it is done.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { floor } from '../append.ts'
import { machine, Unavailable } from '../report.ts'
import type { Case } from './case.ts'
import { barChart } from './chart.ts'
import { javaVersion, kafka } from './kafka.ts'
import { millrace } from './millrace.ts'
import { nats } from './nats.ts'
import { redis } from './redis.ts'
import type { CaseResult, Results } from './results.ts'
import { PeerWorld, runCase } from './rounds.ts'
import { caseMarkdown, digits, resultsMarkdown, verdict } from './table.ts'

export interface RunOptions {
  readonly cases: readonly Case[]
  readonly warmUps: number
  readonly rounds: number
  readonly scale: number
  /** The directory of the servers' data: on the disk that is measured. */
  readonly dir: string
  readonly say: (text: string) => void
  /** Called after each case with all results so far. */
  readonly onResults?: (results: Results) => void
}

export async function run(options: RunOptions): Promise<Results> {
  const { rounds, scale, say } = options
  const dir = mkdtempSync(join(options.dir, 'millrace-peers-'))
  const removeDir = () => rmSync(dir, { recursive: true, force: true })
  process.on('exit', removeDir) // this process may be stopped half-way
  try {
    const facts = { ...machine(dir), ...(await versions()), ...floorFact(dir), scale: `${scale}` }
    for (const [name, value] of Object.entries(facts)) say(`${name.padEnd(12)}${value}`)
    await using world = new PeerWorld(dir, scale)
    const cases: CaseResult[] = []
    const results = { machine: facts, rounds, cases }
    for (const each of options.cases) {
      const result = await resultOf(each, world, options)
      if (result === undefined) continue
      cases.push(result)
      options.onResults?.(results)
    }
    say(verdict(results))
    return results
  } finally {
    process.off('exit', removeDir)
    removeDir()
  }
}

async function resultOf(
  each: Case,
  world: PeerWorld,
  { warmUps, rounds, say }: RunOptions,
): Promise<CaseResult | undefined> {
  say(`\n${each.name}: ${each.title}`)
  try {
    const result = await runCase(each, world, {
      warmUps,
      rounds,
      onSample({ name }, round, sample) {
        const values = each.metrics.map(
          (metric) => `${metric.name} ${digits(sample[metric.name]!)} ${metric.unit}`,
        )
        say(
          `  ${round <= 0 ? 'warm-up' : `round ${round}`}  ${name.padEnd(22)}${values.join('  ')}`,
        )
      },
      onUnavailable: ({ name }, reason) => say(`  without ${name}: ${reason}`),
    })
    say(`\n${caseMarkdown(result)}`)
    return result
  } catch (error) {
    const isMissing = error instanceof Unavailable
    say(isMissing ? `  cannot run here: ${error.message}` : `  failed: ${inspect(error)}`)
    if (!isMissing) process.exitCode = 1
    return undefined
  }
}

async function versions(): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const { kind } of [millrace, kafka, nats, redis]) {
    try {
      found[kind.name] = await kind.version()
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      found[kind.name] = 'not installed'
    }
  }
  const java = /version "([^"]+)"/.exec(await javaVersion().catch(() => ''))?.[1]
  return { ...found, java: java ?? 'none' }
}

/** The cost of writing files on this machine for any server. */
function floorFact(dir: string): Record<string, string> {
  const { title, figures } = floor(join(dir, 'floor'))
  return {
    floor: `${digits(figures[0]!.value)} ${figures[0]!.unit} (${title.replace('floor: ', '')})`,
  }
}

/** `results.json`, `results.md`, and a chart for each metric of each case. */
export function write(results: Results, outDir: string): void {
  mkdirSync(outDir, { recursive: true })
  writeFileSync(join(outDir, 'results.json'), `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(join(outDir, 'results.md'), resultsMarkdown(results))
  for (const each of results.cases) {
    for (const { name } of each.metrics)
      writeFileSync(join(outDir, `${each.name}-${name}.svg`), barChart(each, name))
  }
}
