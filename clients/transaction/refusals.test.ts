// Refused transactions: requests repeated, transactions run again, errors thrown or fatal; and the offsets of groups
// in them.

import t from '../../protocol/testing/tap.ts'
import { addPartitionsToTxn } from '../../protocol/api/24_add_partitions_to_txn.ts'
import { txnOffsetCommit } from '../../protocol/api/28_txn_offset_commit.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import { systemClock } from '../clock.ts'
import { Cluster } from '../cluster/cluster.ts'
import { Coordinator } from '../group/coordinator.ts'
import { Progress } from '../group/progress.ts'
import type { GroupConsumer } from '../index.ts'
import { parseAddresses } from '../net/address.ts'
import { Reading } from '../consumer/reading.ts'
import type { Handler } from '../testing/fake-broker.ts'
import { asked, at, refuseToAdd, texts, VERSIONS, world } from '../testing/transaction-world.ts'
import { OffsetsInTransaction } from '../group/offsets-in-transaction.ts'

/** A member of group `g` that reads partition 0 of `t`, as far as a transaction looks at it. */
function member(w: Awaited<ReturnType<typeof world>>) {
  const cluster = new Cluster({
    bootstrap: parseAddresses(w.broker.bootstrap),
    clientId: 'member',
    connectTimeoutMs: 1000,
    requestTimeoutMs: 1000,
    timeoutMs: 1000,
    bootstrapTimeoutMs: 1000,
    retry: { backoffMs: 2, backoffMaxMs: 10 },
    metadataAgeMaxMs: 1000,
    logger: undefined,
    clock: systemClock,
  })
  const progress = new Progress(new Reading(texts, 0, 0), -1)
  const state = { memberId: 'm', generationId: 3, groupInstanceId: 'i' }
  const offsets = (): OffsetsInTransaction =>
    new OffsetsInTransaction({
      coordinator: new Coordinator(cluster, 'g'),
      member: () => state,
      progress: {
        through: ({ offset }) => new Map([[progress, offset + 1]]),
        isCurrent: () => true,
      },
    })
  const consumer = { offsetsInTransaction: offsets } as unknown as GroupConsumer
  return { cluster, consumer, progress, state }
}

const place = { topic: 't', partition: 0, offset: 41 }

