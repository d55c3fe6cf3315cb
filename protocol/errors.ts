// Kafka's error codes, and the one error class for errors that a client gets. Any thread.
// Source: Kafka's protocol guide, "Error codes". docs/reference/errors.md is generated from this table.

/** Name -> [code, retriable: clients retry the same request by themselves, meaning]. */
export const errors = {
  UNKNOWN_SERVER_ERROR: [-1, false, 'an error inside the broker'],
  OFFSET_OUT_OF_RANGE: [1, false, 'the offset is before the log start or after its end'],
  CORRUPT_MESSAGE: [2, true, 'a batch whose CRC or size is wrong'],
  UNKNOWN_TOPIC_OR_PARTITION: [3, true, 'no such topic or partition here'],
  INVALID_FETCH_SIZE: [4, false, 'the fetch size is wrong'],
  LEADER_NOT_AVAILABLE: [5, true, 'the partition is being created'],
  NOT_LEADER_OR_FOLLOWER: [6, true, 'the log is closing or moving'],
  REQUEST_TIMED_OUT: [7, true, 'the request took longer than its timeout'],
  BROKER_NOT_AVAILABLE: [8, false, 'the broker is not available'],
  REPLICA_NOT_AVAILABLE: [9, true, 'the replica is not available'],
  MESSAGE_TOO_LARGE: [10, false, 'the batch is larger than max.message.bytes'],
  OFFSET_METADATA_TOO_LARGE: [
    12,
    false,
    'commit metadata is longer than offset.metadata.max.bytes',
  ],
  NETWORK_EXCEPTION: [13, true, 'the connection was lost before the answer came'],
  COORDINATOR_LOAD_IN_PROGRESS: [14, true, 'the coordinator is starting'],
  COORDINATOR_NOT_AVAILABLE: [15, true, 'the coordinator is stopping'],
  NOT_COORDINATOR: [16, true, 'another broker coordinates this group'],
  INVALID_TOPIC_EXCEPTION: [17, false, 'the topic name is not allowed'],
  RECORD_LIST_TOO_LARGE: [18, false, 'the batch is larger than a segment'],
  NOT_ENOUGH_REPLICAS: [19, true, 'fewer replicas in sync than min.insync.replicas'],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: [20, true, 'written, but to fewer replicas than required'],
  INVALID_REQUIRED_ACKS: [21, false, 'acks is neither 0, 1 nor -1'],
  ILLEGAL_GENERATION: [22, false, 'the generation is not the current one: rejoin'],
  INCONSISTENT_GROUP_PROTOCOL: [23, false, 'no protocol in common with the group'],
  INVALID_GROUP_ID: [24, false, 'the group id is not allowed'],
  UNKNOWN_MEMBER_ID: [25, false, 'the group does not know this member: rejoin'],
  INVALID_SESSION_TIMEOUT: [26, false, 'the session timeout is out of the allowed range'],
  REBALANCE_IN_PROGRESS: [27, false, 'the group is rebalancing: rejoin'],
  INVALID_COMMIT_OFFSET_SIZE: [28, false, 'the commit is too large'],
  TOPIC_AUTHORIZATION_FAILED: [29, false, 'not authorised for the topic'],
  GROUP_AUTHORIZATION_FAILED: [30, false, 'not authorised for the group'],
  CLUSTER_AUTHORIZATION_FAILED: [31, false, 'not authorised for the cluster'],
  INVALID_TIMESTAMP: [32, false, 'a record timestamp is out of the allowed range'],
  UNSUPPORTED_SASL_MECHANISM: [33, false, 'the SASL mechanism is not enabled'],
  ILLEGAL_SASL_STATE: [34, false, 'the request is not allowed in this state of authentication'],
  UNSUPPORTED_VERSION: [35, false, 'the version of the request is not supported'],
  TOPIC_ALREADY_EXISTS: [36, false, 'a topic of this name exists'],
  INVALID_PARTITIONS: [37, false, 'the number of partitions is not allowed'],
  INVALID_REPLICATION_FACTOR: [
    38,
    false,
    'the replication factor is larger than the number of brokers',
  ],
  INVALID_REPLICA_ASSIGNMENT: [39, false, 'the replica assignment is not allowed'],
  INVALID_CONFIG: [40, false, 'a configuration value is not allowed'],
  NOT_CONTROLLER: [41, true, 'this broker is not the controller'],
  INVALID_REQUEST: [42, false, 'the request is malformed or contradicts itself'],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [43, false, 'the message format does not support this'],
  POLICY_VIOLATION: [44, false, 'the request violates a policy'],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [45, false, 'a gap in the sequence of an idempotent producer'],
  DUPLICATE_SEQUENCE_NUMBER: [46, false, 'the batch was already written'],
  INVALID_PRODUCER_EPOCH: [47, false, 'the producer was fenced by a newer one'],
  INVALID_TXN_STATE: [48, false, 'not allowed in this state of the transaction'],
  INVALID_PRODUCER_ID_MAPPING: [
    49,
    false,
    'the producer id does not belong to the transactional id',
  ],
  INVALID_TRANSACTION_TIMEOUT: [50, false, 'the transaction timeout is out of the allowed range'],
  CONCURRENT_TRANSACTIONS: [51, true, 'the previous transaction is still being finished'],
  TRANSACTION_COORDINATOR_FENCED: [52, false, 'the coordinator was replaced'],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: [53, false, 'not authorised for the transactional id'],
  SECURITY_DISABLED: [54, false, 'security features are off'],
  OPERATION_NOT_ATTEMPTED: [55, false, 'not attempted because another part of the request failed'],
  KAFKA_STORAGE_ERROR: [56, true, 'the disk refused'],
  LOG_DIR_NOT_FOUND: [57, false, 'no such log directory'],
  SASL_AUTHENTICATION_FAILED: [58, false, 'wrong user or password'],
  UNKNOWN_PRODUCER_ID: [59, false, 'nothing is known of this producer id'],
  REASSIGNMENT_IN_PROGRESS: [60, false, 'a reassignment is in progress'],
  DELEGATION_TOKEN_AUTH_DISABLED: [61, false, 'delegation tokens are off'],
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: [
    64,
    false,
    'delegation tokens need an authenticated connection',
  ],
  NON_EMPTY_GROUP: [68, false, 'the group has members'],
  GROUP_ID_NOT_FOUND: [69, false, 'no such group'],
  FETCH_SESSION_ID_NOT_FOUND: [70, true, 'no such fetch session'],
  INVALID_FETCH_SESSION_EPOCH: [71, true, 'the epoch of the fetch session is wrong'],
  LISTENER_NOT_FOUND: [72, true, 'no matching listener'],
  TOPIC_DELETION_DISABLED: [73, false, 'delete.topic.enable is false'],
  FENCED_LEADER_EPOCH: [74, true, "the leader epoch is older than the broker's"],
  UNKNOWN_LEADER_EPOCH: [75, true, "the leader epoch is newer than the broker's"],
  UNSUPPORTED_COMPRESSION_TYPE: [
    76,
    false,
    'the codec is not allowed in this version of the request',
  ],
  STALE_BROKER_EPOCH: [77, false, 'the broker epoch changed'],
  OFFSET_NOT_AVAILABLE: [78, true, 'the high watermark is catching up'],
  MEMBER_ID_REQUIRED: [79, false, 'join again with the member id that was given'],
  PREFERRED_LEADER_NOT_AVAILABLE: [80, true, 'the preferred leader is not available'],
  GROUP_MAX_SIZE_REACHED: [81, false, 'the group is full'],
  FENCED_INSTANCE_ID: [82, false, 'another member with this instance id has joined'],
  ELIGIBLE_LEADERS_NOT_AVAILABLE: [83, true, 'no eligible leader'],
  ELECTION_NOT_NEEDED: [84, false, 'the leader is the preferred one already'],
  NO_REASSIGNMENT_IN_PROGRESS: [85, false, 'no reassignment to cancel'],
  GROUP_SUBSCRIBED_TO_TOPIC: [86, false, 'a member of the group is subscribed to the topic'],
  INVALID_RECORD: [87, false, 'a record was refused'],
  UNSTABLE_OFFSET_COMMIT: [88, true, 'an open transaction has offsets for this partition'],
  THROTTLING_QUOTA_EXCEEDED: [89, true, 'a quota was exceeded'],
  PRODUCER_FENCED: [90, false, 'a newer producer with the same transactional id is at work'],
  RESOURCE_NOT_FOUND: [91, false, 'no such resource'],
  DUPLICATE_RESOURCE: [92, false, 'the resource is named twice'],
  UNACCEPTABLE_CREDENTIAL: [93, false, 'the credential is not acceptable'],
  INVALID_UPDATE_VERSION: [95, false, 'the update version is wrong'],
  FEATURE_UPDATE_FAILED: [96, false, 'the feature could not be updated'],
  POSITION_OUT_OF_RANGE: [99, false, 'the position is out of range'],
  UNKNOWN_TOPIC_ID: [100, true, 'no topic has this id'],
  BROKER_ID_NOT_REGISTERED: [102, false, 'no broker with this id is registered'],
  INCONSISTENT_TOPIC_ID: [103, true, 'the topic id in the log is another one'],
  INCONSISTENT_CLUSTER_ID: [104, false, 'the cluster id is another one'],
  TRANSACTIONAL_ID_NOT_FOUND: [105, false, 'no such transactional id'],
  FETCH_SESSION_TOPIC_ID_ERROR: [106, true, 'a fetch session mixes topic names and ids'],
  FENCED_MEMBER_EPOCH: [110, false, 'the member epoch is fenced: rejoin'],
  UNRELEASED_INSTANCE_ID: [111, false, 'the instance id is still in use'],
  UNSUPPORTED_ASSIGNOR: [112, false, 'no such assignor'],
  STALE_MEMBER_EPOCH: [113, true, 'the member epoch is stale'],
  MISMATCHED_ENDPOINT_TYPE: [114, false, 'the endpoint is of another type'],
  UNSUPPORTED_ENDPOINT_TYPE: [115, false, 'the endpoint type is not supported'],
  TRANSACTION_ABORTABLE: [120, false, 'the transaction must be aborted'],
  INVALID_RECORD_STATE: [121, false, 'the record is not held by this member'],
  SHARE_SESSION_NOT_FOUND: [122, true, 'no such share session'],
  INVALID_SHARE_SESSION_EPOCH: [123, true, 'the epoch of the share session is wrong'],
  FENCED_STATE_EPOCH: [124, false, 'the share state epoch is fenced'],
  INVALID_REGULAR_EXPRESSION: [128, false, 'the regular expression is not allowed'],
  REBOOTSTRAP_REQUIRED: [129, false, 'start again from the bootstrap addresses'],
  SHARE_SESSION_LIMIT_REACHED: [133, true, 'too many share sessions'],
  GROUP_DELETION_FAILED: [134, false, 'the group could not be deleted'],
} as const satisfies Record<string, readonly [code: number, retriable: boolean, meaning: string]>

