// FindCoordinator: this node, at the address that Metadata answers.
// Versions: 0-6
// Behaviour: from version 4 on a request names several keys (KIP-699), each with its own outcome.
// Not done: keys of share groups are refused with INVALID_REQUEST.

import { findCoordinator } from '../../protocol/api/10_find_coordinator.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import { resourceTypes, type ResourceType } from '../auth/resources.ts'
import type { Handler } from '../handler.ts'

const KEYS_VERSION_MIN = 4

/** What the key of each key type names. */
const keyTypes: readonly ResourceType[] = ['Group', 'TransactionalId']

interface FindCoordinatorDeps {
  readonly store: Store
}

export function findCoordinatorHandler({
  store,
}: FindCoordinatorDeps): Handler<typeof findCoordinator> {
  return {
    api: findCoordinator,
    async handle(request, context) {
      const { key, keyType, coordinatorKeys } = request
      const resourceType = keyTypes[keyType]
      if (resourceType === undefined) {
        throw new KafkaError('INVALID_REQUEST', `there are no coordinators of type ${keyType}`)
      }
      const endpoint = context.session.endpoint
      const found = { nodeId: store.nodeId, ...endpoint, errorCode: 0 }
      const { denied } = resourceTypes[resourceType]
      const answerFor = (asked: string): Place =>
        context.allows('Describe', resourceType, asked) ? found : nowhere(errorCode(denied))
      if (context.version < KEYS_VERSION_MIN) return answerFor(key)
      const coordinators = await context.work.each(coordinatorKeys, (asked) => {
        return { key: asked, ...answerFor(asked) }
      })
      return { coordinators }
    },
    refuse({ coordinatorKeys }, code, { version }) {
      if (version < KEYS_VERSION_MIN) return nowhere(code)
      return { coordinators: coordinatorKeys.map((key) => ({ key, ...nowhere(code) })) }
    },
  }
}

interface Place {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly errorCode: number
}

function nowhere(code: number): Place {
  return { nodeId: -1, host: '', port: -1, errorCode: code }
}
