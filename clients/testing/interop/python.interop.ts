// confluent-kafka (librdkafka) and kafka-python, in uses besides reading and writing.

import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { jsonLines, runPython, type PeerRecord } from './peers.ts'
import { requireTools } from './tools.ts'

requireTools()

const START_MS = Date.UTC(2024, 1, 29)

const broker = await Broker.start({ ephemeral: true })
t.teardown(() => broker.close())

interface Ack {
  readonly index: number
  readonly offset: number | null
  readonly error: string | null
}

/** @returns the outcome of each record, in order */
async function produce(script: string, argument: object, records: PeerRecord[]): Promise<Ack[]> {
  const input = jsonLines(records)
  const acks = (await runPython(broker.bootstrap, script, 'produce', argument, input)) as Ack[]
  return acks.sort((a, b) => a.index - b.index)
}

for (const script of ['confluent_peer.py', 'kafka_python_peer.py']) {
  const call = (verb: string, argument: object, input?: string) =>
    runPython(broker.bootstrap, script, verb, argument, input)
  const named = (topic: string) => `${topic}-${script.replace('_peer.py', '')}`

  t.test(`${script}: topics are created, listed and deleted`, async (t) => {
    const topic = named('admin')
    const topics = async () => {
      const [listed] = (await call('topics', {})) as { topics: Record<string, number> }[]
      return listed?.topics ?? {}
    }
    await call('create', { topic, partitions: 5 })
    t.equal((await topics())[topic], 5)
    await t.rejects(call('create', { topic, partitions: 5 }), /already.exists/i)
    await call('delete', { topic })
    t.notOk(topic in (await topics()))
    await t.rejects(call('delete', { topic }), /unknown.?topic/i)
  })

  t.test(`${script}: configs are changed and described, partitions added`, async (t) => {
    const topic = named('configs')
    const described = async (kind: string, name: string) => {
      const [answer] = (await call('describe_configs', { kind, name })) as {
        configs: Record<string, string>
      }[]
      return answer!.configs
    }
    await call('create', { topic, partitions: 1 })
    await call('grow', { topic, partitions: 4 })
    const [{ topics }] = (await call('topics', {})) as [{ topics: Record<string, number> }]
    t.equal(topics[topic], 4)
    await call('alter_configs', { kind: 'topic', name: topic, configs: { 'retention.ms': '77' } })
    t.equal((await described('topic', topic))['retention.ms'], '77')
    await call('alter_configs', { kind: 'topic', name: topic, configs: { 'segment.ms': '88' } })
    t.match(await described('topic', topic), { 'retention.ms': '604800000', 'segment.ms': '88' })
    await t.rejects(
      call('alter_configs', { kind: 'topic', name: topic, configs: { 'retention.mss': '1' } }),
      /did you mean retention.ms/,
    )
    await call('alter_configs', { kind: 'broker', name: '1', configs: { 'num.partitions': '3' } })
    t.equal((await described('broker', '1'))['num.partitions'], '3')
    await call('alter_configs', { kind: 'broker', name: '1', configs: {} })
    t.equal((await described('broker', '1'))['num.partitions'], '1')
  })

  t.test(`${script}: an offset is found by its time`, async (t) => {
    const topic = named('times')
    await produce(
      script,
      { topic, codec: 'gzip' },
      Array.from({ length: 10 }, (_, i) => record(i)),
    )
    const offsetAt = async (timestamp: number) =>
      ((await call('offset_at', { topic, timestamp })) as { offset: number | null }[])[0]?.offset
    t.equal(await offsetAt(0), 0)
    t.equal(await offsetAt(START_MS + 4000), 4)
    t.equal(await offsetAt(START_MS + 4001), 5)
  })

  t.test(`${script}: a record just below max.message.bytes goes through`, async (t) => {
    const topic = named('large')
    const value = Buffer.alloc(1_048_000, 'x')
    const config = script.startsWith('confluent')
      ? { 'message.max.bytes': 1_048_588 }
      : { max_request_size: 1_048_588 }
    const acks = await produce(script, { topic, config }, [{ ...record(0), value }, record(1)])
    t.same(
      acks.map(({ offset }) => offset),
      [0, 1],
    )
    const received = (await call('consume', { topics: [topic] })) as { value: string }[]
    t.ok(value.equals(Buffer.from(received[0]?.value ?? '', 'base64')))
    t.equal(received.length, 2)
  })
}

t.test('a record above max.message.bytes is refused, the next one is not', async (t) => {
  const argument = { topic: 'too-large', config: { 'message.max.bytes': 3_000_000 } }
  const records = [{ ...record(0), value: Buffer.alloc(2_000_000, 'x') }, record(1)]
  const [large, small] = await produce('confluent_peer.py', argument, records)
  t.match(large?.error, /MSG_SIZE_TOO_LARGE/)
  t.match(small, { error: null, offset: 0 })
})

t.test('an idempotent producer keeps order and sends each record once', async (t) => {
  const records = Array.from({ length: 5000 }, (_, i) => record(i))
  const config = { 'enable.idempotence': true, 'batch.num.messages': 100 }
  const acks = await produce('confluent_peer.py', { topic: 'once', config }, records)
  t.same(
    acks.map(({ offset }) => offset),
    [...records.keys()],
  )
})

function record(i: number): PeerRecord {
  return {
    key: Buffer.from(`key ${i}`),
    value: Buffer.from(`value ${i}`),
    headers: [],
    timestamp: START_MS + i * 1000,
  }
}
