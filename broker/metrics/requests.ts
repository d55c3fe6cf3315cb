// RequestMetrics: how many requests of each API, how long they took, which error codes they got. Network thread.

import type { Api, Shape } from '../../protocol/schema.ts'
import { errorName } from '../../protocol/errors.ts'
import type { RequestObserver } from '../net/dispatch.ts'
import { secondsHistogram, type Histogram } from './histogram.ts'

type CountError = (code: number) => void
type Visit = (message: any, count: CountError) => void

export interface ApiCounts {
  readonly api: string
  requestCount: number
  readonly seconds: Histogram
  readonly countByError: Map<string, number>
}

export class RequestMetrics implements RequestObserver {
  readonly #byKey = new Map<
    number,
    { readonly counts: ApiCounts; readonly visit: Visit; readonly count: CountError }
  >()

  constructor(apis: readonly Api<any, any>[]) {
    for (const api of apis) {
      const countByError = new Map<string, number>()
      const counts = { api: api.name, requestCount: 0, seconds: secondsHistogram(), countByError }
      const count: CountError = (code) => {
        const name = errorName(code) ?? 'NONE'
        countByError.set(name, (countByError.get(name) ?? 0) + 1)
      }
      this.#byKey.set(api.key, {
        counts,
        visit: errorVisitor(api.response.fields) ?? ignore,
        count,
      })
    }
  }

  requestDone(apiKey: number, seconds: number, response: unknown): void {
    const { counts, visit, count } = this.#byKey.get(apiKey)!
    counts.requestCount++
    counts.seconds.observe(seconds)
    if (response !== undefined) visit(response, count)
  }

  *[Symbol.iterator](): Generator<ApiCounts> {
    for (const { counts } of this.#byKey.values()) yield counts
  }
}

function ignore(): void {}

/** A walk over every `errorCode` of a message, made from its table; undefined when it has none. */
function errorVisitor(fields: Shape): Visit | undefined {
  const visits: Visit[] = []
  for (const [name, { type }] of Object.entries(fields)) {
    if (name === 'errorCode') {
      visits.push(({ errorCode }, count) => {
        if (errorCode !== 0 && errorCode !== undefined) count(errorCode)
      })
    } else if (type.kind === 'array' && type.element.type.kind === 'struct') {
      const visit = errorVisitor(type.element.type.fields)
      if (visit === undefined) continue
      visits.push((message, count) => {
        for (const element of message[name] ?? []) visit(element, count)
      })
    }
  }
  if (visits.length === 0) return undefined
  return (message, count) => {
    for (const visit of visits) visit(message, count)
  }
}
