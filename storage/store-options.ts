// StoreOptions: how a store is opened, see open-store.ts. Defaults that have no line here are there.

import type { CleanerPort } from './cleaner/port.ts'
import type { Clock } from './clock.ts'
import type { Fs } from './fs.ts'
import type { CleanerConfig, Overrides } from './store.ts'
import type { IdleWriterThread } from './writer/load-thread.ts'

export interface StoreOptions {
  readonly dataDir: string
  /**
   * 'thread': a worker of its own, or one already started. 'inline': on the caller's thread, one writer turn per loop
   * turn (tests, simulation).
   */
  readonly writer: 'thread' | 'inline' | IdleWriterThread
  /** The disk, for 'inline' only; nothing is then locked. Default: the real one. */
  readonly fs?: Fs
  /** Required, so that no test runs on real time by accident. */
  readonly clock: Clock
  /**
   * The id of a new directory; an existing one with another id is refused. Absent: the directory's own, 1 for a new
   * one.
   */
  readonly nodeId?: number | undefined
  /** Broker-wide defaults of topic configs, by topic property name; see `topicDefaults` in config.ts. */
  readonly topicDefaults?: Overrides
  /** `isCongested` when more bytes than this wait for the writer. */
  readonly inboxBytesMax?: number
  /** Segment and index files kept open for reading, in all logs together. */
  readonly openFilesMax?: number
  /** Segment files kept open for writing, in all logs together. */
  readonly writtenFilesMax?: number
  /** A partition forgets a producer that has not written to it for this long. Default: Kafka's day. */
  readonly producerIdExpirationMs?: number
  /** Settings of the background work on logs; absent ones have Kafka's defaults. */
  readonly cleaner?: Partial<CleanerConfig>
  /** The compacting code, for 'inline' only. Default: the caller's thread, with code loaded when the store opens. */
  readonly openCleanerPort?: (deps: { readonly fs: Fs; readonly clock: Clock }) => CleanerPort
  /** Gets a sentence on anything that an operator should know and that is not reported elsewhere. */
  readonly onWarning?: (message: string) => void
}
