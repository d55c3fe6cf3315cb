// All cases, in the order in which they run.

import type { Case } from '../case.ts'
import { cliCases } from './cli.ts'
import { clientCases } from './clients.ts'
import { fetchCases } from './fetch.ts'
import { growthCases } from './growth.ts'
import { latencyCases } from './latency.ts'
import { produceCases } from './produce.ts'
import { startupCases } from './startup.ts'
import { tlsCases } from './tls.ts'

const cases: readonly Case[] = [
  ...produceCases,
  ...fetchCases,
  ...latencyCases,
  ...tlsCases,
  ...startupCases,
  ...clientCases,
  ...cliCases,
  ...growthCases,
]

export const caseNames = cases.map(({ name }) => name)

/**
 * @param prefixes names of cases, or prefixes of them: `produce-64k` selects several. None: all short cases
 * @returns undefined if one of them selects no case
 */
export function choose(prefixes: readonly string[]): readonly Case[] | undefined {
  const chooses = (prefix: string, { name }: Case) =>
    caseNames.includes(prefix) ? name === prefix : name.startsWith(prefix)
  if (prefixes.length === 0) return cases.filter(({ isLong }) => isLong === undefined)
  if (prefixes.some((prefix) => !cases.some((each) => chooses(prefix, each)))) return undefined
  return cases.filter((each) => prefixes.some((prefix) => chooses(prefix, each)))
}
