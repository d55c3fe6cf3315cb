// LocalClient: performs requests in this process, with a session and without a socket; otherwise like RawClient.
// Tests only.

import { decode } from '../../protocol/compile.ts'
import {
  encodeRequestFrame,
  encodeResponseFrame,
  readRequestHeader,
  readResponseHeader,
  skipHeaderTags,
} from '../../protocol/frame.ts'
import type { Api, RequestInput, RequestOf, ResponseInput } from '../../protocol/schema.ts'
import { Reader } from '../../protocol/wire.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Dispatch } from '../call.ts'
import { unlimitedRoom } from '../unsent.ts'
import type { Session } from '../session.ts'
import type { Question } from './questions.ts'
import { sessionFor } from './session.ts'

export class LocalClient {
  readonly session: Session
  readonly #dispatch: Dispatch
  readonly #clock: Clock

  constructor(dispatch: Dispatch, clock: Clock, session = sessionFor()) {
    this.#dispatch = dispatch
    this.#clock = clock
    this.session = session
  }

  /** @param version default: the newest */
  async perform<A extends Api<any, any>>(
    api: A,
    request: RequestInput<A>,
    version: number = api.versions.to,
  ): Promise<ResponseInput<A>> {
    const exchange = {
      sent: undefined as (() => void)[] | undefined,
      room: unlimitedRoom(this.#clock),
      isLast: false,
    }
    const caller = { session: this.session, exchange, clientId: 'local' }
    const call = this.#dispatch.callOf(api, version, whole(api, version, request), caller)
    const response = await this.#dispatch.perform(call)
    call.work.leave()
    const copied = structuredClone(response) as ResponseInput<A>
    for (const sent of exchange.sent ?? []) sent()
    return copied
  }
}

/** What an in-process caller hears, as a client reads it: with the defaults that encoding fills in. */
export async function answerTo(
  client: LocalClient,
  { api, version, request }: Question,
): Promise<unknown> {
  const response = await client.perform(api, request, version)
  const frame = Buffer.concat(encodeResponseFrame(api, version, 1, response))
  const reader = new Reader(frame.subarray(4))
  readResponseHeader(reader, api, version)
  return decode(api.response, version, reader)
}

/** The request with the defaults that encoding fills in. */
function whole<A extends Api<any, any>>(
  api: A,
  version: number,
  request: RequestInput<A>,
): RequestOf<A> {
  const frame = Buffer.concat(encodeRequestFrame(api, version, 1, 'local', request)).subarray(4)
  const reader = new Reader(frame)
  readRequestHeader(reader)
  skipHeaderTags(reader, api, version)
  return decode(api.request, version, reader) as RequestOf<A>
}