/** Errors of the client itself: no broker sends them, so they have no wire code of their own. */
export const clientErrors = {
  CLOSED: [-1, false, 'the client, producer or consumer that was called is closed'],
  TLS_FAILED: [
    -1,
    false,
    'client and broker cannot agree on TLS: a certificate, a host name, a port',
  ],
} as const satisfies Record<string, readonly [code: number, retriable: boolean, meaning: string]>

export type ErrorName = keyof typeof errors | keyof typeof clientErrors

const rows = { ...errors, ...clientErrors }

const namesByCode = new Map<number, ErrorName>(
  (Object.keys(errors) as (keyof typeof errors)[]).map((name) => [errors[name][0], name]),
)

/** Wire code of an error, 0 for none. */
export function errorCode(name: ErrorName | undefined): number {
  return name === undefined ? 0 : rows[name][0]
}

/** Name of a wire code; undefined for 0, UNKNOWN_SERVER_ERROR for an unknown code. */
export function errorName(code: number): ErrorName | undefined {
  return code === 0 ? undefined : (namesByCode.get(code) ?? 'UNKNOWN_SERVER_ERROR')
}

/** An error for the client: its message says what was refused, where, and what to try. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  readonly code: ErrorName
  /** The code on the wire. */
  readonly apiCode: number
  /** The same request may succeed later. */
  readonly retriable: boolean
  /** The client object that threw it cannot be used any more: close it. */
  readonly fatal: boolean

  constructor(
    code: ErrorName,
    message: string,
    options: { cause?: unknown; fatal?: boolean } = {},
  ) {
    super(`${code}: ${message}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.apiCode = rows[code][0]
    this.retriable = rows[code][1]
    this.fatal = options.fatal ?? false
  }

  /** The message without the code at its start, for use in another message, or on the wire beside the code. */
  get reason(): string {
    return this.message.slice(this.code.length + ': '.length)
  }
}

/** The wire error for a caught value: a `KafkaError`'s own code, else UNKNOWN_SERVER_ERROR. */
export function errorCodeOf(error: unknown): number {
  return error instanceof KafkaError ? error.apiCode : errors.UNKNOWN_SERVER_ERROR[0]
}
