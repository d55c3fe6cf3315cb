// ListConfigResources: the resources that have a configuration (KIP-1142).
// Versions: 0-1
// Behaviour: lists topics and this broker. There are no resources of the other kinds that Apache Kafka knows; version 0 asks for
// client metrics, which is one of those.

import { listConfigResources } from '../../protocol/api/74_list_config_resources.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import { METADATA_TOPIC } from '../../storage/topic-name.ts'
import { BROKER, TOPIC } from '../config-resources.ts'
import type { Handler } from '../handler.ts'

/** Kafka's codes: loggers, client metrics and groups. */
const kindsWithoutAny = [8, 16, 32]
const knownKinds = [TOPIC, BROKER, ...kindsWithoutAny]

export function listConfigResourcesHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof listConfigResources> {
  return {
    api: listConfigResources,
    async handle({ resourceTypes }, context) {
      const { version, work } = context
      context.requireOnCluster('DescribeConfigs')
      const unknown = resourceTypes.find((kind) => !knownKinds.includes(kind))
      if (unknown !== undefined)
        throw new KafkaError('UNSUPPORTED_VERSION', `resource type ${unknown}`)
      const kinds = new Set(resourceTypes)
      const isAsked = (kind: number) => kinds.size === 0 || kinds.has(kind)
      const configResources =
        version === 0 ? [] : resourcesOf(store).filter(({ resourceType }) => isAsked(resourceType))
      return { errorCode: 0, configResources: await work.each(configResources, (each) => each) }
    },
    refuse: (_, code) => ({ errorCode: code, configResources: [] }),
  }
}

function resourcesOf({ topics, nodeId }: Store) {
  const names = Array.from(topics.list(), ({ name }) => name)
  return [
    ...names
      .filter((name) => name !== METADATA_TOPIC)
      .map((resourceName) => ({ resourceName, resourceType: TOPIC })),
    { resourceName: String(nodeId), resourceType: BROKER },
  ]
}
