// Medians, ratios by pairs, and whether they are reliable.

import { median } from '../report.ts'

/** One setting against another: each round is a pair, so that a disturbance of a whole round cancels out. */
export interface Ratio {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** If the ratios of pairs differ by more than this part of their median, the median is noisy. */
const SPREAD_MAX = 0.3

export function ratioOf(values: readonly number[], to: readonly number[]): Ratio {
  const ratios = values.map((value, round) => value / to[round]!)
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) }
}

/** Of five rounds and more it leaves out the least and the greatest, which may be accidents. */
export function isNoisy(values: readonly number[], to: readonly number[]): boolean {
  const ratios = values.map((value, round) => value / to[round]!).toSorted((a, b) => a - b)
  const kept = ratios.length >= 5 ? ratios.slice(1, -1) : ratios
  return !((kept.at(-1)! - kept[0]!) / median(kept) <= SPREAD_MAX)
}

/** @returns undefined without a wanted ratio */
export function isMet(
  ratio: number,
  { atMost, atLeast }: { atMost?: number; atLeast?: number },
): boolean | undefined {
  if (atMost !== undefined) return ratio <= atMost
  if (atLeast !== undefined) return ratio >= atLeast
  return undefined
}
