// BrokerEnvironment: what a broker is started with, and where a test stands. Types.

import type { Clock } from '../../storage/clock.ts'
import type { Fs } from '../../storage/fs.ts'
import type { Store, StoreOptions } from '../../storage/store.ts'
import type { Authorizer } from '../auth/permissions.ts'
import type { Settings } from '../config.ts'
import type { Listeners } from '../net/listeners.ts'
import type { ProcessLog } from '../process-log.ts'

/** What clients come through. */
export type OpenListeners = Pick<Listeners, 'addresses' | 'connectionCount' | 'close'>

export interface BrokerEnvironment {
  readonly settings: Settings
  readonly ephemeral: boolean
  /** Where the writer runs: in its own thread unless a test says otherwise. */
  readonly writer?: StoreOptions['writer']
  /** The data below, and the sockets above, unless a test stands there. */
  readonly openStore?: (options: StoreOptions) => Promise<Store>
  readonly openListeners?: (...at: Parameters<typeof Listeners.open>) => Promise<OpenListeners>
  /** The disk, for the writer 'inline'. Default: the real one. */
  readonly fs?: Fs
  /** Decides on permissions. Default: every client may do everything. */
  readonly authorizer?: Authorizer
  /** Unlike any other, over all starts. Default: random. */
  readonly newId?: () => string
  readonly onFatal: (error: Error) => void
  readonly clock: Clock
  readonly log: ProcessLog
}
