// Transactions seen from outside, against a broker: the client's calls, the verbs of `txn`, and `produce --txn`.

import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from '../../protocol/testing/tap.ts'
import { writeTxnMarkers } from '../../protocol/api/27_write_txn_markers.ts'
import { describeProducers } from '../../protocol/api/61_describe_producers.ts'
import { errorCode } from '../../protocol/errors.ts'
import { Terminal } from '../cli/testing/terminal.ts'
import { Client, string, topic, type KafkaError } from '../index.ts'
import { FakeBroker } from '../testing/fake-broker.ts'

const terminal = await Terminal.open()
const client = new Client({ brokers: terminal.bootstrap })
const { transactions } = client.admin()
t.teardown(async () => {
  await client.close()
  await terminal[Symbol.asyncDispose]()
})

const words = topic('words', { value: string })
await client.admin().createTopics([{ topic: words, partitions: 2 }])

/** A transaction that has written a record into partition 1, and stays open until the test ends. */
async function open(t: Test, transactionalId: string) {
  const producer = client.producer({ transactionalId, lingerMs: 0 })
  let [isWritten, end] = [false, (): void => {}]
  const ended = producer
    .transaction(async (tx) => {
      await tx.send(words, { value: transactionalId, partition: 1 })
      isWritten = true
      await new Promise<void>((resolve) => (end = resolve))
    })
    .catch((error: KafkaError) => error)
  t.teardown(async () => {
    end()
    await producer.close()
  })
  while (!isWritten || (await openIn()).length === 0) await sleep(2)
  return { ended, end: () => end() }
}

const openIn = async () =>
  (await transactions.producers([{ topic: 'words', partition: 1 }])).filter(
    ({ transactionStartOffset }) => transactionStartOffset !== undefined,
  )

t.test('they are listed and described; whoever is aborted from outside is fenced', async (t) => {
  const { ended, end } = await open(t, 'outside')
  const [listed] = await transactions.list({ states: ['Ongoing'] })
  t.match(listed, { transactionalId: 'outside', state: 'Ongoing', producerId: Number })
  t.same(await transactions.list({ states: ['Dead'] }), [])
  t.same(await transactions.list({ producerIds: [987_654] }), [])
  t.same(await transactions.list({ openForMs: 3_600_000 }), [])
  const [described] = await transactions.describe(['outside'])
  t.match(described, {
    ...listed,
    producerEpoch: 0,
    timeoutMs: 60_000,
    startedAt: Number,
    partitions: [{ topic: 'words', partition: 1 }],
    coordinator: 1,
  })
  const [writing] = await openIn()
  t.match(writing, { producerId: listed!.producerId, lastSequence: 0, lastTimestamp: Number })

  await transactions.abort('outside')
  t.same(await openIn(), [])
  t.match(await transactions.describe(['outside']), [{ startedAt: undefined, partitions: [] }])
  end()
  t.match(await ended, { code: /PRODUCER_FENCED|INVALID_PRODUCER_EPOCH/, fatal: true })
  await t.rejects(transactions.abort('nobody'), { code: 'TRANSACTIONAL_ID_NOT_FOUND' })
  const some = transactions.describe(['outside', 'nobody'])
  t.match(await some.catch((error: unknown) => error), {
    results: [{ state: 'Empty' }, { code: 'TRANSACTIONAL_ID_NOT_FOUND' }],
  })
})

t.test('the verbs of txn show and abort; a dry run changes nothing', async (t) => {
  const { ended, end } = await open(t, 'verbs')
  const { producerId } = (await openIn())[0]!
  const { stdout, stderr, statuses } = await terminal.run(`
    txn ls
    txn ls --state Ongoing --json
    txn ls --open-for 3600
    txn ls -t words
    txn info verbs
    txn info verbs --json
    txn abort verbs --dry-run
    txn abort verbs --yes --json
    txn ls -t words
    txn info nobody`)
  const id = String(producerId)
  t.match(stdout, new RegExp(`^ID +PRODUCER +STATE\\n(.*\\n)*verbs +${id} +Ongoing\\n`))
  t.match(stdout, `{"transactionalId":"verbs","producerId":${id},"state":"Ongoing"}\n`)
  t.match(
    stdout,
    /TOPIC +PARTITION +PRODUCER +EPOCH +OPEN SINCE OFFSET +LAST WRITTEN\nwords +1 +\d+ +0 +\d+ +20.*Z\n/,
  )
  t.match(
    stdout,
    new RegExp(
      `verbs  Ongoing  producer ${id} epoch 0  timeout 60 s  open since 20.*Z  coordinator 1\n`,
    ),
  )
  t.match(stdout, /WRITES TO +PARTITION\nwords +1\n/)
  t.match(stdout, /ABORTS +STATE +PARTITIONS\nverbs +Ongoing +1\n/)
  t.match(stdout, '{"transactionalId":"verbs","state":"Ongoing","partitions":1}\n')
  t.match(
    stderr,
    /no transactional ids\ndry run: nothing was changed\nno transaction is open in words\n/,
  )
  t.match(
    stderr,
    'millrace: transactional id nobody is not known; millrace txn ls lists those that are\n',
  )
  t.equal(statuses.at(-1), 3)
  end()
  t.match(await ended, { fatal: true })
  const cases = [
    'txn abort',
    'txn abort x -t words',
    'txn abort x -t words -p 0 --producer 1',
    'txn ls -t words --state Empty',
  ]
  for (const script of cases) t.strictSame((await terminal.run(script)).statuses, [2], script)
})

