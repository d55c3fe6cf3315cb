// Consumer groups: byte vectors of every version, and the messages of members to each other.

import t from './testing/tap.ts'
import { offsetCommit } from './api/08_offset_commit.ts'
import { offsetFetch } from './api/09_offset_fetch.ts'
import { findCoordinator } from './api/10_find_coordinator.ts'
import { joinGroup } from './api/11_join_group.ts'
import { heartbeat } from './api/12_heartbeat.ts'
import { leaveGroup } from './api/13_leave_group.ts'
import { syncGroup } from './api/14_sync_group.ts'
import { describeGroups } from './api/15_describe_groups.ts'
import { listGroups } from './api/16_list_groups.ts'
import { deleteGroups } from './api/42_delete_groups.ts'
import { offsetDelete } from './api/47_offset_delete.ts'
import {
  consumerAssignment,
  consumerSubscription,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from './consumer-protocol.ts'
import { requireKafkajs } from './testing/kafkajs.ts'
import { encodedHex, vector } from './testing/vectors.ts'

vector(
  offsetCommit.request,
  {
    groupId: 'g',
    generationIdOrMemberEpoch: 4,
    memberId: 'm',
    groupInstanceId: 'i',
    retentionTimeMs: -1,
    topics: [
      {
        name: 'logs',
        partitions: [
          {
            partitionIndex: 3,
            committedOffset: 5,
            committedLeaderEpoch: 6,
            committedMetadata: 'x',
          },
          { partitionIndex: 4, committedOffset: 7, committedMetadata: null },
        ],
      },
    ],
  },
  `
    -7    0001 'g' 00000004 0001 'm' -- group, generation, member
    8+    02 'g' 00000004 02 'm'
    7     0001 'i'               -- groupInstanceId
    8+    02 'i'
    -4    ffffffffffffffff       -- retentionTimeMs
    -7    00000001 0004 'logs' 00000002
    8+    02 05 'logs' 03
    *     00000003 0000000000000005
    6+    00000006               -- committedLeaderEpoch
    -7    0001 'x'
    8+    02 'x' 00
    *     00000004 0000000000000007
    6+    ffffffff
    -7    ffff                   -- null metadata
    8+    00 00
    8+    00 00                  -- tags of the topic, the request
  `,
)

vector(
  offsetCommit.response,
  {
    throttleTimeMs: 1,
    topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, errorCode: 22 }] }],
  },
  `
    3+    00000001
    -7    00000001 0004 'logs' 00000001
    8+    02 05 'logs' 02
    *     00000003 0016
    8+    00 00 00
  `,
)

vector(
  offsetFetch.request,
  {
    groupId: 'g',
    topics: [{ name: 'logs', partitionIndexes: [3] }],
    groups: [
      {
        groupId: 'g',
        memberId: 'm',
        memberEpoch: 4,
        topics: [{ name: 'logs', partitionIndexes: [3] }],
      },
      { groupId: 'h', topics: null },
    ],
    requireStable: true,
  },
  `
    -5    0001 'g' 00000001 0004 'logs' 00000001 00000003
    6-7   02 'g' 02 05 'logs' 02 00000003 00
    8+    03 02 'g'              -- two groups
    9+    02 'm' 00000004        -- memberId, memberEpoch
    8+    02 05 'logs' 02 00000003 00 -- topics
    8+    00                     -- tags of the group
    8+    02 'h'
    9+    00 ffffffff
    8+    00                     -- null topics: all
    8+    00
    7+    01                     -- requireStable
    6+    00
  `,
)

vector(
  offsetFetch.response,
  {
    throttleTimeMs: 1,
    topics: [
      {
        name: 'logs',
        partitions: [
          {
            partitionIndex: 3,
            committedOffset: 5,
            committedLeaderEpoch: 6,
            metadata: null,
            errorCode: 88,
          },
        ],
      },
    ],
    errorCode: 16,
    groups: [
      {
        groupId: 'g',
        topics: [
          {
            name: 'logs',
            partitions: [
              {
                partitionIndex: 3,
                committedOffset: 5,
                committedLeaderEpoch: 6,
                metadata: 'x',
                errorCode: 88,
              },
            ],
          },
        ],
        errorCode: 16,
      },
    ],
  },
  `
    3+    00000001
    -5    00000001 0004 'logs' 00000001 00000003 0000000000000005
    5     00000006               -- committedLeaderEpoch
    -5    ffff 0058              -- null metadata, errorCode
    6-7   02 05 'logs' 02 00000003 0000000000000005 00000006 00 0058 00 00
    2-7   0010                   -- errorCode
    8+    02 02 'g' 02 05 'logs' 02 00000003 0000000000000005 00000006 02 'x' 0058 00 00
    8+    0010 00                -- errorCode and tags of the group
    6+    00
  `,
)

