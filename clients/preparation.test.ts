// Serdes that look something up before they read or write: each schema once, through the public API; and records
// whose look-up fails, answers nonsense or never ends.

import { setTimeout as sleep } from 'node:timers/promises'
import t from '../protocol/testing/tap.ts'
import { Broker } from '../broker/broker.ts'
import {
  Client,
  KafkaError,
  orNull,
  PartialError,
  string,
  topic,
  type ClientOptions,
  type RecordOf,
  type Serde,
  type TopicLike,
} from './index.ts'

/** Schemas by name and by id, over a network of promises. */
class Registry {
  readonly lookUps: string[] = []
  readonly #names = ['order', 'refund']
  /** The next look-ups wait for it. */
  gate: Promise<unknown> = Promise.resolve()

  async idOf(name: string, subject: string): Promise<number> {
    this.lookUps.push(`${subject}: ${name}`)
    await this.gate
    return this.#names.indexOf(name)
  }

  async nameOf(id: number): Promise<string> {
    this.lookUps.push(`${id}`)
    await this.gate
    await sleep(1)
    const name = this.#names[id]
    if (name === undefined) throw new Error(`no schema ${id}`)
    return name
  }
}

type Event = readonly [schema: string, text: string]

/** The bytes begin with the id of a schema, as those of a schema registry do. */
class RegistrySerde implements Serde<Event> {
  readonly #registry: Registry
  readonly #ids = new Map<string, number>()
  readonly #names = new Map<number, string>()
  readonly #pending = new Map<unknown, Promise<unknown>>()

  constructor(registry: Registry) {
    this.#registry = registry
  }

  prepareSerialize([name]: Event, of: string, field: string): Promise<unknown> | undefined {
    if (this.#ids.has(name)) return undefined
    return this.#once(name, async () =>
      this.#ids.set(name, await this.#registry.idOf(name, `${of}-${field}`)),
    )
  }

