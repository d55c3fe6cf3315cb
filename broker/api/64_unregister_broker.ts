// UnregisterBroker: there is one broker, and it is running.
// Versions: 0
// Behaviour: other ids are not registered. The broker refuses to unregister itself: Apache Kafka takes it for stopped then, and
// a broker that goes on as before must not say that it has left.

import { unregisterBroker } from '../../protocol/api/64_unregister_broker.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import type { Handler } from '../handler.ts'

export function unregisterBrokerHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof unregisterBroker> {
  const refused = (error: ErrorName, errorMessage: string) => {
    return { errorCode: errorCode(error), errorMessage }
  }
  return {
    api: unregisterBroker,
    handle({ brokerId }, context) {
      context.requireOnCluster('Alter')
      if (brokerId !== store.nodeId)
        return refused('BROKER_ID_NOT_REGISTERED', `there is one broker, ${store.nodeId}`)
      return refused('INVALID_REQUEST', `broker ${brokerId} is running: stop it instead`)
    },
    refuse: (_request, code) => ({ errorCode: code }),
  }
}
