// Hostile input: values of every JavaScript type, and sends with such a value in one field, between good ones. Whatever the
// value, the good records are acknowledged and read, the bad one is refused or written, and no call waits for ever.

import fc from 'fast-check'
import { finished } from 'node:stream/promises'
import type { Test } from 'tap'
import { SEED } from '../../protocol/testing/seed.ts'
import {
  Client,
  json,
  KafkaError,
  msgpack,
  orNull,
  PartialError,
  string,
  topic,
  type ClientOptions,
  type ConsumerOptions,
  type GroupConsumerOptions,
  type NewTopic,
  type Producer,
  type ProducerOptions,
} from '../index.ts'
import { contents } from './index.ts'

/** Makes a new value for each use. */
type Maker = () => unknown

class LyingBytes extends Uint8Array {
  override get length(): number {
    return 5
  }
}

let looks = 0
class FickleBytes extends Uint8Array {
  override get length(): number {
    return looks++ % 3 === 0 ? 2 : 70
  }
}

const fail = (): never => {
  throw new Error('looked at')
}
const traps = Object.fromEntries(
  Object.getOwnPropertyNames(Reflect).map((name) => [name, fail]),
) as ProxyHandler<object>

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable([], {})
  revoke()
  return proxy
}

/**
 * The user handles the rejection of a promise passed as a value. The library handles that of a promise made in one of
 * its calls, such as by a getter.
 */
function heard(): unknown {
  const promise = Promise.reject(new Error('heard'))
  promise.catch(() => {})
  return promise
}

function cyclic(): unknown {
  const value: { self?: unknown } = {}
  value.self = value
  return value
}

