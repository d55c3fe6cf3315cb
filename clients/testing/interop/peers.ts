// Clients that read each other's records: millrace's and other vendors', with one interface.

import { CompressionTypes, Kafka, logLevel, type EachMessagePayload, type IHeaders } from 'kafkajs'
import { Client } from '../../index.ts'
import { pythonCommand, run } from './tools.ts'

export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
export const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

export interface PeerRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
  /** ms; undefined if the client sets it. */
  readonly timestamp?: number | undefined
}

export interface ReceivedRecord extends PeerRecord {
  readonly topic: string
  readonly offset: number
  readonly timestamp: number
}

export interface Peer {
  readonly name: string
  /** The codecs that the client writes and reads. */
  readonly codecs: readonly Codec[]
  /** Sends to partition 0; @returns the records as sent, with only what this client can express */
  produce(topic: string, codec: Codec, records: readonly PeerRecord[]): Promise<PeerRecord[]>
  /** Reads all of partition 0 of the topics. */
  consume(topics: readonly string[]): Promise<ReceivedRecord[]>
}

export function peers(bootstrap: string): Peer[] {
  return [
    ours(bootstrap),
    kafkaJs(bootstrap),
    kcat(bootstrap),
    python(bootstrap, 'confluent_peer.py'),
    python(bootstrap, 'kafka_python_peer.py'),
  ]
}

function ours(bootstrap: string): Peer {
  const client = () => new Client({ brokers: bootstrap, clientId: 'interop' })
  return {
    name: 'millrace',
    codecs,
    async produce(topic, compression, records) {
      await using producer = client().producer({ compression })
      await producer.send(
        topic,
        records.map((record) => ({ ...record, partition: 0 })),
      )
      return [...records]
    },
    async consume(topics) {
      await using consumer = client().consumer({ topics, from: 'earliest', until: 'end' })
      const received: ReceivedRecord[] = []
      for await (const record of consumer) received.push(record)
      return received
    },
  }
}

/** Has only gzip built in; its consumer reads within a group only. It has no null header values. */
function kafkaJs(bootstrap: string): Peer {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR })
  return {
    name: 'kafkajs',
    codecs: ['none', 'gzip'],
    async produce(topic, codec, records) {
      const sent = records.map(withoutNullHeaders)
      const producer = kafka.producer()
      await producer.connect()
      await producer.send({
        topic,
        compression: codec === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None,
        messages: sent.map(({ key, value, headers, timestamp }) => ({
          key,
          value,
          partition: 0,
          headers: multimap(headers),
          ...(timestamp === undefined ? {} : { timestamp: `${timestamp}` }),
        })),
      })
      await producer.disconnect()
      return sent
    },
    consume: (topics) => consumeByGroup(kafka, topics),
  }
}

async function consumeByGroup(kafka: Kafka, topics: readonly string[]): Promise<ReceivedRecord[]> {
  const admin = kafka.admin()
  await admin.connect()
  const ends = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)))
  await admin.disconnect()
  const count = ends.flat().reduce((sum, { high }) => sum + Number(high), 0)

  const consumer = kafka.consumer({ groupId: 'interop' })
  await consumer.connect()
  await consumer.subscribe({ topics: [...topics], fromBeginning: true })
  const received: ReceivedRecord[] = []
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ topic, message }: EachMessagePayload) => {
      const headers = Object.entries(message.headers ?? {})
      received.push({
        topic,
        offset: Number(message.offset),
        timestamp: Number(message.timestamp),
        key: message.key,
        value: message.value,
        headers: headers.flatMap(([name, values]) => headerList(name, values)),
      })
      if (received.length === count) resolve()
    }
    consumer.run({ eachMessage }).catch(reject)
  })
  await consumer.disconnect()
  return received
}

/** kafkajs groups headers by name. */
function headerList(name: string, values: IHeaders[string]): [string, Buffer | null][] {
  const list = Array.isArray(values) ? values : [values]
  return list.map((value) => [name, Buffer.isBuffer(value) ? value : null])
}

function withoutNullHeaders(record: PeerRecord): PeerRecord {
  return { ...record, headers: record.headers.filter(([, value]) => value !== null) }
}

function multimap(headers: PeerRecord['headers']): Record<string, Buffer[]> {
  const map: Record<string, Buffer[]> = {}
  for (const [name, value] of headers) (map[name] ??= []).push(value!)
  return map
}

const KEY_END = '::key::'
const RECORD_END = '::record::'

