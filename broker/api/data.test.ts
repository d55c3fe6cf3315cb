// Produce, ListOffsets, OffsetForLeaderEpoch through a real socket: semantics and traps of Kafka's protocol.

import t from '../../protocol/testing/tap.ts'
import { produce } from '../../protocol/api/00_produce.ts'
import { fetch } from '../../protocol/api/01_fetch.ts'
import { listOffsets } from '../../protocol/api/02_list_offsets.ts'
import { deleteTopics } from '../../protocol/api/20_delete_topics.ts'
import { offsetForLeaderEpoch } from '../../protocol/api/23_offset_for_leader_epoch.ts'
import {
  CONTROL_BIT,
  LOG_APPEND_TIME_BIT,
  position,
  stampCrc,
} from '../../protocol/batch/header.ts'
import { batchesOf, recordsOf } from '../../protocol/batch/record.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import type { Codec } from '../../protocol/compression/index.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import { batchOf, fetchFrom, fetchRequest, produceTo, valuesOf, World } from '../testing/world.ts'
import type { RawClient } from '../testing/raw-client.ts'

const NOW = Date.now()
const world = await World.open(t)

/** A batch with some header fields changed and a CRC that fits. */
function patched(batch: Buffer, patch: (bytes: Buffer) => void): Buffer {
  patch(batch)
  stampCrc(batch, 0, batch.length)
  return batch
}

/** A batch whose last bit is not what the CRC says. */
function flipped(batch: Buffer): Buffer {
  batch.writeUInt8(batch.at(-1)! ^ 1, batch.length - 1)
  return batch
}

function setAttribute(bit: number): (bytes: Buffer) => void {
  return (bytes) =>
    bytes.writeInt16BE(bytes.readInt16BE(position.attributes) | bit, position.attributes)
}

t.test(
  'batches get dense offsets and come back byte for byte but for what the broker stamps',
  async (t) => {
    const { client } = await world.topic('dense')
    const sent = batchOf(['a', 'b', 'c'], { codec: 'lz4' })
    for (const baseOffset of [0, 3, 6]) {
      const answer = await produceTo(client, 'dense', 0, sent)
      t.match(answer, {
        errorCode: 0,
        baseOffset,
        logAppendTimeMs: -1,
        logStartOffset: 0,
        errorMessage: null,
      })
      t.same(answer.recordErrors, [])
    }
    const { records, highWatermark, lastStableOffset, logStartOffset } = await fetchFrom(
      client,
      'dense',
      0,
      0,
    )
    t.same(
      { highWatermark, lastStableOffset, logStartOffset },
      { highWatermark: 9, lastStableOffset: 9, logStartOffset: 0 },
    )
    t.same(valuesOf(records), ['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c'])
    const second = Buffer.from(records!.subarray(sent.length, 2 * sent.length))
    t.equal(second.readBigInt64BE(0), 3n, 'base offset')
    t.equal(second.readInt32BE(position.leaderEpoch), 0, 'leader epoch')
    t.same(
      second.subarray(position.magic),
      sent.subarray(position.magic),
      'everything from the magic byte on',
    )
  },
)

t.test('a fetch in the middle of a batch gives the whole batch', async (t) => {
  const { client } = await world.topic('middle')
  await produceTo(client, 'middle', 0, batchOf(['a', 'b', 'c']))
  await produceTo(client, 'middle', 0, batchOf(['d']))
  t.same(valuesOf((await fetchFrom(client, 'middle', 0, 2)).records), ['a', 'b', 'c', 'd'])
  t.same(valuesOf((await fetchFrom(client, 'middle', 0, 3)).records), ['d'])
})

