// check: throws the error code of an answer to an administrator.

import { errorName, KafkaError } from '../../protocol/errors.ts'

/** @throws {KafkaError} unless `errorCode` is 0. @param what the request or its subject, for the message */
export function check(errorCode: number, what: string): void {
  const error = errorName(errorCode)
  if (error !== undefined) throw new KafkaError(error, what)
}