t.test('one that hangs, of which no coordinator knows, is aborted in its partition', async (t) => {
  const broker = await FakeBroker.start()
  t.teardown(() => broker.stop())
  broker.createTopic('words', 2)
  const producer = { lastSequence: 0, lastTimestamp: 7, producerEpoch: 3 }
  broker.always(describeProducers, ({ topics }) => ({
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({
        partitionIndex,
        errorCode: 0,
        activeProducers: [
          { ...producer, producerId: 9, coordinatorEpoch: -1, currentTxnStartOffset: 42 },
          { ...producer, producerId: 8, coordinatorEpoch: 5 },
        ],
      })),
    })),
  }))
  broker.always(writeTxnMarkers, ({ markers }) => ({
    markers: markers.map(({ producerId }) => ({
      producerId,
      topics: [{ name: 'words', partitions: [{ partitionIndex: 1, errorCode: 0 }] }],
    })),
  }))
  const moved = { partitionIndex: 1, errorCode: errorCode('NOT_LEADER_OR_FOLLOWER') }
  broker.next(writeTxnMarkers, () => ({
    markers: [{ producerId: 9, topics: [{ name: 'words', partitions: [moved] }] }],
  }))
  await using other = new Client({ brokers: broker.bootstrap, retry: { backoffMs: 2 } })
  const admin = other.admin().transactions
  const place = { topic: 'words', partition: 1 }
  await t.rejects(admin.abort({ ...place, producerId: 8 }), {
    code: 'INVALID_TXN_STATE',
    message: /words\[1\]: producer 8 has no transaction open/,
  })
  const [, open] = await admin.producers([place])
  t.match(open, { ...place, producerId: 9, transactionStartOffset: 42 })
  await admin.abort({ ...place, producerId: 9 })
  const script = `txn abort -b ${broker.bootstrap} -t words -p 1 --producer 9`
  const { statuses } = await terminal.run(`${script} --dry-run\n${script} --yes`)
  t.strictSame(statuses, [0, 0])
  const asked = broker.seen(writeTxnMarkers)
  t.equal(asked.length, 3, 'twice by the client, until the leader is found, and once by the verb')
  t.match(asked[2]!.request.markers, [
    {
      producerId: 9,
      producerEpoch: 3,
      coordinatorEpoch: 0,
      transactionResult: false,
      topics: [{ name: 'words', partitionIndexes: [1] }],
    },
  ])
})

t.test('produce --txn writes all of its input or none of it', async (t) => {
  const { stdout, stderr, statuses } = await terminal.run(
    `
    three | produce loads --txn
    tail -q loads -o start -e --read-committed
    wrong | produce loads --json --txn
    tail -q loads -o start -e --read-committed
    three | produce loads --txn --acks 1`,
    { three: '1\n2\n3\n', wrong: '{"value":"4"}\nnonsense\n' },
  )
  t.equal(stdout, '1\n2\n3\n1\n2\n3\n')
  t.match(stderr, /^loads: 3 records, .*, committed\n/)
  t.match(stderr, /millrace: aborted, nothing of it is committed: line 2: not a record in JSON/)
  t.strictSame(statuses, [0, 0, 1, 0, 2])

  const input = new PassThrough()
  const loading = terminal.start('produce loads --txn', input)
  input.write('5\n')
  const loads = client.consumer({ topics: [topic('loads', { value: string })], from: 'earliest' })
  for await (const { value } of loads) if (value === '5') break // it is being written
  await loads.close()
  loading.interrupt()
  t.equal(await loading.ended, 130)
  t.match(loading.stderr.text, /interrupted: aborted, nothing of it is committed/)
  const committed = await terminal.run('tail -q loads -o start -e --read-committed')
  t.equal(committed.stdout, '1\n2\n3\n')
})

t.test('a broker that is too old for what is asked is not asked for less', async (t) => {
  const broker = await FakeBroker.start()
  t.teardown(() => broker.stop())
  broker.versionsMax.set('ListTransactions', 0)
  await using old = new Client({ brokers: broker.bootstrap })
  const asked = old.admin().transactions.list({ openForMs: 1 })
  await t.rejects(asked, {
    code: 'UNSUPPORTED_VERSION',
    message: /ListTransactions: .* needed is 1 to 2/,
  })
})