t.test(
  'a produced batch is refused for what is wrong with it, and nothing is appended',
  async (t) => {
    const { client } = await world.topic('checked', 1, { 'max.message.bytes': '500' })
    const good = () => batchOf(['x'], { timestamp: NOW })
    const setInt32 = (at: number, value: number) => (bytes: Buffer) =>
      void bytes.writeInt32BE(value, at)
    const cases: [what: string, records: Buffer | null, error: ErrorName, version?: number][] = [
      ['no batch at all', null, 'INVALID_RECORD'],
      ['an empty record set', Buffer.alloc(0), 'INVALID_RECORD'],
      ['two batches', Buffer.concat([good(), good()]), 'INVALID_RECORD'],
      ['magic 1', patched(good(), (bytes) => bytes.writeInt8(1, position.magic)), 'INVALID_RECORD'],
      ['magic 3', patched(good(), (bytes) => bytes.writeInt8(3, position.magic)), 'INVALID_RECORD'],
      ['half a header', good().subarray(0, 40), 'CORRUPT_MESSAGE'],
      ['a batch cut short', good().subarray(0, -1), 'CORRUPT_MESSAGE'],
      ['a negative length', patched(good(), setInt32(position.batchLength, -5)), 'CORRUPT_MESSAGE'],
      ['a wrong CRC', flipped(good()), 'CORRUPT_MESSAGE'],
      ['no records', patched(good(), setInt32(position.recordCount, 0)), 'INVALID_RECORD'],
      [
        'more records than offsets',
        patched(good(), setInt32(position.recordCount, 2)),
        'INVALID_RECORD',
      ],
      ['a control batch', patched(good(), setAttribute(CONTROL_BIT)), 'INVALID_RECORD'],
      ['LogAppendTime', patched(good(), setAttribute(LOG_APPEND_TIME_BIT)), 'INVALID_TIMESTAMP'],
      [
        'a transactional batch without a transactional id',
        batchOf(['x'], { isTransactional: true, producerId: 1, producerEpoch: 0, baseSequence: 0 }),
        'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
      ],
      [
        'a transactional batch without a producer id',
        batchOf(['x'], { isTransactional: true }),
        'INVALID_RECORD',
      ],
      [
        'a producer id without a sequence',
        batchOf(['x'], { producerId: 1, producerEpoch: 0 }),
        'INVALID_RECORD',
      ],
      ['codec 5', patched(good(), setAttribute(5)), 'UNSUPPORTED_COMPRESSION_TYPE'],
      [
        'zstd before version 7',
        batchOf(['x'], { codec: 'zstd' }),
        'UNSUPPORTED_COMPRESSION_TYPE',
        6,
      ],
      ['more than max.message.bytes', batchOf(['x'.repeat(500)]), 'MESSAGE_TOO_LARGE'],
      [
        'a timestamp two hours ahead',
        batchOf(['x'], { timestamp: NOW + 7_200_000 }),
        'INVALID_TIMESTAMP',
      ],
    ]
    for (const [what, records, error, version = 9] of cases) {
      const answer = await produceTo(client, 'checked', 0, records, { version })
      t.match(answer, { errorCode: errorCode(error), baseOffset: -1, logAppendTimeMs: -1 }, what)
    }
    t.match(await fetchFrom(client, 'checked', 0, 0), { errorCode: 0, highWatermark: 0 })
    t.match(
      await produceTo(client, 'checked', 0, good()),
      { errorCode: 0, baseOffset: 0 },
      'and a good one is taken',
    )
  },
)

t.test('a timestamp may be -1, and may lie behind as far as the topic allows', async (t) => {
  const { client } = await world.topic('timestamps', 1, {
    'message.timestamp.before.max.ms': '1000',
  })
  t.match(await produceTo(client, 'timestamps', 0, batchOf(['x'], { timestamp: -1 })), {
    errorCode: 0,
  })
  const old = batchOf(['x'], { timestamp: NOW - 60_000 })
  t.match(await produceTo(client, 'timestamps', 0, old), {
    errorCode: errorCode('INVALID_TIMESTAMP'),
  })
})

t.test('with LogAppendTime the broker gives the timestamp, and any is taken', async (t) => {
  const { client } = await world.topic('append-time', 1, {
    'message.timestamp.type': 'LogAppendTime',
  })
  const answer = await produceTo(
    client,
    'append-time',
    0,
    batchOf(['x', 'y'], { timestamp: NOW + 1e9 }),
  )
  t.equal(answer.errorCode, 0)
  t.ok(Math.abs(answer.logAppendTimeMs - Date.now()) < 60_000)
  const { records } = await fetchFrom(client, 'append-time', 0, 0)
  const [batch] = [...batchesOf(records!)]
  const { at, header } = batch!
  t.equal(header.maxTimestamp, answer.logAppendTimeMs)
  for (const { timestamp } of recordsOf(records!, at, header, { decompressedBytesMax: 1e6 })) {
    t.equal(timestamp, answer.logAppendTimeMs)
  }
})

