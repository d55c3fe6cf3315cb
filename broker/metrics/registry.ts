// Registry: reads every counter and gauge when somebody asks, and writes Prometheus' text format 0.0.4.
// Nothing is kept for it: the hot paths count in plain numbers. Network thread.

import type { Clock } from '../../storage/clock.ts'
import type { Store, Topic, Turn } from '../../storage/store.ts'
import { Histogram, secondsHistogram } from './histogram.ts'
import type { RequestMetrics } from './requests.ts'
import { metrics, type MetricName, type MetricSpec } from './table.ts'
import { OTHER_TOPICS, type TopicTraffic } from './traffic.ts'

/** Batches of one writer turn: 1 to 1024. */
const BATCH_BUCKETS = 11

type Labels = Readonly<Record<string, string | number>>

interface RegistryDeps {
  readonly store: Store
  readonly requests: RequestMetrics
  readonly traffic: TopicTraffic
  readonly clock: Clock
  readonly topicsMax: number
  readonly isNetworkOpen: boolean
  readonly connectionCount: () => number
  readonly bytesHeld: () => number
  readonly fetchSessionCount: () => number
  readonly fetchesWaiting: () => number
}

export class Registry {
  readonly #deps: RegistryDeps
  readonly #startedAtSeconds: number
  readonly #appendSeconds = secondsHistogram()
  readonly #fsyncSeconds = secondsHistogram()
  readonly #commitBatches = new Histogram(1, BATCH_BUCKETS)

  constructor(deps: RegistryDeps) {
    this.#deps = deps
    this.#startedAtSeconds = deps.clock.now() / 1000 - process.uptime()
  }

  turnDone({ batchCount, writeSeconds, syncSeconds }: Turn): void {
    if (batchCount === 0) return
    this.#commitBatches.observe(batchCount)
    this.#appendSeconds.observe(writeSeconds)
    if (syncSeconds > 0) this.#fsyncSeconds.observe(syncSeconds)
  }

  async text(): Promise<string> {
    const diskFreeBytes = await this.#deps.store.diskFreeBytes()
    const page = new Page()
    this.#process(page)
    this.#storage(page, diskFreeBytes)
    this.#network(page)
    this.#topics(page)
    this.#traffic(page)
    return page.text()
  }

  #process(page: Page): void {
    const { user, system } = process.cpuUsage()
    page.add('process_cpu_seconds_total', (user + system) / 1e6)
    page.add('process_resident_memory_bytes', process.memoryUsage.rss())
    page.add('process_start_time_seconds', this.#startedAtSeconds)
  }

