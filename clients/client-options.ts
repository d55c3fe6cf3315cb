// ClientOptions: what a client is made with, and the cluster that it makes of them.

import { systemClock, type Clock } from './clock.ts'
import { Cluster } from './cluster/cluster.ts'
import { harmless, type Logger } from './logger.ts'
import { parseAddresses } from './net/address.ts'
import { saslOptions, type SaslOptions } from './net/sasl/options.ts'
import { securityOf } from './net/security.ts'
import { tlsOptions, type TlsOptions } from './net/tls/options.ts'
import {
  checked,
  either,
  listOf,
  methods,
  milliseconds,
  patienceMs,
  required,
  shape,
  text,
  whole,
} from './options.ts'

export interface ClientOptions {
  /** The brokers to connect to first: `host:port`, one or several. The client finds the rest of the cluster from there. */
  readonly brokers: string | readonly string[]
  /** The name of this client in the broker's logs and quotas. Default `millrace`. */
  readonly clientId?: string | undefined
  /** Default false. With true, a broker's certificate must be of a CA that Node knows; for more, give an object. */
  readonly tls?: boolean | TlsOptions | undefined
  /** The identity of the client, for brokers with SASL. Default: no SASL. */
  readonly sasl?: SaslOptions | undefined
  /** For one attempt to open a socket, for each step of authentication on it, and for fetching a token. Default 5 s. */
  readonly connectTimeoutMs?: number | undefined
  /** For one request; after that the client closes the socket. Default 30 s. */
  readonly requestTimeoutMs?: number | undefined
  /** For a call, retries included, unless the call has its own `timeoutMs`. Default 30 s. */
  readonly timeoutMs?: number | undefined
  /** How long calls retry before the client has reached a first broker. Default 3 s. */
  readonly bootstrapTimeoutMs?: number | undefined
  /** Pause before a retry: doubles from `backoffMs` (100) to `backoffMaxMs` (1000), with jitter. */
  readonly retry?:
    | { readonly backoffMs?: number | undefined; readonly backoffMaxMs?: number | undefined }
    | undefined
  /** The client refreshes older metadata, and so finds new partitions. Default 5 min. */
  readonly metadataAgeMaxMs?: number | undefined
  /** Logs what the client does by itself: reconnects, resets. Default: no log. */
  readonly logger?: Logger | undefined
  /** For tests and simulators. */
  readonly clock?: Clock | undefined
}

const ms = milliseconds(1)

const clientOptions = shape<ClientOptions>({
  brokers: required(
    either<string | readonly string[]>('host:port, one or several', text(), listOf(text(), 1)),
  ),
  clientId: text(0),
  tls: tlsOptions,
  sasl: saslOptions,
  connectTimeoutMs: ms,
  requestTimeoutMs: whole(1),
  timeoutMs: patienceMs,
  bootstrapTimeoutMs: patienceMs,
  retry: shape<NonNullable<ClientOptions['retry']>>({ backoffMs: ms, backoffMaxMs: ms }),
  metadataAgeMaxMs: patienceMs,
  logger: methods<Logger>('debug', 'info', 'warn'),
  clock: methods<Clock>('now', 'monotonic', 'after', 'random'),
})

/** Does not connect yet. @param what the call, for messages; @throws {TypeError} for an unknown or wrong option, or a wrong address */
export function clusterFor(what: string, given: ClientOptions): Cluster {
  const options = checked(what, clientOptions, given)
  const bootstrap = parseAddresses(options.brokers)
  const connectTimeoutMs = options.connectTimeoutMs ?? 5_000
  const logger = options.logger && harmless(options.logger)
  const clock = options.clock ?? systemClock
  return new Cluster({
    bootstrap,
    clientId: options.clientId ?? 'millrace',
    ...securityOf(options, { bootstrap, clock, logger, timeoutMs: connectTimeoutMs }),
    connectTimeoutMs,
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    timeoutMs: options.timeoutMs ?? 30_000,
    bootstrapTimeoutMs: options.bootstrapTimeoutMs ?? 3_000,
    retry: {
      backoffMs: options.retry?.backoffMs ?? 100,
      backoffMaxMs: options.retry?.backoffMaxMs ?? 1_000,
    },
    metadataAgeMaxMs: options.metadataAgeMaxMs ?? 300_000,
    logger,
    clock,
  })
}
