// Every API that has a table. A broker advertises the APIs that it has handlers for, not these lists. Any thread.

import { produce } from './api/00_produce.ts'
import { fetch } from './api/01_fetch.ts'
import { listOffsets } from './api/02_list_offsets.ts'
import { metadata } from './api/03_metadata.ts'
import { offsetCommit } from './api/08_offset_commit.ts'
import { offsetFetch } from './api/09_offset_fetch.ts'
import { findCoordinator } from './api/10_find_coordinator.ts'
import { joinGroup } from './api/11_join_group.ts'
import { heartbeat } from './api/12_heartbeat.ts'
import { leaveGroup } from './api/13_leave_group.ts'
import { syncGroup } from './api/14_sync_group.ts'
import { describeGroups } from './api/15_describe_groups.ts'
import { listGroups } from './api/16_list_groups.ts'
import { saslHandshake } from './api/17_sasl_handshake.ts'
import { apiVersions } from './api/18_api_versions.ts'
import { createTopics } from './api/19_create_topics.ts'
import { deleteTopics } from './api/20_delete_topics.ts'
import { deleteRecords } from './api/21_delete_records.ts'
import { initProducerId } from './api/22_init_producer_id.ts'
import { offsetForLeaderEpoch } from './api/23_offset_for_leader_epoch.ts'
import { addPartitionsToTxn } from './api/24_add_partitions_to_txn.ts'
import { addOffsetsToTxn } from './api/25_add_offsets_to_txn.ts'
import { endTxn } from './api/26_end_txn.ts'
import { writeTxnMarkers } from './api/27_write_txn_markers.ts'
import { txnOffsetCommit } from './api/28_txn_offset_commit.ts'
import { describeAcls } from './api/29_describe_acls.ts'
import { createAcls } from './api/30_create_acls.ts'
import { deleteAcls } from './api/31_delete_acls.ts'
import { describeConfigs } from './api/32_describe_configs.ts'
import { alterConfigs } from './api/33_alter_configs.ts'
import { alterReplicaLogDirs } from './api/34_alter_replica_log_dirs.ts'
import { describeLogDirs } from './api/35_describe_log_dirs.ts'
import { saslAuthenticate } from './api/36_sasl_authenticate.ts'
import { createPartitions } from './api/37_create_partitions.ts'
import { createDelegationToken } from './api/38_create_delegation_token.ts'
import { renewDelegationToken } from './api/39_renew_delegation_token.ts'
import { expireDelegationToken } from './api/40_expire_delegation_token.ts'
import { describeDelegationToken } from './api/41_describe_delegation_token.ts'
import { deleteGroups } from './api/42_delete_groups.ts'
import { electLeaders } from './api/43_elect_leaders.ts'
import { incrementalAlterConfigs } from './api/44_incremental_alter_configs.ts'
import { alterPartitionReassignments } from './api/45_alter_partition_reassignments.ts'
import { listPartitionReassignments } from './api/46_list_partition_reassignments.ts'
import { offsetDelete } from './api/47_offset_delete.ts'
import { describeClientQuotas } from './api/48_describe_client_quotas.ts'
import { alterClientQuotas } from './api/49_alter_client_quotas.ts'
import { describeUserScramCredentials } from './api/50_describe_user_scram_credentials.ts'
import { alterUserScramCredentials } from './api/51_alter_user_scram_credentials.ts'
import { describeQuorum } from './api/55_describe_quorum.ts'
import { updateFeatures } from './api/57_update_features.ts'
import { describeCluster } from './api/60_describe_cluster.ts'
import { describeProducers } from './api/61_describe_producers.ts'
import { unregisterBroker } from './api/64_unregister_broker.ts'
import { describeTransactions } from './api/65_describe_transactions.ts'
import { listTransactions } from './api/66_list_transactions.ts'
import { listConfigResources } from './api/74_list_config_resources.ts'
import { describeTopicPartitions } from './api/75_describe_topic_partitions.ts'
import type { Api } from './schema.ts'

/** The APIs that the broker serves, sorted by key. */
export const apis: readonly Api[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  saslHandshake,
  apiVersions,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
  addPartitionsToTxn,
  addOffsetsToTxn,
  endTxn,
  writeTxnMarkers,
  txnOffsetCommit,
  describeAcls,
  createAcls,
  deleteAcls,
  describeConfigs,
  alterConfigs,
  alterReplicaLogDirs,
  describeLogDirs,
  saslAuthenticate,
  createPartitions,
  createDelegationToken,
  renewDelegationToken,
  expireDelegationToken,
  describeDelegationToken,
  deleteGroups,
  electLeaders,
  incrementalAlterConfigs,
  alterPartitionReassignments,
  listPartitionReassignments,
  offsetDelete,
  describeClientQuotas,
  alterClientQuotas,
  describeUserScramCredentials,
  alterUserScramCredentials,
  describeQuorum,
  updateFeatures,
  describeCluster,
  describeProducers,
  unregisterBroker,
  describeTransactions,
  listTransactions,
  listConfigResources,
  describeTopicPartitions,
]

const byKey = new Map(apis.map((api) => [api.key, api]))

/** @returns undefined for a key that has no table */
export function apiByKey(key: number): Api | undefined {
  return byKey.get(key)
}
