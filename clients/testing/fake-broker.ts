// FakeBroker: a broker in memory that a test scripts, for behaviour that is rare in a real one. One node, real bytes.
// It checks the sequences of idempotent producers as Kafka does, so that it detects wrong order and duplicates.

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { produce } from '../../protocol/api/00_produce.ts'
import { fetch } from '../../protocol/api/01_fetch.ts'
import { listOffsets } from '../../protocol/api/02_list_offsets.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { apiVersions } from '../../protocol/api/18_api_versions.ts'
import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { apiByKey, apis } from '../../protocol/apis.ts'
import { buildEndMarker, type MarkerKind } from '../../protocol/batch/control.ts'
import { batchesOf, recordsOf } from '../../protocol/batch/record.ts'
import { stampBatch, type BatchHeader } from '../../protocol/batch/header.ts'
import { decode } from '../../protocol/compile.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import {
  encodeResponseFrame,
  FrameCutter,
  readRequestHeader,
  skipHeaderTags,
} from '../../protocol/frame.ts'
import type { Api, RequestOf, ResponseInput } from '../../protocol/schema.ts'
import { Reader } from '../../protocol/wire.ts'

/** A handler's result: a response, none, or the end of the connection. */
export type Reply<A extends Api<any, any>> = ResponseInput<A> | 'silence' | 'hangUp'
export type Handler<A extends Api<any, any>> = (
  request: RequestOf<A>,
  version: number,
  socket: Socket,
) => Reply<A> | Promise<Reply<A>>

/** One partition: its batches, the last batches of each producer, and the transactions that wrote into it. */
export interface FakeLog {
  readonly batches: Uint8Array[]
  startOffset: number
  endOffset: number
  readonly producers: Map<number, { epoch: number; nextSequence: number; recent: Recent[] }>
  readonly transactions: FakeTransaction[]
}

interface FakeTransaction {
  readonly producerId: number
  readonly firstOffset: number
  end?: { readonly kind: MarkerKind; readonly offset: number }
}

interface Recent {
  readonly sequence: number
  readonly baseOffset: number
}

export const NODE_ID = 1

export class FakeBroker implements AsyncDisposable {
  /** Topic -> its partitions. */
  readonly topics = new Map<string, FakeLog[]>()
  readonly ids = new Map<string, string>()
  /** Names of topics that Metadata calls internal. */
  readonly internal = new Set<string>()
  /** Every request, in order of arrival. */
  readonly requests: { readonly api: string; readonly version: number; readonly request: any }[] =
    []
  /** Caps what ApiVersions offers, by API name. */
  readonly versionsMax = new Map<string, number>()
  features: { name: string; maxVersionLevel: number; minVersionLevel: number }[] = []
  leader = NODE_ID
  /** The port that Metadata names, unless it is its own. */
  advertised: number | undefined
  advertisedHost = '127.0.0.1'
  /** Whether the broker accepts a request on a socket; else it closes the connection. */
  admits: (api: Api, socket: Socket) => boolean = () => true
  /** The number of batches of a partition in one Fetch response. */
  batchesMax = Infinity
  producerIds = 1000
  readonly #sockets = new Set<Socket>()
  readonly #scripts = new Map<number, Handler<any>[]>()
  readonly #defaults = new Map<number, Handler<any>>()
  readonly #server: Server
  #port = 0
  #createdCount = 0

