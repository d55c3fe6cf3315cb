// Cluster: the brokers, the leader of each partition, and the sockets to them.
// All producers, consumers and admins of a client share it. It does nothing by itself: metadata is refreshed on use.

import { metadata } from '../../protocol/api/03_metadata.ts'
import { errorName, KafkaError } from '../../protocol/errors.ts'
import type { Uuid } from '../../protocol/ids.ts'
import type { Api, RequestInput, ResponseOf } from '../../protocol/schema.ts'
import { backoffMs, type BackoffOptions } from './backoff.ts'
import { Call, type CallOptions } from '../call.ts'
import type { Clock } from '../clock.ts'
import { tellRetry } from '../events.ts'
import { addressText, type Address } from '../net/address.ts'
import type { Connection, ConnectionOptions } from '../net/connection.ts'
import { Lane } from '../net/lane.ts'

export interface ClusterOptions extends ConnectionOptions {
  readonly bootstrap: readonly Address[]
  readonly timeoutMs: number
  readonly bootstrapTimeoutMs: number
  readonly retry: BackoffOptions
  readonly metadataAgeMaxMs: number
}

export interface BrokerNode extends Address {
  readonly id: number
  readonly rack: string | null
}

export interface TopicMetadata {
  readonly name: string
  /** `UUID_ZERO` from brokers before Kafka 2.8. */
  readonly id: Uuid
  readonly isInternal: boolean
  /** By partition number. */
  readonly partitions: readonly PartitionMetadata[]
  /** Monotonic ms. */
  readonly askedAt: number
}

export interface PartitionMetadata {
  readonly partition: number
  /** Node id; -1: no leader now. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly inSyncReplicas: readonly number[]
}

/** The outcome of one look-up of topics. */
export interface ClusterView {
  readonly clusterId: string | null
  readonly controller: number
  readonly brokers: readonly BrokerNode[]
  readonly topics: readonly (TopicMetadata | KafkaError)[]
}

/** The broker for a request: a node id, the controller, or any broker. */
export type Target = number | 'controller' | 'any'

/** How long a new topic may be unknown to a broker. */
const MISSING_TOPIC_PATIENCE_MS = 1_000

/** The broker is still writing the end of the previous transaction, which takes a moment; Java's client waits as long. */
const CONCURRENT_BACKOFF_MS = 20

export class Cluster {
  readonly options: ClusterOptions
  readonly clock: Clock
  /** For short requests; producers and consumers have their own lanes. */
  readonly #control: Lane
  /** The lanes of producers and consumers. */
  readonly #lanes = new Set<Lane>()
  readonly #topics = new Map<string, TopicMetadata | KafkaError>()
  #brokers = new Map<number, BrokerNode>()
  #controller = -1
  /** A broker has answered: the addresses are right, so from now on calls retry until their timeout. */
  #isReached = false
  /** Monotonic ms of the first attempt to reach one. */
  #triedAt: number | undefined
  #refreshing: Promise<void> = Promise.resolve()
  #nextRefresh: Promise<void> | undefined
  readonly #namesWanted = new Map<string, { create: boolean }>()

  constructor(options: ClusterOptions) {
    this.options = options
    this.clock = options.clock
    this.#control = new Lane(options)
  }

  close(): void {
    this.#control.close()
    for (const lane of this.#lanes) this.closeLane(lane)
  }

  call(options: CallOptions): Call {
    return new Call(this.clock, options, this.options.timeoutMs)
  }

  newLane(): Lane {
    const lane = new Lane(this.options)
    this.#lanes.add(lane)
    return lane
  }

  closeLane(lane: Lane): void {
    this.#lanes.delete(lane)
    lane.close()
  }

  /** The last known metadata of a topic; undefined if it does not exist. */
  topic(name: string): TopicMetadata | undefined {
    const answer = this.#topics.get(name)
    return answer instanceof KafkaError ? undefined : answer
  }

  /** The error that the cluster returned for a topic. */
  topicError(name: string): KafkaError | undefined {
    const answer = this.#topics.get(name)
    return answer instanceof KafkaError ? answer : undefined
  }

  isStale(topic: TopicMetadata): boolean {
    return this.clock.monotonic() - topic.askedAt > this.options.metadataAgeMaxMs
  }

  /**
   * Refreshes a topic's metadata; calls that come during a request share the next one.
   *
   * @param create ask the broker to create it when it does not exist
   * @throws {KafkaError} if no broker could be asked; `topic()` tells whether the topic exists
   */
  refresh(name: string, create = false): Promise<void> {
    const wanted = this.#namesWanted.get(name)
    if (wanted === undefined) this.#namesWanted.set(name, { create })
    else wanted.create ||= create
    this.#nextRefresh ??= this.#refreshing.then(() => {
      this.#nextRefresh = undefined
      const run = this.#refreshWanted()
      this.#refreshing = run.catch(() => {}) // its callers get the error
      return run
    })
    return this.#nextRefresh
  }

