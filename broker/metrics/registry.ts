// Registry: reads every counter and gauge when metrics are requested. Nothing is kept for it: the hot paths count in
// plain numbers, and prom-client, which writes the page (exposition.ts), loads at the first request. Network thread.

import type { AuditLog } from '../auth/audit.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Store, Topic } from '../../storage/store.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'
import type { ListenerTls } from '../tls/listener-tls.ts'
import { packageVersion } from '../../protocol/version.ts'
import type { AttemptCounts } from '../sasl/attempts.ts'
import type { GcTimes } from './gc.ts'
import type { GroupMetrics, Rebalances } from './groups.ts'
import type { Throttling } from '../quota/throttling.ts'
import { addQuotas } from './quotas.ts'
import type { RequestMetrics } from './requests.ts'
import type { LoopTimes } from './loop.ts'
import { Samples } from './samples.ts'
import type { TransactionMetrics } from './transactions.ts'
import { addTls } from './tls.ts'
import { OTHER_TOPICS, type TopicTraffic } from './traffic.ts'
import type { TurnTimes } from './turns.ts'

/** Topics read per turn of the loop. */
const TOPICS_A_TURN = 100

interface RegistryDeps {
  readonly store: Store
  readonly requests: RequestMetrics
  readonly audit: Pick<AuditLog, 'allowedCount' | 'deniedCount'>
  readonly throttling: Throttling
  readonly turns: TurnTimes
  readonly traffic: TopicTraffic
  readonly groups: GroupMetrics
  readonly rebalances: Rebalances
  readonly transactions: TransactionCoordinator
  readonly transactionMetrics: TransactionMetrics
  readonly clock: Clock
  readonly topicsMax: number
  readonly isNetworkOpen: boolean
  readonly connectionCount: () => number
  readonly tls: readonly ListenerTls[]
  readonly bytesHeld: () => number
  readonly bytesUnsent: () => number
  readonly loop: LoopTimes
  readonly gc: GcTimes
  readonly logins: Iterable<AttemptCounts>
  readonly fetchSessionCount: () => number
  readonly fetchesWaiting: () => number
}

export class Registry {
  readonly #deps: RegistryDeps
  readonly #startedAtSeconds: number

  constructor(deps: RegistryDeps) {
    this.#deps = deps
    this.#startedAtSeconds = deps.clock.now() / 1000 - process.uptime()
  }

  /** Every metric's current values. */
  async read(): Promise<Samples> {
    const { freeBytes } = await this.#deps.store.disk.space()
    const samples = new Samples()
    this.#process(samples)
    this.#storage(samples, freeBytes)
    this.#network(samples)
    addQuotas(samples, this.#deps.throttling)
    for (const tls of this.#deps.tls) addTls(samples, tls)
    await this.#topics(samples)
    this.#traffic(samples)
    this.#deps.rebalances.add(samples)
    const { transactionMetrics, transactions, clock } = this.#deps
    transactionMetrics.add(samples, transactions, clock)
    await this.#deps.groups.add(samples)
    return samples
  }

  #process(samples: Samples): void {
    const { loop, gc } = this.#deps
    loop.start()
    gc.start()
    samples.add('millrace_build_info', 1, { version: packageVersion(), node: process.version })
    samples.addHistogram('millrace_gc_seconds', gc.seconds)
    samples.addHistogram('millrace_event_loop_seconds', loop.seconds)
    const { user, system } = process.cpuUsage()
    samples.add('process_cpu_seconds_total', (user + system) / 1e6)
    samples.add('process_resident_memory_bytes', process.memoryUsage.rss())
    samples.add('process_start_time_seconds', this.#startedAtSeconds)
  }

  #storage(samples: Samples, diskFreeBytes: number): void {
    const { store, turns } = this.#deps
    samples.addHistogram('millrace_append_seconds', turns.appendSeconds)
    samples.addHistogram('millrace_fsync_seconds', turns.fsyncSeconds)
    samples.addHistogram('millrace_group_commit_batches', turns.commitBatches)
    samples.add('millrace_recovery_seconds', store.recovery.seconds)
    samples.add('millrace_inbox_used_bytes', store.writer.bytesWaiting)
    samples.add('millrace_disk_free_bytes', diskFreeBytes)
    const { retention, compaction, scrub } = store.cleaner.counts
    const corruptBatches = store.recovery.corruptBatchCount + scrub.corruptBatches
    samples.add('millrace_corrupt_batches_total', corruptBatches)
    samples.add('millrace_quarantined_offsets', store.logs.quarantinedOffsetCount)
    samples.add('millrace_scrub_passes_total', scrub.passes)
    samples.add('millrace_scrub_segments_total', scrub.segments)
    samples.add('millrace_scrub_read_bytes_total', scrub.readBytes)
    samples.add('millrace_scrub_failures_total', scrub.failures)
    samples.add('millrace_retention_deleted_bytes_total', retention.deletedBytes)
    samples.add('millrace_retention_deleted_segments_total', retention.deletedSegments)
    samples.add('millrace_compaction_passes_total', compaction.passes)
    samples.add('millrace_compaction_failures_total', compaction.failures)
    samples.add('millrace_compaction_read_bytes_total', compaction.readBytes)
    samples.add('millrace_compaction_written_bytes_total', compaction.writtenBytes)
    samples.add('millrace_compaction_records_dropped_total', compaction.recordsDropped)
    samples.add('millrace_compaction_seconds_total', compaction.seconds)
    samples.add('millrace_compaction_uncleanable_partitions', compaction.uncleanablePartitions)
  }

  #network(samples: Samples): void {
    const {
      requests,
      connectionCount,
      bytesHeld,
      bytesUnsent,
      fetchSessionCount,
      fetchesWaiting,
      isNetworkOpen,
    } = this.#deps
    samples.add('kafka_brokers', 1)
    const { allowedCount, deniedCount } = this.#deps.audit
    samples.add('millrace_authorizations_total', allowedCount, { result: 'allowed' })
    samples.add('millrace_authorizations_total', deniedCount, { result: 'denied' })
    samples.add('millrace_connections', connectionCount(), { listener: 'kafka' })
    samples.add('millrace_inflight_bytes', bytesHeld(), { listener: 'kafka' })
    samples.add('millrace_unsent_bytes', bytesUnsent(), { listener: 'kafka' })
    samples.add('millrace_fetch_sessions', fetchSessionCount())
    samples.add('millrace_fetches_waiting', fetchesWaiting())
    samples.add('millrace_unauthenticated_network', isNetworkOpen ? 1 : 0)
    this.#logins(samples)
    for (const { api, requestCount, seconds, countByError } of requests) {
      if (requestCount === 0) continue
      samples.add('millrace_requests_total', requestCount, { api })
      samples.addHistogram('millrace_request_duration_seconds', seconds, { api })
      for (const [error, count] of countByError)
        samples.add('millrace_request_errors_total', count, { api, error })
    }
  }

