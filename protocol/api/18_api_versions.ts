// ApiVersions: v1 throttle time; v3 flexible, client software (KIP-511), features (KIP-584); v4 a feature's minimum
// may be 0. The response header has no tagged fields in any version. To a version that it lacks a broker answers in v0.

import {
  api,
  array,
  bool,
  int16,
  int32,
  int64,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const apiVersions = api({
  key: 18,
  name: 'ApiVersions',
  versions: '0-4',
  flexible: '3+',
  request: {
    clientSoftwareName: string.in('3+').default(''),
    clientSoftwareVersion: string.in('3+').default(''),
  },
  response: {
    errorCode: int16,
    apiKeys: array({ apiKey: int16, minVersion: int16, maxVersion: int16 }),
    throttleTimeMs: int32.in('1+').default(0),
    supportedFeatures: array({ name: string, minVersion: int16, maxVersion: int16 }).tag(0, '3+'),
    finalizedFeaturesEpoch: int64.tag(1, '3+').default(-1),
    finalizedFeatures: array({ name: string, maxVersionLevel: int16, minVersionLevel: int16 }).tag(
      2,
      '3+',
    ),
    zkMigrationReady: bool.tag(3, '3+'),
  },
})
export type ApiVersionsRequest = RequestOf<typeof apiVersions>
export type ApiVersionsResponse = ResponseInput<typeof apiVersions>
