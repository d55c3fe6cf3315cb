// Produce: batches into logs.
// Versions: 3-13; 0 to 2 are advertised, because librdkafka sends uncompressed otherwise, and refused.
// Behaviour: batches are handed to the writer in order of arrival, before the first await; each partition has its own
// outcome. acks=0 is never answered; an error closes the connection.
// Not done: transactions; null keys on compacted topics are not refused.

import {
  produce,
  type ProduceRequest,
  type ProduceResponse,
} from '../../protocol/api/00_produce.ts'
import { recordCountOf } from '../../protocol/batch/header.ts'
import { errorCode } from '../../protocol/errors.ts'
import { UUID_ZERO } from '../../protocol/ids.ts'
import type { Clock } from '../../storage/clock.ts'
import type { AppendOutcome, Log, Store, Topic } from '../../storage/store.ts'
import { refusalOf } from '../batch-check.ts'
import type { DiskGuard } from '../disk-guard.ts'
import type { TopicTraffic } from '../metrics/traffic.ts'
import { Disconnect, type Handler, type RequestContext } from '../net/handler.ts'
import type { TopicConfigs } from '../topic-configs.ts'

type Acks = -1 | 0 | 1
type PartitionAnswer = ProduceResponse['topics'][number]['partitions'][number]

interface ProduceDeps {
  readonly store: Store
  readonly topicConfigs: TopicConfigs
  readonly traffic: TopicTraffic
  readonly disk: DiskGuard
  readonly clock: Clock
}

export function produceHandler(deps: ProduceDeps): Handler<typeof produce> {
  return {
    api: produce,
    overlaps: true,
    handle: (request, context) => handle(deps, request, context),
    refuse(request, code) {
      if (request.acks === 0)
        throw new Disconnect(`a Produce with acks=0 failed with error ${code}`)
      return refuseAll(request, code)
    },
  }
}

function handle(deps: ProduceDeps, request: ProduceRequest, context: RequestContext) {
  const { acks } = request
  if (!isAcks(acks)) return refuseAll(request, errorCode('INVALID_REQUIRED_ACKS'))
  const topics = request.topics.map(({ name, topicId, partitions }) => {
    const isById = topicId !== UUID_ZERO
    const topic = isById ? deps.store.topics.getById(topicId) : deps.store.topics.get(name)
    const unknown = isById ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'
    const answers = partitions.map(({ index, records }) => {
      if (topic === undefined) return refused(index, errorCode(unknown))
      return append(deps, topic, index, records, acks, context.version)
    })
    return { name, topicId, answers }
  })
  return acks === 0 ? settle(topics).then(closeOnError) : settle(topics)
}

/** Checks one batch and hands it to the writer. @param batch borrowed */
function append(
  deps: ProduceDeps,
  topic: Topic,
  index: number,
  batch: Uint8Array | null,
  acks: Acks,
  version: number,
): PartitionAnswer | Promise<PartitionAnswer> {
  const log = deps.store.log(topic.name, index)
  if (log === undefined) return refused(index, errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  if (topic.isInternal)
    return refused(index, errorCode('INVALID_TOPIC_EXCEPTION'), 'the topic is internal')
  const config = deps.topicConfigs.of(topic)
  const minInSync = config['min.insync.replicas']
  if (acks === -1 && minInSync > 1) {
    const message = `min.insync.replicas is ${minInSync}, there is one node`
    return refused(index, errorCode('NOT_ENOUGH_REPLICAS'), message)
  }
  const refusal = refusalOf(batch, version, config, deps.clock.now())
  if (batch === null || refusal !== undefined)
    return refused(index, errorCode(refusal?.error), refusal?.message)
  const shortage = deps.disk.refusalOf(batch.length)
  if (shortage !== undefined) return refused(index, errorCode('KAFKA_STORAGE_ERROR'), shortage)
  const recordCount = recordCountOf(batch)
  const byteCount = batch.length
  return deps.store.append(log, batch, acks).then((outcome) => {
    if (outcome.error === undefined) deps.traffic.produced(topic.name, recordCount, byteCount)
    return appended(index, log, outcome)
  })
}

async function settle(
  topics: readonly {
    readonly name: string
    readonly topicId: string
    readonly answers: readonly (PartitionAnswer | Promise<PartitionAnswer>)[]
  }[],
): Promise<ProduceResponse> {
  const settled = []
  for (const { name, topicId, answers } of topics) {
    const partitions: PartitionAnswer[] = []
    for (const answer of answers) partitions.push(await answer)
    settled.push({ name, topicId, partitions })
  }
  return { topics: settled }
}

/** What acks=0 hears of its batches: nothing, or the end of the connection. */
function closeOnError({ topics }: ProduceResponse): undefined {
  for (const { name, topicId, partitions } of topics) {
    const failed = partitions.find((partition) => partition.errorCode !== 0)
    if (failed === undefined) continue
    const where = `${name || topicId}-${failed.index}`
    throw new Disconnect(`a Produce with acks=0 to ${where} failed with error ${failed.errorCode}`)
  }
}

function isAcks(acks: number): acks is Acks {
  return acks === -1 || acks === 0 || acks === 1
}

function refuseAll(request: ProduceRequest, code: number): ProduceResponse {
  return {
    topics: request.topics.map(({ name, topicId, partitions }) => {
      return { name, topicId, partitions: partitions.map(({ index }) => refused(index, code)) }
    }),
  }
}

function appended(index: number, log: Log, outcome: AppendOutcome): PartitionAnswer {
  if (outcome.error !== undefined) return refused(index, errorCode(outcome.error), outcome.message)
  const { baseOffset, logAppendTimeMs } = outcome
  return { index, errorCode: 0, baseOffset, logAppendTimeMs, logStartOffset: log.logStartOffset }
}

function refused(index: number, code: number, errorMessage: string | null = null): PartitionAnswer {
  return { index, errorCode: code, baseOffset: -1, errorMessage }
}