  #logins(samples: Samples): void {
    for (const { listener, mechanism, doneCount, failedCount } of this.#deps.logins) {
      const labels = { listener, mechanism }
      samples.add('millrace_authentications_total', doneCount, labels)
      samples.add('millrace_authentication_failures_total', failedCount, labels)
    }
  }

  async #topics(samples: Samples): Promise<void> {
    const rest = { sizeBytes: 0, segmentCount: 0, partitionCount: 0 }
    let topicCount = 0
    for (const topic of this.#deps.store.topics.list()) {
      if (topicCount++ < this.#deps.topicsMax) this.#topic(samples, topic)
      else this.#addUp(rest, topic)
      if (topicCount % TOPICS_A_TURN === 0) await new Promise(setImmediate)
    }
    if (topicCount <= this.#deps.topicsMax) return
    samples.add('kafka_topic_partitions', rest.partitionCount, { topic: OTHER_TOPICS })
    samples.add('millrace_log_size_bytes', rest.sizeBytes, { topic: OTHER_TOPICS, partition: '' })
    samples.add('millrace_log_segments', rest.segmentCount, { topic: OTHER_TOPICS, partition: '' })
  }

  #topic(samples: Samples, { name, partitionCount }: Topic): void {
    samples.add('kafka_topic_partitions', partitionCount, { topic: name })
    for (let partition = 0; partition < partitionCount; partition++) {
      const log = this.#deps.store.logs.get(name, partition)
      if (log === undefined) continue
      const labels = { topic: name, partition }
      samples.add('kafka_topic_partition_current_offset', log.highWatermark, labels)
      samples.add('kafka_topic_partition_oldest_offset', log.logStartOffset, labels)
      samples.add('millrace_log_segments', log.segmentCount, labels)
      samples.add('millrace_log_size_bytes', log.sizeBytes, labels)
      samples.add('millrace_partition_last_stable_offset', log.lastStableOffset, labels)
      samples.add('millrace_partition_log_end_offset', log.logEndOffset, labels)
      samples.add('millrace_partition_log_start_offset', log.logStartOffset, labels)
    }
  }

  #addUp(
    rest: { sizeBytes: number; segmentCount: number; partitionCount: number },
    topic: Topic,
  ): void {
    rest.partitionCount += topic.partitionCount
    for (let partition = 0; partition < topic.partitionCount; partition++) {
      const log = this.#deps.store.logs.get(topic.name, partition)
      rest.sizeBytes += log?.sizeBytes ?? 0
      rest.segmentCount += log?.segmentCount ?? 0
    }
  }

  #traffic(samples: Samples): void {
    for (const [topic, { bytesIn, bytesOut, recordsIn, recordsOut, overtakenReads }] of this.#deps
      .traffic) {
      samples.add('millrace_received_bytes_total', bytesIn, { topic })
      samples.add('millrace_sent_bytes_total', bytesOut, { topic })
      samples.add('millrace_records_in_total', recordsIn, { topic })
      samples.add('millrace_records_out_total', recordsOut, { topic })
      samples.add('millrace_readers_overtaken_total', overtakenReads, { topic })
    }
  }
}
