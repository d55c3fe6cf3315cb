// The results of a run in a file; and the ratios of them that the baseline keeps, which another machine
// should reproduce.

import { median } from '../report.ts'
import type { Case, Sample } from './case.ts'
import { isMet, isNoisy, ratioOf, type Ratio } from './statistics.ts'

export interface Results {
  readonly machine: Readonly<Record<string, string>>
  readonly rounds: number
  readonly cases: readonly CaseResult[]
}

export interface CaseResult {
  readonly name: string
  readonly title: string
  readonly metrics: Case['metrics']
  /** Cores that other processes kept busy just before. */
  readonly coresOfOthers: number
  readonly settings: readonly SettingResult[]
  readonly ratios: readonly RatioResult[]
}

interface SettingResult {
  readonly name: string
  readonly rounds: readonly Sample[]
  /** By metric. */
  readonly medians: Sample
}

export interface RatioResult extends Ratio {
  readonly metric: string
  readonly of: string
  readonly to: string
  readonly atMost?: number
  readonly atLeast?: number
  /** undefined: no wanted ratio. */
  readonly isMet?: boolean
  readonly isNoisy: boolean
}

/** @param samples of each measured setting, by name, one sample per round */
export function caseResult(
  { name, title, metrics, ratios }: Case,
  samples: ReadonlyMap<string, readonly Sample[]>,
  coresOfOthers: number,
): CaseResult {
  const valuesOf = (setting: string, metric: string) =>
    samples.get(setting)!.map((sample) => sample[metric] ?? NaN)
  const settings = [...samples].map(([name, rounds]) => ({
    name,
    rounds,
    medians: Object.fromEntries(
      metrics.map((metric) => [metric.name, median(valuesOf(name, metric.name))]),
    ),
  }))
  const measured = ratios.filter(({ of, to }) => samples.has(of.name) && samples.has(to.name))
  return {
    name,
    title,
    metrics,
    coresOfOthers,
    settings,
    ratios: measured.map(({ metric, of, to, ...wanted }) => {
      const pair = [valuesOf(of.name, metric), valuesOf(to.name, metric)] as const
      const ratio = ratioOf(...pair)
      const met = isMet(ratio.median, wanted)
      return {
        metric,
        of: of.name,
        to: to.name,
        ...wanted,
        ...ratio,
        ...(met !== undefined && { isMet: met }),
        isNoisy: isNoisy(...pair),
      }
    }),
  }
}

/** Ratios by `case: metric, setting / setting`. */
export type Baseline = Readonly<Record<string, number>>

/** Without noisy ones. */
export function baselineOf({ cases }: Results): Baseline {
  return Object.fromEntries(
    cases.flatMap(({ name, ratios }) =>
      ratios
        .filter(({ isNoisy }) => !isNoisy)
        .map((ratio) => [keyOf(name, ratio), Number(ratio.median.toPrecision(3))]),
    ),
  )
}

const keyOf = (name: string, { metric, of, to }: RatioResult) => `${name}: ${metric}, ${of} / ${to}`

/** The case in a key of the baseline. */
export const caseNameIn = (key: string) => key.split(': ', 1)[0]!

/** Cases of the baseline that these results lack: a server was not installed, or the case failed. */
export function missingIn({ cases }: Results, baseline: Baseline): string[] {
  const found = new Set(
    cases.flatMap(({ name, ratios }) => ratios.map((each) => keyOf(name, each))),
  )
  return Object.keys(baseline).filter((key) => !found.has(key))
}

/** How much worse than the baseline a ratio may be: smaller changes are chance. */
const WORSE_MAX = 1.25

export interface Worse {
  readonly key: string
  readonly was: number
  readonly is: number
}

/** The ratios that have become clearly worse. Ratios that the baseline lacks are not compared. */
export function worseThan(baseline: Baseline, { cases }: Results): Worse[] {
  return cases.flatMap(({ name, metrics, ratios }) =>
    ratios.flatMap((ratio) => {
      const key = keyOf(name, ratio)
      const was = baseline[key]
      const isLessBetter = metrics.find(({ name }) => name === ratio.metric)?.better === 'less'
      if (was === undefined) return []
      const change = isLessBetter ? ratio.median / was : was / ratio.median
      return change <= WORSE_MAX ? [] : [{ key, was, is: ratio.median }]
    }),
  )
}
