// Every client reads, byte for byte, what every other client wrote, with every codec.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { batchesOf } from '../../../protocol/batch/record.ts'
import { peers, type PeerRecord, type ReceivedRecord } from './peers.ts'
import { requireTools } from './tools.ts'

requireTools()

const START_MS = Date.UTC(2024, 1, 29)

const records: PeerRecord[] = [
  { key: null, value: 'no key' },
  { key: 'tombstone', value: null },
  { key: 'empty value', value: '' },
  { key: '', value: 'empty key' },
  { key: 'every byte', value: Buffer.from(Array.from({ length: 256 }, (_, i) => i)) },
  { key: 'lines', value: 'one\ntwo\r\nthree\0' },
  { key: 'compressible', value: 'abcdefgh'.repeat(20_000) },
  { key: 'not compressible', value: noise(100_000) },
  ...Array.from({ length: 300 }, (_, i) => ({ key: `k${i % 7}`, value: `value ${i}` })),
].map(({ key, value }, i) => ({
  key: typeof key === 'string' ? Buffer.from(key) : key,
  value: typeof value === 'string' ? Buffer.from(value) : value,
  headers: i % 3 === 0 ? someHeaders() : [],
  timestamp: START_MS + i * 1000,
}))

function someHeaders(): [string, Buffer | null][] {
  return [
    ['trace', Buffer.from('1')],
    ['trace', Buffer.from('2')],
    ['none', null],
  ]
}

/** Bytes of a linear congruential generator: the same in every run. */
function noise(size: number): Buffer {
  let state = 42
  return Buffer.from(
    Array.from({ length: size }, () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) >> 16),
  )
}

t.test('each client reads what each other client wrote', async (t) => {
  const dataDir = t.testdir()
  await using broker = await Broker.start({ dataDir })
  const clients = peers(broker.bootstrap)
  const startMs = Date.now()

  const sent = new Map<string, PeerRecord[]>()
  for (const producer of clients) {
    for (const codec of producer.codecs) {
      const topic = `${producer.name}-${codec}`
      sent.set(topic, await producer.produce(topic, codec, records))
      t.ok(
        storedCodecs(dataDir, topic).includes(codec),
        `${producer.name} compresses with ${codec}`,
      )
    }
  }
  t.equal(sent.size, 22, 'producers and codecs')

  for (const reader of clients) {
    const { name, codecs } = reader
    const readable = [...sent].filter(([topic]) => codecs.some((codec) => topic.endsWith(codec)))
    const received = await reader.consume(readable.map(([topic]) => topic))
    for (const [topic, wanted] of readable) {
      const found = received.filter((each) => each.topic === topic)
      t.same(found.map(content), wanted.map(content), `${name} reads ${topic}`)
      t.same(
        found.map(({ offset }) => offset),
        [...wanted.keys()],
        `${name}: offsets of ${topic}`,
      )
      t.ok(
        found.every((each, i) => isTimeOf(each, wanted[i]!, startMs)),
        `${name}: times of ${topic}`,
      )
    }
  }
})

/** A client may store a batch uncompressed if compression does not make it smaller. */
function storedCodecs(dataDir: string, topic: string): string[] {
  const segment = readFileSync(join(dataDir, `${topic}-0`, `${'0'.repeat(20)}.log`))
  return [...batchesOf(segment)].map(({ header }) => header.codec)
}

function content({ key, value, headers }: PeerRecord) {
  return { key, value, headers }
}

function isTimeOf(
  { timestamp }: ReceivedRecord,
  { timestamp: given }: PeerRecord,
  startMs: number,
) {
  return given === undefined ? timestamp >= startMs && timestamp <= Date.now() : timestamp === given
}
