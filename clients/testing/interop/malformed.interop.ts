// Malformed batches: the verdicts of Apache Kafka and of millrace. The test compares acceptance, not error codes, and
// kcat reads the accepted ones.

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { RawClient } from '../../../broker/testing/raw-client.ts'
import { produce } from '../../../protocol/api/00_produce.ts'
import { codecIds, type Codec } from '../../../protocol/compression/index.ts'
import { errors } from '../../../protocol/errors.ts'
import type { ResponseOf } from '../../../protocol/schema.ts'
import {
  batchAround,
  batchOfPacked,
  rightRecords,
  wrongContents,
  wrongRecords,
} from '../../../protocol/testing/malformed.ts'
import { Client } from '../../index.ts'
import { freePort } from './killable-broker.ts'
import { requireTools, run, requireKafka } from './tools.ts'

requireTools()
requireKafka()
t.setTimeout(300_000)

const START_TIMEOUT_MS = 100_000
process.env['KAFKA_PEER_DIR'] ??= join(tmpdir(), 'millrace-kafka-malformed')
const script = fileURLToPath(new URL('../../../../bench/peers/kafka.sh', import.meta.url))
const TOPIC = 'malformed'
const LEADERLESS_CODES = [
  errors.UNKNOWN_TOPIC_OR_PARTITION[0],
  errors.NOT_LEADER_OR_FOLLOWER[0],
] as number[]
const LEADER_POLL_MS = 100
const codecs = Object.keys(codecIds) as Codec[]

interface Case {
  readonly what: string
  readonly codec: Codec
  readonly batch: Buffer
}

/** Every flaw, each with one codec in turn, and valid contents with every codec. */
const cases: Case[] = [
  { what: rightRecords.what, codec: 'none', batch: batchAround(rightRecords, 'none') },
  ...Array.from(wrongRecords(), (wrong, i): Case => {
    const codec = codecs[i % codecs.length]!
    return { what: wrong.what, codec, batch: batchAround(wrong, codec) }
  }),
  ...codecs.flatMap((codec) =>
    Array.from(wrongContents(codec), ({ what, packed }): Case => {
      return { what: `contents: ${what}`, codec, batch: batchOfPacked(packed, codec) }
    }),
  ),
]

/** Batches that Apache Kafka accepts and millrace refuses, with the reason. */
const stricter: readonly [isIt: (given: Case) => boolean, why: string][] = [
  [
    ({ what }) => what.startsWith('offsetDelta '),
    'it trusts offset deltas, so that an offset has two values or none',
  ],
  [
    ({ what }) => / 42949\d+/.test(what),
    'it drops what a varint has above 32 bits, where others see another number',
  ],
  [
    ({ what, codec }) =>
      codec !== 'none' &&
      (!what.endsWith('fitting length') || what.startsWith('headerValueLength')),
    'it skips the fields of compressed records, which its own consumer then cannot read',
  ],
]

/** Kafka answers CreateTopics before the partition has its leader: such an answer is no verdict on the batch. */
function isLeaderless(answer: ResponseOf<typeof produce>): boolean {
  const { errorCode } = answer.topics[0]!.partitions[0]!
  return LEADERLESS_CODES.includes(errorCode)
}

/** @returns for each batch whether the broker accepted it */
async function verdicts(bootstrap: string, cases: readonly Case[]): Promise<boolean[]> {
  await using admin = new Client({ brokers: bootstrap })
  await admin.admin().createTopics([{ topic: TOPIC, partitions: 1 }])
  const taken: boolean[] = []
  let client = await RawClient.connect(bootstrap)
  for (const { batch, what } of cases) {
    const topics = [{ name: TOPIC, partitions: [{ index: 0, records: batch }] }]
    const request = { transactionalId: null, acks: -1, timeoutMs: 10_000, topics }
    const ask = () => client.send(produce, request, 9).catch(() => undefined)
    let answer = await ask()
    while (answer !== undefined && isLeaderless(answer)) {
      await setTimeout(LEADER_POLL_MS)
      answer = await ask()
    }
    if (answer === undefined) {
      t.comment(`${what}: the connection was closed`)
      client = await RawClient.connect(bootstrap)
    }
    taken.push(answer?.topics[0]!.partitions[0]!.errorCode === 0)
  }
  await client.close()
  return taken
}

const broker = await Broker.start({ ephemeral: true })
t.teardown(() => broker.close())
const ours = await verdicts(broker.bootstrap, cases)

t.test('kcat reads a partition to its end after all attempts', async (t) => {
  const takenCount = ours.filter((isTaken) => isTaken).length
  const args = ['-b', broker.bootstrap, '-C', '-q', '-e', '-t', TOPIC, '-p', '0', '-f', '%o\n']
  const { stdout } = await run('kcat', args)
  const offsets = stdout.toString().trim().split('\n').map(Number)
  t.strictSame(
    offsets,
    Array.from({ length: 3 * takenCount }, (_, offset) => offset),
  )
})

t.test(
  'what we take Apache Kafka takes, and we refuse more for a reason only',

  async (t) => {
    t.setTimeout(START_TIMEOUT_MS + 180_000)
    const start = [script, 'start', `${await freePort()}`]
    const { stdout } = await run('bash', start, Buffer.of(), START_TIMEOUT_MS)
    t.teardown(() => run('bash', [script, 'stop']))
    const theirs = await verdicts(stdout.toString().trim().split('\n').at(-1)!, cases)
    const reasons = new Map<string, number>()
    let bothTakeCount = 0
    for (const [i, given] of cases.entries()) {
      if (ours[i] && theirs[i]) bothTakeCount++
      if (ours[i] === theirs[i]) continue
      const why = ours[i] ? undefined : stricter.find(([isIt]) => isIt(given))?.[1]
      const difference = ours[i] ? 'we take it, Kafka does not' : 'we refuse it, Kafka does not'
      if (why === undefined) t.fail(`${given.codec}, ${given.what}: ${difference}`)
      else reasons.set(why, (reasons.get(why) ?? 0) + 1)
    }
    for (const [why, count] of reasons) t.comment(`${count} refused although ${why}`)
    t.ok(ours[0] && theirs[0], 'a right one')
    t.comment(`${cases.length} batches, ${bothTakeCount} of them taken by both`)
    t.equal(reasons.size, stricter.length, 'no reason is idle')
  },
)
