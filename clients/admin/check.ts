// check: what an answer to an administrator refuses is thrown.

import { errorName, KafkaError } from '../../protocol/errors.ts'

/** @throws {KafkaError} unless `errorCode` is 0. @param what the request, or what it was about */
export function check(errorCode: number, what: string): void {
  const error = errorName(errorCode)
  if (error !== undefined) throw new KafkaError(error, what)
}