/** Sends the same headers with every record, and empty values as null; sets timestamps itself. */
function kcat(bootstrap: string): Peer {
  const headers = [['from', Buffer.from('kcat')]] as const
  return {
    name: 'kcat',
    codecs,
    async produce(topic, codec, records) {
      const sent = records
        .filter(({ key }) => key?.length !== 0)
        .map(({ key, value }) => ({ key, value: value?.length === 0 ? null : value, headers }))
      const input = sent.flatMap(({ key, value }) => [
        ...(key === null ? [] : [key, Buffer.from(KEY_END)]),
        value ?? Buffer.of(),
        Buffer.from(RECORD_END),
      ])
      const args = ['-P', '-b', bootstrap, '-t', topic, '-p', '0', '-z', codec, '-Z']
      const syntax = ['-K', KEY_END, '-D', RECORD_END, '-H', 'from=kcat']
      await run('kcat', [...args, ...syntax], Buffer.concat(input))
      return sent
    },
    async consume(topics) {
      const received: ReceivedRecord[] = []
      for (const topic of topics) {
        const args = ['-C', '-q', '-e', '-b', bootstrap, '-t', topic, '-p', '0']
        const { stdout } = await run('kcat', [...args, '-f', KCAT_FORMAT])
        received.push(...kcatRecords(topic, stdout))
      }
      return received
    },
  }
}

const KCAT_FORMAT = '%o %T %K %S %h\n%k%s\n'

function kcatRecords(topic: string, bytes: Buffer): ReceivedRecord[] {
  const records: ReceivedRecord[] = []
  for (let at = 0; at < bytes.length;) {
    const lineEnd = bytes.indexOf('\n', at)
    const [offset, timestamp, keySize, valueSize, headers] = bytes
      .toString('utf8', at, lineEnd)
      .split(' ')
    const keyEnd = lineEnd + 1 + Math.max(0, Number(keySize))
    const valueEnd = keyEnd + Math.max(0, Number(valueSize))
    records.push({
      topic,
      offset: Number(offset),
      timestamp: Number(timestamp),
      key: keySize === '-1' ? null : bytes.subarray(lineEnd + 1, keyEnd),
      value: valueSize === '-1' ? null : bytes.subarray(keyEnd, valueEnd),
      headers: kcatHeaders(headers ?? ''),
    })
    at = valueEnd + 1
  }
  return records
}

function kcatHeaders(text: string): [string, Buffer | null][] {
  if (text === '') return []
  return text.split(',').map((header) => {
    const [name = '', value = ''] = header.split('=')
    return [name, value === 'NULL' ? null : Buffer.from(value)]
  })
}

interface PythonRecord {
  readonly topic: string
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: [string, string | null][]
}

/** kafka-python cannot write null header values. */
function python(bootstrap: string, script: string): Peer {
  const nullHeaders = script.startsWith('confluent')
  return {
    name: script.replace('_peer.py', ''),
    codecs,
    async produce(topic, codec, records) {
      const sent = nullHeaders ? [...records] : records.map(withoutNullHeaders)
      await runPython(bootstrap, script, 'produce', { topic, codec }, jsonLines(sent))
      return sent
    },
    async consume(topics) {
      const lines = await runPython(bootstrap, script, 'consume', { topics })
      return (lines as PythonRecord[]).map((each) => ({
        ...each,
        key: fromBase64(each.key),
        value: fromBase64(each.value),
        headers: each.headers.map(([name, value]) => [name, fromBase64(value)] as const),
      }))
    },
  }
}

/** Runs a verb of one of the scripts; @returns the lines it wrote */
export async function runPython(
  bootstrap: string,
  script: string,
  verb: string,
  argument: object,
  input = '',
): Promise<unknown[]> {
  const [command, args] = pythonCommand(script, [bootstrap, verb, JSON.stringify(argument)])
  const { stdout } = await run(command, args, Buffer.from(input))
  const lines = stdout.toString().split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line) as unknown)
}

/** The input of the scripts. */
export function jsonLines(records: readonly PeerRecord[]): string {
  return records
    .map(({ key, value, headers, timestamp }) =>
      JSON.stringify({
        key: key?.toString('base64') ?? null,
        value: value?.toString('base64') ?? null,
        headers: headers.map(([name, bytes]) => [name, bytes?.toString('base64') ?? null]),
        timestamp,
      }),
    )
    .map((line) => `${line}\n`)
    .join('')
}

function fromBase64(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text, 'base64')
}
