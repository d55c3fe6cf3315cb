// DescribeConfigs: v1 source and synonyms (KIP-226); v3 type and documentation (KIP-569); v4 flexible.

import {
  api,
  array,
  bool,
  int16,
  int32,
  int8,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const describeConfigs = api({
  key: 32,
  name: 'DescribeConfigs',
  versions: '1-4',
  flexible: '4+',
  request: {
    resources: array({
      resourceType: int8, // 2 topic, 4 broker
      resourceName: string,
      configurationKeys: array(string).orNull().default(null), // null is all keys
    }),
    includeSynonyms: bool.default(false),
    includeDocumentation: bool.in('3+').default(false),
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array({
      errorCode: int16,
      errorMessage: string.orNull().default(null),
      resourceType: int8,
      resourceName: string,
      configs: array({
        name: string,
        value: string.orNull(),
        readOnly: bool,
        configSource: int8.default(-1),
        isSensitive: bool,
        synonyms: array({ name: string, value: string.orNull(), source: int8 }).default([]),
        configType: int8.in('3+').default(0),
        documentation: string.orNull().in('3+').default(null),
      }),
    }),
  },
})
export type DescribeConfigsRequest = RequestOf<typeof describeConfigs>
export type DescribeConfigsResponse = ResponseInput<typeof describeConfigs>
