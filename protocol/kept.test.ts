// Kafka's internal records and files, compared with bytes that its generated classes wrote (4.3.1), in every version.

import t from './testing/tap.ts'
import {
  decodeConsumerOffsets,
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from './kept/consumer-offsets.ts'
import {
  decodeTransactionLog,
  transactionLogKey,
  transactionLogValue,
} from './kept/transaction-log.ts'
import type { Message } from './schema.ts'
import { decodeWhole, encodeVersioned, versionOf } from './versioned.ts'

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')

const AT = 1_700_000_000_000
const OFFSET_KEY = '0001 0001 67 0001 74 00000003'
const GROUP_KEY = '0002 0001 67'
const TRANSACTION_KEY = '0000 0001 78'

/** Of offset 5, leader epoch 2, metadata 'mé', by version. */
const offsets = [
  '0000 0000000000000005 0003 6dc3a9 0000018bcfe56800',
  '0001 0000000000000005 0003 6dc3a9 0000018bcfe56800 0000018bcfe56be8',
  '0002 0000000000000005 0003 6dc3a9 0000018bcfe56800',
  '0003 0000000000000005 00000002 0003 6dc3a9 0000018bcfe56800',
  '0004 0000000000000005 00000002 04 6dc3a9 0000018bcfe56800 00',
]

/** Of one member of generation 7. */
const groups = [
  '00000008636f6e73756d657200000007000572616e6765ffff0000000100016d000163000a2f3132372e302e302e310000000a0000000201020000000103',
  '00010008636f6e73756d657200000007000572616e6765ffff0000000100016d000163000a2f3132372e302e302e31000000140000000a0000000201020000000103',
  '00020008636f6e73756d657200000007000572616e6765ffff0000018bcfe568000000000100016d000163000a2f3132372e302e302e31000000140000000a0000000201020000000103',
  '00030008636f6e73756d657200000007000572616e6765ffff0000018bcfe568000000000100016d000169000163000a2f3132372e302e302e31000000140000000a0000000201020000000103',
  '000409636f6e73756d6572000000070672616e6765000000018bcfe5680002026d026902630b2f3132372e302e302e31000000140000000a03010202030000',
]

const transactions = [
  '0000000000000000000900040000ea6002000000010001740000000200000000000000020000018bcfe568010000018bcfe56800',
  '0001000000000000000900040000ea6002020274030000000000000002000000018bcfe568010000018bcfe5680003000800000000000000080108000000000000000a02020002',
]

t.test('every version of every record is read, and written to the byte', async (t) => {
  const kinds: [Message<any>, readonly string[]][] = [
    [offsetCommitKey, [OFFSET_KEY]],
    [offsetCommitValue, offsets],
    [groupMetadataKey, [GROUP_KEY]],
    [groupMetadataValue, groups],
    [transactionLogKey, [TRANSACTION_KEY]],
    [transactionLogValue, transactions],
  ]
  for (const [table, written] of kinds) {
    for (const hex of written) {
      const kafkas = bytes(hex)
      const decoded = decodeWhole(table, kafkas)
      const ours = encodeVersioned(table, decoded, versionOf(kafkas))
      t.equal(ours.toString('hex'), kafkas.toString('hex'), `${table.name} ${versionOf(kafkas)}`)
    }
  }
})

t.test('a record says what it is about by its key', async (t) => {
  for (const [version, hex] of offsets.entries()) {
    t.match(decodeConsumerOffsets(bytes(OFFSET_KEY), bytes(hex)), {
      kind: 'offset',
      key: { group: 'g', topic: 't', partition: 3 },
      value: {
        offset: 5,
        leaderEpoch: version >= 3 ? 2 : -1,
        metadata: 'mé',
        commitTimestamp: AT,
        expireTimestamp: version === 1 ? AT + 1000 : -1,
      },
    })
  }
  for (const [version, hex] of groups.entries()) {
    t.match(decodeConsumerOffsets(bytes(GROUP_KEY), bytes(hex)), {
      kind: 'group',
      groupId: 'g',
      value: {
        protocolType: 'consumer',
        generation: 7,
        protocol: 'range',
        leader: null,
        currentStateTimestamp: version >= 2 ? AT : -1,
        members: [
          {
            memberId: 'm',
            groupInstanceId: version >= 3 ? 'i' : null,
            rebalanceTimeout: version >= 1 ? 20 : -1,
            sessionTimeout: 10,
            subscription: Buffer.of(1, 2),
            assignment: Buffer.of(3),
          },
        ],
      },
    })
  }
  for (const [version, hex] of transactions.entries()) {
    t.match(decodeTransactionLog(bytes(TRANSACTION_KEY), bytes(hex)), {
      transactionalId: 'x',
      value: {
        producerId: 9,
        producerEpoch: 4,
        transactionStatus: 2,
        transactionPartitions: [{ topic: 't', partitionIds: [0, 2] }],
        startTimestampMs: AT,
        nextProducerId: version === 1 ? 10 : -1,
        clientTransactionVersion: version === 1 ? 2 : 0,
        previousProducerEpoch: -1,
      },
    })
  }
  t.match(decodeConsumerOffsets(bytes(OFFSET_KEY), null), { kind: 'offset', value: null })
  t.equal(decodeConsumerOffsets(bytes('0003 0001 67'), bytes('0000')), undefined, 'a newer group')
  t.equal(decodeTransactionLog(bytes('0009 0001 67'), null), undefined)
})

t.test('what is cut, longer, or of a version that there is not, is refused', async (t) => {
  const whole = bytes(offsets[3]!)
  const read = (value: Uint8Array) => decodeConsumerOffsets(bytes(OFFSET_KEY), value)
  for (let length = 0; length < whole.length; length++) {
    t.throws(() => read(whole.subarray(0, length)), `${length} bytes`)
  }
  t.throws(() => read(Buffer.concat([whole, Buffer.of(0)])), { code: 'CORRUPT_MESSAGE' })
  t.throws(() => read(Buffer.concat([Buffer.of(0, 5), whole.subarray(2)])), {
    code: 'CORRUPT_MESSAGE',
  })
})
