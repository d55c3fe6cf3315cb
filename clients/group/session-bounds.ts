// Session bounds: explains a coordinator's refusal of a session timeout with the broker's bounds.

import { KafkaError } from '../../protocol/errors.ts'
import { ConfigAdmin } from '../admin/configs.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { findNode } from '../cluster/coordinator-node.ts'

const MIN = 'group.min.session.timeout.ms'
const MAX = 'group.max.session.timeout.ms'

/**
 * @returns INVALID_SESSION_TIMEOUT with the bounds, or with the names of their properties if the broker does not tell
 *   them; any other error unchanged
 */
export async function withSessionBounds(
  error: unknown,
  cluster: Cluster,
  groupId: string,
  sessionTimeoutMs: number,
): Promise<unknown> {
  if (!(error instanceof KafkaError) || error.code !== 'INVALID_SESSION_TIMEOUT') return error
  const bounds = await boundsOf(cluster, groupId).catch(() => 'the broker does not tell which')
  const what =
    `group ${groupId}: sessionTimeoutMs is ${sessionTimeoutMs}, ` +
    `the broker allows ${MIN} to ${MAX}: ${bounds}`
  return new KafkaError(error.code, what, { cause: error })
}

/** A user who may read a group may still not be allowed DescribeConfigs. */
async function boundsOf(cluster: Cluster, groupId: string): Promise<string> {
  const broker = await findNode(cluster, 'group', groupId, cluster.call({}))
  const [described] = await new ConfigAdmin(cluster).describe([{ broker }])
  const valueOf = (name: string) => described!.entries.find((entry) => entry.name === name)!.value!
  return `${valueOf(MIN)} to ${valueOf(MAX)}`
}
