// One odd question: a request, and the part of its answer that is compared.

import type { RawClient } from '../../../broker/testing/raw-client.ts'
import type { Api, RequestInput, ResponseOf } from '../../../protocol/schema.ts'

/** One request, and the part of its answer that is compared. */
export interface Question {
  readonly what: string
  readonly ask: (client: RawClient) => Promise<unknown>
}

/** In every version of the API. */
export function everyVersion<A extends Api<any, any>>(
  api: A,
  request: RequestInput<A>,
  about = '',
  part: (answer: ResponseOf<A>) => unknown = (answer) => answer,
): Question[] {
  const { from, to } = api.versions
  return Array.from({ length: to - from + 1 }, (_, i) =>
    question(api, request, about, part, from + i),
  )
}

export function question<A extends Api<any, any>>(
  api: A,
  request: RequestInput<A>,
  about = '',
  part: (answer: ResponseOf<A>) => unknown = (answer) => answer,
  version = api.versions.to,
): Question {
  const what = `${api.name} ${version} ${about || JSON.stringify(request)}`
  return { what, ask: async (client) => part(await client.send(api, request, version)) }
}
