// Exposition: the metrics page in Prometheus' text format, by prom-client. Loaded at the first look. Network thread.

import { Gauge, Registry as Page } from 'prom-client'
import type { Registry } from './registry.ts'
import { Samples } from './samples.ts'
import { metrics, type MetricName } from './table.ts'

/** @returns a function that reads everything and writes the page */
export function exposition(registry: Registry): () => Promise<string> {
  const page = new Page()
  let samples = new Samples()
  for (const name of Object.keys(metrics) as MetricName[]) {
    page.registerMetric(new Counted(name, () => samples))
  }
  return async () => {
    samples = await registry.read()
    return page.metrics()
  }
}

/** A metric of any type whose values are counted elsewhere: all that prom-client asks of one is `get`. */
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
    const type = metrics[this.#name].type as never // the type file has them as an enum that does not exist
    const values = this.#samples()
      .of(this.#name)
      .map(({ name, value, labels }) => ({ metricName: name, value, labels }))
    return { ...(await super.get()), type, values }
  }
}
