// A world for tests of transactions: a scripted broker with topic `t`, and a transactional producer.

import type { produce } from '../../protocol/api/00_produce.ts'
import type { addPartitionsToTxn } from '../../protocol/api/24_add_partitions_to_txn.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import { Client, string, topic, type TransactionalProducerOptions } from '../index.ts'
import { FakeBroker, type Handler } from './fake-broker.ts'
import { FakeTransactions, refuseAll } from './fake-transactions.ts'

export const VERSIONS = [1, 2] as const
export const texts = topic('t', { value: string })

/** A broker with topic `t` of two partitions, and a producer with transactional id `x` that has its producer id. */
export async function world(version: 1 | 2, options: Partial<TransactionalProducerOptions> = {}) {
  const broker = await FakeBroker.start()
  const transactions = new FakeTransactions(broker, version)
  const retry = { backoffMs: 2, backoffMaxMs: 10 }
  const client = new Client({ brokers: broker.bootstrap, retry })
  broker.createTopic('t', 2)
  const producer = client.producer({ transactionalId: 'x', lingerMs: 0, ...options })
  await producer.start()
  return {
    broker,
    transactions,
    client,
    producer,
    committed: async () => {
      const options = { topics: [texts], from: 'earliest', until: 'end' } as const
      const values: string[] = []
      const consumer = client.consumer({ ...options, isolation: 'committed' })
      for await (const { value } of consumer) values.push(value)
      return values.sort()
    },
    async [Symbol.asyncDispose]() {
      await client.close({ timeoutMs: 1000 }).catch(() => {})
      await broker.stop()
    },
  }
}

export const at = (partition: number, value: string) => ({ value, partition })

/** The transactional requests so far, with their versions. */
export const asked = (broker: FakeBroker) =>
  broker.requests
    .filter(({ api }) => /Txn|Produce$|InitProducerId|FindCoordinator/.test(api))
    .map(({ api, version }) => `${api} ${version}`)

/** Answers a whole Produce request with one error. */
export function refuse(name: ErrorName): Handler<typeof produce> {
  return (request) => refuseAll(request, name)
}

/** Answers an AddPartitionsToTxn request with one error. @param only this partition; the others are then not attempted */
export function refuseToAdd(name: ErrorName, only?: number): Handler<typeof addPartitionsToTxn> {
  const codeOf = (partition: number): ErrorName =>
    only === undefined || only === partition ? name : 'OPERATION_NOT_ATTEMPTED'
  return ({ topics }) => ({
    topics: topics.map((topic) => ({
      name: topic.name,
      partitions: topic.partitions.map((partitionIndex) => ({
        partitionIndex,
        errorCode: errorCode(codeOf(partitionIndex)),
      })),
    })),
  })
}
