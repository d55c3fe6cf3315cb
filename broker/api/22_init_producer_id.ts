// InitProducerId: an id that no other producer has or had.
// Versions: 0-5
// Behaviour: every request gets a new id with epoch 0, also one that comes with an id, as in Apache Kafka.
// Not done: transactions: a transactional id is refused with UNSUPPORTED_VERSION.

import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import type { Handler } from '../net/handler.ts'

export function initProducerIdHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof initProducerId> {
  return {
    api: initProducerId,
    async handle({ transactionalId }) {
      if (transactionalId === '')
        throw new KafkaError('INVALID_REQUEST', 'the transactional id is empty')
      if (transactionalId !== null)
        throw new KafkaError('UNSUPPORTED_VERSION', 'there are no transactions yet')
      return { errorCode: 0, producerId: await store.nextProducerId(), producerEpoch: 0 }
    },
    refuse: (_request, code) => ({ errorCode: code, producerEpoch: -1 }),
  }
}
