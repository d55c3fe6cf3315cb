// What a handler of one API is, and what it knows of the request that it answers. Types, and the one way to hang up. Network thread.

import type { Permissions } from './auth/permissions.ts'
import type { Api, RequestOf, ResponseInput } from '../protocol/schema.ts'
import type { AnswerRoom } from './net/unsent.ts'
import type { Work } from './net/work.ts'
import type { Session } from './session.ts'

/** What the client may do is asked of the context, too: `context.allows(...)`. */
export interface RequestContext extends Pick<Permissions, keyof Permissions> {
  readonly version: number
  readonly clientId: string | null
  readonly session: Session
  /** For answers that may be large: memory for them is asked for before it is taken. */
  readonly room: AnswerRoom
  /** Its share of the loop: what goes through a list of any length does it by this. */
  readonly work: Work
  /** Calls back once when the last byte of the answer was written, or will never be. */
  whenSent(callback: () => void): void
}

/** One API key: `broker/api/NN_name.ts` exports a function that makes one of its dependencies. */
export interface Handler<A extends Api<any, any> = any> {
  readonly api: A
  /**
   * Requests of this API start while earlier ones of the same kind still run on their connection. What must happen in
   * order, happens before the first `await`. Others wait until the connection is quiet, as in Apache Kafka.
   */
  readonly appends?: boolean
  /**
   * @param request borrowed: byte fields are valid until the first `await`
   * @returns undefined when the client expects no answer
   * @throws {KafkaError} the whole request is refused with that code
   * @throws {Disconnect} the connection is closed
   */
  handle(
    request: RequestOf<A>,
    context: RequestContext,
  ): ResponseInput<A> | undefined | Promise<ResponseInput<A> | undefined>
  /** The answer that says `errorCode` to everything that was asked. */
  refuse(
    request: RequestOf<A>,
    errorCode: number,
    context: RequestContext,
  ): ResponseInput<A> | undefined
  /** The answer, in version 0, to a version that this broker does not know. Without it the connection is closed. */
  refuseVersion?(): ResponseInput<A>
}

/** Thrown when the only answer is to close the connection; the message goes to the log. */
export class Disconnect extends Error {
  override readonly name = 'Disconnect'
}
