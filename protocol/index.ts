// The public part of the protocol, as the package exports it: `millrace/protocol`. Any thread.

export * from './api/00_produce.ts'
export * from './api/01_fetch.ts'
export * from './api/02_list_offsets.ts'
export * from './api/03_metadata.ts'
export * from './api/08_offset_commit.ts'
export * from './api/09_offset_fetch.ts'
export * from './api/10_find_coordinator.ts'
export * from './api/11_join_group.ts'
export * from './api/12_heartbeat.ts'
export * from './api/13_leave_group.ts'
export * from './api/14_sync_group.ts'
export * from './api/15_describe_groups.ts'
export * from './api/16_list_groups.ts'
export * from './api/18_api_versions.ts'
export * from './api/19_create_topics.ts'
export * from './api/20_delete_topics.ts'
export * from './api/21_delete_records.ts'
export * from './api/22_init_producer_id.ts'
export * from './api/23_offset_for_leader_epoch.ts'
export * from './api/32_describe_configs.ts'
export * from './api/37_create_partitions.ts'
export * from './api/42_delete_groups.ts'
export * from './api/47_offset_delete.ts'
export * from './api/60_describe_cluster.ts'
export { apiByKey, apis } from './apis.ts'
export { BatchBuilder, type FinishOptions, type NewRecord } from './batch/build.ts'
export * from './batch/control.ts'
export * from './batch/header.ts'
export { batchesOf, recordsOf, type Header, type RecordView } from './batch/record.ts'
export {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type ConsumerAssignment,
  type ConsumerSubscription,
} from './consumer-protocol.ts'
export { decode, encode } from './compile.ts'
export { codecIds, compress, decompress, type Codec } from './compression/index.ts'
export { crc32c } from './crc32c.ts'
export { errorCode, errorName, errors, KafkaError, type ErrorName } from './errors.ts'
export * from './frame.ts'
export { LeaderEpoch, Offset, UUID_ZERO, type Uuid } from './ids.ts'
export { murmur2, partitionFor } from './murmur2.ts'
export type { Api, RequestInput, RequestOf, ResponseInput, ResponseOf } from './schema.ts'
export { Reader, Writer } from './wire.ts'
