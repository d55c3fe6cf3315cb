// Handler: answers the requests of one API. RequestContext has everything about a request but its fields. Network thread.

import type { Permissions } from './auth/permissions.ts'
import type { Api, RequestOf, ResponseInput } from '../protocol/schema.ts'
import type { AnswerRoom } from './unsent.ts'
import type { Work } from './work.ts'
import type { Session } from './session.ts'

/** It also decides on permissions: `context.allows('Read', 'Topic', name)`. */
export interface RequestContext extends Omit<Permissions, 'session' | 'work'> {
  readonly version: number
  readonly clientId: string | null
  readonly session: Session
  /** Grants memory for a large answer before the handler takes it. */
  readonly room: AnswerRoom
  /** The request's share of the event loop: a handler walks lists of any length by it. */
  readonly work: Work
  /** Calls back once when the last byte of the answer was written, or will never be. */
  whenSent(callback: () => void): void
  /** For how long its client is kept from sending more, by the quotas that it has exceeded. */
  throttleMs: number
  /** The answer to this request is the last: the connection ends with it. */
  endSession(): void
}

/** One API key: `broker/api/NN_name.ts` exports a function that makes the handler from its dependencies. */
export interface Handler<A extends Api<any, any> = any> {
  readonly api: A
  /**
   * Requests of this API append to logs. Several of them run at the same time on a connection: what must happen in order, their
   * handler does before its first `await`. Requests of other APIs wait until none runs, as in Apache Kafka. And a connection
   * that appends is not read while the writer's inbox is full.
   */
  readonly appends?: boolean
  /**
   * @param request borrowed: byte fields are valid until the first `await`
   * @returns undefined when the client expects no answer
   * @throws {KafkaError} `refuse` answers the whole request with its code
   * @throws {Disconnect} the connection is closed
   */
  handle(
    request: RequestOf<A>,
    context: RequestContext,
  ): ResponseInput<A> | undefined | Promise<ResponseInput<A> | undefined>
  /** The answer with `errorCode` for everything in the request. */
  refuse(
    request: RequestOf<A>,
    errorCode: number,
    context: RequestContext,
  ): ResponseInput<A> | undefined
  /** The answer, in version 0, to an unknown version (KIP-511). Without it the connection is closed. */
  refuseVersion?(): ResponseInput<A>
}
