// reasonOf: a KafkaError's message as part of another one.

import type { KafkaError } from '../protocol/errors.ts'

/** @returns the message without the code that begins it */
export function reasonOf({ code, message }: KafkaError): string {
  return message.slice(code.length + ': '.length)
}
