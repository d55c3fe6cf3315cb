// AlterConfigs: replaces everything that is set of a topic or a broker (KIP-133).
// Versions: 0-2
// Behaviour: every resource has its own outcome; with validateOnly all checks are done and nothing else.

import { alterConfigs, type AlterConfigsRequest } from '../../protocol/api/33_alter_configs.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Overrides } from '../../storage/store.ts'
import { checkConfigNames, type ConfigResources } from '../config-resources.ts'
import type { Handler } from '../handler.ts'

type Configs = AlterConfigsRequest['resources'][number]['configs']

export function alterConfigsHandler({
  configResources,
}: {
  readonly configResources: ConfigResources
}): Handler<typeof alterConfigs> {
  return {
    api: alterConfigs,
    async handle({ resources, validateOnly }, context) {
      const changes = resources.map(({ resourceType, resourceName, configs }) => {
        return { resourceType, resourceName, change: () => overridesOf(configs) }
      })
      return { responses: await configResources.changeAll(changes, validateOnly, context) }
    },
    refuse: ({ resources }, code) => ({
      responses: resources.map(({ resourceType, resourceName }) => {
        return { errorCode: code, resourceType, resourceName }
      }),
    }),
  }
}

/** @throws {KafkaError} INVALID_REQUEST */
function overridesOf(configs: Configs): Overrides {
  checkConfigNames(configs)
  const overrides = configs.map(({ name, value }): [string, string] => {
    if (value === null)
      throw new KafkaError('INVALID_REQUEST', `${name.slice(0, 256)} has no value`)
    return [name, value]
  })
  return Object.fromEntries(overrides)
}
