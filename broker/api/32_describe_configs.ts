// DescribeConfigs: every configuration of a topic or of the broker, where its value comes from, and what it means.
// Versions: 1-4
// Behaviour: the broker's are read-only, since they are read once at start.
// Not done: resources other than topics and the broker (loggers, groups, client metrics).

import {
  describeConfigs,
  type DescribeConfigsRequest,
  type DescribeConfigsResponse,
} from '../../protocol/api/32_describe_configs.ts'
import { errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import { configTypes, type DescribedConfig } from '../described-config.ts'
import type { Handler } from '../net/handler.ts'
import type { TopicConfigs } from '../topic-configs.ts'

/** Kafka's codes for kinds of resources. */
const TOPIC = 2
const BROKER = 4

type Resource = DescribeConfigsRequest['resources'][number]
type ResourceAnswer = DescribeConfigsResponse['results'][number]

interface DescribeConfigsDeps {
  readonly store: Store
  readonly topicConfigs: TopicConfigs
  /** The broker's own, in order of name. */
  readonly brokerConfigs: readonly DescribedConfig[]
}

export function describeConfigsHandler(deps: DescribeConfigsDeps): Handler<typeof describeConfigs> {
  return {
    api: describeConfigs,
    handle: (request) => ({
      results: request.resources.map((resource) => answerFor(deps, resource, request)),
    }),
    refuse: ({ resources }, code) => ({
      results: resources.map((resource) => failed(resource, code)),
    }),
  }
}

function answerFor(
  deps: DescribeConfigsDeps,
  resource: Resource,
  request: DescribeConfigsRequest,
): ResourceAnswer {
  const { resourceType, resourceName, configurationKeys } = resource
  try {
    const isWanted = ({ name }: DescribedConfig) =>
      configurationKeys === null || configurationKeys.includes(name)
    const configs = configsOf(deps, resource)
      .filter(isWanted)
      .map((config) => shown(config, resourceType === BROKER, request))
    return { errorCode: 0, resourceType, resourceName, configs }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return failed(resource, errorCodeOf(error), error.message)
  }
}

/** @throws {KafkaError} UNKNOWN_TOPIC_OR_PARTITION, INVALID_REQUEST */
function configsOf(
  deps: DescribeConfigsDeps,
  { resourceType, resourceName }: Resource,
): readonly DescribedConfig[] {
  const { store, topicConfigs, brokerConfigs } = deps
  if (resourceType === TOPIC) {
    const topic = store.topics.get(resourceName)
    if (topic !== undefined) return topicConfigs.describe(topic.config)
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `no topic ${resourceName.slice(0, 256)}`)
  }
  if (resourceType !== BROKER)
    throw new KafkaError('INVALID_REQUEST', `resource type ${resourceType}`)
  if (resourceName === '' || resourceName === String(store.nodeId)) return brokerConfigs
  throw new KafkaError(
    'INVALID_REQUEST',
    `this is node ${store.nodeId}, not ${resourceName.slice(0, 256)}`,
  )
}

function shown(
  { name, value, source, spec, synonyms }: DescribedConfig,
  readOnly: boolean,
  { includeSynonyms, includeDocumentation }: DescribeConfigsRequest,
): ResourceAnswer['configs'][number] {
  return {
    name,
    value,
    readOnly,
    configSource: source,
    isSensitive: false,
    synonyms: includeSynonyms ? synonyms : [],
    configType: configTypes[spec.type],
    documentation: includeDocumentation ? spec.documentation : null,
  }
}

function failed(
  { resourceType, resourceName }: Resource,
  code: number,
  errorMessage: string | null = null,
) {
  return { errorCode: code, errorMessage, resourceType, resourceName, configs: [] }
}
