// ListConfigResources: v0 lists client metrics only (KIP-714); v1 all kinds (KIP-1142).

import { api, array, int16, int32, int8, string } from '../schema.ts'

/** Kafka's code of client metrics. */
const CLIENT_METRICS = 16

export const listConfigResources = api({
  key: 74,
  name: 'ListConfigResources',
  versions: '0-1',
  flexible: '0+',
  request: {
    resourceTypes: array(int8).in('1+').default([]), // empty is all kinds
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    configResources: array({
      resourceName: string,
      resourceType: int8.in('1+').default(CLIENT_METRICS),
    }),
  },
})
