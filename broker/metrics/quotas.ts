// The metrics of quotas: by quota, never by user or client id, of which there may be any number. Network thread.

import type { Throttling } from '../quota/throttling.ts'
import type { Samples } from './samples.ts'

export function addQuotas(samples: Samples, { quotas, counts }: Throttling): void {
  samples.add('millrace_quota_entities', quotas.ofClientsCount, { kind: 'client' })
  samples.add('millrace_quota_entities', quotas.ofAddressesCount, { kind: 'ip' })
  for (const [quota, { requests, seconds }] of counts) {
    samples.add('millrace_quota_throttled_requests_total', requests, { quota })
    samples.add('millrace_quota_throttle_seconds_total', seconds, { quota })
  }
}
