// A seeded source of chance for tests: the same seed, the same run. Any thread.

export interface Random {
  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number
  /** True with this probability. */
  chance(probability: number): boolean
}

/** mulberry32: 32 bits of state, good enough to shuffle faults. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 0x1_0000_0000
  }
  return {
    below: (limit) => Math.floor(next() * limit),
    chance: (probability) => next() < probability,
  }
}
