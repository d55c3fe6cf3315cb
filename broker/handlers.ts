// The handlers of all served APIs, in order of key, each made from its dependencies. ApiVersions is missing here,
// because it lists the others.

import { produceHandler } from './api/00_produce.ts'
import { fetchHandler } from './api/01_fetch.ts'
import { listOffsetsHandler } from './api/02_list_offsets.ts'
import { metadataHandler } from './api/03_metadata.ts'
import { offsetCommitHandler } from './api/08_offset_commit.ts'
import { offsetFetchHandler } from './api/09_offset_fetch.ts'
import { findCoordinatorHandler } from './api/10_find_coordinator.ts'
import { joinGroupHandler } from './api/11_join_group.ts'
import { heartbeatHandler } from './api/12_heartbeat.ts'
import { leaveGroupHandler } from './api/13_leave_group.ts'
import { syncGroupHandler } from './api/14_sync_group.ts'
import { describeGroupsHandler } from './api/15_describe_groups.ts'
import { listGroupsHandler } from './api/16_list_groups.ts'
import { saslHandshakeHandler } from './api/17_sasl_handshake.ts'
import { createTopicsHandler } from './api/19_create_topics.ts'
import { deleteTopicsHandler } from './api/20_delete_topics.ts'
import { deleteRecordsHandler } from './api/21_delete_records.ts'
import { initProducerIdHandler } from './api/22_init_producer_id.ts'
import { offsetForLeaderEpochHandler } from './api/23_offset_for_leader_epoch.ts'
import { addPartitionsToTxnHandler } from './api/24_add_partitions_to_txn.ts'
import { addOffsetsToTxnHandler } from './api/25_add_offsets_to_txn.ts'
import { endTxnHandler } from './api/26_end_txn.ts'
import { writeTxnMarkersHandler } from './api/27_write_txn_markers.ts'
import { txnOffsetCommitHandler } from './api/28_txn_offset_commit.ts'
import { describeAclsHandler } from './api/29_describe_acls.ts'
import { createAclsHandler } from './api/30_create_acls.ts'
import { deleteAclsHandler } from './api/31_delete_acls.ts'
import { describeConfigsHandler } from './api/32_describe_configs.ts'
import { alterConfigsHandler } from './api/33_alter_configs.ts'
import { alterReplicaLogDirsHandler } from './api/34_alter_replica_log_dirs.ts'
import { describeLogDirsHandler } from './api/35_describe_log_dirs.ts'
import { saslAuthenticateHandler } from './api/36_sasl_authenticate.ts'
import { createPartitionsHandler } from './api/37_create_partitions.ts'
import { createDelegationTokenHandler } from './api/38_create_delegation_token.ts'
import { renewDelegationTokenHandler } from './api/39_renew_delegation_token.ts'
import { expireDelegationTokenHandler } from './api/40_expire_delegation_token.ts'
import { describeDelegationTokenHandler } from './api/41_describe_delegation_token.ts'
import { deleteGroupsHandler } from './api/42_delete_groups.ts'
import { electLeadersHandler } from './api/43_elect_leaders.ts'
import { incrementalAlterConfigsHandler } from './api/44_incremental_alter_configs.ts'
import { alterPartitionReassignmentsHandler } from './api/45_alter_partition_reassignments.ts'
import { listPartitionReassignmentsHandler } from './api/46_list_partition_reassignments.ts'
import { offsetDeleteHandler } from './api/47_offset_delete.ts'
import { describeClientQuotasHandler } from './api/48_describe_client_quotas.ts'
import { alterClientQuotasHandler } from './api/49_alter_client_quotas.ts'
import { describeUserScramCredentialsHandler } from './api/50_describe_user_scram_credentials.ts'
import { alterUserScramCredentialsHandler } from './api/51_alter_user_scram_credentials.ts'
import { describeQuorumHandler } from './api/55_describe_quorum.ts'
import { updateFeaturesHandler } from './api/57_update_features.ts'
import { describeClusterHandler } from './api/60_describe_cluster.ts'
import { describeProducersHandler } from './api/61_describe_producers.ts'
import { unregisterBrokerHandler } from './api/64_unregister_broker.ts'
import { describeTransactionsHandler } from './api/65_describe_transactions.ts'
import { listTransactionsHandler } from './api/66_list_transactions.ts'
import { listConfigResourcesHandler } from './api/74_list_config_resources.ts'
import { describeTopicPartitionsHandler } from './api/75_describe_topic_partitions.ts'

export const handlerMakers = [
  produceHandler,
  fetchHandler,
  listOffsetsHandler,
  metadataHandler,
  offsetCommitHandler,
  offsetFetchHandler,
  findCoordinatorHandler,
  joinGroupHandler,
  heartbeatHandler,
  leaveGroupHandler,
  syncGroupHandler,
  describeGroupsHandler,
  listGroupsHandler,
  saslHandshakeHandler,
  createTopicsHandler,
  deleteTopicsHandler,
  deleteRecordsHandler,
  initProducerIdHandler,
  offsetForLeaderEpochHandler,
  addPartitionsToTxnHandler,
  addOffsetsToTxnHandler,
  endTxnHandler,
  writeTxnMarkersHandler,
  txnOffsetCommitHandler,
  describeAclsHandler,
  createAclsHandler,
  deleteAclsHandler,
  describeConfigsHandler,
  alterConfigsHandler,
  alterReplicaLogDirsHandler,
  describeLogDirsHandler,
  saslAuthenticateHandler,
  createPartitionsHandler,
  createDelegationTokenHandler,
  renewDelegationTokenHandler,
  expireDelegationTokenHandler,
  describeDelegationTokenHandler,
  deleteGroupsHandler,
  electLeadersHandler,
  incrementalAlterConfigsHandler,
  alterPartitionReassignmentsHandler,
  listPartitionReassignmentsHandler,
  offsetDeleteHandler,
  describeClientQuotasHandler,
  alterClientQuotasHandler,
  describeUserScramCredentialsHandler,
  alterUserScramCredentialsHandler,
  describeQuorumHandler,
  updateFeaturesHandler,
  describeClusterHandler,
  describeProducersHandler,
  unregisterBrokerHandler,
  describeTransactionsHandler,
  listTransactionsHandler,
  listConfigResourcesHandler,
  describeTopicPartitionsHandler,
]
