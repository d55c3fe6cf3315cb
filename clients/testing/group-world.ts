// A world for tests of groups: an embedded broker with a topic of texts, members that read it, and their commits.

import { setTimeout as sleep } from 'node:timers/promises'
import { Broker, type BrokerOptions } from '../../broker/broker.ts'
import {
  Client,
  KafkaError,
  string,
  topic,
  type ClientOptions,
  type ConsumerRecord,
  type GroupConsumer,
  type GroupConsumerOptions,
} from '../index.ts'

export const texts = topic('texts', { key: string, value: string })
export type Texted = GroupConsumer<ConsumerRecord<string, string, string>>

const FAST = { heartbeatIntervalMs: 20, commitIntervalMs: 20 }

export class GroupWorld implements AsyncDisposable {
  broker: Broker
  readonly client: Client
  readonly #options: BrokerOptions
  #sentCount = 0

  private constructor(broker: Broker, options: BrokerOptions, more: Partial<ClientOptions>) {
    this.broker = broker
    this.#options = options
    const retry = { backoffMs: 5, backoffMaxMs: 50 }
    this.client = new Client({ brokers: broker.bootstrap, metadataAgeMaxMs: 100, retry, ...more })
  }

  static async open(
    partitions: number,
    options: BrokerOptions = {},
    more: Partial<ClientOptions> = {},
  ): Promise<GroupWorld> {
    const all = {
      ephemeral: options.dataDir === undefined,
      config: { 'group.min.session.timeout.ms': 50 },
      ...options,
    }
    const world = new GroupWorld(await Broker.start(all), all, more)
    await world.client.admin().createTopics([{ topic: texts, partitions }])
    return world
  }

  /** Restarts on the same port with the same data. */
  async restart(): Promise<void> {
    const port = Number(this.broker.bootstrap.split(':').at(-1))
    await this.broker.close()
    this.broker = await Broker.start({ ...this.#options, port })
  }

  /** Sends `count` records, each with a number of its own, over keys k0 to k9. */
  async send(count: number): Promise<void> {
    await using producer = this.client.producer()
    const values = Array.from({ length: count }, () => `${this.#sentCount++}`)
    await producer.send(
      texts,
      values.map((value, i) => ({ key: `k${i % 10}`, value })),
    )
  }

  /** A member of group `g` with short timeouts. */
  consumer(options: Partial<GroupConsumerOptions> = {}): Texted {
    const usual = { topics: [texts], group: 'g', from: 'earliest', ...FAST } as const
    return this.client.consumer({ ...usual, ...options }) as Texted
  }

  /** The sum of the committed offsets: the number of done records. */
  async committed(): Promise<number> {
    const offsets = await this.client.admin().groups.offsets('g')
    return offsets.reduce((sum, { offset }) => sum + offset, 0)
  }

  /** Members of group `g`; 0 if it does not exist. */
  async memberCount(): Promise<number> {
    try {
      const [group] = await this.client.admin().groups.describe(['g'])
      return group!.members.length
    } catch (error) {
      if (error instanceof KafkaError && error.code === 'GROUP_ID_NOT_FOUND') return 0
      throw error
    }
  }

  /** The number of rebalances; with `http` in the options only. */
  rebalances(): Promise<number> {
    return this.#sumOf(/^millrace_rebalances_total\{group="g".*\} (\d+)$/gm)
  }

  /** The number of records that the broker has served; with `http` in the options only. */
  recordsOut(): Promise<number> {
    return this.#sumOf(/^millrace_records_out_total\{topic="texts"\} (\d+)$/gm)
  }

  async #sumOf(samples: RegExp): Promise<number> {
    const metrics = await (await fetch(`${this.broker.httpUrl}/metrics`)).text()
    return [...metrics.matchAll(samples)].reduce((sum, [, value]) => sum + Number(value), 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close()
    await this.broker.close()
  }
}

/** Resolves once `isSo` returns true; calls it again and again. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(5)
}

export interface Reader {
  readonly consumer: Texted
  /** The values that it has read so far. */
  readonly values: readonly string[]
  readonly done: Promise<void>
}

/** Reads in the background, until the consumer ends. */
export function read(
  consumer: Texted,
  onValue: (value: string, signal: AbortSignal) => unknown = () => {},
): Reader {
  const values: string[] = []
  const done = (async () => {
    for await (const { value, signal } of consumer) {
      values.push(value)
      await onValue(value, signal)
    }
  })()
  return { consumer, values, done }
}

/** Reads until the consumer's end; it has then left the group. @returns the values */
export async function readAll(consumer: Texted): Promise<readonly string[]> {
  const { values, done } = read(consumer)
  await done
  await consumer.close()
  return values
}

/** The first `count` numbers that a world sends, from `first` on. */
export function numbers(count: number, first = 0): string[] {
  return Array.from({ length: count }, (_, i) => `${first + i}`)
}

/** What several readers have read, in the order of sending. */
export function sorted(...readers: readonly (readonly string[])[]): string[] {
  return readers.flat().sort((a, b) => Number(a) - Number(b))
}
