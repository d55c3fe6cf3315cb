// World: an ephemeral broker, raw clients that close when the test ends, and short calls for common requests.

import { createTopics } from '../../protocol/api/19_create_topics.ts'
import { fetch } from '../../protocol/api/01_fetch.ts'
import { produce } from '../../protocol/api/00_produce.ts'
import { BatchBuilder, type FinishOptions } from '../../protocol/batch/build.ts'
import { batchesOf, recordsOf } from '../../protocol/batch/record.ts'
import type { ResponseOf } from '../../protocol/schema.ts'
import { systemClock, type Clock } from '../../storage/clock.ts'
import type { Fs } from '../../storage/fs.ts'
import type { Authorizer } from '../auth/permissions.ts'
import { Broker } from '../broker.ts'
import type { BrokerEnvironment } from '../compose/environment.ts'
import { readSettings } from '../config.ts'
import { ProcessLog } from '../process-log.ts'
import { Listeners } from '../net/listeners.ts'
import { LocalClient } from './local-client.ts'
import { RawClient } from './raw-client.ts'

/** A waiting fetch in a test ends by the test's next step, not by time. */
const FETCH_WAIT_MS_MAX = 3_600_000
const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024

interface Test {
  teardown(close: () => Promise<void>): void
}

interface WorldOptions {
  /** The disk, for the writer 'inline'. */
  readonly fs?: Fs
  readonly clock?: Clock
  readonly config?: Readonly<Record<string, string | number | boolean>>
  /** In a thread as users run it, or without the time that a thread takes to start (the default). */
  readonly writer?: 'thread' | 'inline'
  readonly authorizer?: Authorizer
}

export class World {
  readonly broker: Broker
  /** Lines of the process log, parsed. */
  readonly logged: {
    readonly level: string
    readonly message: string
    readonly [fact: string]: unknown
  }[]
  /** Performs requests without a socket. */
  readonly local: LocalClient
  /** Another such client, with a session of its own. */
  readonly client: () => LocalClient
  readonly #test: Test

  private constructor(
    test: Test,
    broker: Broker,
    client: () => LocalClient,
    logged: World['logged'],
  ) {
    this.#test = test
    this.broker = broker
    this.client = client
    this.local = client()
    this.logged = logged
  }

  static async open(
    test: Test,
    { clock = systemClock, config = {}, writer = 'inline', ...rest }: WorldOptions = {},
  ): Promise<World> {
    const logged: World['logged'] = []
    const own = { port: 0, 'http.port': -1, 'fetch.max.wait.ms': FETCH_WAIT_MS_MAX }
    const properties = Object.entries({ ...own, ...config }).map(([name, value]) => [
      name,
      `${value}`,
    ])
    const settings = readSettings([{ origin: 'test', properties: Object.fromEntries(properties) }])
    const log = new ProcessLog('debug', clock, { write: (line) => logged.push(JSON.parse(line)) })
    const onFatal = (error: Error) => {
      throw error
    }
    let client: () => LocalClient
    const openListeners: BrokerEnvironment['openListeners'] = (listeners, deps) => {
      client = () => new LocalClient(deps.dispatch, clock)
      return Listeners.open(listeners, deps)
    }
    const others = { writer, onFatal, clock, log, openListeners, ...rest }
    const broker = await Broker.open({ settings, ephemeral: true, ...others })
    test.teardown(() => broker.close())
    return new World(test, broker, client!, logged)
  }

  /** @param listener the first unless given */
  async connect(listener?: string): Promise<RawClient> {
    const { bootstrap, listeners } = this.broker
    const client = await RawClient.connect(
      listener === undefined ? bootstrap : listeners[listener]!,
    )
    this.#test.teardown(() => client.close())
    return client
  }

  /** @returns a client, and the id of the new topic */
  async topic(name: string, numPartitions = 1, config: Readonly<Record<string, string>> = {}) {
    const client = await this.connect()
    const configs = Object.entries(config).map(([key, value]) => ({ name: key, value }))
    const topic = { name, numPartitions, replicationFactor: 1, configs }
    const { topics } = await client.send(createTopics, { topics: [topic] })
    const [{ errorCode, errorMessage, topicId }] = topics as [(typeof topics)[number]]
    if (errorCode !== 0) throw new Error(`create ${name}: ${errorCode} ${errorMessage}`)
    return { client, topicId }
  }
}

/** A batch of one record for each value. */
export function batchOf(
  values: readonly string[],
  options: FinishOptions & { readonly timestamp?: number } = {},
) {
  const { timestamp = 1_700_000_000_000, ...finish } = options
  const builder = new BatchBuilder()
  for (const value of values) builder.append({ timestamp, key: null, value: Buffer.from(value) })
  return Buffer.from(builder.finish(finish))
}

/** Produces to one partition by name. @returns the answer; with acks 0 the broker's own outcome */
export async function produceTo(
  client: RawClient,
  name: string,
  index: number,
  records: Uint8Array | null,
  {
    acks = -1,
    version = 9,
    transactionalId = null,
  }: { acks?: number; version?: number; transactionalId?: string | null } = {},
): Promise<ResponseOf<typeof produce>['topics'][number]['partitions'][number]> {
  const topics = [{ name, partitions: [{ index, records }] }]
  const answer = await client.send(
    produce,
    { transactionalId, acks, timeoutMs: 1000, topics },
    version,
  )
  return answer.topics[0]!.partitions[0]!
}

interface FetchOptions {
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly partitionMaxBytes?: number
  readonly isolationLevel?: number
}

/** A Fetch request for partition `partition` of a topic by name, without a session. */
export function fetchRequest(
  topic: string,
  partition: number,
  fetchOffset: number,
  options: FetchOptions = {},
) {
  const { partitionMaxBytes = 1_048_576, maxWaitMs = 0, minBytes = 1, ...others } = options
  const topics = [{ topic, partitions: [{ partition, fetchOffset, partitionMaxBytes }] }]
  return { maxWaitMs, minBytes, ...others, topics }
}

/** Fetches one partition by name. */
export async function fetchFrom(
  client: RawClient,
  topic: string,
  partition: number,
  fetchOffset: number,
  options: FetchOptions = {},
) {
  const answer = await client.send(fetch, fetchRequest(topic, partition, fetchOffset, options), 11)
  return answer.responses[0]!.partitions[0]!
}

/** The values of fetched records as text, null for none. */
export function valuesOf(records: Uint8Array | null): (string | null)[] {
  const values: (string | null)[] = []
  if (records === null) return values
  for (const { at, header } of batchesOf(records)) {
    for (const { value } of recordsOf(records, at, header, {
      decompressedBytesMax: DECOMPRESSED_BYTES_MAX,
    })) {
      values.push(value?.toString() ?? null)
    }
  }
  return values
}
