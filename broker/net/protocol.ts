// Protocol: how the bytes of a client become requests. A connection has one, picked by the client's first bytes. Types.

import type { Receiver } from './transport.ts'

export interface Protocol extends Receiver {
  /** Starts requests that had to wait, as far as they may start now. */
  startWaiting(): void
  /** Held by requests that have arrived and have not started. */
  readonly waitingBytes: number
  /** Held by the request that has arrived in part; 0 between requests. */
  readonly partBytes: number
  /** Monotonic ms: when the request that has arrived in part began to arrive. */
  readonly partStartedAt: number
  /** Forgets what has not started: the connection is closed. */
  close(): void
}
