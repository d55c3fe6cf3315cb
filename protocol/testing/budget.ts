// Budget: how much of what could go on for ever a test does: a quick share by default, all of it with FULL=1, as CI does.
// A file that imports this is one that `npm run test:full` runs. What the shares are: docs/hacking.md, "Two budgets"

import { SEED } from './seed.ts'

const { env } = process

export const isFull = env['FULL'] === '1'

/**
 * Chooses by budget.
 *
 * @param name of a variable in the environment that sets the number itself, for one file: `KILLS=100 node dist/...`
 */
export function budget(quick: number, full: number, name?: string): number {
  const given = name === undefined ? undefined : env[name]
  return given === undefined ? (isFull ? full : quick) : Number(given)
}

/** Of the quick budget one item in `stride`, the seed chooses which; of the full one all. */
export function thinned<Item>(items: readonly Item[], stride: number): readonly Item[] {
  return isFull ? items : items.filter((_item, i) => i % stride === SEED % stride)
}

/** 0 to `count` - 1, thinned. */
export function thinnedSteps(count: number, stride: number): readonly number[] {
  return thinned(
    Array.from({ length: count }, (_, i) => i),
    stride,
  )
}
