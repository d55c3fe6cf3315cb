// A broker that dies and restarts, as clients of a workload see it. Tests only.

import type { Api, RequestInput, ResponseOf } from '../../../protocol/schema.ts'

/** The broker died before it answered. */
export class Gone extends Error {}

export interface MortalBroker {
  /** @param version default: the newest. @throws {Gone} when the broker dies first, or is down */
  send<A extends Api<any, any>>(
    api: A,
    request: RequestInput<A>,
    version?: number,
  ): Promise<ResponseOf<A>>
  /** Resolves when the broker serves. */
  whenUp(): Promise<void>
}
