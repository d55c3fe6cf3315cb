// One client under load, in a process of its own: node client-load.js CLIENT WORK BOOTSTRAP TOPIC RECORD_BYTES SECONDS COUNT [DIR]
// Prints one line of JSON. bench/peers/cases/clients.ts starts it, under the Node that the client needs.

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Kafka, logLevel } from 'kafkajs'
import { Client } from '../clients/client.ts'

export interface ClientLoadResult {
  readonly recordsPerSecond: number
  readonly cpuSecondsPerMillion: number
}

/** A client, used in the way of its manual; if there are several ways, in the fastest. */
interface Contestant {
  producer(bootstrap: string, topic: string): Promise<SendAll>
  /** Reads from the beginning, in a group, until it is stopped. */
  consume(bootstrap: string, topic: string, onValue: OnValue): Promise<void>
}

/** Sends objects made of these values in one call; resolves when they are acknowledged. */
type SendAll = (values: readonly string[]) => Promise<unknown>
/** @returns whether to stop */
type OnValue = (value: Buffer) => boolean

/** A new one for each run. */
const groupOf = (topic: string) => `readers-of-${topic}-${process.pid}`
/** Records per call, and concurrent calls. */
const RECORDS_A_SEND = 1000
const SENDS_AT_ONCE = 8

const contestants: Record<string, (dir: string) => Contestant> = {
  millrace: () => ({ producer: millraceProducer, consume: millraceRecords }),
  'millrace-batches': () => ({ producer: millraceProducer, consume: millraceBatches }),
  kafkajs: () => ({ producer: kafkajsProducer, consume: kafkajsConsume }),
  platformatic: (dir) => platformatic(dir),
}

async function millraceProducer(bootstrap: string, topic: string): Promise<SendAll> {
  const producer = new Client({ brokers: bootstrap }).producer()
  return (values) =>
    producer.send(
      topic,
      values.map((value) => ({ value })),
    )
}

async function millraceRecords(bootstrap: string, topic: string, onValue: OnValue): Promise<void> {
  const client = new Client({ brokers: bootstrap })
  const consumer = client.consumer({ topics: [topic], group: groupOf(topic), from: 'earliest' })
  for await (const { value } of consumer) if (onValue(value!)) return
}

async function millraceBatches(bootstrap: string, topic: string, onValue: OnValue): Promise<void> {
  const client = new Client({ brokers: bootstrap })
  const consumer = client.consumer({ topics: [topic], group: groupOf(topic), from: 'earliest' })
  for await (const { records } of consumer.batches({ maxRecords: 1000 })) {
    for (const { value } of records) if (onValue(value!)) return
  }
}

async function kafkajsProducer(bootstrap: string, topic: string): Promise<SendAll> {
  const producer = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR }).producer()
  await producer.connect()
  return (values) => producer.send({ topic, messages: values.map((value) => ({ value })) })
}

async function kafkajsConsume(bootstrap: string, topic: string, onValue: OnValue): Promise<void> {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR })
  const consumer = kafka.consumer({ groupId: groupOf(topic) })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    const eachBatch = async ({ batch }: { batch: { messages: { value: Buffer | null }[] } }) => {
      if (batch.messages.some(({ value }) => onValue(value!))) resolve()
    }
    consumer.run({ eachBatch }).catch(reject)
  })
}

/** The part of @platformatic/kafka that this file uses: the package is no dependency. */
interface PlatformaticKafka {
  Producer: new (options: object) => { send(options: object): Promise<unknown> }
  Consumer: new (options: object) => {
    consume(options: object): Promise<AsyncIterable<{ value: Buffer }> & NodeJS.EventEmitter>
  }
  stringSerializers: object
}

/** @param dir where @platformatic/kafka is installed */
function platformatic(dir: string): Contestant {
  const path = createRequire(join(dir, 'package.json')).resolve('@platformatic/kafka')
  const load = () => import(pathToFileURL(path).href) as Promise<PlatformaticKafka>
  const base = (bootstrap: string) => ({ clientId: 'bench', bootstrapBrokers: [bootstrap] })
  return {
    async producer(bootstrap, topic) {
      const { Producer, stringSerializers } = await load()
      const producer = new Producer({ ...base(bootstrap), serializers: stringSerializers })
      return (values) =>
        producer.send({ messages: values.map((value) => ({ topic, value })), acks: -1 })
    },
    async consume(bootstrap, topic, onValue) {
      const { Consumer } = await load()
      const consumer = new Consumer({ ...base(bootstrap), groupId: groupOf(topic) })
      const options = { topics: [topic], mode: 'earliest', autocommit: true }
      const stream = await consumer.consume(options)
      await new Promise<void>((resolve, reject) => {
        stream.on('data', ({ value }: { value: Buffer }) => onValue(value) && resolve())
        stream.on('error', reject)
      })
    },
  }
}

/** Sends for some seconds to warm up, then for as long again, which is measured. */
async function measureProduce(
  sendAll: SendAll,
  recordBytes: number,
  seconds: number,
): Promise<ClientLoadResult> {
  const values = Array.from({ length: RECORDS_A_SEND }, (_, i) =>
    `${i} `.padEnd(recordBytes, 'the quick brown fox jumps over the lazy dog '),
  )
  const sendFor = async (): Promise<number> => {
    let count = 0
    const end = performance.now() + seconds * 1000
    const loop = async () => {
      for (; performance.now() < end; count += values.length) await sendAll(values)
    }
    await Promise.all(Array.from({ length: SENDS_AT_ONCE }, loop))
    return count
  }
  await sendFor()
  const stop = stopwatch()
  return stop(await sendFor())
}

/** The first quarter warms up; the rest is measured, for some seconds at most. */
async function measureConsume(
  consume: (onValue: OnValue) => Promise<void>,
  recordBytes: number,
  seconds: number,
  count: number,
): Promise<ClientLoadResult> {
  const warmUpCount = Math.floor(count / 4)
  let stop = stopwatch()
  let end = Infinity
  let received = 0
  await consume((value) => {
    if (value.length !== recordBytes) throw new Error(`a value of ${value.length} bytes`)
    if (++received === warmUpCount) {
      stop = stopwatch()
      end = performance.now() + seconds * 1000
    }
    return received === count || (received % RECORDS_A_SEND === 0 && performance.now() > end)
  })
  return stop(received - warmUpCount)
}

function stopwatch(): (count: number) => ClientLoadResult {
  const started = performance.now()
  const before = process.cpuUsage()
  return (count) => {
    const { user, system } = process.cpuUsage(before)
    return {
      recordsPerSecond: (count * 1000) / (performance.now() - started),
      cpuSecondsPerMillion: (user + system) / count,
    }
  }
}

const [name, work, bootstrap, topic, ...rest] = process.argv.slice(2) as [string, ...string[]]
const [recordBytes, seconds, count] = rest.map(Number)
const contestant = contestants[name]!(rest[3] ?? '')
const result =
  work === 'produce'
    ? await measureProduce(await contestant.producer(bootstrap!, topic!), recordBytes!, seconds!)
    : await measureConsume(
        (onValue) => contestant.consume(bootstrap!, topic!, onValue),
        recordBytes!,
        seconds!,
        count!,
      )
console.log(JSON.stringify(result))
process.exit() // without waiting for clients to close
