// Honest: clients beside the attackers, under names that those do not know. Every answer that they get must hold.
// Tests only.

import { offsetCommit } from '../../../protocol/api/08_offset_commit.ts'
import { offsetFetch } from '../../../protocol/api/09_offset_fetch.ts'
import { createTopics } from '../../../protocol/api/19_create_topics.ts'
import { initProducerId } from '../../../protocol/api/22_init_producer_id.ts'
import { BatchBuilder } from '../../../protocol/batch/build.ts'
import { batchesOf, recordsOf } from '../../../protocol/batch/record.ts'
import { RawClient } from '../raw-client.ts'
import { fetchFrom, produceTo } from '../world.ts'

const PARTITIONS = 3
const FETCH_BYTES = 1024 * 1024

export class Honest {
  readonly topic: string
  readonly group: string
  readonly #bootstrap: string
  /** By partition: values in the order of their offsets. */
  readonly #acknowledged: string[][] = Array.from({ length: PARTITIONS }, () => [])
  #committedOffset = -1
  #isDone = false
  #answerCount = 0
  #waiting: { readonly from: number; readonly resolve: (isAnswered: false) => void }[] = []

  /** @param secret a part of their names */
  constructor(bootstrap: string, secret: string) {
    this.#bootstrap = bootstrap
    this.topic = `honest-${secret}`
    this.group = `honest-group-${secret}`
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.reduce((sum, values) => sum + values.length, 0)
  }

  async prepare(): Promise<void> {
    const client = await RawClient.connect(this.#bootstrap)
    const configs = [
      { name: 'retention.ms', value: '-1' },
      { name: 'min.insync.replicas', value: '1' },
    ]
    const topic = { name: this.topic, numPartitions: PARTITIONS, replicationFactor: 1, configs }
    const { topics } = await client.send(createTopics, { topics: [topic], timeoutMs: 10_000 })
    expectNone(topics[0]!.errorCode, 'CreateTopics')
    await client.close()
  }

  /** Works until `stop`. @throws when a request is refused */
  async work(): Promise<void> {
    const producing = this.#acknowledged.map((_, partition) => this.#produce(partition))
    await Promise.all([...producing, this.#commit()])
  }

  stop(): void {
    this.#isDone = true
  }

  /**
   * Resolves with false after `count` more answers to honest clients, or when they stop: an awaited event has then
   * not come.
   */
  answered(count: number): Promise<false> {
    return new Promise((resolve) =>
      this.#waiting.push({ from: this.#answerCount + count, resolve }),
    )
  }

  #heard(): void {
    this.#answerCount++
    const isOver = ({ from }: { from: number }) => this.#isDone || from <= this.#answerCount
    for (const { resolve } of this.#waiting.filter(isOver)) resolve(false)
    this.#waiting = this.#waiting.filter((each) => !isOver(each))
  }

  /** @returns the acknowledgements that do not hold */
  async complaints(): Promise<string[]> {
    const client = await RawClient.connect(this.#bootstrap)
    const found: string[] = []
    for (const [partition, acknowledged] of this.#acknowledged.entries()) {
      const values = await valuesIn(client, this.topic, partition)
      const wrong = acknowledged.findIndex((value, offset) => values[offset] !== value)
      if (wrong < 0) continue
      found.push(
        `${this.topic}-${partition} offset ${wrong}: ${values[wrong]}, not ${acknowledged[wrong]}`,
      )
    }
    const topics = [{ name: this.topic, partitionIndexes: [0] }]
    const { groups } = await client.send(offsetFetch, { groups: [{ groupId: this.group, topics }] })
    const { committedOffset } = groups[0]!.topics[0]!.partitions[0]!
    if (committedOffset < this.#committedOffset)
      found.push(`${this.group}: ${committedOffset}, not ${this.#committedOffset}`)
    await client.close()
    return found
  }

  async #produce(partition: number): Promise<void> {
    const client = await RawClient.connect(this.#bootstrap)
    const init = await client.send(initProducerId, {
      transactionalId: null,
      transactionTimeoutMs: 0,
    })
    const { producerId, producerEpoch } = init
    const acknowledged = this.#acknowledged[partition]!
    while (!this.#isDone) {
      const baseSequence = acknowledged.length
      const value = `${partition}-${baseSequence}`
      const builder = new BatchBuilder()
      builder.append({ timestamp: baseSequence, key: null, value: Buffer.from(value) })
      const batch = builder.finish({ producerId, producerEpoch, baseSequence })
      const answer = await produceTo(client, this.topic, partition, batch)
      expectNone(answer.errorCode, `Produce to ${this.topic}-${partition}`)
      if (answer.baseOffset !== baseSequence)
        throw new Error(
          `${this.topic}-${partition}: offset ${answer.baseOffset}, not ${baseSequence}`,
        )
      acknowledged.push(value)
      this.#heard()
    }
    await client.close()
  }

  async #commit(): Promise<void> {
    const client = await RawClient.connect(this.#bootstrap)
    for (let committedOffset = 0; !this.#isDone; committedOffset++) {
      const topics = [{ name: this.topic, partitions: [{ partitionIndex: 0, committedOffset }] }]
      const answer = await client.send(offsetCommit, { groupId: this.group, topics })
      expectNone(answer.topics[0]!.partitions[0]!.errorCode, `OffsetCommit of ${this.group}`)
      this.#committedOffset = committedOffset
      this.#heard()
    }
    await client.close()
  }
}

export function expectNone(errorCode: number, what: string): void {
  if (errorCode !== 0) throw new Error(`${what}: error ${errorCode}`)
}

async function valuesIn(client: RawClient, topic: string, partition: number): Promise<string[]> {
  const values: string[] = []
  for (;;) {
    const answer = await fetchFrom(client, topic, partition, values.length, {
      partitionMaxBytes: FETCH_BYTES,
    })
    expectNone(answer.errorCode, `Fetch of ${topic}-${partition} from ${values.length}`)
    const { records } = answer
    if (records === null || records.length === 0) return values
    for (const { at, header } of batchesOf(records)) {
      for (const { value } of recordsOf(records, at, header, { decompressedBytesMax: 0 }))
        values.push(value!.toString())
    }
  }
}
