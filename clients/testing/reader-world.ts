// A world for tests of consumers without a group: a broker in memory with topic `t`, and a client with short timeouts.

import { BatchBuilder } from '../../protocol/batch/build.ts'
import { stampBatch } from '../../protocol/batch/header.ts'
import type { Codec } from '../../protocol/compression/index.ts'
import { Client, string, topic, type ClientOptions, type Consumer } from '../index.ts'
import { FakeBroker, type FakeLog } from './fake-broker.ts'

export const texts = topic('t', { value: string })

/** A broker with topic `t`, and a client that retries quickly. */
export async function world(options: Partial<ClientOptions> = {}) {
  const broker = await FakeBroker.start()
  const client = new Client({
    brokers: broker.bootstrap,
    retry: { backoffMs: 2, backoffMaxMs: 10 },
    ...options,
  })
  const [log] = broker.createTopic('t')
  return {
    broker,
    client,
    log: log!,
    async [Symbol.asyncDispose]() {
      await client.close()
      await broker.stop()
    },
  }
}

/** Appends one batch of the values. */
export function write(log: FakeLog, values: readonly string[], codec: Codec = 'none'): Uint8Array {
  const builder = new BatchBuilder()
  for (const value of values)
    builder.append({ timestamp: Date.now(), key: null, value: Buffer.from(value) })
  return writeBatch(log, builder.finish({ codec }), values.length)
}

export function writeBatch(log: FakeLog, bytes: Uint8Array, offsetCount: number): Uint8Array {
  stampBatch(bytes, 0, log.endOffset, 0)
  log.batches.push(bytes)
  log.endOffset += offsetCount
  return bytes
}

export const numbers = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `${from + i}`)

/** Reads to the end, or `count` values. */
export async function read(consumer: Consumer<any>, count = Infinity): Promise<any[]> {
  const values: any[] = []
  if (count === 0) return values
  for await (const record of consumer) {
    values.push(record.value)
    if (values.length === count) break
  }
  return values
}