vector(
  findCoordinator.request,
  { key: 'g', keyType: 1, coordinatorKeys: ['g', 'h'] },
  `
    -2    0001 'g'
    3     02 'g'
    1+    01                     -- keyType
    4+    03 02 'g' 02 'h'       -- coordinatorKeys
    3+    00
  `,
)

vector(
  findCoordinator.response,
  {
    throttleTimeMs: 1,
    errorCode: 15,
    errorMessage: 'no',
    nodeId: 1,
    host: 'h',
    port: 9092,
    coordinators: [
      { key: 'g', nodeId: 1, host: 'h', port: 9092, errorCode: 15, errorMessage: null },
    ],
  },
  `
    1+    00000001
    -3    000f                   -- errorCode
    1-2   0002 'no'
    3     03 'no'
    -3    00000001
    -2    0001 'h'
    3     02 'h'
    -3    00002384
    4+    02 02 'g' 00000001 02 'h' 00002384 000f 00 00
    3+    00
  `,
)

vector(
  joinGroup.request,
  {
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    memberId: 'm',
    groupInstanceId: null,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.of(0xab) }],
    reason: 'r',
  },
  `
    -5    0001 'g'
    6+    02 'g'
    *     00002710               -- sessionTimeoutMs
    1+    0000ea60               -- rebalanceTimeoutMs
    -5    0001 'm'
    6+    02 'm'
    5     ffff                   -- null groupInstanceId
    6+    00
    -5    0008 'consumer' 00000001 0005 'range' 00000001 ab
    6+    09 'consumer' 02 06 'range' 02 ab 00
    8+    02 'r'                 -- reason
    6+    00
  `,
)

vector(
  joinGroup.response,
  {
    throttleTimeMs: 1,
    errorCode: 0,
    generationId: 4,
    protocolType: 'consumer',
    protocolName: 'range',
    leader: 'm',
    skipAssignment: true,
    memberId: 'n',
    members: [{ memberId: 'm', groupInstanceId: 'i', metadata: Buffer.of(0xab) }],
  },
  `
    2+    00000001
    *     0000 00000004          -- errorCode, generationId
    7+    09 'consumer'          -- protocolType
    -5    0005 'range' 0001 'm'  -- protocolName, leader
    6+    06 'range' 02 'm'
    9+    01                     -- skipAssignment
    -5    0001 'n' 00000001 0001 'm'
    6+    02 'n' 02 02 'm'
    5     0001 'i'               -- groupInstanceId
    6+    02 'i'
    -5    00000001 ab
    6+    02 ab 00 00
  `,
)

vector(
  heartbeat.request,
  { groupId: 'g', generationId: 4, memberId: 'm', groupInstanceId: 'i' },
  `
    -3    0001 'g' 00000004 0001 'm'
    3     0001 'i'
    4+    02 'g' 00000004 02 'm' 02 'i' 00
  `,
)

vector(
  heartbeat.response,
  { throttleTimeMs: 1, errorCode: 27 },
  `
    1+    00000001
    *     001b
    4+    00
  `,
)

vector(
  leaveGroup.request,
  { groupId: 'g', memberId: 'm', members: [{ memberId: 'm', groupInstanceId: 'i', reason: 'r' }] },
  `
    -3    0001 'g'
    4+    02 'g'
    -2    0001 'm'               -- memberId
    3     00000001 0001 'm' 0001 'i' -- members
    4+    02 02 'm' 02 'i'
    5+    02 'r'                 -- reason
    4+    00 00
  `,
)

vector(
  leaveGroup.response,
  {
    throttleTimeMs: 1,
    errorCode: 0,
    members: [{ memberId: 'm', groupInstanceId: null, errorCode: 25 }],
  },
  `
    1+    00000001
    *     0000
    3     00000001 0001 'm' ffff 0019
    4+    02 02 'm' 00 0019 00 00
  `,
)

