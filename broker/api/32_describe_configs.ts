// DescribeConfigs: every configuration of a topic or of the broker, where its value comes from, and what it means.
// Versions: 1-4
// Behaviour: the empty broker name means all brokers, and shows only what is set for all (KIP-226). A property that a broker
// reads at its start is read-only. An empty list of keys means all keys, as null does. Passwords are never shown.
// Not done: resources other than topics and the broker (loggers, groups, client metrics).

import {
  describeConfigs,
  type DescribeConfigsRequest,
  type DescribeConfigsResponse,
} from '../../protocol/api/32_describe_configs.ts'
import { errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import type { ConfigSpec } from '../../storage/config.ts'
import { requireConfigs, type ConfigResources } from '../config-resources.ts'
import { configTypes, type DescribedConfig } from '../described-config.ts'
import type { Handler, RequestContext } from '../handler.ts'

type Resource = DescribeConfigsRequest['resources'][number]
type ResourceAnswer = DescribeConfigsResponse['results'][number]

interface DescribeConfigsDeps {
  readonly configResources: ConfigResources
}

export function describeConfigsHandler({
  configResources,
}: DescribeConfigsDeps): Handler<typeof describeConfigs> {
  return {
    api: describeConfigs,
    async handle(request, context) {
      const results = await context.work.each(request.resources, (resource) =>
        answerFor(configResources, resource, request, context),
      )
      return { results }
    },
    refuse: ({ resources }, code) => ({
      results: resources.map((resource) => failed(resource, code)),
    }),
  }
}

function answerFor(
  configResources: ConfigResources,
  resource: Resource,
  request: DescribeConfigsRequest,
  context: RequestContext,
): ResourceAnswer {
  const { resourceType, resourceName, configurationKeys } = resource
  try {
    requireConfigs(context, 'DescribeConfigs', resource)
    const asked = configurationKeys?.length ? new Set(configurationKeys) : null
    const configs = configResources
      .get(resource)
      .describe(asked)
      .map((config) => shown(config, request))
    return { errorCode: 0, resourceType, resourceName, configs }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return failed(resource, errorCodeOf(error), error.reason)
  }
}

function shown(
  { name, value, source, spec, synonyms, isReadOnly }: DescribedConfig,
  { includeSynonyms, includeDocumentation }: DescribeConfigsRequest,
): ResourceAnswer['configs'][number] {
  const isSensitive = spec.type === 'password'
  const text = (set: string) => (isSensitive ? null : shownText(spec, set))
  return {
    name,
    value: text(value),
    readOnly: isReadOnly,
    configSource: source,
    isSensitive,
    synonyms: includeSynonyms ? synonyms.map((each) => ({ ...each, value: text(each.value) })) : [],
    configType: configTypes[spec.type],
    documentation: includeDocumentation ? spec.documentation : null,
  }
}

/** A list as the broker reads it: without blanks, and without repeated items where each item counts once. */
function shownText(spec: ConfigSpec, text: string): string {
  return spec.type === 'list'
    ? ((spec.parse(text) as string[] | undefined)?.join(',') ?? text)
    : text
}

function failed(
  { resourceType, resourceName }: Resource,
  code: number,
  errorMessage: string | null = null,
) {
  return { errorCode: code, errorMessage, resourceType, resourceName, configs: [] }
}
