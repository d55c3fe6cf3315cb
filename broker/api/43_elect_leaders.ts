// ElectLeaders: this node leads every partition, so no election is needed (KIP-183, KIP-460).
// Versions: 0-2
// Behaviour: as in Apache Kafka where the preferred replica leads already: ELECTION_NOT_NEEDED for each partition that the
// request names, and an empty answer to a request for all.

import { electLeaders } from '../../protocol/api/43_elect_leaders.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import type { Handler } from '../handler.ts'

/** Kafka's codes: the preferred replica, and any live one. */
const electionTypes = [0, 1]

export function electLeadersHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof electLeaders> {
  return {
    api: electLeaders,
    async handle({ electionType, topicPartitions }, context) {
      const { work } = context
      context.requireOnCluster('Alter')
      if (!electionTypes.includes(electionType))
        throw new KafkaError('INVALID_REQUEST', `election type ${electionType}`)
      const replicaElectionResults = await work.each(
        topicPartitions ?? [],
        async ({ topic, partitions }) => ({
          topic,
          partitionResult: await work.each(partitions, (partitionId) => ({
            partitionId,
            errorCode: codeOf(store, topic, partitionId),
          })),
        }),
      )
      return { replicaElectionResults }
    },
    refuse: ({ topicPartitions }, code) => ({
      errorCode: code,
      replicaElectionResults: (topicPartitions ?? []).map(({ topic, partitions }) => ({
        topic,
        partitionResult: partitions.map((partitionId) => ({ partitionId, errorCode: code })),
      })),
    }),
  }
}

function codeOf(store: Store, topic: string, partition: number): number {
  const exists = store.logs.get(topic, partition) !== undefined
  return errorCode(exists ? 'ELECTION_NOT_NEEDED' : 'UNKNOWN_TOPIC_OR_PARTITION')
}
