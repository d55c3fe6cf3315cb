// A process that appends as fast as it can and prints acknowledgements, until a test kills it. Tests only.

import { BatchBuilder } from '../../protocol/batch/build.ts'
import { systemClock } from '../clock.ts'
import { openStore } from '../open-store.ts'
import type { Store } from '../store.ts'
import { batchOf } from './store-kit.ts'

const IN_FLIGHT = 32
const SEGMENT_BYTES = 64 * 1024
const ONCE_PRODUCER_ID = 4711

/** The value of a record, which the parent can make too. */
export function killValue(run: number, sequence: number): string {
  return `${run}:${sequence}:${'x'.repeat((run * 31 + sequence * 17) % 200)}`
}

/** Batches of an idempotent producer in flight at the same time: as many as a broker recognises. */
const ONCE_IN_FLIGHT = 5

/** Records of the idempotent producer's batch: the numbers from `first` on. */
export function onceBatch(number: number): { readonly first: number; readonly count: number } {
  const count = 1 + (number % 3)
  return { first: 6 * Math.floor(number / 3) + [0, 1, 3][number % 3]!, count }
}

/** Sends again from the unacknowledged batch `number` on, with the same sequences. */
async function produceOnce(store: Store, partition: number, number: number): Promise<void> {
  const log = store.logs.get('once', partition)!
  let next = number
  /**
   * Answers come in the order of the requests, as on a connection; otherwise more batches than a broker recognises
   * would be sent again.
   */
  let answered = Promise.resolve()
  const sendForEver = async () => {
    for (;;) {
      const own = next++
      const { first, count } = onceBatch(own)
      const builder = new BatchBuilder()
      for (let value = first; value < first + count; value++) {
        builder.append({ timestamp: 1, key: null, value: Buffer.from(String(value)) })
      }
      const ids = { producerId: ONCE_PRODUCER_ID, producerEpoch: 0, baseSequence: first }
      const appending = store.writer.append(log, builder.finish(ids))
      answered = answered.then(async () => {
        const { error, baseOffset } = await appending
        if (error) throw new Error(error)
        process.stdout.write(`O ${partition} ${own} ${baseOffset}\n`)
      })
      await answered
    }
  }
  await Promise.all(Array.from({ length: ONCE_IN_FLIGHT }, sendForEver))
}

/**
 * Lines: 'R' recovered; 'A partition offset sequence' acknowledged; 'O partition batch offset' a batch of the idempotent
 * producer acknowledged; 'P id' a producer id; 'T name' a topic was created.
 */
async function run(dataDir: string, runNumber: number, onceNext: readonly number[]): Promise<void> {
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const store = await openStore({ dataDir, writer: 'thread', clock: systemClock })
  if (!store.topics.get('kill')) {
    const config = { 'segment.bytes': String(SEGMENT_BYTES) }
    await store.topics.create({ name: 'kill', partitionCount: 2, config })
    await store.topics.create({ name: 'once', partitionCount: onceNext.length, config })
  }
  say('R')
  const once = onceNext.map((number, partition) => produceOnce(store, partition, number))
  let sequence = 0
  const appendForEver = async (partition: number) => {
    const log = store.logs.get('kill', partition)!
    for (;;) {
      const own = Array.from({ length: 1 + (sequence % 5) }, () => sequence++)
      const batch = batchOf(own.map((each) => ({ value: killValue(runNumber, each) })))
      const { error, baseOffset } = await store.writer.append(log, batch)
      if (error) throw new Error(error)
      say(own.map((each, i) => `A ${partition} ${baseOffset + i} ${each}`).join('\n'))
    }
  }
  const appends = Array.from({ length: IN_FLIGHT }, (_, i) => appendForEver(i % 2))
  say(`P ${await store.producerIds.next()}`)
  const { name } = await store.topics.create({ name: `run-${runNumber}`, partitionCount: 1 })
  say(`T ${name}`)
  await Promise.all([...appends, ...once])
}

const [dataDir, runNumber, ...onceNext] = process.argv.slice(2)
if (dataDir !== undefined && runNumber !== undefined) {
  await run(dataDir, Number(runNumber), onceNext.map(Number))
}
