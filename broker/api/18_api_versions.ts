// ApiVersions: what this broker serves.
// Versions: 0-4; any other is answered in version 0 with UNSUPPORTED_VERSION and our own range, as KIP-511 says.
// Behaviour: lists exactly the APIs that have a handler, sorted by key.
// Not done: features; none is announced before it works.

import { apiVersions, type ApiVersionsResponse } from '../../protocol/api/18_api_versions.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Api } from '../../protocol/schema.ts'
import type { Handler } from '../net/handler.ts'

/** @param served without ApiVersions itself */
export function apiVersionsHandler(served: readonly Api<any, any>[]): Handler<typeof apiVersions> {
  const sorted = [...served, apiVersions].sort((a, b) => a.key - b.key)
  const apiKeys = sorted.map(rangeOf)
  return {
    api: apiVersions,
    handle: () => ({ errorCode: 0, apiKeys }),
    refuse: (_request, code) => ({ errorCode: code, apiKeys: [] }),
    refuseVersion: () => ({
      errorCode: errorCode('UNSUPPORTED_VERSION'),
      apiKeys: [rangeOf(apiVersions)],
    }),
  }
}

function rangeOf({ key, advertised }: Api<any, any>): ApiVersionsResponse['apiKeys'][number] {
  return { apiKey: key, minVersion: advertised.from, maxVersion: advertised.to }
}
