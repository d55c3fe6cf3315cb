// RequestMetrics: number, duration and error codes of the requests of each API. Network thread.

import type { Api, Shape } from '../../protocol/schema.ts'
import { errorName } from '../../protocol/errors.ts'
import type { RequestObserver } from '../call.ts'
import { secondsHistogram, type Histogram } from './histogram.ts'

/** Called with every code, 0 for none. @returns whether to go on */
type CountError = (code: number) => boolean
type Visit = (message: any, count: CountError) => boolean

/** The most codes of one response to count: a hostile request gets a million of them. */
const CODES_MAX = 10_000

export interface ApiCounts {
  readonly api: string
  requestCount: number
  readonly seconds: Histogram
  readonly countByError: Map<string, number>
}

export class RequestMetrics implements RequestObserver {
  readonly #byKey = new Map<number, { readonly counts: ApiCounts; readonly visit: Visit }>()

  constructor(apis: readonly Api<any, any>[]) {
    for (const api of apis) {
      const countByError = new Map<string, number>()
      const counts = { api: api.name, requestCount: 0, seconds: secondsHistogram(), countByError }
      this.#byKey.set(api.key, { counts, visit: errorVisitor(api.response.fields) ?? nothing })
    }
  }

  requestDone(apiKey: number, seconds: number, response: unknown): void {
    const { counts, visit } = this.#byKey.get(apiKey)!
    counts.requestCount++
    counts.seconds.observe(seconds)
    if (response !== undefined) visit(response, counterOf(counts))
  }

  *[Symbol.iterator](): Generator<ApiCounts> {
    for (const { counts } of this.#byKey.values()) yield counts
  }
}

function counterOf({ countByError }: ApiCounts): CountError {
  let left = CODES_MAX
  return (code) => {
    if (code !== 0) {
      const name = errorName(code) ?? 'NONE'
      countByError.set(name, (countByError.get(name) ?? 0) + 1)
    }
    return --left > 0
  }
}

function nothing(): boolean {
  return true
}

/** Builds from a message's table a walk over its `errorCode` fields; undefined when it has none. */
function errorVisitor(fields: Shape): Visit | undefined {
  const visits: Visit[] = []
  for (const [name, { type }] of Object.entries(fields)) {
    if (name === 'errorCode') {
      visits.push(({ errorCode }, count) => count(errorCode ?? 0))
    } else if (type.kind === 'array' && type.element.type.kind === 'struct') {
      const visit = errorVisitor(type.element.type.fields)
      if (visit === undefined) continue
      visits.push((message, count) =>
        (message[name] ?? []).every((element: unknown) => visit(element, count)),
      )
    }
  }
  if (visits.length === 0) return undefined
  return (message, count) => visits.every((visit) => visit(message, count))
}
