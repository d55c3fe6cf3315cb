// DescribeQuorum: this node alone keeps the metadata (KIP-595).
// Versions: 0-2
// Behaviour: as a quorum of one in Apache Kafka, which calls the metadata log `__cluster_metadata`: the broker answers for this
// name, with the offsets of its own log. Its node has the listener by which the client came in.

import {
  describeQuorum,
  type DescribeQuorumRequest,
  type DescribeQuorumResponse,
} from '../../protocol/api/55_describe_quorum.ts'
import { errorCode } from '../../protocol/errors.ts'
import { UUID_ZERO } from '../../protocol/ids.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Store } from '../../storage/store.ts'
import { METADATA_TOPIC } from '../../storage/topic-name.ts'
import type { Handler } from '../handler.ts'
import type { Work } from '../work.ts'

/** Kafka's name for the log of metadata, and its only partition. */
const KAFKA_METADATA = '__cluster_metadata'
const METADATA_PARTITION = 0

type Topics = DescribeQuorumResponse['topics']

interface DescribeQuorumDeps {
  readonly store: Store
  readonly clock: Clock
}

export function describeQuorumHandler({
  store,
  clock,
}: DescribeQuorumDeps): Handler<typeof describeQuorum> {
  return {
    api: describeQuorum,
    async handle({ topics }, context) {
      context.requireOnCluster('Describe')
      if (!isMetadata(topics)) {
        const unknown = await unknownTopics(topics, context.work)
        return { errorCode: 0, errorMessage: '', topics: unknown }
      }
      const { listener, endpoint } = context.session
      return {
        errorCode: 0,
        errorMessage: '',
        topics: [
          { topicName: KAFKA_METADATA, partitions: [metadataPartition(store, clock.now())] },
        ],
        nodes: [{ nodeId: store.nodeId, listeners: [{ name: listener, ...endpoint }] }],
      }
    },
    refuse: (_request, code) => ({ errorCode: code, topics: [] }),
  }
}

/** Apache Kafka answers for this partition only if the request names no other. */
function isMetadata(topics: DescribeQuorumRequest['topics']): boolean {
  const [topic, ...others] = topics
  if (topic?.topicName !== KAFKA_METADATA || others.length > 0) return false
  return topic.partitions.length === 1 && topic.partitions[0]!.partitionIndex === METADATA_PARTITION
}

function metadataPartition(store: Store, now: number): Topics[number]['partitions'][number] {
  const { leaderEpoch, highWatermark, logEndOffset } = store.logs.get(METADATA_TOPIC, 0)!
  return {
    partitionIndex: METADATA_PARTITION,
    errorCode: 0,
    errorMessage: '',
    leaderId: store.nodeId,
    leaderEpoch,
    highWatermark,
    currentVoters: [
      {
        replicaId: store.nodeId,
        replicaDirectoryId: UUID_ZERO,
        logEndOffset,
        lastFetchTimestamp: now,
        lastCaughtUpTimestamp: now,
      },
    ],
    observers: [],
  }
}

function unknownTopics(topics: DescribeQuorumRequest['topics'], work: Work): Promise<Topics> {
  const unknown = {
    errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
    leaderId: 0,
    leaderEpoch: 0,
    highWatermark: 0,
    currentVoters: [],
    observers: [],
  }
  return work.each(topics, async ({ topicName, partitions }) => ({
    topicName,
    partitions: await work.each(partitions, ({ partitionIndex }) => ({
      ...unknown,
      partitionIndex,
    })),
  }))
}
