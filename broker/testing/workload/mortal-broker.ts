// A broker that dies and comes back, as clients of a workload know it. Tests only.

import type { Api, RequestInput, ResponseOf } from '../../../protocol/schema.ts'

/** The broker died before it answered. */
export class Gone extends Error {}

export interface MortalBroker {
  /** @param version the newest unless given. @throws {Gone} when it dies first, or is down */
  send<A extends Api<any, any>>(
    api: A,
    request: RequestInput<A>,
    version?: number,
  ): Promise<ResponseOf<A>>
  /** Resolves when it serves. */
  whenUp(): Promise<void>
}