  serialize([name, text]: Event): Buffer {
    return Buffer.concat([Buffer.of(this.#ids.get(name)!), Buffer.from(text)])
  }

  prepareDeserialize(bytes: Buffer): Promise<unknown> | undefined {
    const id = bytes[0]!
    if (this.#names.has(id)) return undefined
    return this.#once(id, async () => this.#names.set(id, await this.#registry.nameOf(id)))
  }

  deserialize(bytes: Buffer): Event {
    return [this.#names.get(bytes[0]!)!, bytes.toString('utf8', 1)]
  }

  /** One look-up at a time; a failed one is tried again. */
  #once(key: unknown, lookUp: () => Promise<unknown>): Promise<unknown> {
    let pending = this.#pending.get(key)
    if (pending === undefined) {
      pending = lookUp().finally(() => this.#pending.delete(key))
      this.#pending.set(key, pending)
    }
    return pending
  }
}

async function world(options: Partial<ClientOptions> = {}) {
  const broker = await Broker.start({ ephemeral: true })
  const client = new Client({ brokers: broker.bootstrap, ...options })
  const readAll = async <T extends TopicLike>(of: T): Promise<unknown[]> => {
    await using consumer = client.consumer({ topics: [of], from: 'earliest', until: 'end' })
    const values: unknown[] = []
    for await (const { value } of consumer as AsyncIterable<RecordOf<T>>) values.push(value)
    return values
  }
  const close = async () => {
    await client.close()
    await broker.close()
  }
  return { broker, client, readAll, [Symbol.asyncDispose]: close }
}

function events(name: string, serde: Serde<Event>) {
  return topic(name, { key: string, value: serde })
}

const all: Event[] = Array.from({ length: 200 }, (_, i) => [
  i % 3 === 0 ? 'refund' : 'order',
  `${i}`,
])

t.test('each schema is looked up once by who writes and once by who reads', async (t) => {
  await using w = await world()
  const registry = new Registry()
  const orders = events('orders', new RegistrySerde(registry))
  await w.client.admin().createTopics([{ topic: orders, partitions: 3 }])
  await using producer = w.client.producer()
  const sent = all.map((value) => producer.send(orders, { key: value[1], value }))
  await Promise.all(sent)
  t.same(registry.lookUps, ['orders-value: refund', 'orders-value: order'])
  registry.lookUps.length = 0
  const numbers = (values: readonly unknown[]) =>
    (values as Event[]).map(([, text]) => Number(text)).sort((a, b) => a - b)

  const reading = events('orders', new RegistrySerde(registry))
  const plain = await w.readAll(reading)
  t.same(
    numbers(plain),
    Array.from(all, (_, i) => i),
  )
  t.ok((plain as Event[]).every(([name, text]) => name === all[Number(text)]![0]))
  t.same(registry.lookUps.toSorted(), ['0', '1'])
  registry.lookUps.length = 0

  const again = events('orders', new RegistrySerde(registry))
  const options = { topics: [again], group: 'g', from: 'earliest', until: 'end' } as const
  await using member = w.client.consumer(options)
  const handled: Event[] = []
  await member.run(({ value }) => void handled.push(value), { concurrency: 8 })
  t.same(
    numbers(handled),
    Array.from(all, (_, i) => i),
  )
  t.same(registry.lookUps.toSorted(), ['0', '1'])
})

t.test('records keep their order behind a look-up, and other topics do not wait', async (t) => {
  await using w = await world()
  const registry = new Registry()
  let open!: () => void
  registry.gate = new Promise<void>((resolve) => (open = resolve))
  const orders = events('orders', new RegistrySerde(registry))
  await using producer = w.client.producer()
  const sent = producer.send(
    orders,
    all.map((value) => ({ key: 'one', value })),
  )
  await producer.send('others', { value: 'at once' })
  open()
  t.equal((await sent).length, all.length)
  const reading = events('orders', new RegistrySerde(registry))
  t.same(await w.readAll(reading), all)
})

t.test('a transaction waits for the look-ups of what it sends', async (t) => {
  await using w = await world()
  const orders = events('orders', new RegistrySerde(new Registry()))
  await using producer = w.client.producer({ transactionalId: 'x' })
  await producer.transaction(async (tx) => {
    for (const value of all.slice(0, 5)) await tx.send(orders, { key: 'k', value })
  })
  t.same(await w.readAll(orders), all.slice(0, 5))
})

/** A serde of text with a look-up of its own. */
function texts(of: Pick<Serde<string>, 'prepareSerialize' | 'prepareDeserialize'>) {
  return topic('texts', { value: { ...string, ...of } })
}

t.test('orNull looks up too, but nothing for null', async (t) => {
  await using w = await world()
  const asked: unknown[] = []
  const serde: Serde<string> = {
    ...string,
    prepareSerialize: async (value) => asked.push(value),
    prepareDeserialize: async (bytes) => asked.push(bytes.toString()),
  }
  const nullable = topic('nullable', { value: orNull(serde) })
  await using producer = w.client.producer()
  await producer.send(nullable, [{ value: null }, { value: 'a' }])
  t.same(await w.readAll(nullable), [null, 'a'])
  t.same(asked, ['a', 'a'])
})

t.test('a look-up that fails refuses its record alone', async (t) => {
  await using w = await world()
  const fails = (value: string): Promise<unknown> | undefined => {
    if (value === 'throws') throw new Error('at once')
    if (value === 'rejects') return sleep(1).then(() => Promise.reject(new Error('later')))
    return value === 'nonsense' ? (7 as never) : undefined
  }
  const bad = texts({ prepareSerialize: fails })
  await using producer = w.client.producer()
  const values = ['throws', 'good', 'rejects', 'nonsense', 'better']
  const error = await producer
    .send(
      bad,
      values.map((value) => ({ value })),
    )
    .catch((e) => e)
  t.ok(error instanceof PartialError)
  const outcomes = (error as PartialError<any>).results.map((each: any) => each.message ?? 'ok')
  t.match(outcomes, [
    /record 0: at once/,
    'ok',
    /record 2: later/,
    /record 3: value: its serde prepared 7/,
    'ok',
  ])
  t.same(await w.readAll(topic('texts', { value: string })), ['good', 'better'])
  await t.rejects(producer.send(bad, { value: 'rejects' }), { code: 'INVALID_RECORD' })
})

t.test('a look-up that never ends is told when the record is out of time', async (t) => {
  await using w = await world()
  const never = texts({ prepareSerialize: () => new Promise(() => {}) })
  await using other = w.client.producer()
  await other.send('texts', { value: 'the topic is known by then' })
  await using producer = w.client.producer({ deliveryTimeoutMs: 100 })
  const sent = [1, 2].map(() => producer.send(never, { value: 'x' }))
  await t.rejects(producer.send(never, { value: 'x' }, { timeoutMs: 20 }), /gave up after 20 ms/)
  for (const each of sent)
    await t.rejects(each, { code: 'REQUEST_TIMED_OUT', message: /not looked up.*prepareSerialize/ })
  await other.send('others', { value: 'goes on' })
})

t.test('who reads hears of a look-up that fails, and the next attempt goes on there', async (t) => {
  await using w = await world()
  await using producer = w.client.producer()
  await producer.send(
    'texts',
    ['a', 'b'].map((value) => ({ value })),
  )
  const failures: unknown[] = [
    new Error('no schema'),
    new KafkaError('NETWORK_EXCEPTION', 'the registry is away'),
    7,
  ]
  const fails = (): Promise<unknown> | undefined =>
    failures[0] === 7 ? (failures.shift() as never) : failures.length > 0 ? reject() : undefined
  const reject = async (): Promise<never> => {
    await sleep(1)
    throw failures.shift() as Error
  }
  const odd = texts({ prepareDeserialize: fails })
  await using consumer = w.client.consumer({ topics: [odd], from: 'earliest', until: 'end' })
  const next = async () => (await consumer[Symbol.asyncIterator]().next()).value?.value
  await t.rejects(next(), { code: 'INVALID_RECORD', message: /texts\[0\] offset 0: .*no schema/ })
  await t.rejects(next(), { code: 'NETWORK_EXCEPTION', message: /the registry is away/ })
  await t.rejects(next(), { code: 'INVALID_RECORD', message: /prepared 7, expected a promise/ })
  t.same([await next(), await next(), await next()], ['a', 'b', undefined])
})

t.test('a dead letter is what cannot be read, not what cannot be looked up now', async (t) => {
  await using w = await world()
  await using producer = w.client.producer()
  await producer.send(
    'texts',
    ['bad', 'away', 'good'].map((value) => ({ value })),
  )
  let isAway = true
  const odd = texts({
    async prepareDeserialize(bytes) {
      const value = bytes.toString()
      if (value === 'bad') throw new Error('no schema')
      if (value === 'away' && isAway) throw new KafkaError('NETWORK_EXCEPTION', 'away')
    },
  })
  const options = { topics: [odd], group: 'g', from: 'earliest', until: 'end' } as const
  await using member = w.client.consumer({ ...options, onError: { deadLetter: 'dead' } })
  await t.rejects(member[Symbol.asyncIterator]().next(), { code: 'NETWORK_EXCEPTION' })
  isAway = false
  const values: string[] = []
  for await (const { value } of member) values.push(value)
  await member.close()
  t.same(values, ['away', 'good'])
  t.same(await w.readAll(topic('dead', { value: string })), ['bad'])
})

t.test(
  'a partition whose look-up never ends holds up no other, and ends with the client’s patience',
  async (t) => {
    await using w = await world({ timeoutMs: 2000 })
    await w.client.admin().createTopics([{ topic: 'texts', partitions: 2 }])
    await using producer = w.client.producer()
    await producer.send('texts', [
      { value: 'stuck', partition: 0 },
      ...['a', 'b'].map((value) => ({ value, partition: 1 })),
    ])
    const slow = texts({
      prepareDeserialize: (bytes) =>
        bytes.toString() === 'stuck' ? new Promise(() => {}) : undefined,
    })
    await using consumer = w.client.consumer({ topics: [slow], from: 'earliest' })
    const reader = consumer[Symbol.asyncIterator]()
    t.same([(await reader.next()).value.value, (await reader.next()).value.value], ['a', 'b'])
    const told = { code: 'REQUEST_TIMED_OUT', message: /texts\[0\] offset 0: .*2000 ms/ }
    await t.rejects(reader.next(), told)
    consumer.seek({ topic: 'texts', partition: 0 }, 1)
    await producer.send('texts', { value: 'after', partition: 0 })
    t.equal((await reader.next()).value.value, 'after', 'it can be passed')
  },
)

t.test('a consumer closes while a look-up is under way', async (t) => {
  await using w = await world()
  await using producer = w.client.producer()
  await producer.send('texts', { value: 'x' })
  let isAsked = false
  const never = texts({
    prepareDeserialize() {
      isAsked = true
      return new Promise(() => {})
    },
  })
  const consumer = w.client.consumer({ topics: [never], group: 'g', from: 'earliest' })
  const next = consumer[Symbol.asyncIterator]().next()
  while (!isAsked) await sleep(5)
  await consumer.close()
  t.ok((await next).done)
})

t.test('what is no look-up is refused with its topic', (t) => {
  const bad = { ...string, prepareSerialize: 'later' } as never
  t.throws(() => topic('x', { value: bad }), /value is an object, expected a serde/)
  t.end()
})
