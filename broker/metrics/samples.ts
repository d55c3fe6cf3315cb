// Samples: the values of every metric at one moment, by metric. Network thread.

import type { Histogram } from './histogram.ts'
import type { MetricName } from './table.ts'

export type Labels = Readonly<Record<string, string | number>>

export interface Sample {
  /** The metric's name, with the suffix of a part of a histogram. */
  readonly name: string
  readonly value: number
  readonly labels: Labels
}

export class Samples {
  readonly #byMetric = new Map<MetricName, Sample[]>()

  /** @param suffix of a part of a histogram: '_bucket', '_sum', '_count' */
  add(name: MetricName, value: number, labels: Labels = {}, suffix = ''): void {
    const sample = { name: `${name}${suffix}`, value, labels }
    const samples = this.#byMetric.get(name)
    if (samples === undefined) this.#byMetric.set(name, [sample])
    else samples.push(sample)
  }

  addHistogram(name: MetricName, histogram: Histogram, labels?: Labels): void {
    const counts = histogram.cumulativeCounts()
    histogram.bounds.forEach((bound, i) =>
      this.add(name, counts[i]!, { ...labels, le: bound }, '_bucket'),
    )
    const total = counts.at(-1)!
    this.add(name, total, { ...labels, le: '+Inf' }, '_bucket')
    this.add(name, histogram.sum, labels, '_sum')
    this.add(name, total, labels, '_count')
  }

  of(name: MetricName): readonly Sample[] {
    return this.#byMetric.get(name) ?? []
  }
}