  private constructor(tls: TlsOptions | undefined) {
    this.#server =
      tls === undefined
        ? createServer((socket) => this.#accept(socket))
        : createTlsServer(tls, (socket) => this.#accept(socket)).on('tlsClientError', () => {})
    this.always(apiVersions, () => this.#offer())
    this.always(metadata, (request) => this.#metadata(request))
    this.always(initProducerId, () => ({
      errorCode: 0,
      producerId: this.producerIds++,
      producerEpoch: 0,
    }))
    this.always(produce, (request, version) => this.produce(request, version))
    this.always(fetch, (request, version) => this.#fetch(request, version))
    this.always(listOffsets, (request) => this.#listOffsets(request))
  }

  /** @param tls without it it speaks in plaintext */
  static async start(tls?: TlsOptions): Promise<FakeBroker> {
    const broker = new FakeBroker(tls)
    await broker.listen()
    return broker
  }

  get port(): number {
    return this.#port
  }

  get bootstrap(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** Replaces a topic of this name by one with another id. */
  createTopic(name: string, partitions = 1): FakeLog[] {
    const logs = Array.from({ length: partitions }, () => ({
      batches: [],
      startOffset: 0,
      endOffset: 0,
      producers: new Map(),
      transactions: [],
    }))
    this.topics.set(name, logs)
    const text = `${name}.${this.#createdCount++}`
    this.ids.set(name, Buffer.from(text.padEnd(16, '.').slice(-16)).toString('base64url'))
    return logs
  }

  /** These handlers answer the next requests of this API, one each. */
  next<A extends Api<any, any>>(api: A, ...handlers: Handler<A>[]): void {
    const scripts = this.#scripts.get(api.key) ?? []
    scripts.push(...handlers)
    this.#scripts.set(api.key, scripts)
  }

  /** This handler answers requests of this API, except those for which `next` has one. */
  always<A extends Api<any, any>>(api: A, handler: Handler<A>): void {
    this.#defaults.set(api.key, handler)
  }

  /** The requests of this API so far. */
  seen<A extends Api<any, any>>(
    api: A,
  ): { readonly version: number; readonly request: RequestOf<A> }[] {
    return this.requests.filter((each) => each.api === api.name)
  }

  /** Offset and value of every record of a partition. */
  values(topic: string, partition = 0): string[] {
    const { batches } = this.topics.get(topic)![partition]!
    return batches.flatMap((bytes) =>
      [...batchesOf(bytes)].flatMap(({ at, header }) =>
        [...recordsOf(bytes, at, header, { decompressedBytesMax: 1e9 })].map(({ value }) =>
          String(value),
        ),
      ),
    )
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Stops as after a kill; `listen` starts it again on the same port. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.hangUp()
    await closed
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Appends as Kafka does, with its checks for duplicates and gaps. */
  produce(request: RequestOf<typeof produce>, version = 9): ResponseInput<typeof produce> {
    const topics = request.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map(({ index, records }) => {
        const log = this.topics.get(version >= 13 ? this.#nameOf(topic.topicId) : topic.name)?.[
          index
        ]
        if (log === undefined) return refusal(index, 'UNKNOWN_TOPIC_OR_PARTITION')
        return { index, ...append(log, Buffer.from(records!)) }
      }),
    }))
    return { topics }
  }

  #accept(socket: Socket): void {
    const cutter = new FrameCutter(1e8)
    let answered = Promise.resolve()
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      try {
        cutter.push(chunk, (frame) => {
          const bytes = Buffer.from(frame)
          answered = answered.then(() => this.#answer(socket, bytes))
        })
      } catch {
        socket.destroy() // as a broker treats bytes that are no frame
      }
    })
  }

  async #answer(socket: Socket, frame: Buffer): Promise<void> {
    const reader = new Reader(frame)
    const { apiKey, apiVersion: version, correlationId } = readRequestHeader(reader)
    const api = apiByKey(apiKey)!
    const isHandshake = apiKey === apiVersions.key // ApiVersions itself may come in a version that this broker cannot read
    let request: any = {}
    if (!isHandshake) {
      skipHeaderTags(reader, api, version)
      request = decode(api.request, version, reader)
      this.requests.push({ api: api.name, version, request })
    }
    const handler = this.#scripts.get(apiKey)?.shift() ?? this.#defaults.get(apiKey)!
    if (!isHandshake && !this.admits(api, socket)) return void socket.destroy()
    const reply = await handler(request, version, socket)
    if (reply === 'hangUp') socket.destroy()
    else if (reply !== 'silence' && request.acks !== 0) {
      const answered = isHandshake && reply.errorCode !== 0 ? 0 : version
      for (const chunk of encodeResponseFrame(api, answered, correlationId, reply))
        socket.write(chunk)
    }
  }

  #offer(): ResponseInput<typeof apiVersions> {
    const apiKeys = apis.map(({ key, name, advertised }) => ({
      apiKey: key,
      minVersion: advertised.from,
      maxVersion: this.versionsMax.get(name) ?? advertised.to,
    }))
    return { errorCode: 0, apiKeys, finalizedFeatures: this.features }
  }

  #nameOf(id: string): string {
    return [...this.ids].find(([, each]) => each === id)?.[0] ?? ''
  }

  #metadata({ topics }: RequestOf<typeof metadata>): ResponseInput<typeof metadata> {
    const names = topics?.map(({ name }) => name!) ?? [...this.topics.keys()]
    return {
      brokers: [
        { nodeId: NODE_ID, host: this.advertisedHost, port: this.advertised ?? this.#port },
      ],
      clusterId: 'fake',
      controllerId: NODE_ID,
      topics: names.map((name) => ({
        name,
        topicId: this.ids.get(name) ?? undefined,
        isInternal: this.internal.has(name),
        errorCode: this.topics.has(name) ? 0 : errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
        partitions: (this.topics.get(name) ?? []).map((_, partitionIndex) => ({
          errorCode: 0,
          partitionIndex,
          leaderId: this.leader,
          replicaNodes: [NODE_ID],
          isrNodes: [NODE_ID],
        })),
      })),
    }
  }

