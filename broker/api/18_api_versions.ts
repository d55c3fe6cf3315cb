// ApiVersions: what this broker serves.
// Versions: 0-4; the answer to any other is of version 0: UNSUPPORTED_VERSION and our own range (KIP-511).
// Behaviour: lists exactly the APIs that have a handler, sorted by key, and the features (KIP-584) by which clients choose how
// they work. The session keeps the name and version of the client's software.

import {
  apiVersions,
  type ApiVersionsRequest,
  type ApiVersionsResponse,
} from '../../protocol/api/18_api_versions.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import type { Api } from '../../protocol/schema.ts'
import { TRANSACTION_VERSION } from '../features.ts'
import type { Handler } from '../handler.ts'

/** Clients of this version name their software (KIP-511). */
const SOFTWARE_VERSION_MIN = 3
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/
/** Features never change while a broker runs. */
const FEATURES_EPOCH = 0
/** Clients of older versions cannot read a feature whose minimum is 0: their answer leaves its range out. */
const ZERO_MINIMUM_VERSION_MIN = 4

/** @param served without ApiVersions itself */
export function apiVersionsHandler(served: readonly Api<any, any>[]): Handler<typeof apiVersions> {
  const sorted = [...served, apiVersions].sort((a, b) => a.key - b.key)
  const apiKeys = sorted.map(rangeOf)
  return {
    api: apiVersions,
    handle(request, { version, session }) {
      if (version >= SOFTWARE_VERSION_MIN) session.software = softwareIn(request)
      session.authentication?.toldVersions()
      return { errorCode: 0, apiKeys, ...features(version) }
    },
    refuse: (_request, code) => ({ errorCode: code, apiKeys: [] }),
    refuseVersion: () => ({
      errorCode: errorCode('UNSUPPORTED_VERSION'),
      apiKeys: [rangeOf(apiVersions)],
    }),
  }
}

/** @throws {KafkaError} INVALID_REQUEST for names that are not as KIP-511 wants them */
function softwareIn({ clientSoftwareName: name, clientSoftwareVersion }: ApiVersionsRequest) {
  for (const text of [name, clientSoftwareVersion])
    if (!SOFTWARE.test(text)) throw new KafkaError('INVALID_REQUEST', 'name of the client software')
  return { name, version: clientSoftwareVersion }
}

function features(version: number): Partial<ApiVersionsResponse> {
  const { name, level } = TRANSACTION_VERSION
  return {
    supportedFeatures:
      version < ZERO_MINIMUM_VERSION_MIN ? [] : [{ name, minVersion: 0, maxVersion: level }],
    finalizedFeaturesEpoch: FEATURES_EPOCH,
    finalizedFeatures: [{ name, maxVersionLevel: level, minVersionLevel: level }],
  }
}

function rangeOf({ key, advertised }: Api<any, any>): ApiVersionsResponse['apiKeys'][number] {
  return { apiKey: key, minVersion: advertised.from, maxVersion: advertised.to }
}
