// Produce: batches into logs.
// Versions: 3-13; 0 to 2 are advertised, because librdkafka sends uncompressed otherwise, and refused.
// Behaviour: batches are handed to the writer in order of arrival, before the first await; each partition has its own
// outcome. acks=1 and acks=all are the same on one node: durable, as flush.policy says, and visible when answered. acks=0 is
// never answered; an error closes the connection. A transactional batch must belong to the open
// transaction of its producer; from version 12 on its partition joins the transaction by this (KIP-890), which alone waits,
// and a producer that a partition does not know begins with sequence 0.
// The store looks at the records of a batch, off this thread, and says which of them it refuses.

import {
  produce,
  type ProduceRequest,
  type ProduceResponse,
} from '../../protocol/api/00_produce.ts'
import {
  attributesOf,
  BATCH_OVERHEAD_BYTES,
  producerEpochOf,
  producerIdOf,
  recordCountOf,
  TRANSACTIONAL_BIT,
} from '../../protocol/batch/header.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import { UUID_ZERO } from '../../protocol/ids.ts'
import type { AppendOutcome, Log, Store, Topic } from '../../storage/store.ts'
import { refusalOf } from '../batch-check.ts'
import type { DiskGuard } from '../disk-guard.ts'
import { refusalOfInternal } from '../internal-topics.ts'
import type { TopicTraffic } from '../metrics/traffic.ts'
import { Disconnect, type Handler, type RequestContext } from '../handler.ts'
import type { TopicConfigs } from '../topic-configs.ts'
import type { ProducerRequest, TopicPartitions } from '../txn/messages.ts'
import type { ProduceGate } from '../txn/produce-gate.ts'

const ABORTABLE_VERSION_MIN = 11
const IMPLICIT_VERSION_MIN = 12

type PartitionAnswer = ProduceResponse['topics'][number]['partitions'][number]

interface ProduceDeps {
  readonly store: Store
  readonly topicConfigs: TopicConfigs
  readonly traffic: TopicTraffic
  readonly disk: DiskGuard
  readonly gate: ProduceGate
}

/** One request on its way to the writer. */
interface Run {
  readonly deps: ProduceDeps
  readonly request: ProduceRequest
  readonly version: number
  /** Whose batches keep their order. */
  readonly source: object
  /** Why partitions could not join the transaction. */
  readonly joinError?: ErrorName | undefined
}

/** Answers by topic; those that wait for the writer are promises. */
type Handed = readonly {
  readonly name: string
  readonly topicId: string
  readonly answers: readonly (PartitionAnswer | Promise<PartitionAnswer>)[]
}[]

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

function handle(deps: ProduceDeps, request: ProduceRequest, { version, session }: RequestContext) {
  const { acks, transactionalId } = request
  if (!isAcks(acks)) return refuseAll(request, errorCode('INVALID_REQUIRED_ACKS'))
  const run = { deps, request, version, source: session }
  const answer = (handed: Handed) =>
    acks === 0 ? settle(handed).then(closeOnError) : settle(handed)
  if (transactionalId === null) return answer(handOver(run))
  const handed = handOverInTransaction(run, transactionalId)
  return handed instanceof Promise ? handed.then(answer) : answer(handed)
}

/** At once, unless a partition must join the transaction first, or an earlier request of the producer waits for that. */
function handOverInTransaction(run: Run, transactionalId: string): Handed | Promise<Handed> {
  const { gate } = run.deps
  const producer = producerIn(run.request, transactionalId)
  const joining = producer === undefined ? [] : joiningIn(run, producer)
  const mustWait = joining.length > 0 || gate.hasLine(transactionalId)
  if (producer === undefined || !mustWait) return handOver(run)
  const request = copied(run.request)
  return gate.passInLine(producer, joining, (joinError) => handOver({ ...run, request, joinError }))
}

/** Who the first transactional batch comes from; each batch is checked by itself later. */
function producerIn(
  { topics }: ProduceRequest,
  transactionalId: string,
): ProducerRequest | undefined {
  for (const { partitions } of topics) {
    for (const { records } of partitions) {
      if (isTransactional(records)) return producerOf(records, transactionalId)
    }
  }
  return undefined
}

/** The partitions that do not belong to the transaction yet, and may. */
function joiningIn({ deps, request, version }: Run, producer: ProducerRequest): TopicPartitions[] {
  if (version < IMPLICIT_VERSION_MIN) return []
  const joining: TopicPartitions[] = []
  for (const { name, topicId, partitions } of request.topics) {
    const topic = topicOf(deps, name, topicId)
    if (topic === undefined || refusalOfInternal('Produce', topic.name)) continue
    const indexes = partitions
      .filter(({ records }) => isTransactional(records))
      .map(({ index }) => index)
      .filter((index) => deps.store.log(topic.name, index) !== undefined)
      .filter((index) => deps.gate.refusalOf(producer, topic.name, index) === 'INVALID_TXN_STATE')
    if (indexes.length > 0) joining.push({ topic: topic.name, partitions: indexes })
  }
  return joining
}

