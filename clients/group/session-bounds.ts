// Session bounds: why a coordinator has refused a session timeout, with the bounds that it holds to.

import { KafkaError } from '../../protocol/errors.ts'
import { ConfigAdmin } from '../admin/configs.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { findNode } from '../cluster/coordinator-node.ts'

const MIN = 'group.min.session.timeout.ms'
const MAX = 'group.max.session.timeout.ms'

/** @returns INVALID_SESSION_TIMEOUT with the bounds, or the names of the properties if the broker does not tell; any other error as it is */
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

/** DescribeConfigs may be refused to who may read a group. */
async function boundsOf(cluster: Cluster, groupId: string): Promise<string> {
  const broker = await findNode(cluster, 'group', groupId, cluster.call({}))
  const [described] = await new ConfigAdmin(cluster).describe([{ broker }])
  const valueOf = (name: string) => described!.entries.find((entry) => entry.name === name)!.value!
  return `${valueOf(MIN)} to ${valueOf(MAX)}`
}
