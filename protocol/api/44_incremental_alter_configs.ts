// IncrementalAlterConfigs: changes single configs of a resource (KIP-339). v1 flexible.

import { api, array, bool, int16, int32, int8, string, type RequestOf } from '../schema.ts'

export const incrementalAlterConfigs = api({
  key: 44,
  name: 'IncrementalAlterConfigs',
  versions: '0-1',
  flexible: '1+',
  request: {
    resources: array({
      resourceType: int8, // 2 topic, 4 broker
      resourceName: string,
      configs: array({
        name: string,
        configOperation: int8, // 0 set, 1 delete, 2 append, 3 subtract
        value: string.orNull(),
      }),
    }),
    validateOnly: bool,
  },
  response: {
    throttleTimeMs: int32.default(0),
    responses: array({
      errorCode: int16,
      errorMessage: string.orNull().default(null),
      resourceType: int8,
      resourceName: string,
    }),
  },
})
export type IncrementalAlterConfigsRequest = RequestOf<typeof incrementalAlterConfigs>