vector(
  syncGroup.request,
  {
    groupId: 'g',
    generationId: 4,
    memberId: 'm',
    groupInstanceId: null,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments: [{ memberId: 'm', assignment: Buffer.of(0xcd) }],
  },
  `
    -3    0001 'g' 00000004 0001 'm'
    4+    02 'g' 00000004 02 'm'
    3     ffff                   -- null groupInstanceId
    4+    00
    5+    09 'consumer' 06 'range'
    -3    00000001 0001 'm' 00000001 cd
    4+    02 02 'm' 02 cd 00 00
  `,
)

vector(
  syncGroup.response,
  {
    throttleTimeMs: 1,
    errorCode: 0,
    protocolType: 'consumer',
    protocolName: null,
    assignment: Buffer.of(0xcd),
  },
  `
    1+    00000001
    *     0000
    5+    09 'consumer' 00       -- protocolType, null protocolName
    -3    00000001 cd
    4+    02 cd 00
  `,
)

vector(
  describeGroups.request,
  { groups: ['g', 'h'], includeAuthorizedOperations: true },
  `
    -4    00000002 0001 'g' 0001 'h'
    5+    03 02 'g' 02 'h'
    3+    01
    5+    00
  `,
)

vector(
  describeGroups.response,
  {
    throttleTimeMs: 1,
    groups: [
      {
        errorCode: 69,
        errorMessage: 'no',
        groupId: 'g',
        groupState: 'Dead',
        protocolType: 'consumer',
        protocolData: 'range',
        members: [
          {
            memberId: 'm',
            groupInstanceId: 'i',
            clientId: 'c',
            clientHost: '/h',
            memberMetadata: Buffer.of(0xab),
            memberAssignment: Buffer.of(0xcd),
          },
        ],
        authorizedOperations: 8,
      },
    ],
  },
  `
    1+    00000001
    -4    00000001
    5+    02
    *     0045
    6+    03 'no'                -- errorMessage
    -4    0001 'g' 0004 'Dead' 0008 'consumer' 0005 'range' 00000001 0001 'm'
    5+    02 'g' 05 'Dead' 09 'consumer' 06 'range' 02 02 'm'
    4     0001 'i'               -- groupInstanceId
    5+    02 'i'
    -4    0001 'c' 0002 '/h' 00000001 ab 00000001 cd
    5+    02 'c' 03 '/h' 02 ab 02 cd 00
    3+    00000008               -- authorizedOperations
    5+    00 00
  `,
)

vector(
  listGroups.request,
  { statesFilter: ['Dead'], typesFilter: ['classic'] },
  `
    4+    02 05 'Dead'
    5+    02 08 'classic'
    3+    00
  `,
)

vector(
  listGroups.response,
  {
    throttleTimeMs: 1,
    errorCode: 14,
    groups: [{ groupId: 'g', protocolType: 'consumer', groupState: 'Dead', groupType: 'classic' }],
  },
  `
    1+    00000001
    *     000e
    -2    00000001 0001 'g' 0008 'consumer'
    3+    02 02 'g' 09 'consumer'
    4+    05 'Dead'
    5+    08 'classic'
    3+    00 00
  `,
)

vector(
  deleteGroups.request,
  { groupsNames: ['g'] },
  `
    -1    00000001 0001 'g'
    2+    02 02 'g' 00
  `,
)

vector(
  deleteGroups.response,
  { throttleTimeMs: 1, results: [{ groupId: 'g', errorCode: 68 }] },
  `
    *     00000001
    -1    00000001 0001 'g' 0044
    2+    02 02 'g' 0044 00 00
  `,
)

vector(
  offsetDelete.request,
  { groupId: 'g', topics: [{ name: 'logs', partitions: [{ partitionIndex: 3 }] }] },
  `
    *     0001 'g' 00000001 0004 'logs' 00000001 00000003
  `,
)

vector(
  offsetDelete.response,
  {
    errorCode: 0,
    throttleTimeMs: 1,
    topics: [{ name: 'logs', partitions: [{ partitionIndex: 3, errorCode: 86 }] }],
  },
  `
    *     0000 00000001 00000001 0004 'logs' 00000001 00000003 0056
  `,
)

vector(
  consumerSubscription,
  {
    topics: ['logs'],
    userData: Buffer.of(0xab),
    ownedPartitions: [{ topic: 'logs', partitions: [3] }],
    generationId: 4,
    rackId: 'r',
  },
  `
    *     00000001 0004 'logs' 00000001 ab
    1+    00000001 0004 'logs' 00000001 00000003 -- ownedPartitions
    2+    00000004               -- generationId
    3+    0001 'r'               -- rackId
  `,
)

