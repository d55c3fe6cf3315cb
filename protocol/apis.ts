// Every API that has a table, sorted by key. What a broker advertises depends on its handlers, not on this list.

import { produce } from './api/00_produce.ts'
import { fetch } from './api/01_fetch.ts'
import { listOffsets } from './api/02_list_offsets.ts'
import { metadata } from './api/03_metadata.ts'
import { apiVersions } from './api/18_api_versions.ts'
import { createTopics } from './api/19_create_topics.ts'
import { deleteTopics } from './api/20_delete_topics.ts'
import { deleteRecords } from './api/21_delete_records.ts'
import { initProducerId } from './api/22_init_producer_id.ts'
import { offsetForLeaderEpoch } from './api/23_offset_for_leader_epoch.ts'
import { describeConfigs } from './api/32_describe_configs.ts'
import { createPartitions } from './api/37_create_partitions.ts'
import { describeCluster } from './api/60_describe_cluster.ts'
import type { Api } from './schema.ts'

export const apis: readonly Api[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  apiVersions,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
  describeConfigs,
  createPartitions,
  describeCluster,
]

const byKey = new Map(apis.map((api) => [api.key, api]))

/** @returns undefined for a key that has no table */
export function apiByKey(key: number): Api | undefined {
  return byKey.get(key)
}
