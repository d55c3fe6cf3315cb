// One request to the controller, sent again if the controller has moved.

import { KafkaError } from '../../protocol/errors.ts'
import type { Api, RequestInput, ResponseOf } from '../../protocol/schema.ts'
import type { Call } from '../call.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { wholeOrPartial } from '../partial-error.ts'

/** @returns the outcome of each item that `outcomesOf` finds in the answer */
export function controllerOutcomes<A extends Api<any, any>, R>(
  cluster: Cluster,
  call: Call,
  api: A,
  request: RequestInput<A>,
  outcomesOf: (response: ResponseOf<A>) => (R | KafkaError)[],
): Promise<(R | KafkaError)[]> {
  return cluster.retrying(call, async () => {
    const outcomes = outcomesOf(await cluster.ask(api, request, 'controller', call))
    const refusals = outcomes.filter((each) => each instanceof KafkaError)
    const moved = refusals.find((each) => each.code === 'NOT_CONTROLLER')
    if (moved === undefined) return outcomes
    cluster.forgetController()
    throw moved
  })
}

/** @throws {PartialError} if any item was refused */
export async function controllerItems<A extends Api<any, any>, R>(
  ...request: Parameters<typeof controllerOutcomes<A, R>>
): Promise<R[]> {
  return wholeOrPartial(await controllerOutcomes(...request))
}