vector(
  consumerAssignment,
  { assignedPartitions: [{ topic: 'logs', partitions: [3, 4] }], userData: null },
  `
    *     00000001 0004 'logs' 00000002 00000003 00000004 ffffffff
  `,
)

t.test('null topics of an OffsetFetch request are all topics, from version 2 on', async (t) => {
  t.equal(
    encodedHex(offsetFetch.request, 2, { groupId: 'g', topics: null }),
    '0001' + '67' + 'ffffffff',
  )
  t.throws(() => encodedHex(offsetFetch.request, 1, { groupId: 'g', topics: null }), {
    code: 'UNSUPPORTED_VERSION',
  })
})

t.test('a group without a protocol has none in its answer, from version 7 on', async (t) => {
  const answer = { errorCode: 79, protocolName: null, leader: '', memberId: 'm', members: [] }
  const bytes = '00000000' + '004f' + 'ffffffff' + '00' + '00' + '01' + '026d' + '01' + '00'
  t.equal(encodedHex(joinGroup.response, 7, answer), bytes)
  t.throws(() => encodedHex(joinGroup.response, 6, answer), { code: 'UNSUPPORTED_VERSION' })
})

t.test('subscriptions and assignments read back, also those of kafkajs', async (t) => {
  const { MemberMetadata, MemberAssignment } = requireKafkajs('consumer/assignerProtocol')
  const userData = Buffer.from('u')
  const subscription = decodeSubscription(
    MemberMetadata.encode({ version: 0, topics: ['logs'], userData }),
  )
  t.same(subscription, {
    topics: ['logs'],
    userData,
    ownedPartitions: [],
    generationId: -1,
    rackId: null,
  })
  t.same(MemberMetadata.decode(encodeSubscription(subscription)), {
    version: 3,
    topics: ['logs'],
    userData,
  })
  t.same(decodeSubscription(encodeSubscription(subscription)), subscription)

  const assignment = decodeAssignment(
    MemberAssignment.encode({ version: 1, assignment: { logs: [3, 4] }, userData }),
  )
  t.same(assignment, { assignedPartitions: [{ topic: 'logs', partitions: [3, 4] }], userData })
  t.same(MemberAssignment.decode(encodeAssignment(assignment, 0)), {
    version: 0,
    assignment: { logs: [3, 4] },
    userData,
  })
  t.same(decodeAssignment(Buffer.alloc(0)), { assignedPartitions: [], userData: null })
})

t.test('a subscription of a later version is read as far as we know it', async (t) => {
  const later = Buffer.concat([encodeSubscription({ topics: ['logs'] }), Buffer.from('more')])
  later.writeInt16BE(9, 0)
  t.same(decodeSubscription(later).topics, ['logs'])
})

t.test('a subscription without the fields of its version is read as far as it goes', async (t) => {
  const userData = Buffer.from('u')
  const ownedPartitions = [{ topic: 'logs', partitions: [3] }]
  const whole = { topics: ['logs'], userData, ownedPartitions, generationId: 7, rackId: 'r' }
  for (const said of [1, 2, 3, 9]) {
    for (const sent of [0, 1, 2, 3]) {
      const bytes = encodeSubscription(whole, sent)
      bytes.writeInt16BE(said, 0)
      const { topics, userData: data, ...later } = decodeSubscription(bytes)
      const read = Math.min(said, sent)
      t.same([topics, data], [['logs'], userData], `version ${said}, sent as ${sent}`)
      t.same(later.ownedPartitions, read >= 1 ? ownedPartitions : [])
      t.equal(later.generationId, read >= 2 ? 7 : -1)
      t.equal(later.rackId, read >= 3 ? 'r' : null)
    }
  }
})

t.test('what is no subscription is refused', async (t) => {
  const bytes = encodeSubscription({ topics: ['logs'] }, 0)
  for (const version of [-1, 0, 3]) {
    bytes.writeInt16BE(version, 0)
    for (let end = 0; end < bytes.length; end++) {
      t.throws(() => decodeSubscription(bytes.subarray(0, end)), { code: 'INVALID_REQUEST' })
    }
  }
  bytes.writeInt16BE(-1, 0)
  t.throws(() => decodeSubscription(bytes), { code: 'INVALID_REQUEST' })
  t.throws(() => decodeAssignment(Buffer.from('ffff', 'hex')), { code: 'INVALID_REQUEST' })
  t.throws(() => encodeSubscription({ topics: [] }, 4), { code: 'UNSUPPORTED_VERSION' })
})