/** Puts every batch into the writer's inbox, or refuses it. */
function handOver(run: Run): Handed {
  return run.request.topics.map(({ name, topicId, partitions }) => {
    const topic = topicOf(run.deps, name, topicId)
    const unknown = topicId === UUID_ZERO ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'UNKNOWN_TOPIC_ID'
    const answers = partitions.map(({ index, records }) => {
      if (topic === undefined) return refused(index, errorCode(unknown))
      return append(run, topic, index, records)
    })
    return { name, topicId, answers }
  })
}

function topicOf({ store }: ProduceDeps, name: string, topicId: string): Topic | undefined {
  return topicId === UUID_ZERO ? store.topics.get(name) : store.topics.getById(topicId)
}

/** Checks one batch and hands it to the writer. @param batch borrowed */
function append(
  run: Run,
  topic: Topic,
  index: number,
  batch: Uint8Array | null,
): PartitionAnswer | Promise<PartitionAnswer> {
  const { deps, version, source } = run
  const log = deps.store.log(topic.name, index)
  if (log === undefined) return refused(index, errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  const internal = topic.isInternal ? refusalOfInternal('Produce', topic.name) : undefined
  if (internal) return refused(index, errorCode(internal), 'the topic is internal')
  const config = deps.topicConfigs.of(topic)
  const refusal = refusalOf(batch, version, config['max.message.bytes'])
  if (batch === null || refusal !== undefined)
    return refused(index, errorCode(refusal?.error), refusal?.message)
  const shortage = deps.disk.refusalOf(batch.length)
  if (shortage !== undefined) return refused(index, errorCode('KAFKA_STORAGE_ERROR'), shortage)
  const outside = outsideTransaction(run, batch, topic.name, index)
  if (outside !== undefined) return refused(index, errorCode(outside))
  const recordCount = recordCountOf(batch)
  const byteCount = batch.length
  const isTransactionV2 = version >= IMPLICIT_VERSION_MIN && run.request.transactionalId !== null
  return deps.store.append(log, batch, { source, isTransactionV2 }).then((outcome) => {
    if (outcome.error === undefined) deps.traffic.produced(topic.name, recordCount, byteCount)
    return appended(index, log, outcome)
  })
}

/** Why a batch may not be written: request and batch must be of one transaction, or both of none. */
function outsideTransaction(
  { deps, request: { transactionalId }, version, joinError }: Run,
  batch: Uint8Array,
  topic: string,
  partition: number,
): ErrorName | undefined {
  if (transactionalId === null) {
    return isTransactional(batch) ? 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED' : undefined
  }
  if (!isTransactional(batch)) return 'INVALID_TXN_STATE'
  const refusal = deps.gate.refusalOf(producerOf(batch, transactionalId), topic, partition)
  if (refusal === 'PRODUCER_FENCED') return 'INVALID_PRODUCER_EPOCH'
  if (refusal !== 'INVALID_TXN_STATE') return refusal
  return joinError ?? (version < ABORTABLE_VERSION_MIN ? refusal : 'TRANSACTION_ABORTABLE')
}

function isTransactional(batch: Uint8Array | null): batch is Uint8Array {
  if (batch === null || batch.length < BATCH_OVERHEAD_BYTES) return false
  return (attributesOf(batch) & TRANSACTIONAL_BIT) !== 0
}

function producerOf(batch: Uint8Array, transactionalId: string): ProducerRequest {
  return {
    transactionalId,
    producerId: producerIdOf(batch),
    producerEpoch: producerEpochOf(batch),
  }
}

/** For a request that outlives its frame. */
function copied(request: ProduceRequest): ProduceRequest {
  const topics = request.topics.map(({ partitions, ...topic }) => ({
    ...topic,
    partitions: partitions.map(({ index, records }) => ({
      index,
      records: records === null ? null : new Uint8Array(records),
    })),
  }))
  return { ...request, topics }
}

async function settle(topics: Handed): Promise<ProduceResponse> {
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

function isAcks(acks: number): boolean {
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
  if (outcome.error !== undefined) {
    const answer = refused(index, errorCode(outcome.error), outcome.message)
    return outcome.recordErrors ? { ...answer, recordErrors: outcome.recordErrors } : answer
  }
  const { baseOffset, logAppendTimeMs } = outcome
  return { index, errorCode: 0, baseOffset, logAppendTimeMs, logStartOffset: log.logStartOffset }
}

function refused(index: number, code: number, errorMessage: string | null = null): PartitionAnswer {
  return { index, errorCode: code, baseOffset: -1, errorMessage }
}
