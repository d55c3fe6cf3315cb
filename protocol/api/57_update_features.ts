// UpdateFeatures: v1 kinds of update, validateOnly (KIP-584); v2 one error for all updates.

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

export const updateFeatures = api({
  key: 57,
  name: 'UpdateFeatures',
  versions: '0-2',
  flexible: '0+',
  request: {
    timeoutMs: int32.default(60_000),
    featureUpdates: array({
      feature: string,
      maxVersionLevel: int16,
      allowDowngrade: bool.in('0').default(false),
      upgradeType: int8.in('1+').default(1), // 1 upgrade, 2 safe downgrade, 3 unsafe downgrade
    }),
    validateOnly: bool.in('1+').default(false),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    errorMessage: string.orNull().default(null),
    results: array({
      feature: string,
      errorCode: int16,
      errorMessage: string.orNull().default(null),
    })
      .in('0-1')
      .default([]),
  },
})
export type UpdateFeaturesRequest = RequestOf<typeof updateFeatures>
export type UpdateFeaturesResponse = ResponseInput<typeof updateFeatures>
