// AlterConfigs: replaces all settings of a resource; superseded by IncrementalAlterConfigs (44). v2 flexible.

import { api, array, bool, int16, int32, int8, string, type RequestOf } from '../schema.ts'

export const alterConfigs = api({
  key: 33,
  name: 'AlterConfigs',
  versions: '0-2',
  flexible: '2+',
  request: {
    resources: array({
      resourceType: int8, // 2 topic, 4 broker
      resourceName: string,
      configs: array({ name: string, value: string.orNull() }),
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
export type AlterConfigsRequest = RequestOf<typeof alterConfigs>