function detached(): unknown {
  const bytes = new Uint8Array(8)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

const odd: readonly Maker[] = [
  () => undefined,
  () => Symbol('s'),
  () => 10n ** 30n,
  () => fail,
  heard,
  () => new Proxy({}, traps),
  () => new Proxy([], traps),
  () =>
    new Proxy([1, 2], {
      get: (array, name) => (name === 'length' ? Number.NaN : array[name as never]),
    }),
  revoked,
  cyclic,
  detached,
  () => ({ toString: fail, toJSON: fail, valueOf: fail, [Symbol.toPrimitive]: fail }),
  () => Object.create(Uint8Array.prototype),
  () => new LyingBytes(3),
  () => new FickleBytes(70),
  () => Object.defineProperty(new Uint8Array(3), 'length', { value: 9 }),
  () => new Uint8Array(new SharedArrayBuffer(4)),
  () => new ArrayBuffer(4),
  () => new DataView(new ArrayBuffer(4)),
  () => new Float64Array(3),
  () => new Date(Number.NaN),
  () => new Map([['a', 'b']]),
  () => [{ key: 'a', value: 'b' }],
  () => [['a']],
  () => ({ a: ['x', 'y'] }),
  () => '\ud800',
  () => 'x'.repeat(70_000),
  ...[Number.NaN, Infinity, -Infinity, -0, -1, 1.5, 2 ** 31, 2 ** 53, 1e300, 8.64e15 + 2].map(
    (value) => () => value,
  ),
]

const anyValue: fc.Arbitrary<Maker> = fc.oneof(
  fc.constantFrom(...odd),
  fc
    .anything({
      maxDepth: 2,
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withNullPrototype: true,
      withSparseArray: true,
    })
    .map((value) => () => value),
)

const key = 'k'
const value = 'v'

/** The place of the value in a record. */
const records: Readonly<Record<string, (hostile: any, make: Maker) => any>> = {
  record: (hostile) => hostile,
  records: (hostile) => [{ value }, hostile, { value }],
  key: (hostile) => ({ key: hostile, value }),
  value: (hostile) => ({ key, value: hostile }),
  timestamp: (hostile) => ({ key, value, timestamp: hostile }),
  partition: (hostile) => ({ key, value, partition: hostile }),
  headers: (hostile) => ({ key, value, headers: hostile }),
  header: (hostile) => ({ key, value, headers: { ok: 'v', bad: hostile } }),
  'header entry': (hostile) => ({ key, value, headers: [['ok', 'v'], hostile] }),
  'name of a header': (hostile) => ({ key, value, headers: [[hostile, 'v']] }),
  'all but the value': (hostile) => ({ value, key: hostile, timestamp: hostile, headers: hostile }),
  'a getter': (_, make) => ({
    key,
    get value() {
      return make()
    },
    get headers() {
      return fail()
    },
  }),
}

const thrown = (given: unknown): never => {
  throw given
}
const rejected: any = async (given: unknown) => thrown(given)

const topics = (name: string) => [
  name,
  topic(name, { key: orNull(string), value: json<any>() }),
  topic(name, { key: orNull(string), value: msgpack<any>() }),
  topic(name, { value: { serialize: (given: any) => given, deserialize: (stored) => stored } }),
  topic(name, { value: { serialize: thrown, deserialize: (stored) => stored } }),
  topic(name, { value: { serialize: rejected, deserialize: (stored) => stored } }),
]

/** Much longer than any of the calls takes: a promise that is pending after this time never settles. */
const WAIT_MS = 60_000

/** @param name of a topic with two partitions, to which no other test writes */
export async function hostileRecords(
  t: Test,
  client: Client,
  name: string,
  runs: number,
): Promise<void> {
  const misled: { make: Maker } = { make: () => 0 }
  await using steady = client.producer({ lingerMs: 1 })
  await using misleading = client.producer({
    lingerMs: 1,
    partitioner: ({ key: given }) => (given === null ? (misled.make() as number) : rejected(given)),
  })
  let written = 0
  const good = async (producer: Producer): Promise<void> => {
    await producer.send(name, { key, value: 'good', partition: 0 })
    written++
  }
  const hostile = fc.record({
    make: anyValue,
    field: fc.constantFrom(...Object.keys(records)),
    topic: fc.constantFrom(...topics(name)),
    door: fc.constantFrom('send', 'send', 'send', 'writable', 'options', 'topic', 'partitioner'),
  })
  const property = fc.asyncProperty(hostile, async ({ make, field, topic: of, door }) => {
    const producer = door === 'partitioner' ? misleading : steady
    misled.make = make
    const record = () => records[field]!(make(), make)
    const before = good(producer)
    let sent: Promise<unknown>
    if (door === 'writable') sent = streamed(producer, name, record())
    else if (door === 'options') sent = producer.send(name, { value }, make() as object)
    else if (door === 'topic') sent = producer.send(notText(make()), { value })
    else if (door === 'partitioner')
      sent = producer.send(name, field === 'key' ? { key, value } : { value })
    else sent = producer.send(of as string, record())
    const after = good(producer)
    const count = await writtenOf(sent)
    written += count
    await within(Promise.all([before, after]))
  })
  await fc.assert(property, { numRuns: runs, seed: SEED })
  await producersClosed(steady, misleading)
  const read = await contents(client, name)
  t.equal(read.length, written, 'what was acknowledged is there, and can be read')
}

async function producersClosed(...producers: readonly Producer[]): Promise<void> {
  await within(Promise.all(producers.map((producer) => producer.close())))
}

/** A string would be a valid topic name, and might create a topic. */
function notText(given: unknown): string {
  return (typeof given === 'string' ? 5 : given) as string
}

/** @returns once the stream has finished or failed; both leave other sends alone */
async function streamed(producer: Producer, name: string, record: unknown): Promise<unknown> {
  const stream = producer.writable(name)
  stream.on('error', () => {})
  stream.write(record ?? {}) // the stream itself refuses null; `end` would call a function
  stream.end()
  await finished(stream)
  return {}
}

/** @returns how many of the records were written */
async function writtenOf(sent: Promise<unknown>): Promise<number> {
  try {
    const acks = await within(sent)
    return Array.isArray(acks) ? acks.length : 1
  } catch (error) {
    if (error instanceof PartialError)
      return error.results.filter((each) => !(each instanceof KafkaError)).length
    if (error instanceof TypeError) return 0
    if (error instanceof KafkaError && REFUSALS.has(error.code)) return 0
    throw error
  }
}

const REFUSALS: ReadonlySet<string> = new Set([
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'UNKNOWN_TOPIC_OR_PARTITION',
])

/** @throws if the promise does not settle in time */
async function within<R>(promise: Promise<R>): Promise<R> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it never ends')), WAIT_MS)
  })
  return await Promise.race([promise, over]).finally(() => clearTimeout(timer))
}

