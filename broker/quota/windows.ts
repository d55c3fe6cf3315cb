// The windows over which quotas are measured, by Kafka's properties. Network thread.

import { whole } from '../../storage/config.ts'
import type { ValuesOf } from '../listener-properties.ts'

/** A rate is that of this many samples; the newest of them still grows. */
export interface QuotaWindow {
  readonly sampleCount: number
  readonly sampleMs: number
}

export interface QuotaWindows {
  /** Of rates of bytes, of time and of connections. */
  readonly clients: QuotaWindow
  /** Of created and deleted partitions. */
  readonly mutations: QuotaWindow
}

const readOnly = true

/** In order of name. */
export const quotaConfigs = {
  'controller.quota.window.num': whole('int', 11, 1, {
    readOnly,
    says: 'Samples of the window over which `controller_mutation_rate` is measured.',
  }),
  'controller.quota.window.size.seconds': whole('int', 1, 1, {
    readOnly,
    says: 'The time of each of them. A client may create or delete as many partitions at once as its rate allows in a whole window.',
  }),
  'quota.window.num': whole('int', 11, 1, {
    readOnly,
    says: 'Samples of the window over which the other quotas are measured.',
  }),
  'quota.window.size.seconds': whole('int', 1, 1, {
    readOnly,
    says: 'The time of each of them.',
  }),
}

export function quotaWindows(config: ValuesOf<typeof quotaConfigs>): QuotaWindows {
  return {
    clients: windowOf(config['quota.window.num'], config['quota.window.size.seconds']),
    mutations: windowOf(
      config['controller.quota.window.num'],
      config['controller.quota.window.size.seconds'],
    ),
  }
}

function windowOf(sampleCount: number, sampleSeconds: number): QuotaWindow {
  return { sampleCount, sampleMs: sampleSeconds * 1000 }
}