t.test(
  'every codec comes back as it was sent, in the smallest and the largest version',
  async (t) => {
    const { client } = await world.topic('codecs')
    const codecs: Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
    for (const codec of codecs) {
      t.match(await produceTo(client, 'codecs', 0, batchOf([codec], { codec }), { version: 7 }), {
        errorCode: 0,
      })
    }
    const newest = await client.send(fetch, fetchRequest('codecs', 0, 0), 12)
    t.same(valuesOf(newest.responses[0]!.partitions[0]!.records), codecs)
  },
)

t.test('every partition of a Produce has its own outcome, entries twice in order', async (t) => {
  const { client } = await world.topic('outcomes', 2)
  const partition = (index: number, value: string) => ({ index, records: batchOf([value]) })
  const topics = [
    {
      name: 'outcomes',
      partitions: [partition(0, 'a'), partition(7, 'b'), partition(1, 'c'), partition(0, 'd')],
    },
    { name: 'nowhere', partitions: [partition(0, 'e')] },
  ]
  const answer = await client.send(
    produce,
    { transactionalId: null, acks: -1, timeoutMs: 1000, topics },
    9,
  )
  t.same(
    answer.topics.map(({ name, partitions }) => [
      name,
      partitions.map(({ index, errorCode: code, baseOffset }) => [index, code, baseOffset]),
    ]),
    [
      [
        'outcomes',
        [
          [0, 0, 0],
          [7, 3, -1],
          [1, 0, 0],
          [0, 0, 1],
        ],
      ],
      ['nowhere', [[0, 3, -1]]],
    ],
  )
  t.same(valuesOf((await fetchFrom(client, 'outcomes', 0, 0)).records), ['a', 'd'])
})

t.test('acks other than 0, 1 and -1 are refused', async (t) => {
  const { client } = await world.topic('acks')
  t.match(await produceTo(client, 'acks', 0, batchOf(['x']), { acks: 2 }), {
    errorCode: errorCode('INVALID_REQUIRED_ACKS'),
  })
})

t.test('acks=0 is not answered, and what is wrong with it closes the connection', async (t) => {
  const { client } = await world.topic('silent')
  const silently = (name: string) => ({
    transactionalId: null,
    acks: 0,
    timeoutMs: 1000,
    topics: [{ name, partitions: [{ index: 0, records: batchOf(['quiet']) }] }],
  })
  client.write(produce, silently('silent'), 9)
  const { records } = await fetchFrom(client, 'silent', 0, 0, { maxWaitMs: 5000 })
  t.same(valuesOf(records), ['quiet'], 'the next answer is that of the Fetch')
  client.write(produce, silently('nowhere'), 9)
  await client.closed
})

t.test('min.insync.replicas above the one replica there is does not stop acks=all', async (t) => {
  const { client } = await world.topic('insync', 1, { 'min.insync.replicas': '2' })
  t.match(await produceTo(client, 'insync', 0, batchOf(['x'])), { errorCode: 0 })
  t.match(await produceTo(client, 'insync', 0, batchOf(['x']), { acks: 1 }), { errorCode: 0 })
})

t.test('a batch answered with acks=1 is visible to the next request', async (t) => {
  const threaded = await World.open(t, { writer: 'thread' })
  const { client } = await threaded.topic('leader')
  const reader = await threaded.connect()
  for (let offset = 0; offset < 200; offset++) {
    const answer = await produceTo(client, 'leader', 0, batchOf([`${offset}`]), { acks: 1 })
    const [latest, fetched] = await Promise.all([
      offsetOf(client, 'leader', -1),
      fetchFrom(reader, 'leader', 0, offset),
    ])
    const seen = [answer.baseOffset, latest, valuesOf(fetched.records)]
    t.strictSame(seen, [offset, [offset + 1, -1, 0], [`${offset}`]])
  }
})

