// The client's public API: the package export `millrace`.

export {
  Admin,
  type ClusterDescription,
  type CreatedTopic,
  type LogDirDescription,
  type LogStart,
  type NewTopic,
  type OffsetAt,
  type PartitionDescription,
  type TopicDescription,
} from './admin/admin.ts'
export type {
  Acl,
  AclAdmin,
  AclFilter,
  AclOperation,
  AclPatternType,
  AclPermission,
  AclResourceType,
  NewAcl,
} from './admin/acls.ts'
export {
  ConfigAdmin,
  type ConfigChange,
  type ConfigDescription,
  type ConfigEntry,
  type ConfigResource,
  type ConfigSource,
  type ConfigSynonym,
} from './admin/configs.ts'
export {
  GroupAdmin,
  type CommittedOffset,
  type GroupDescription,
  type GroupFilter,
  type GroupLag,
  type GroupListing,
  type GroupMember,
  type GroupState,
  type GroupType,
  type OffsetReset,
  type PartitionLag,
  type ResetOptions,
  type ResetTo,
} from './admin/groups.ts'
export {
  TransactionAdmin,
  type ActiveProducer,
  type HangingTransaction,
  type TransactionDescription,
  type TransactionFilter,
  type TransactionListing,
  type TransactionState,
} from './admin/transactions.ts'
export {
  QuotaAdmin,
  type EntityQuotas,
  type QuotaChange,
  type QuotaEntity,
  type QuotaFilter,
  type Quotas,
} from './admin/quotas.ts'
export {
  UserAdmin,
  type NewPassword,
  type UserCredential,
  type UserDescription,
  type UserMechanism,
  type UserToDelete,
} from './admin/users.ts'
export type { CallOptions } from './call.ts'
export { Client } from './client.ts'
export type { ClientOptions } from './client-options.ts'
export type { Clock, Timer } from './clock.ts'
export type { BrokerNode } from './cluster/cluster.ts'
export type { ClientEvents } from './events.ts'
export type { PerPartition, StartAt, StopAt } from './consumer/bounds.ts'
export {
  Consumer,
  type BatchOptions,
  type ConsumerBatch,
  type ConsumerOptions,
} from './consumer/consumer.ts'
export { GroupConsumer } from './group/group-consumer.ts'
export type { OnError } from './group/failures.ts'
export type {
  GroupBatch,
  GroupConsumerOptions,
  GroupRecord,
  RunOptions,
} from './group/group-options.ts'
export type { CommitOptions } from './group/commits.ts'
export type {
  Assignor,
  GroupAssignment,
  GroupSubscription,
  MemberAssignment,
  MemberSubscription,
  OwnAssignment,
  RebalanceProtocol,
} from './group/assignor.ts'
export type { AssignorName } from './group/assignors.ts'
export type { OffsetToCommit } from './cluster/offset-to-commit.ts'
export type { Logger } from './logger.ts'
export type { OauthToken, SaslOptions } from './net/sasl/options.ts'
export type { Pem, TlsOptions } from './net/tls/options.ts'
export type { PauseOptions, Position } from './consumer/record-stream.ts'
export type { Isolation, PartitionOffset } from './cluster/offsets.ts'
export type { MemberToRemove, RemoveOptions } from './admin/member-removal.ts'
export { PartialError } from './partial-error.ts'
export type { RecordAck } from './producer/batch.ts'
export type { Partitioner } from './producer/partitioner.ts'
export { Producer, type ProducerOptions } from './producer/producer.ts'
export {
  TransactionalProducer,
  type TransactionalProducerOptions,
  type TransactionOptions,
} from './transaction/transactional-producer.ts'
export { Transaction } from './transaction/transaction.ts'
export { msgpack } from './msgpack.ts'
export { bytes, json, orNull, string, type Serde, type StandardSchema } from './serde.ts'
export {
  topic,
  type ConsumerRecord,
  type Headers,
  type HeadersInput,
  type ProducerRecord,
  type RecordOf,
  type Topic,
  type TopicLike,
  type TopicPartition,
  type TopicPattern,
  type TopicSelector,
} from './topic.ts'
export type { Codec } from '../protocol/compression/index.ts'
export { KafkaError, type ErrorName } from '../protocol/errors.ts'
