// Exposition: the metrics page in Prometheus' text format, by prom-client. Loaded at the first request for it.
// Network thread.

import { Gauge, Registry as Page } from 'prom-client'
import type { Registry } from './registry.ts'
import { Samples } from './samples.ts'
import { metrics, type MetricName } from './table.ts'

/** @returns a function that reads all metrics and writes the page; concurrent callers get the same page */
export function exposition(registry: Registry): () => Promise<string> {
  const page = new Page()
  let samples = new Samples()
  const names = Object.keys(metrics) as MetricName[]
  for (const name of names) page.registerMetric(new Counted(name, () => samples))
  const write = async () => {
    samples = await registry.read()
    const texts: string[] = []
    for (const name of names) {
      texts.push(await page.getSingleMetricAsString(name))
      await new Promise(setImmediate) // thousands of partitions take milliseconds per metric
    }
    return `${texts.join('\n\n')}\n`
  }
  let writing: Promise<string> | undefined
  return () => (writing ??= write().finally(() => (writing = undefined)))
}

/** A metric of any type with values from elsewhere: prom-client only calls its `get`. */
class Counted extends Gauge {
  readonly #name: MetricName
  readonly #samples: () => Samples

  constructor(name: MetricName, samples: () => Samples) {
    const { help, labels: labelNames } = metrics[name]
    super({ name, help, labelNames, registers: [] })
    this.#name = name
    this.#samples = samples
  }

  override async get(): ReturnType<Gauge['get']> {
    const type = metrics[this.#name].type as never // the declarations name an enum that does not exist
    const values = this.#samples()
      .of(this.#name)
      .map(({ name, value, labels }) => ({ metricName: name, value, labels }))
    return { ...(await super.get()), type, values }
  }
}
