// StoreClosed: the error of requests to a closed store, and of those that wait when it closes. Any thread.

import { KafkaError } from '../protocol/errors.ts'

/** On its code clients look for the leader and try again, as they should after a stop. */
export class StoreClosed extends KafkaError {
  constructor() {
    super('KAFKA_STORAGE_ERROR', 'the store is closed')
  }
}