  /** @throws {KafkaError} UNKNOWN_TOPIC_OR_PARTITION, or the cluster's error for the topic */
  async findTopic(name: string, call: Call, create = false): Promise<TopicMetadata> {
    await call.wait(this.refresh(name, create))
    const answer = this.#topics.get(name)
    if (answer instanceof KafkaError) throw answer
    if (answer === undefined) throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${name}`)
    return answer
  }

  /** @param names null: all topics; @returns them in that order */
  async describe(
    names: readonly string[] | null,
    call: Call,
    create = false,
  ): Promise<ClusterView> {
    const topics = names?.map((name) => ({ name })) ?? null
    const response = await this.ask(
      metadata,
      { topics, allowAutoTopicCreation: create },
      'any',
      call,
    )
    if (response.errorCode !== 0) throw new KafkaError(errorName(response.errorCode)!, 'Metadata')
    const view = this.#learn(response)
    if (names === null) {
      this.#forgetOthers(new Set(response.topics.map(({ name }) => name)))
      return view
    }
    const byName = new Map(response.topics.map(({ name }, index) => [name, view.topics[index]!]))
    const missing = (name: string) => new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${name}`)
    return { ...view, topics: names.map((name) => byName.get(name) ?? missing(name)) }
  }

  /**
   * Sends one short request.
   *
   * @param versionMin the oldest version that has all fields of the request
   * @throws {KafkaError} the socket's error, see `retrying`; UNSUPPORTED_VERSION
   */
  async ask<A extends Api<any, any>>(
    api: A,
    request: RequestInput<A>,
    target: Target,
    call: Call,
    versionMin = 0,
  ): Promise<ResponseOf<A>> {
    this.#triedAt ??= this.clock.monotonic()
    const connection = await this.connection(target, this.#control, call)
    const version = connection.version(api, Infinity, versionMin)
    try {
      const response = await call.wait(connection.request(api, version, request))
      this.#isReached = true
      return response
    } catch (error) {
      throw this.#isReached ? error : this.#unanswered(error, this.#triedAt)
    }
  }

  /** A listener that accepts connections and closes them on every request is not one for this client. */
  #unanswered(error: unknown, triedAt: number): unknown {
    const isPatient = this.clock.monotonic() - triedAt < this.options.bootstrapTimeoutMs
    const isLost = error instanceof KafkaError && error.code === 'NETWORK_EXCEPTION'
    return isLost && !isPatient ? unreachable([error]) : error
  }

  /**
   * Retries after a retriable error, with growing pauses, until the call is over.
   * A topic that does not exist may be new: after a second of retries it counts as missing.
   */
  async retrying<T>(call: Call, attempt: () => Promise<T>): Promise<T> {
    const startedAt = this.clock.monotonic()
    for (let failures = 1; ; failures++) {
      try {
        return await attempt()
      } catch (error) {
        if (!(error instanceof KafkaError) || !error.retriable) throw error
        if (call.isOver) throw call.ending(error)
        const isMissing = error.code === 'UNKNOWN_TOPIC_OR_PARTITION'
        if (isMissing && this.clock.monotonic() - startedAt > MISSING_TOPIC_PATIENCE_MS) throw error
        const delayMs = this.backoffMs(failures, error)
        const forMs = this.clock.monotonic() - startedAt
        tellRetry({ what: 'call', error, failures, delayMs, forMs }, this.options.logger)
        await call.sleep(delayMs, error)
      }
    }
  }

  /** @param error the error that the call waits out */
  backoffMs(failures: number, error?: KafkaError): number {
    const delayMs = backoffMs(failures, this.options.retry, this.clock)
    const isShort = error?.code === 'CONCURRENT_TRANSACTIONS'
    return isShort ? Math.min(delayMs, CONCURRENT_BACKOFF_MS) : delayMs
  }

  /** @throws {KafkaError} BROKER_NOT_AVAILABLE if no broker was ever reached, else the socket's error */
  async connection(target: Target, lane: Lane, call: Call): Promise<Connection> {
    if (target === 'any') return await this.#anyConnection(lane, call)
    const id = target === 'controller' ? await this.#controllerId(call) : target
    const broker = this.#brokers.get(id)
    if (broker === undefined) {
      throw new KafkaError('LEADER_NOT_AVAILABLE', `broker ${id} is not in the cluster now`)
    }
    try {
      return await call.wait(lane.get(broker))
    } catch (error) {
      throw this.#isBootstrap(broker) ? error : advertised(broker, error)
    }
  }

  #isBootstrap(address: Address): boolean {
    const text = addressText(address)
    return this.options.bootstrap.some((each) => addressText(each) === text)
  }

  async #controllerId(call: Call): Promise<number> {
    if (!this.#brokers.has(this.#controller)) await this.describe([], call)
    if (this.#brokers.has(this.#controller)) return this.#controller
    throw new KafkaError('NOT_CONTROLLER', 'the cluster has no controller now')
  }

  /** Is this node in the cluster, by the last metadata? */
  knows(id: number): boolean {
    return this.#brokers.has(id)
  }

  /** Forgets the controller, after a broker said that it is not the controller. */
  forgetController(): void {
    this.#controller = -1
  }

  async #anyConnection(lane: Lane, call: Call): Promise<Connection> {
    const startedAt = this.clock.monotonic()
    for (let failures = 1; ; failures++) {
      const open = lane.anyOpen()
      if (open !== undefined) return open
      const reasons: KafkaError[] = []
      for (const address of this.#candidates()) {
        try {
          return await call.wait(lane.get(address))
        } catch (error) {
          if (!(error instanceof KafkaError) || !error.retriable) throw error
          if (call.isOver) throw call.ending(error)
          reasons.push(error)
        }
      }
      const patience = this.clock.monotonic() - startedAt < this.options.bootstrapTimeoutMs
      if (!this.#isReached && !patience) throw unreachable(reasons)
      this.options.logger?.warn(
        { reasons: reasons.map((each) => each.message) },
        'no broker can be reached',
      )
      await call.sleep(this.backoffMs(failures), unreachable(reasons))
    }
  }

  /** The known brokers, in random order, then the bootstrap addresses. */
  #candidates(): Address[] {
    const known = [...this.#brokers.values()]
      .map((broker) => ({ broker, place: this.clock.random() }))
      .sort((a, b) => a.place - b.place)
      .map(({ broker }): Address => broker)
    const texts = new Set(known.map(addressText))
    const given = this.options.bootstrap.filter((address) => !texts.has(addressText(address)))
    return [...known, ...given]
  }

  async #refreshWanted(): Promise<void> {
    const wanted = [...this.#namesWanted]
    this.#namesWanted.clear()
    const call = this.call({})
    for (const create of [false, true]) {
      const names = wanted.filter(([, each]) => each.create === create).map(([name]) => name)
      if (names.length > 0) await this.describe(names, call, create)
    }
  }

  /** @param names of all topics except internal ones, which a broker need not list */
  #forgetOthers(names: ReadonlySet<string | null>): void {
    for (const [name, known] of this.#topics) {
      if (names.has(name) || known instanceof KafkaError || known.isInternal) continue
      this.#topics.set(name, new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${name}`))
    }
  }

  #learn(response: ResponseOf<typeof metadata>): ClusterView {
    const brokers = response.brokers.map(({ nodeId, host, port, rack }) => ({
      id: nodeId,
      host,
      port,
      rack,
    }))
    this.#brokers = new Map(brokers.map((broker) => [broker.id, broker]))
    this.#controller = response.controllerId
    const askedAt = this.clock.monotonic()
    const topics = response.topics.map((topic) => this.#learnTopic(topic, askedAt))
    return { clusterId: response.clusterId, controller: response.controllerId, brokers, topics }
  }

  #learnTopic(answer: TopicAnswer, askedAt: number): TopicMetadata | KafkaError {
    const name = answer.name ?? ''
    const error = errorName(answer.errorCode)
    if (error !== undefined) {
      const refusal = new KafkaError(error, `topic ${name}`)
      const isPassing = error === 'LEADER_NOT_AVAILABLE' && this.topic(name) !== undefined
      if (!isPassing) this.#topics.set(name, refusal)
      return refusal
    }
    const partitions: PartitionMetadata[] = []
    for (const each of answer.partitions) {
      partitions[each.partitionIndex] = {
        partition: each.partitionIndex,
        leader: each.leaderId,
        leaderEpoch: each.leaderEpoch,
        replicas: each.replicaNodes,
        inSyncReplicas: each.isrNodes,
      }
    }
    const topic = { name, id: answer.topicId, isInternal: answer.isInternal, partitions, askedAt }
    this.#topics.set(name, topic)
    return topic
  }
}

type TopicAnswer = ResponseOf<typeof metadata>['topics'][number]

/** The cluster advertises this address; it is none of the bootstrap addresses. */
function advertised(broker: BrokerNode, error: unknown): unknown {
  if (!(error instanceof KafkaError) || error.code !== 'NETWORK_EXCEPTION') return error
  const what = `${error.reason}; broker ${broker.id} advertises that address (advertised.listeners)`
  return new KafkaError('NETWORK_EXCEPTION', what, { cause: error })
}

/** @param reasons one for each address */
function unreachable(reasons: readonly KafkaError[]): KafkaError {
  const texts = reasons.map(({ reason }) => reason)
  return new KafkaError('BROKER_NOT_AVAILABLE', `no broker can be reached: ${texts.join('; ')}`, {
    cause: reasons[0],
  })
}
