// Wrong input from user code: good records beside bad ones, options with any value, and errors that name the place.

import { once } from 'node:events'
import t from '../protocol/testing/tap.ts'
import { Broker } from '../broker/broker.ts'
import { produce } from '../protocol/api/00_produce.ts'
import { budget } from '../protocol/testing/budget.ts'
import { SEED } from '../protocol/testing/seed.ts'
import { Client, json, PartialError, string, topic, type KafkaError } from './index.ts'
import { flag, oneOf, required, text, type Table } from './options.ts'
import { FakeBroker, refusal } from './testing/fake-broker.ts'
import { hostileOptions, hostileRecords } from './testing/hostile.ts'

const RUNS = budget(50, 1000, 'RUNS')

t.comment(`SEED=${SEED}`)

async function world() {
  const broker = await Broker.start({ ephemeral: true })
  const client = new Client({ brokers: broker.bootstrap })
  return {
    broker,
    client,
    async [Symbol.asyncDispose]() {
      await client.close()
      await broker.close()
    },
  }
}

t.test('no value of any type in any field of a record harms other records', async (t) => {
  await using w = await world()
  await w.client.admin().createTopics([{ topic: 'hostile', partitions: 2 }])
  await hostileRecords(t, w.client, 'hostile', RUNS)
})

t.test('no value of any option is taken that does harm; a refusal names the option', async (t) => {
  await using w = await world()
  await hostileOptions(t, w.client, RUNS)
})

t.test(
  'a bad record is named by topic, index and field, with what came and what is expected',
  async (t) => {
    await using w = await world()
    const producer = w.client.producer()
    const typed = topic('typed', { key: string, value: json<any>() })
    const late = topic('late', {
      value: { serialize: () => 'text' as never, deserialize: (b) => b },
    })
    const refused = async (of: any, records: any): Promise<string> => {
      const error = await producer.send(of, records).catch((e: unknown) => e as KafkaError)
      t.equal((error as KafkaError).code, 'INVALID_RECORD')
      return (error as KafkaError).reason
    }
    const cases: [of: unknown, records: unknown, what: string][] = [
      [
        't',
        { value: 'b', timestamp: Number.NaN },
        't: timestamp is NaN, expected ms since the epoch, a whole number',
      ],
      [
        't',
        { value: 'b', timestamp: 5n },
        't: timestamp is a bigint, expected ms since the epoch, a whole number',
      ],
      [
        't',
        { value: { a: 1 } },
        't: value is an object, expected text, bytes or null; topic() gives it a serde for other values',
      ],
      ['t', {}, 't: value is missing; null in its place writes a tombstone'],
      ['t', 5, 't: the record is 5, expected an object with a value'],
      [
        't',
        { value: '', key: true },
        't: key is true, expected text, bytes or null; topic() gives it a serde for other values',
      ],
      ['t', { value: '', headers: { n: 5 } }, 't: header "n" is 5, expected text, bytes or null'],
      [
        't',
        { value: '', headers: { n: undefined } },
        't: header "n" is missing, expected text, bytes or null',
      ],
      [
        't',
        { value: '', headers: new Map() },
        't: headers is a Map, expected an object of names and values, or an array of [name, value]',
      ],
      [
        't',
        { value: '', headers: [{ key: 'n' }] },
        't: headers[0] is an object, expected [name, value]',
      ],
      ['t', { value: '', partition: '0' }, 't: partition is "0", expected a whole number'],
      [typed, { value: 1 }, 'typed: key is missing; orNull() in its topic() would allow it'],
      [typed, { key: 5, value: 1 }, 'typed: key: 5 is not text'],
      [typed, { key: 'k', value: 1n }, 'typed: value: Do not know how to serialize a BigInt'],
      [late, { value: 1 }, 'late: value: its serde gave "text", expected bytes'],
    ]
    for (const [of, records, what] of cases) t.equal(await refused(of, records), what)
    const stream = producer.writable('t')
    const failed = once(stream, 'error')
    stream.write(() => 'looked at')
    t.match(
      await failed,
      [{ code: 'INVALID_RECORD' }],
      'a stream takes a function for a record, too',
    )
    const error = await producer.send('t', [{ value: 'a' }, { value: 5 as never }]).catch((e) => e)
    t.ok(error instanceof PartialError)
    t.match(error.results, [{ offset: 0 }, { reason: /^t: record 1: value is 5, expected/ }])
  },
)