t.test(
  'a topic that compacts refuses a batch with a record without a key, and says which',
  async (t) => {
    const { client } = await world.topic('keyed', 1, { 'cleanup.policy': 'delete,compact' })
    for (const codec of ['none', 'gzip'] as const) {
      const builder = new BatchBuilder()
      for (const key of ['a', null, '', null]) {
        const bytes = key === null ? null : Buffer.from(key)
        builder.append({ timestamp: NOW, key: bytes, value: null })
      }
      const answer = await produceTo(client, 'keyed', 0, Buffer.from(builder.finish({ codec })))
      const message =
        'Compacted topic cannot accept message without key in topic partition keyed-0.'
      t.match(answer, {
        errorCode: errorCode('INVALID_RECORD'),
        baseOffset: -1,
        recordErrors: [
          { batchIndex: 1, message },
          { batchIndex: 3, message },
        ],
      })
      t.match(answer.errorMessage, /^One or more records have been rejected due to 2 record errors/)
    }
    const keyed = new BatchBuilder()
    keyed.append({ timestamp: NOW, key: Buffer.from(''), value: null })
    t.match(await produceTo(client, 'keyed', 0, Buffer.from(keyed.finish())), { errorCode: 0 })
    const torn = Buffer.from(keyed.finish())
    torn.writeUInt8(0x7f, 61)
    t.match(await produceTo(client, 'keyed', 0, torn), { errorCode: errorCode('CORRUPT_MESSAGE') })
    await world.topic('keyless')
    t.match(await produceTo(client, 'keyless', 0, batchOf(['v'])), {
      errorCode: 0,
      recordErrors: [],
    })
  },
)

t.test('batches with a producer id and a sequence are taken', async (t) => {
  const { client } = await world.topic('idempotent')
  const batch = (baseSequence: number) =>
    batchOf(['x', 'y'], { producerId: 77, producerEpoch: 0, baseSequence })
  t.match(await produceTo(client, 'idempotent', 0, batch(0)), { errorCode: 0, baseOffset: 0 })
  t.match(await produceTo(client, 'idempotent', 0, batch(2)), { errorCode: 0, baseOffset: 2 })
  t.match(await fetchFrom(client, 'idempotent', 0, 4), { errorCode: 0, highWatermark: 4 })
})

t.test('topic ids stand for names from Produce 13 and Fetch 13 on', async (t) => {
  const { client, topicId } = await world.topic('by-id')
  const produceById = (id: string) => {
    const topics = [{ topicId: id, partitions: [{ index: 0, records: batchOf(['x']) }] }]
    return client.send(produce, { transactionalId: null, acks: -1, timeoutMs: 1000, topics }, 13)
  }
  const fetchById = (id: string) => {
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }]
    return client.send(
      fetch,
      { maxWaitMs: 0, minBytes: 1, topics: [{ topicId: id, partitions }] },
      17,
    )
  }
  t.match(await produceById(topicId), {
    topics: [{ topicId, partitions: [{ errorCode: 0, baseOffset: 0 }] }],
  })
  const fetched = await fetchById(topicId)
  t.match(fetched, { errorCode: 0, responses: [{ topicId }] })
  t.same(valuesOf(fetched.responses[0]!.partitions[0]!.records), ['x'])

  const other = Buffer.alloc(16, 7).toString('base64url')
  t.match(await produceById(other), {
    topics: [{ partitions: [{ errorCode: errorCode('UNKNOWN_TOPIC_ID') }] }],
  })
  t.match(await fetchById(other), {
    responses: [{ partitions: [{ errorCode: errorCode('UNKNOWN_TOPIC_ID') }] }],
  })

  await client.send(deleteTopics, { topics: [{ name: 'by-id' }], timeoutMs: 1000 })
  const again = await world.topic('by-id')
  t.not(again.topicId, topicId, 'a topic made again is another topic')
  t.match(await fetchById(topicId), {
    responses: [{ partitions: [{ errorCode: errorCode('UNKNOWN_TOPIC_ID') }] }],
  })
})

