// BrokerEnvironment: a broker's settings, and the parts that a test replaces. Types.

import type { Clock } from '../../storage/clock.ts'
import type { Fs } from '../../storage/fs.ts'
import type { Store } from '../../storage/store.ts'
import type { StoreOptions } from '../../storage/store-options.ts'
import type { Authorizer } from '../auth/permissions.ts'
import type { Settings } from '../config.ts'
import type { Listeners } from '../net/listeners.ts'
import type { ProcessLog } from '../process-log.ts'

/** The listeners, as the broker uses them. */
export type OpenListeners = Pick<Listeners, 'addresses' | 'connectionCount' | 'close'>

export interface BrokerEnvironment {
  readonly settings: Settings
  readonly ephemeral: boolean
  /** Where the writer runs; by default in its own thread. */
  readonly writer?: StoreOptions['writer']
  /** The store below and the sockets above; a test may replace them. */
  readonly openStore?: (options: StoreOptions) => Promise<Store>
  readonly openListeners?: (...at: Parameters<typeof Listeners.open>) => Promise<OpenListeners>
  /** The disk, for the writer 'inline'. Default: the real one. */
  readonly fs?: Fs
  /** Decides on permissions. Default: every client may do everything. */
  readonly authorizer?: Authorizer
  /** A unique id in every run. Default: random. */
  readonly newId?: () => string
  readonly onFatal: (error: Error) => void
  readonly clock: Clock
  readonly log: ProcessLog
}
