// FindCoordinator: the one node, at the address that Metadata tells.
// Versions: 0-6
// Behaviour: from version 4 on every key has its own outcome.
// Not done: share groups: their keys are refused with INVALID_REQUEST.

import {
  findCoordinator,
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
} from '../../protocol/api/10_find_coordinator.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import type { Handler, RequestContext } from '../handler.ts'

const KEYS_VERSION_MIN = 4
const NOWHERE = { nodeId: -1, host: '', port: -1 }

/** What a key may name: the coordinator of a group, or of a transaction. */
const keyTypes: readonly number[] = [0, 1]

interface FindCoordinatorDeps {
  readonly store: Store
}

export function findCoordinatorHandler({
  store,
}: FindCoordinatorDeps): Handler<typeof findCoordinator> {
  return {
    api: findCoordinator,
    async handle(request, context) {
      const { keyType } = request
      if (!keyTypes.includes(keyType)) {
        throw new KafkaError('INVALID_REQUEST', `there are no coordinators of type ${keyType}`)
      }
      const endpoint = context.session.endpoint
      const found = { nodeId: store.nodeId, ...endpoint, errorCode: 0 }
      return answer(request, context, found)
    },
    refuse({ coordinatorKeys }, code, { version }) {
      const nowhere = { ...NOWHERE, errorCode: code }
      if (version < KEYS_VERSION_MIN) return nowhere
      return { coordinators: coordinatorKeys.map((key) => ({ key, ...nowhere })) }
    },
  }
}

async function answer(
  { coordinatorKeys }: FindCoordinatorRequest,
  { version, work }: RequestContext,
  outcome: { nodeId: number; host: string; port: number; errorCode: number },
): Promise<FindCoordinatorResponse> {
  if (version < KEYS_VERSION_MIN) return outcome
  return { coordinators: await work.each(coordinatorKeys, (key) => ({ key, ...outcome })) }
}
