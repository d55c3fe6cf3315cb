// Produce: appends batches to logs. What a batch must be is checked in produce/admission.ts.
// Versions: 3-13; 0 to 2 are advertised and refused, because librdkafka does not compress without them.
// Behaviour: the handler gives batches to the writer in order of arrival, before its first await; each partition has its own
// outcome. acks=1 and acks=all are the same on one node: the batch is durable, as flush.policy says, and visible when the
// answer goes out. acks=0 has no answer; an error closes the connection. From version 12 on a batch adds its partition to the
// transaction of its producer (KIP-890); only such a request waits before its batches go to the writer.

import {
  produce,
  type ProduceRequest,
  type ProduceResponse,
} from '../../protocol/api/00_produce.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { AppendOutcome, Log, Store, Topic } from '../../storage/store.ts'
import { Disconnect } from '../disconnect.ts'
import type { Handler, RequestContext } from '../handler.ts'
import { recordCountOf } from '../../protocol/batch/header.ts'
import type { TopicTraffic } from '../metrics/traffic.ts'
import {
  isTransactional,
  producerOf,
  type Admission,
  type AppendTerms,
} from '../produce/admission.ts'
import type { ProducerRequest, TopicPartitions } from '../txn/messages.ts'
import type { ProduceGate } from '../txn/produce-gate.ts'

const ZSTD_VERSION_MIN = 7
const ABORTABLE_VERSION_MIN = 11
const IMPLICIT_VERSION_MIN = 12

type PartitionAnswer = ProduceResponse['topics'][number]['partitions'][number]

interface ProduceDeps {
  readonly store: Pick<Store, 'writer'>
  readonly admission: Admission
  readonly gate: ProduceGate
  readonly traffic: TopicTraffic
}

/** Answers by topic; those that wait for the writer are promises. */
type PendingAnswers = readonly {
  readonly name: string
  readonly topicId: string
  readonly answers: readonly (PartitionAnswer | Promise<PartitionAnswer>)[]
}[]

export function produceHandler(deps: ProduceDeps): Handler<typeof produce> {
  return {
    api: produce,
    appends: true,
    handle: (request, context) => handle(deps, request, context),
    refuse(request, code) {
      if (request.acks === 0)
        throw new Disconnect(`a Produce with acks=0 failed with error ${code}`)
      return refuseAll(request, code)
    },
  }
}

function handle(deps: ProduceDeps, request: ProduceRequest, context: RequestContext) {
  const { admission, gate } = deps
  const { acks, transactionalId } = request
  if (!isAcks(acks)) return refuseAll(request, errorCode('INVALID_REQUIRED_ACKS'))
  const answer = (pending: PendingAnswers) =>
    acks === 0 ? settle(pending).then(closeOnError) : settle(pending)
  const terms = termsOf(request, context)
  const producer = transactionalId === null ? undefined : producerIn(request, transactionalId)
  if (producer === undefined) return answer(handOver(deps, request, terms))
  context.require('Write', 'TransactionalId', producer.transactionalId)
  const joining = terms.isTransactionV2 ? joiningIn(admission, request, terms, producer) : []
  // Nothing joins the transaction (KIP-890), and no earlier request of the producer waits for that.
  if (joining.length === 0 && !gate.hasLine(producer.transactionalId))
    return answer(handOver(deps, request, terms))
  const kept = copied(request)
  return gate
    .passInLine(producer, joining, (joinError) => handOver(deps, kept, { ...terms, joinError }))
    .then(answer)
}

function termsOf({ transactionalId }: ProduceRequest, context: RequestContext): AppendTerms {
  const { version } = context
  return {
    context,
    transactionalId,
    takesZstd: version >= ZSTD_VERSION_MIN,
    takesAbortable: version >= ABORTABLE_VERSION_MIN,
    isTransactionV2: version >= IMPLICIT_VERSION_MIN,
  }
}

/** The producer of the first transactional batch; the admission checks the producer of each batch. */
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

/** The partitions that this request adds to the transaction (KIP-890). */
function joiningIn(
  admission: Admission,
  { topics }: ProduceRequest,
  terms: AppendTerms,
  producer: ProducerRequest,
): TopicPartitions[] {
  const joining: TopicPartitions[] = []
  for (const { name, topicId, partitions } of topics) {
    const topic = admission.topicFor(terms, name, topicId)
    if (typeof topic === 'string') continue
    const indexes = partitions
      .filter(({ records }) => isTransactional(records))
      .map(({ index }) => index)
      .filter((index) => admission.mayJoin(topic, index, producer))
    if (indexes.length > 0) joining.push({ topic: topic.name, partitions: indexes })
  }
  return joining
}

/** Puts every batch into the writer's inbox, or refuses it. */
function handOver(
  deps: ProduceDeps,
  { topics }: ProduceRequest,
  terms: AppendTerms,
): PendingAnswers {
  return topics.map(({ name, topicId, partitions }) => {
    const topic = deps.admission.topicFor(terms, name, topicId)
    const answers = partitions.map(({ index, records }) =>
      typeof topic === 'string'
        ? refused(index, errorCode(topic))
        : append(deps, terms, topic, index, records),
    )
    return { name, topicId, answers }
  })
}

function append(
  { admission, store, traffic }: ProduceDeps,
  terms: AppendTerms,
  topic: Topic,
  index: number,
  records: Uint8Array | null,
): PartitionAnswer | Promise<PartitionAnswer> {
  const log = admission.admit(terms, topic, index, records)
  if ('error' in log) return refused(index, errorCode(log.error), log.message)
  const batch = records!
  const recordCount = recordCountOf(batch)
  const byteCount = batch.length
  const { session: source } = terms.context
  const isTransactionV2 = terms.isTransactionV2 && terms.transactionalId !== null
  return store.writer.append(log, batch, { source, isTransactionV2 }).then((outcome) => {
    if (outcome.error === undefined) traffic.produced(topic.name, recordCount, byteCount)
    return appended(index, log, outcome)
  })
}

/** A copy of a request that waits longer than its frame lives. */
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

async function settle(topics: PendingAnswers): Promise<ProduceResponse> {
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

function appended(
  index: number,
  { logStartOffset }: Log,
  { error, message, recordErrors, baseOffset, logAppendTimeMs }: AppendOutcome,
): PartitionAnswer {
  if (error === undefined)
    return { index, errorCode: 0, baseOffset, logAppendTimeMs, logStartOffset }
  const answer = refused(index, errorCode(error), message)
  return recordErrors ? { ...answer, recordErrors } : answer
}

function refused(index: number, code: number, errorMessage: string | null = null): PartitionAnswer {
  return { index, errorCode: code, baseOffset: -1, errorMessage }
}