t.test(
  'a bad option is named, with what came, what is allowed and the name that was meant',
  async (t) => {
    await using w = await world()
    const { client } = w
    const cases: [call: () => unknown, what: string | RegExp][] = [
      [
        () => new Client({} as never),
        'new Client: brokers is missing, expected host:port, one or several',
      ],
      [
        () => client.producer({ compresion: 'gzip' } as never),
        'client.producer: there is no option compresion; did you mean compression?',
      ],
      [
        () => client.producer({ acks: 7 } as never),
        "client.producer: acks is 7, expected 'all', 1 or 0",
      ],
      [
        () => client.producer({ compression: 'LZ4' } as never),
        /compression is "LZ4", expected .*; did you mean 'lz4'\?$/,
      ],
      [
        () => client.consumer({ topics: 'orders' } as never),
        'client.consumer: topics is "orders", expected an array of at least 1, each a topic, the name of one, or a regular expression',
      ],
      [
        () => client.consumer({ topics: ['t'], from: 'begining' } as never),
        /^client.consumer: from is "begining", expected 'earliest', 'latest'/,
      ],
      [
        () => client.consumer({ topics: ['t'], group: undefined } as never),
        /^client.consumer: group is missing/,
      ],
      [
        () => new Client({ brokers: 'a', retry: { backofMs: 1 } } as never),
        'new Client: there is no option retry.backofMs; did you mean backoffMs?',
      ],
    ]
    for (const [call, what] of cases) t.throws(call, { name: 'TypeError', message: what })
    await t.rejects(client.producer().send(5 as unknown as string, { value: '' }), {
      name: 'TypeError',
      message: 'producer.send: topic is 5, expected a topic, or the name of one',
    })
    await t.rejects(client.admin().createTopics([{ topic: 't', partitons: 2 } as never]), {
      name: 'TypeError',
      message:
        'admin.createTopics: there is no option topics[0].partitons; did you mean partitions?',
    })
    await t.rejects(client.admin().cluster({ timeoutMs: '5' as never }), { name: 'TypeError' })
  },
)

t.test('an error carries the line of whoever waits for it', async (t) => {
  await using broker = await FakeBroker.start()
  broker.createTopic('t')
  await using client = new Client({ brokers: broker.bootstrap })
  const isTold = async (work: () => Promise<unknown>, code: string) => {
    const error: KafkaError = await work().then(
      () => t.fail('it should fail'),
      (e) => e,
    )
    t.equal(error.code, code)
    t.match(error.stack, /at async waitsFor\w+ .*hostile-input\.test/, code)
  }
  const producer = client.producer({ lingerMs: 0, deliveryTimeoutMs: 100 })
  broker.next(produce, ({ topics }) => ({
    topics: topics.map((each) => ({ ...each, partitions: [refusal(0, 'INVALID_RECORD')] })),
  }))
  await isTold(async function waitsForOne() {
    await producer.send('t', { value: '' })
  }, 'INVALID_RECORD')
  broker.next(produce, () => 'silence')
  await isTold(async function waitsForSeveral() {
    await Promise.all([producer.send('t', [{ value: '' }, { value: '' }]), producer.flush()])
  }, 'REQUEST_TIMED_OUT')
  broker.next(produce, () => 'silence')
  await isTold(async function waitsForItself() {
    await producer.send('t', { value: '' }, { timeoutMs: 10 })
  }, 'REQUEST_TIMED_OUT')
  await isTold(async function waitsForRecords() {
    await client
      .consumer({ topics: ['none'] })
      [Symbol.asyncIterator]()
      .next()
  }, 'UNKNOWN_TOPIC_OR_PARTITION')
  await using unreachable = new Client({ brokers: '127.0.0.1:1', bootstrapTimeoutMs: 0 })
  await isTold(async function waitsForAdmin() {
    await unreachable.admin().listTopics()
  }, 'BROKER_NOT_AVAILABLE')
  await isTold(async function waitsForTopic() {
    await unreachable.producer().send('t', { value: '' })
  }, 'BROKER_NOT_AVAILABLE')
})

t.test('a table that lacks an option or a value of its type does not compile', async (t) => {
  interface Options {
    readonly name: string
    readonly acks?: 'all' | 1 | undefined
  }
  // @ts-expect-error: acks is missing
  const lacking: Table<Options> = { name: required(text()) }
  // @ts-expect-error: 1 is missing
  const narrow: Table<Options> = { name: required(text()), acks: oneOf('all') }
  // @ts-expect-error: 0 is too much
  const wide: Table<Options> = { name: required(text()), acks: oneOf('all', 1, 0) }
  // @ts-expect-error: name must be required
  const lax: Table<Options> = { name: text(), acks: oneOf('all', 1) }
  const strange: Table<Options> = {
    name: required(text()),
    acks: oneOf('all', 1),
    // @ts-expect-error: there is no such option
    more: flag,
  }
  t.ok(lacking && narrow && wide && lax && strange)
})