  #fetch(
    request: RequestOf<typeof fetch>,
    version: number,
  ): ResponseInput<typeof fetch> | Promise<ResponseInput<typeof fetch>> {
    let bytes = 0
    const responses = request.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map(({ partition, fetchOffset }) => {
        const log = this.topics.get(version >= 13 ? this.#nameOf(topic.topicId) : topic.topic)?.[
          partition
        ]
        const answer =
          log === undefined
            ? fetchRefusal('UNKNOWN_TOPIC_OR_PARTITION')
            : read(log, fetchOffset, this.batchesMax, request.isolationLevel === 1)
        bytes += answer.records.length + answer.errorCode
        return { partitionIndex: partition, ...answer }
      }),
    }))
    if (bytes > 0 || request.maxWaitMs === 0) return { responses }
    return new Promise((resolve) =>
      setTimeout(() => resolve({ responses }), Math.min(request.maxWaitMs, 20)),
    )
  }

  #listOffsets({
    topics,
    isolationLevel,
  }: RequestOf<typeof listOffsets>): ResponseInput<typeof listOffsets> {
    const endOf = isolationLevel === 1 ? lastStableOffset : ({ endOffset }: FakeLog) => endOffset
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => {
          const log = this.topics.get(name)![partitionIndex]!
          const offset = timestamp === -2 ? log.startOffset : timestamp === -1 ? endOf(log) : -1
          return { partitionIndex, errorCode: 0, offset }
        }),
      })),
    }
  }
}

/** A Produce answer that refuses a partition. */
export function refusal(index: number, name: ErrorName) {
  return { index, errorCode: errorCode(name), baseOffset: -1 }
}

function fetchRefusal(name: ErrorName) {
  return {
    errorCode: errorCode(name),
    highWatermark: -1,
    abortedTransactions: null,
    records: Buffer.alloc(0),
  }
}

function append(log: FakeLog, bytes: Buffer): { errorCode: number; baseOffset: number } {
  const [batch] = batchesOf(bytes)
  const { header } = batch!
  const verdict = header.producerId < 0 ? undefined : checkSequence(log, header)
  if (verdict !== undefined) return verdict
  const baseOffset = log.endOffset
  stampBatch(bytes, 0, baseOffset, 0)
  log.batches.push(bytes)
  log.endOffset += header.lastOffsetDelta + 1
  log.producers.get(header.producerId)?.recent.push({ sequence: header.baseSequence, baseOffset })
  const { producerId } = header
  if (header.isTransactional && openTransaction(log, producerId) === undefined)
    log.transactions.push({ producerId, firstOffset: baseOffset })
  return { errorCode: 0, baseOffset }
}

/** @returns the answer, if the batch is not to be appended */
function checkSequence(
  log: FakeLog,
  header: BatchHeader,
): { errorCode: number; baseOffset: number } | undefined {
  const { producerId, producerEpoch, baseSequence, recordCount } = header
  const known = log.producers.get(producerId)
  if (known === undefined || producerEpoch > known.epoch) {
    if (known !== undefined && baseSequence !== 0) return refusal(0, 'OUT_OF_ORDER_SEQUENCE_NUMBER')
    log.producers.set(producerId, {
      epoch: producerEpoch,
      nextSequence: baseSequence + recordCount,
      recent: [],
    })
    return undefined
  }
  if (producerEpoch < known.epoch) return refusal(0, 'INVALID_PRODUCER_EPOCH')
  const repeated = known.recent.slice(-5).find(({ sequence }) => sequence === baseSequence)
  if (repeated !== undefined) return { errorCode: 0, baseOffset: repeated.baseOffset }
  if (baseSequence !== known.nextSequence) return refusal(0, 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  known.nextSequence += recordCount
  return undefined
}

/** Writes the marker that ends a producer's transaction. */
export function endTransaction(
  log: FakeLog,
  producerId: number,
  producerEpoch: number,
  kind: MarkerKind,
): void {
  const marker = { producerId, producerEpoch, kind, coordinatorEpoch: 0, timestamp: 0 }
  const bytes = buildEndMarker(marker)
  stampBatch(bytes, 0, log.endOffset, 0)
  log.batches.push(bytes)
  const open = openTransaction(log, producerId)
  if (open !== undefined) open.end = { kind, offset: log.endOffset }
  log.endOffset++
}

function openTransaction(log: FakeLog, producerId: number): FakeTransaction | undefined {
  return log.transactions.find((each) => each.producerId === producerId && each.end === undefined)
}

function lastStableOffset({ transactions, endOffset }: FakeLog): number {
  return transactions.find(({ end }) => end === undefined)?.firstOffset ?? endOffset
}

function read(log: FakeLog, offset: number, batchesMax: number, isCommitted: boolean) {
  if (offset < log.startOffset || offset > log.endOffset) return fetchRefusal('OFFSET_OUT_OF_RANGE')
  const visibleEnd = isCommitted ? lastStableOffset(log) : log.endOffset
  const batches = log.batches.filter((bytes) => {
    const [batch] = batchesOf(bytes)
    const { baseOffset, lastOffsetDelta } = batch!.header
    return baseOffset + lastOffsetDelta >= offset && baseOffset < visibleEnd
  })
  const aborted = log.transactions.filter(
    ({ end }) => end?.kind === 'abort' && end.offset >= offset,
  )
  return {
    errorCode: 0,
    highWatermark: log.endOffset,
    lastStableOffset: lastStableOffset(log),
    abortedTransactions: isCommitted ? aborted : null,
    records: Buffer.concat(batches.slice(0, batchesMax)),
  }
}