  #storage(page: Page, diskFreeBytes: number): void {
    const { store } = this.#deps
    page.addHistogram('millrace_append_seconds', this.#appendSeconds)
    page.addHistogram('millrace_fsync_seconds', this.#fsyncSeconds)
    page.addHistogram('millrace_group_commit_batches', this.#commitBatches)
    page.add('millrace_corrupt_batches_total', store.recovery.corruptBatchCount)
    page.add('millrace_recovery_seconds', store.recovery.seconds)
    page.add('millrace_inbox_used_bytes', store.inboxBytesUsed)
    page.add('millrace_disk_free_bytes', diskFreeBytes)
  }

  #network(page: Page): void {
    const {
      requests,
      connectionCount,
      bytesHeld,
      fetchSessionCount,
      fetchesWaiting,
      isNetworkOpen,
    } = this.#deps
    page.add('kafka_brokers', 1)
    page.add('millrace_connections', connectionCount(), { listener: 'kafka' })
    page.add('millrace_inflight_bytes', bytesHeld(), { listener: 'kafka' })
    page.add('millrace_fetch_sessions', fetchSessionCount())
    page.add('millrace_fetches_waiting', fetchesWaiting())
    page.add('millrace_unauthenticated_network', isNetworkOpen ? 1 : 0)
    for (const { api, requestCount, seconds, countByError } of requests) {
      if (requestCount === 0) continue
      page.add('millrace_requests_total', requestCount, { api })
      page.addHistogram('millrace_request_duration_seconds', seconds, { api })
      for (const [error, count] of countByError)
        page.add('millrace_request_errors_total', count, { api, error })
    }
  }

  #topics(page: Page): void {
    const rest = { sizeBytes: 0, segmentCount: 0, partitionCount: 0 }
    let topicCount = 0
    for (const topic of this.#deps.store.topics.list()) {
      if (topicCount++ < this.#deps.topicsMax) this.#topic(page, topic)
      else this.#addUp(rest, topic)
    }
    if (topicCount <= this.#deps.topicsMax) return
    page.add('kafka_topic_partitions', rest.partitionCount, { topic: OTHER_TOPICS })
    page.add('millrace_log_size_bytes', rest.sizeBytes, { topic: OTHER_TOPICS, partition: '' })
    page.add('millrace_log_segments', rest.segmentCount, { topic: OTHER_TOPICS, partition: '' })
  }

  #topic(page: Page, { name, partitionCount }: Topic): void {
    page.add('kafka_topic_partitions', partitionCount, { topic: name })
    for (let partition = 0; partition < partitionCount; partition++) {
      const log = this.#deps.store.log(name, partition)
      if (log === undefined) continue
      const labels = { topic: name, partition }
      page.add('kafka_topic_partition_current_offset', log.highWatermark, labels)
      page.add('kafka_topic_partition_oldest_offset', log.logStartOffset, labels)
      page.add('millrace_log_segments', log.segmentCount, labels)
      page.add('millrace_log_size_bytes', log.sizeBytes, labels)
      page.add('millrace_partition_last_stable_offset', log.lastStableOffset, labels)
      page.add('millrace_partition_log_end_offset', log.logEndOffset, labels)
      page.add('millrace_partition_log_start_offset', log.logStartOffset, labels)
    }
  }

  #addUp(
    rest: { sizeBytes: number; segmentCount: number; partitionCount: number },
    topic: Topic,
  ): void {
    rest.partitionCount += topic.partitionCount
    for (let partition = 0; partition < topic.partitionCount; partition++) {
      const log = this.#deps.store.log(topic.name, partition)
      rest.sizeBytes += log?.sizeBytes ?? 0
      rest.segmentCount += log?.segmentCount ?? 0
    }
  }

  #traffic(page: Page): void {
    for (const [topic, { bytesIn, bytesOut, recordsIn, recordsOut }] of this.#deps.traffic) {
      page.add('millrace_received_bytes_total', bytesIn, { topic })
      page.add('millrace_sent_bytes_total', bytesOut, { topic })
      page.add('millrace_records_in_total', recordsIn, { topic })
      page.add('millrace_records_out_total', recordsOut, { topic })
    }
  }
}

/** The text under construction: lines by metric, since a metric's lines must stand together. */
class Page {
  readonly #linesByMetric = new Map<MetricName, string[]>()

  add(name: MetricName, value: number, labels?: Labels, suffix = ''): void {
    let lines = this.#linesByMetric.get(name)
    if (lines === undefined) {
      const { type, help }: MetricSpec = metrics[name]
      lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
      this.#linesByMetric.set(name, lines)
    }
    lines.push(`${name}${suffix}${labelText(labels)} ${value}`)
  }

  addHistogram(name: MetricName, histogram: Histogram, labels?: Labels): void {
    const counts = histogram.cumulativeCounts()
    histogram.bounds.forEach((bound, i) =>
      this.add(name, counts[i]!, { ...labels, le: bound }, '_bucket'),
    )
    const total = counts.at(-1)!
    this.add(name, total, { ...labels, le: '+Inf' }, '_bucket')
    this.add(name, histogram.sum, labels, '_sum')
    this.add(name, total, labels, '_count')
  }

  text(): string {
    return `${[...this.#linesByMetric.values()].flat().join('\n')}\n`
  }
}

/** Label values of ours are topic names, API names, numbers: nothing to escape but quotes that cannot occur. */
function labelText(labels: Labels | undefined): string {
  if (labels === undefined) return ''
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`)
  return `{${pairs.join(',')}}`
}
