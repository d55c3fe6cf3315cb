// InitProducerId: gives a producer an id that no other producer has or had, and an epoch.
// Versions: 0-5
// Behaviour: without a transactional id every request gets a new producer id, as in Apache Kafka, also a request that names one
// (KIP-360). With a transactional id the broker fences its earlier producer, and aborts that one's transaction before it
// answers (KIP-98).

import {
  initProducerId,
  type InitProducerIdRequest,
  type InitProducerIdResponse,
} from '../../protocol/api/22_init_producer_id.ts'
import { CLUSTER_NAME } from '../../protocol/acl-codes.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import { denied } from '../auth/permissions.ts'
import { fencedError } from '../fenced.ts'
import type { Handler } from '../handler.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'

const FENCED_VERSION_MIN = 4
const NO_PRODUCER_ID = -1

interface InitProducerIdDeps {
  readonly store: Store
  readonly transactions: TransactionCoordinator
}

export function initProducerIdHandler(deps: InitProducerIdDeps): Handler<typeof initProducerId> {
  return {
    api: initProducerId,
    handle(request, context) {
      const { transactionalId } = request
      if (transactionalId === null) {
        const isAllowed =
          context.allowsAny('Write', 'Topic') || context.allowsOnCluster('IdempotentWrite')
        if (!isAllowed) throw denied('IdempotentWrite', 'Cluster', CLUSTER_NAME)
        return idempotent(deps.store)
      }
      context.require('Write', 'TransactionalId', transactionalId)
      return transactional(deps.transactions, request, transactionalId, context.version)
    },
    refuse: (_request, code) => ({ errorCode: code, producerEpoch: -1 }),
  }
}

async function idempotent(store: Store): Promise<InitProducerIdResponse> {
  return { errorCode: 0, producerId: await store.producerIds.next(), producerEpoch: 0 }
}

async function transactional(
  transactions: TransactionCoordinator,
  { transactionTimeoutMs: timeoutMs, producerId, producerEpoch }: InitProducerIdRequest,
  transactionalId: string,
  version: number,
): Promise<InitProducerIdResponse> {
  const current = producerId === NO_PRODUCER_ID ? null : { producerId, producerEpoch }
  const answer = await transactions.initProducer({ transactionalId, timeoutMs, current })
  if (typeof answer !== 'string') return { errorCode: 0, ...answer }
  return {
    errorCode: errorCode(fencedError(version, FENCED_VERSION_MIN, answer)),
    producerEpoch: -1,
  }
}
