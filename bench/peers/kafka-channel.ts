// Records one by one to a broker with Kafka's protocol: each in a batch and a request of its own.

import { produce } from '../../protocol/api/00_produce.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { errorName } from '../../protocol/errors.ts'
import { WireClient } from '../wire-client.ts'
import type { Publisher } from './publisher.ts'

export async function kafkaPublisher(
  address: string,
  topic: string,
  value: Uint8Array,
): Promise<Publisher> {
  const builder = new BatchBuilder({ bytesExpected: value.length + 128 })
  builder.append({ timestamp: Date.now(), key: null, value })
  const partitions = [{ index: 0, records: builder.finish() }]
  const request = { acks: -1, timeoutMs: 30_000, topics: [{ name: topic, partitions }] }
  const client = await WireClient.connect(address)
  return {
    async publish() {
      const { topics } = await client.call(produce, 9, request)
      const { errorCode } = topics[0]!.partitions[0]!
      if (errorCode !== 0) throw new Error(`produce: ${errorName(errorCode)}`)
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  }
}
