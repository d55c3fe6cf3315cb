// Throttling without quotas. Tests only.

import type { Clock } from '../../../storage/clock.ts'
import { ClientQuotas } from '../client-quotas.ts'
import { Throttling } from '../throttling.ts'

export function noThrottling(clock: Clock): Throttling {
  const records = { list: () => [], write: async () => {} }
  const window = { sampleCount: 11, sampleMs: 1000 }
  const quotas = new ClientQuotas({ records, warn() {} })
  return new Throttling({ quotas, windows: { clients: window, mutations: window }, clock })
}