type Call = (client: Client, options: any) => unknown

/** Each call of the API with its options. */
const calls: readonly (readonly [call: Call, names: readonly string[]])[] = [
  [
    (_, options) => new Client({ brokers: '127.0.0.1:1', ...options }).close(),
    Object.keys({
      brokers: 0,
      clientId: 0,
      tls: 0,
      sasl: 0,
      connectTimeoutMs: 0,
      requestTimeoutMs: 0,
      timeoutMs: 0,
      bootstrapTimeoutMs: 0,
      retry: 0,
      metadataAgeMaxMs: 0,
      logger: 0,
      clock: 0,
    } satisfies Record<keyof ClientOptions, 0>),
  ],
  [
    async (client, options) => {
      const producer: Producer = client.producer({
        deliveryTimeoutMs: 1000,
        ...(options as object),
      })
      const sent = producer.send('hostile', { value })
      await Promise.allSettled([sent, producer.close({ timeoutMs: 5000 })])
    },
    Object.keys({
      acks: 0,
      lingerMs: 0,
      batchBytes: 0,
      compression: 0,
      idempotent: 0,
      maxInFlight: 0,
      maxBufferedBytes: 0,
      deliveryTimeoutMs: 0,
      partitioner: 0,
      autoCreateTopics: 0,
    } satisfies Record<keyof ProducerOptions, 0>),
  ],
  [
    (client, options) =>
      client.producer({ transactionalId: 'hostile', ...options }).close({ timeoutMs: 5000 }),
    ['transactionalId', 'transactionTimeoutMs'],
  ],
  [
    (client, options) => client.consumer({ topics: ['hostile'], ...options }).close(),
    Object.keys({
      topics: 0,
      partitions: 0,
      from: 0,
      until: 0,
      isolation: 0,
      outOfRange: 0,
      prefetchBytes: 0,
      partitionBytesMax: 0,
      fetchBytesMin: 0,
      fetchWaitMs: 0,
      signal: 0,
    } satisfies Record<keyof ConsumerOptions, 0>),
  ],
  [
    (client, options) => client.consumer({ topics: ['hostile'], group: 'g', ...options }).close(),
    [
      'group',
      'commit',
      'commitIntervalMs',
      'assignors',
      'instanceId',
      'sessionTimeoutMs',
      'heartbeatIntervalMs',
      'rebalanceTimeoutMs',
      'maxPollIntervalMs',
      'onAssignment',
    ] satisfies (keyof GroupConsumerOptions)[],
  ],
  [(client, options) => client.admin().cluster(options), ['signal', 'timeoutMs']],
  [
    (client, options) => client.admin().createTopics([{ topic: 'hostile', ...options }]),
    ['topic', 'partitions', 'replicationFactor', 'config'] satisfies (keyof NewTopic)[],
  ],
  [(client, options) => client.admin().groups.list(options), ['states', 'types']],
  [(_, options) => topic('hostile', options), ['key', 'value']],
]

/** An option with any value, or any name, is refused with a TypeError that names it, or does no harm. */
export async function hostileOptions(t: Test, client: Client, runs: number): Promise<void> {
  const hostile = fc.record({
    make: anyValue,
    call: fc.constantFrom(...calls),
    at: fc.nat(),
    isMisspelt: fc.boolean(),
  })
  let refused = 0
  const property = fc.asyncProperty(
    hostile,
    async ({ make, call: [call, names], at, isMisspelt }) => {
      const name = names[at % names.length]!
      const given = isMisspelt ? `${name}x` : name
      try {
        await within(Promise.resolve(call(client, { [given]: make() })))
        if (isMisspelt) throw new Error(`${given} was taken`)
      } catch (error) {
        const isSaid = error instanceof TypeError && error.message.includes(name)
        if (!isSaid && !(error instanceof KafkaError)) throw error
        refused++
      }
    },
  )
  await fc.assert(property, { numRuns: runs, seed: SEED })
  t.ok(refused > runs / 4, `${refused} of ${runs} were refused`)
}