t.test('the end of a leader epoch is told; a newer or unknown one has none', async (t) => {
  const { client } = await world.topic('epoch-ends')
  await produceTo(client, 'epoch-ends', 0, batchOf(['a', 'b', 'c']))
  const ask = async (partition: number, leaderEpoch: number, currentLeaderEpoch = -1) => {
    const topics = [
      { topic: 'epoch-ends', partitions: [{ partition, leaderEpoch, currentLeaderEpoch }] },
    ]
    const answer = await client.send(offsetForLeaderEpoch, { replicaId: -1, topics })
    const { errorCode: code, leaderEpoch: epoch, endOffset } = answer.topics[0]!.partitions[0]!
    return [code, epoch, endOffset]
  }
  t.same(await ask(0, 0), [0, 0, 3])
  t.same(await ask(0, 5), [0, -1, -1])
  t.same(await ask(0, 0, 5), [errorCode('UNKNOWN_LEADER_EPOCH'), -1, -1])
  t.same(await ask(9, 0), [errorCode('UNKNOWN_TOPIC_OR_PARTITION'), -1, -1])
})

/** Offset and timestamp of one question about a partition. */
async function offsetOf(client: RawClient, name: string, timestamp: number, version = 10) {
  const topics = [{ name, partitions: [{ partitionIndex: 0, timestamp }] }]
  const answer = await client.send(listOffsets, { replicaId: -1, topics }, version)
  const {
    errorCode: code,
    offset,
    timestamp: found,
    leaderEpoch,
  } = answer.topics[0]!.partitions[0]!
  return code === 0 ? [offset, found, leaderEpoch] : code
}

t.test('offsets by time are those of records, also inside a compressed batch', async (t) => {
  const { client } = await world.topic('times')
  const nothing = [-1, -1, -1]
  t.same(await offsetOf(client, 'times', -3), nothing, 'no largest timestamp in an empty log')
  for (const timestamps of [[100, 200, 300], [400, 350], [500]]) {
    const builder = new BatchBuilder()
    for (const timestamp of timestamps)
      builder.append({ timestamp, key: null, value: Buffer.from('x') })
    await produceTo(client, 'times', 0, builder.finish({ codec: 'gzip' }))
  }
  t.same(await offsetOf(client, 'times', -1), [6, -1, 0], 'latest')
  t.same(await offsetOf(client, 'times', -2), [0, -1, 0], 'earliest')
  t.same(await offsetOf(client, 'times', -3), [5, 500, 0], 'largest timestamp')
  t.same(await offsetOf(client, 'times', -4), [0, -1, 0], 'earliest local')
  t.same(await offsetOf(client, 'times', -5), nothing, 'latest tiered')
  t.same(await offsetOf(client, 'times', 0), [0, 100, 0])
  t.same(await offsetOf(client, 'times', 200), [1, 200, 0])
  t.same(await offsetOf(client, 'times', 201), [2, 300, 0])
  t.same(await offsetOf(client, 'times', 350), [3, 400, 0], 'the first record that is late enough')
  t.same(await offsetOf(client, 'times', 501), nothing)
})

t.test('questions about offsets that cannot be answered are refused one by one', async (t) => {
  const { client } = await world.topic('questions')
  const old = errorCode('UNSUPPORTED_VERSION')
  t.equal(await offsetOf(client, 'questions', -3, 6), old)
  t.equal(await offsetOf(client, 'questions', -4, 7), old)
  t.equal(await offsetOf(client, 'questions', -5, 8), old)
  t.equal(await offsetOf(client, 'questions', -6), old)
  t.equal(await offsetOf(client, 'nowhere', -1), errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  const partitions = [0, 0].map((partitionIndex) => ({ partitionIndex, timestamp: -1 }))
  const answer = await client.send(listOffsets, {
    replicaId: -1,
    topics: [{ name: 'questions', partitions }],
  })
  t.same(
    answer.topics[0]!.partitions.map((each) => each.errorCode),
    [42, 42],
    'a partition that is named twice',
  )
  const fenced = [{ partitionIndex: 0, timestamp: -1, currentLeaderEpoch: 3 }]
  const late = await client.send(listOffsets, {
    replicaId: -1,
    topics: [{ name: 'questions', partitions: fenced }],
  })
  t.equal(late.topics[0]!.partitions[0]!.errorCode, errorCode('UNKNOWN_LEADER_EPOCH'))
})

t.test('a record without a timestamp is not found by time', async (t) => {
  const { client } = await world.topic('timeless')
  await produceTo(client, 'timeless', 0, batchOf(['a'], { timestamp: -1 }))
  await produceTo(client, 'timeless', 0, batchOf(['b'], { timestamp: 100 }))
  t.same(await offsetOf(client, 'timeless', 0), [1, 100, 0])
})
