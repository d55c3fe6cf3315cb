// The actors of a workload, their topics, and its end: all transactions are ended and all records read. Tests only.

import type { Isolation } from '../checker/history.ts'
import type { Actor, Stage } from './actor.ts'
import { Committer, Reader } from './consumers.ts'
import { IdempotentProducer, PlainProducer, TransactionalProducer } from './producers.ts'
import type { Recorder } from './recorder.ts'

const topic = { replicationFactor: 1, configs: [] }
export const newTopics = [
  { name: 'a', numPartitions: 2, ...topic },
  { name: 'b', numPartitions: 1, ...topic },
]
export const partitions = ['a-0', 'a-1', 'b-0']

/** Producers with the same transactional id are each other's zombies. */
const transactionals = [
  { transactionalId: 'x', kind: 'TV1' },
  { transactionalId: 'y', kind: 'TV2' },
  { transactionalId: 'y', kind: 'TV2' },
  { transactionalId: 'z', kind: 'TV1' },
  { transactionalId: 'z', kind: 'TV2' },
] as const

const PLAIN_GROUP = 'plain'
const groups = [
  PLAIN_GROUP,
  ...new Set(transactionals.map((each) => TransactionalProducer.groupOf(each.transactionalId))),
]

const SETTLE_TRIES_MAX = 50
const SCAN_BYTES = 2000

export function castOf(stage: () => Stage): Actor[] {
  return [
    new PlainProducer(stage()),
    new IdempotentProducer(stage()),
    new IdempotentProducer(stage()),
    ...transactionals.map((options) => new TransactionalProducer(stage(), options)),
    new Reader(stage(), 'read_committed'),
    new Reader(stage(), 'read_committed'),
    new Reader(stage(), 'read_uncommitted'),
    new Committer(stage(), PLAIN_GROUP, groups.slice(1)),
  ]
}

/** Ends all open transactions. */
export async function settleAll(stage: () => Stage): Promise<void> {
  for (const options of transactionals) {
    const last = new TransactionalProducer(stage(), options)
    let tries = 0
    while (!(await last.settle())) {
      if (++tries === SETTLE_TRIES_MAX) throw new Error(`${options.transactionalId} stays open`)
    }
  }
}

/** The final scans, then the committed offsets. */
export async function readAll(recorder: Recorder): Promise<void> {
  for (const partition of partitions) {
    await scan(recorder, partition, 'read_uncommitted')
    await scan(recorder, partition, 'read_committed')
  }
  for (const group of groups) {
    for (const partition of partitions) await recorder.committed(group, partition)
  }
}

/** @returns the values of all records */
export async function scan(
  recorder: Recorder,
  partition: string,
  isolation: Isolation,
): Promise<string[]> {
  const values: string[] = []
  let from = 0
  for (;;) {
    const { answer } = await recorder.poll(partition, isolation, from, SCAN_BYTES, true)
    if (answer === undefined || answer.next === from) return values
    values.push(...answer.records.map(({ value }) => value))
    from = answer.next
  }
}
