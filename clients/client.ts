// Client: the handle to a cluster. Owns its sockets; producers, consumers and admins borrow them.

import { Admin } from './admin.ts'
import type { CallOptions } from './call.ts'
import type { Clock } from './clock.ts'
import { Consumer, type ConsumerOptions } from './consumer.ts'
import { Producer, type ProducerOptions } from './producer.ts'
import type { RecordOf, TopicLike } from './topic.ts'

export interface ClientOptions {
  /** Where to begin: `host:port`, one or several. The rest of the cluster is found from there. */
  readonly brokers: string | readonly string[]
  /** How the broker's logs and quotas name this client. Default `millrace`. */
  readonly clientId?: string | undefined
  /** Of one attempt to open a socket. Default 5 s. */
  readonly connectTimeoutMs?: number | undefined
  /** Of one request; the socket is then closed. Default 30 s. */
  readonly requestTimeoutMs?: number | undefined
  /** Of a call, retries included, unless the call says otherwise. Default 30 s. */
  readonly timeoutMs?: number | undefined
  /** How long a client that has not reached any broker yet tries before its calls fail. Default 3 s. */
  readonly bootstrapTimeoutMs?: number | undefined
  /** Pause before a retry: doubles from `backoffMs` (100) to `backoffMaxMs` (1000), with jitter. */
  readonly retry?:
    | { readonly backoffMs?: number | undefined; readonly backoffMaxMs?: number | undefined }
    | undefined
  /** Metadata older than this is asked for again, which finds new partitions. Default 5 min. */
  readonly metadataAgeMaxMs?: number | undefined
  /** Hears what the client does on its own: reconnects, resets. A pino or console fits. Default: nobody. */
  readonly logger?: Logger | undefined
  /** For tests and simulators. */
  readonly clock?: Clock | undefined
}

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** Connects on first use. `close` or `await using` closes its producers and consumers, then its sockets. */
export class Client implements AsyncDisposable {
  constructor(options: ClientOptions) {
    void options
  }

  producer(options: ProducerOptions = {}): Producer {
    return new Producer(options)
  }

  /** A plain reader of whole partitions; it commits nothing. */
  consumer<const T extends readonly TopicLike[]>(
    options: ConsumerOptions<T>,
  ): Consumer<RecordOf<T[number]>> {
    return new Consumer(options)
  }

  admin(): Admin {
    return new Admin()
  }

  async close(options: CallOptions = {}): Promise<void> {
    void options
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
