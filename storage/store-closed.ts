// StoreClosed: what is asked of a store after its close, or waits when it comes, fails with it. Any thread.

import { KafkaError } from '../protocol/errors.ts'

/** Clients take its code for a reason to look for the leader and to try again, which is what a stop is. */
export class StoreClosed extends KafkaError {
  constructor() {
    super('KAFKA_STORAGE_ERROR', 'the store is closed')
  }
}
