// Every metric: its type, labels and meaning. docs/reference/metrics.md is generated from this table.
// The kafka_ ones have the names of kafka_exporter, so that existing Grafana boards work.

export interface MetricSpec {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly help: string
}

function counter(help: string, ...labels: string[]): MetricSpec {
  return { type: 'counter', labels, help }
}

function gauge(help: string, ...labels: string[]): MetricSpec {
  return { type: 'gauge', labels, help }
}

function histogram(help: string, ...labels: string[]): MetricSpec {
  return { type: 'histogram', labels, help }
}

export const metrics = {
  kafka_brokers: gauge('Brokers in the cluster: 1.'),
  kafka_consumergroup_current_offset: gauge(
    'Committed offset of a group.',
    'consumergroup',
    'topic',
    'partition',
  ),
  kafka_consumergroup_lag: gauge(
    'Records that a group has not committed.',
    'consumergroup',
    'topic',
    'partition',
  ),
  kafka_consumergroup_lag_sum: gauge(
    'Records that a group has not committed, all partitions of a topic.',
    'consumergroup',
    'topic',
  ),
  kafka_consumergroup_members: gauge('Members of a group.', 'consumergroup'),
  kafka_topic_partitions: gauge('Partitions of a topic.', 'topic'),
  kafka_topic_partition_current_offset: gauge(
    'Offset of the next record, as consumers see it.',
    'topic',
    'partition',
  ),
  kafka_topic_partition_oldest_offset: gauge('Offset of the oldest record.', 'topic', 'partition'),
  millrace_append_seconds: histogram('Time that a writer turn spent writing batches.'),
  millrace_authentication_failures_total: counter(
    'Logins by SASL that failed.',
    'listener',
    'mechanism',
  ),
  millrace_authentications_total: counter(
    'Logins by SASL and renewals of sessions that succeeded.',
    'listener',
    'mechanism',
  ),
  millrace_authorizations_total: counter(
    'Questions whether a client may do something, by the answer. Lists that only leave something out are not counted.',
    'result',
  ),
  millrace_build_info: gauge('Always 1: the labels have the versions.', 'version', 'node'),
  millrace_compaction_failures_total: counter('Compactions of a partition that failed.'),
  millrace_compaction_passes_total: counter('Compactions of a partition.'),
  millrace_compaction_read_bytes_total: counter('Bytes that compaction read.'),
  millrace_compaction_records_dropped_total: counter('Records that compaction removed.'),
  millrace_compaction_seconds_total: counter('Time that compaction took.'),
  millrace_compaction_uncleanable_partitions: gauge(
    'Partitions whose compaction failed less than ten minutes ago.',
  ),
  millrace_compaction_written_bytes_total: counter('Bytes that compaction wrote.'),
  millrace_connections: gauge('Open connections.', 'listener'),
  millrace_corrupt_batches_total: counter(
    'Runs of damaged batches found on the disk, at the start and since.',
  ),
  millrace_disk_free_bytes: gauge('Free space on the disk of the data directory.'),
  millrace_event_loop_seconds: histogram(
    'Time between two samples of the event loop: 5 ms, and more if work delayed it. Sampling begins with the first request for metrics.',
  ),
  millrace_fetch_sessions: gauge('Open fetch sessions.'),
  millrace_fetches_waiting: gauge('Fetches that wait for more bytes.'),
  millrace_fsync_seconds: histogram('Time that a writer turn spent syncing.'),
  millrace_gc_seconds: histogram(
    'Time that a garbage collection of the network thread took. Begins with the first request for metrics.',
  ),
  millrace_group_commit_batches: histogram('Batches that one writer turn made durable together.'),
  millrace_group_lag_records: gauge(
    'Records that a group has not committed, all partitions of a topic.',
    'group',
    'topic',
  ),
  millrace_group_lag_seconds: gauge(
    'Age of the batch that holds the first record not committed, in the partition where it is oldest. 0 without lag.',
    'group',
    'topic',
  ),
  millrace_group_members: gauge('Members of a group.', 'group'),
  millrace_group_state: gauge('1 for the state that a group is in.', 'group', 'state'),
  millrace_inbox_used_bytes: gauge('Bytes of batches that wait for the writer.'),
  millrace_inflight_bytes: gauge('Bytes of requests that arrive, wait or run.', 'listener'),
  millrace_log_segments: gauge('Segments of a partition.', 'topic', 'partition'),
  millrace_log_size_bytes: gauge('Size of a partition.', 'topic', 'partition'),
  millrace_partition_last_stable_offset: gauge(
    'Offset up to which read_committed consumers read.',
    'topic',
    'partition',
  ),
  millrace_partition_log_end_offset: gauge(
    'Offset of the next record, durable or not.',
    'topic',
    'partition',
  ),
  millrace_partition_log_start_offset: gauge('Offset of the oldest record.', 'topic', 'partition'),
  millrace_quota_entities: gauge(
    'Users, client ids and addresses that have quotas, defaults among them. client: of requests; ip: of connections.',
    'kind',
  ),
  millrace_quota_throttle_seconds_total: counter(
    'Time for which clients were told to wait because they exceeded a quota.',
    'quota',
  ),
  millrace_quota_throttled_requests_total: counter(
    'Requests, or new connections, that exceeded a quota.',
    'quota',
  ),
  millrace_readers_overtaken_total: counter(
    'Fetches of records that had been deleted already.',
    'topic',
  ),
  millrace_quarantined_offsets: gauge(
    'Offsets that cannot be read because their bytes are damaged.',
  ),
  millrace_rebalances_total: counter('Rebalances of a group, by reason.', 'group', 'reason'),
  millrace_received_bytes_total: counter('Bytes of record batches produced.', 'topic'),
  millrace_records_in_total: counter('Records produced.', 'topic'),
  millrace_records_out_total: counter('Records fetched.', 'topic'),
  millrace_recovery_seconds: gauge('Time that recovery took at start.'),
  millrace_request_duration_seconds: histogram(
    'Time from a request to its answer, waiting fetches included.',
    'api',
  ),
  millrace_request_errors_total: counter('Error codes in answers.', 'api', 'error'),
  millrace_requests_total: counter('Requests answered.', 'api'),
  millrace_retention_deleted_bytes_total: counter('Bytes of segments that retention deleted.'),
  millrace_retention_deleted_segments_total: counter('Segments that retention deleted.'),
  millrace_scrub_failures_total: counter(
    'Segments that the scrubber could not read from the disk.',
  ),
  millrace_scrub_passes_total: counter('Passes that the scrubber has finished.'),
  millrace_scrub_read_bytes_total: counter('Bytes that the scrubber has checked.'),
  millrace_scrub_segments_total: counter('Segments that the scrubber has checked.'),
  millrace_sent_bytes_total: counter('Bytes of record batches fetched.', 'topic'),
  millrace_tls_certificate_remaining_seconds: gauge(
    'Time until the certificate of a listener expires; negative when it has.',
    'listener',
  ),
  millrace_tls_handshake_failures_total: counter(
    'TLS handshakes that failed. certificate: the broker did not take the one of the client; untrusted: the client did not take that of the listener; rate: the address began too many; timeout; plaintext; left: the client; protocol: all else.',
    'listener',
    'reason',
  ),
  millrace_tls_handshakes_total: counter('TLS handshakes done.', 'listener'),
  millrace_tls_reload_failures_total: counter(
    'Changed certificates that could not be taken: the listener goes on with the old ones.',
    'listener',
  ),
  millrace_tls_reloads_total: counter(
    'Changed certificates that a listener has taken.',
    'listener',
  ),
  millrace_txn_oldest_seconds: gauge('Age of the oldest open transaction, in seconds.'),
  millrace_txn_open: gauge('Open transactions.'),
  millrace_txn_total: counter(
    'Transactions ended: commit, abort, timeout, or fenced by a newer producer.',
    'result',
  ),
  millrace_unauthenticated_network: gauge(
    '1 if other machines can connect without a password, or without TLS.',
  ),
  millrace_unsent_bytes: gauge('Bytes of answers that clients have not yet read.', 'listener'),
  process_cpu_seconds_total: counter('Processor time of the process, all threads.'),
  process_resident_memory_bytes: gauge('Memory of the process.'),
  process_start_time_seconds: gauge('Start time of the process, in seconds since the epoch.'),
} as const satisfies Record<string, MetricSpec>

export type MetricName = keyof typeof metrics