for (const version of VERSIONS) {
  t.test(
    `version ${version}: offsets are committed with the reader's member and generation, after the records`,
    async (t) => {
      await using w = await world(version)
      const { cluster, consumer, progress } = member(w)
      t.teardown(() => cluster.close())
      await w.producer.transaction(async (tx) => {
        tx.commitOffsetsOf(consumer, { ...place, offset: 7 })
        await tx.send(texts, at(0, 'a'))
        tx.commitOffsetsOf(consumer, place)
      })
      const adding = version === 1 ? ['AddOffsetsToTxn 4'] : []
      const finding = ['FindCoordinator 6'] // that of the group
      const ends = [`TxnOffsetCommit ${version + 3}`, `EndTxn ${version + 3}`]
      t.same(asked(w.broker).slice(-adding.length - 3), [...adding, ...finding, ...ends])
      const { request } = w.broker.seen(txnOffsetCommit)[0]!
      t.match(request, {
        transactionalId: 'x',
        groupId: 'g',
        producerId: 1000,
        producerEpoch: 0,
        generationIdOrMemberEpoch: 3,
        memberId: 'm',
        groupInstanceId: 'i',
        topics: [{ name: 't', partitions: [{ partitionIndex: 0, committedOffset: 42 }] }],
      })
      t.equal(w.transactions.committed.get('g t 0'), 42)
      t.equal(progress.committed, 42, 'and the consumer knows')
      await w.producer.transaction((tx) => tx.commitOffsetsOf(consumer, { ...place, offset: 49 }))
      t.equal(w.transactions.committed.get('g t 0'), 50, 'offsets alone are a transaction too')
    },
  )

  t.test(
    `version ${version}: what a group refuses is asked again, run again, or thrown`,
    async (t) => {
      await using w = await world(version)
      const { cluster, consumer, state } = member(w)
      t.teardown(() => cluster.close())
      const refuseOffsets = (name: ErrorName): Handler<typeof txnOffsetCommit> => {
        return ({ topics }) => {
          if (name === 'ILLEGAL_GENERATION') state.generationId++ // the member hears of it meanwhile
          const code = errorCode(name)
          return {
            topics: topics.map((each) => ({
              name: each.name,
              partitions: each.partitions.map(({ partitionIndex }) => ({
                partitionIndex,
                errorCode: code,
              })),
            })),
          }
        }
      }
      let runs = 0
      const move = () =>
        w.producer.transaction(async (tx) => {
          runs++
          await tx.send(texts, at(0, 'a'))
          tx.commitOffsetsOf(consumer, place)
        })
      const cases: [ErrorName, expectedRuns: number, isThrown: boolean][] = [
        ['COORDINATOR_LOAD_IN_PROGRESS', 1, false],
        ['NOT_COORDINATOR', 1, false],
        ['CONCURRENT_TRANSACTIONS', 1, false],
        ['UNKNOWN_TOPIC_OR_PARTITION', 1, false],
        ['ILLEGAL_GENERATION', 2, false],
        ['UNKNOWN_MEMBER_ID', 2, false],
        ['REBALANCE_IN_PROGRESS', 2, false],
        ['TRANSACTION_ABORTABLE', 2, false],
        ['FENCED_INSTANCE_ID', 1, true],
        ['GROUP_AUTHORIZATION_FAILED', 1, true],
        ['OFFSET_METADATA_TOO_LARGE', 1, true],
      ]
      for (const [name, expectedRuns, isThrown] of cases) {
        runs = 0
        w.broker.next(txnOffsetCommit, refuseOffsets(name))
        if (isThrown) await t.rejects(move(), { code: name, fatal: false }, name)
        else await move()
        t.equal(runs, expectedRuns, name)
      }
      t.equal((await w.committed()).length, cases.filter(([, , isThrown]) => !isThrown).length)
      t.equal(w.broker.seen(txnOffsetCommit).at(-1)!.request.generationIdOrMemberEpoch, 4)
      w.broker.next(txnOffsetCommit, refuseOffsets('INVALID_PRODUCER_EPOCH'))
      await t.rejects(move(), { code: 'INVALID_PRODUCER_EPOCH', fatal: true, message: /is fenced/ })
    },
  )
}

t.test('each refusal to join is asked again, run again, thrown, or fatal', async (t) => {
  const cases: [ErrorName, outcome: 'again' | 'run again' | 'thrown' | 'fatal'][] = [
    ['COORDINATOR_LOAD_IN_PROGRESS', 'again'],
    ['COORDINATOR_NOT_AVAILABLE', 'again'],
    ['NOT_COORDINATOR', 'again'],
    ['CONCURRENT_TRANSACTIONS', 'again'],
    ['UNKNOWN_TOPIC_OR_PARTITION', 'again'],
    ['INVALID_PRODUCER_ID_MAPPING', 'run again'],
    ['INVALID_TXN_STATE', 'run again'],
    ['TRANSACTION_ABORTABLE', 'run again'],
    ['TOPIC_AUTHORIZATION_FAILED', 'thrown'],
    ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'thrown'],
    ['PRODUCER_FENCED', 'fatal'],
    ['INVALID_PRODUCER_EPOCH', 'fatal'],
  ]
  for (const [name, outcome] of cases) {
    await using w = await world(1)
    w.broker.next(addPartitionsToTxn, refuseToAdd(name, 1))
    let runs = 0
    const sent = w.producer.transaction(async (tx) => {
      runs++
      await tx.send(texts, [at(0, 'a'), at(1, 'a')])
    })
    if (outcome === 'thrown') await t.rejects(sent, { code: name, fatal: false }, name)
    else if (outcome === 'fatal') await t.rejects(sent, { code: name, fatal: true }, name)
    else await sent
    t.equal(runs, outcome === 'run again' ? 2 : 1, name)
    const isDone = outcome === 'again' || outcome === 'run again'
    t.same(await w.committed(), isDone ? ['a', 'a'] : [], name)
  }
})
