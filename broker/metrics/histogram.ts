// Histogram: counts in buckets of doubling size. An observation costs a few nanoseconds and no garbage. Network
// thread.

export class Histogram {
  /** Upper bounds, ascending; each twice the one before. */
  readonly bounds: readonly number[]
  readonly #counts: Float64Array
  readonly #firstBound: number
  sum = 0

  constructor(firstBound: number, bucketCount: number) {
    this.#firstBound = firstBound
    this.bounds = Array.from({ length: bucketCount }, (_, i) => firstBound * 2 ** i)
    this.#counts = new Float64Array(bucketCount + 1)
  }

  /** @param value at least 0 */
  observe(value: number): void {
    const steps = Math.min(Math.ceil(value / this.#firstBound), 0x7fff_ffff)
    const bucket = steps <= 1 ? 0 : 32 - Math.clz32(steps - 1)
    this.#counts[Math.min(bucket, this.bounds.length)]!++
    this.sum += value
  }

  /** How many values were at most each bound; the last element counts all of them. */
  cumulativeCounts(): number[] {
    let total = 0
    return Array.from(this.#counts, (count) => (total += count))
  }
}

/** 0.25 ms to 8.192 s. */
export function secondsHistogram(): Histogram {
  return new Histogram(0.000_25, 16)
}
