// TransactionalProducer: writes records and offsets of several partitions, all of them or none (KIP-98). One
// transaction at a time.
// For users: docs/guide/transactions.md

import { AsyncLocalStorage } from 'node:async_hooks'
import { KafkaError, type ErrorName } from '../../protocol/errors.ts'
import { callOptions, callRows, type Call, type CallOptions, type Closeable } from '../call.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { callback, checked, required, shape, text, whole } from '../options.ts'
import { Producer, producerRows, type ProducerOptions } from '../producer/producer.ts'
import type { SenderTransaction } from '../producer/sender.ts'
import { TransactionRequests } from './transaction-requests.ts'
import { Transaction } from './transaction.ts'

export interface TransactionalProducerOptions extends Omit<ProducerOptions, 'acks' | 'idempotent'> {
  /** Identifies the producer across restarts. No two running producers share one: the newer fences the older. */
  readonly transactionalId: string
  /** The broker aborts a transaction that takes longer. Default 1 min; Kafka's brokers allow up to 15 min. */
  readonly transactionTimeoutMs?: number | undefined
}

const transactionalProducerOptions = shape<TransactionalProducerOptions>({
  ...producerRows,
  transactionalId: required(text()),
  transactionTimeoutMs: whole(1),
})

export interface TransactionOptions extends CallOptions {
  /** The most runs of `work`. Default: no limit until the call ends. */
  readonly maxRuns?: number | undefined
}

const transactionOptions = shape<TransactionOptions>({
  ...callRows,
  maxRuns: whole(1, Number.MAX_SAFE_INTEGER),
})

/** Errors after which a transaction may succeed when `work` runs again. */
const PASSING: ReadonlySet<ErrorName> = new Set([
  'TRANSACTION_ABORTABLE',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
  // The group rebalances. In the next run commitOffsetsOf tells whether the member still has the partition.
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
])

export class TransactionalProducer implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #transactionalId: string
  readonly #timeoutMs: number
  readonly #producer: Producer
  readonly #requests: TransactionRequests
  readonly #onClose: (self: Closeable) => void
  /** The last transaction in line. */
  #line: Promise<void> = Promise.resolve()
  #current: Transaction | undefined
  /** The end of the last transaction, which may continue after its caller has given up. */
  #ending: Promise<void> = Promise.resolve()
  /** The transaction whose function is running. */
  readonly #inside = new AsyncLocalStorage<Transaction>()
  #fatal: KafkaError | undefined
  /** Aborted by `close`. */
  readonly #closed = new AbortController()
  /** Aborted when the producer may send no more requests. */
  readonly #stopped = new AbortController()
  #closing: Promise<void> | undefined

  /** @internal Use `client.producer({ transactionalId })`. */
  constructor(
    cluster: Cluster,
    given: TransactionalProducerOptions,
    onClose: (self: Closeable) => void,
  ) {
    const options = checked('client.producer', transactionalProducerOptions, given)
    const { transactionalId, transactionTimeoutMs = 60_000, ...producerOptions } = options
    this.#cluster = cluster
    this.#transactionalId = transactionalId
    this.#timeoutMs = transactionTimeoutMs
    this.#onClose = onClose
    this.#requests = new TransactionRequests(cluster, {
      transactionalId,
      transactionTimeoutMs,
    })
    const deliveryTimeoutMs = options.deliveryTimeoutMs ?? transactionTimeoutMs
    this.#producer = new Producer(
      cluster,
      { ...producerOptions, deliveryTimeoutMs },
      () => {},
      this.#sending(),
    )
    this.start().catch((error: unknown) => {
      cluster.options.logger?.warn(
        { error, transactionalId },
        'the cluster has given no producer id yet',
      )
    })
  }

  /**
   * Fences older producers with this transactional id and aborts their open transaction, so that readers need not
   * wait for it. The producer does this by itself when it is created; `start` waits for it.
   */
  async start(options: CallOptions = {}): Promise<void> {
    const call = this.#callOf(checked('producer.start', callOptions, options))
    await this.#inLine(call, () => this.#begin(call))
  }

  /**
   * Runs `work`, and commits what it sends when it returns; if it throws, aborts and throws that error.
   *
   * If the cluster aborts for a passing reason, `work` runs again, until the call is over. One transaction runs at a
   * time: concurrent calls wait in line.
   *
   * @param options.timeoutMs default `transactionTimeoutMs`
   * @returns what `work` returns, committed
   * @throws {KafkaError} `fatal` when another producer with the same transactional id has fenced this one;
   *   REQUEST_TIMED_OUT, whose message says so if it is unknown whether the transaction was committed
   */
  async transaction<R>(
    work: (transaction: Transaction) => R | Promise<R>,
    options: TransactionOptions = {},
  ): Promise<R> {
    if (this.#inside.getStore()?.isOver === false)
      throw new KafkaError(
        'INVALID_REQUEST',
        `transactional id ${this.#transactionalId}: a transaction inside another one would wait for itself`,
      )
    checked('producer.transaction', callback(), work, 'work')
    const taken = checked('producer.transaction', transactionOptions, options)
    const { timeoutMs = this.#timeoutMs, signal, maxRuns } = taken
    const call = this.#callOf({ timeoutMs, signal })
    return await this.#inLine(call, () => this.#run(work, call, maxRuns))
  }

  /** Aborts an open transaction, and refuses further ones. Idempotent. */
  async close(options: CallOptions = {}): Promise<void> {
    const taken = checked('producer.close', callOptions, options)
    await (this.#closing ??= this.#close(taken))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** What the sender needs from the running transaction. */
  #sending(): SenderTransaction {
    const requests = this.#requests
    const current = (): Transaction | undefined => this.#current
    return {
      transactionalId: this.#transactionalId,
      get identity() {
        return requests.identity
      },
      get produceVersionMax() {
        return requests.produceVersionMax
      },
      get isFailed() {
        return current()?.failure !== undefined
      },
      admits: (partition) => current()?.admits(partition) ?? false,
    }
  }

  /** A call that also ends when the producer closes. */
  #callOf(options: CallOptions): Call {
    const { signal: closed } = this.#closed
    const signal = options.signal ? AbortSignal.any([options.signal, closed]) : closed
    return this.#cluster.call({ ...options, signal })
  }

  /** A call that times out while it waits in line leaves no trace: the next one waits only for those before it. */
  #inLine<R>(call: Call, work: () => Promise<R>): Promise<R> {
    const before = this.#line
    const turn = call.wait(before).then(() => work())
    this.#line = Promise.allSettled([before, turn]).then(() => {})
    return turn
  }

  async #run<R>(
    work: (transaction: Transaction) => R | Promise<R>,
    call: Call,
    maxRuns = Infinity,
  ): Promise<R> {
    for (let failures = 1; ; failures++) {
      const outcome = await this.#attempt(work, call)
      if ('result' in outcome) return outcome.result
      const { failure: error } = outcome
      if (!isPassing(error) || failures >= maxRuns) throw error
      if (call.isOver) throw call.ending(error)
      this.#cluster.options.logger?.warn({ error }, 'a transaction was aborted: once more')
      await call.sleep(this.#cluster.backoffMs(failures), error)
    }
  }

  /**
   * @returns what `work` returned, committed, or the error for which the transaction was aborted; @throws every other
   *   error
   */
  async #attempt<R>(
    work: (transaction: Transaction) => R | Promise<R>,
    call: Call,
  ): Promise<{ readonly result: R } | { readonly failure: KafkaError }> {
    await this.#begin(call)
    if (call.isOver) throw call.ending(undefined)
    const [producer, requests] = [this.#producer, this.#requests]
    const transaction = new Transaction({ producer, requests, call })
    this.#current = transaction
    let result: R
    try {
      result = await call.wait(this.#inside.run(transaction, async () => work(transaction)))
      transaction.finish()
      await transaction.flush(call)
      await transaction.commitOffsets(call)
    } catch (error) {
      const { failure } = transaction
      await this.#abort(transaction, call)
      if (call.isOver || failure === undefined) throw error
      return { failure }
    }
    await this.#commit(transaction, call)
    if (transaction.failure !== undefined) return { failure: transaction.failure }
    transaction.committed()
    return { result }
  }

  async #begin(call: Call): Promise<void> {
    await call.wait(this.#ending)
    if (this.#fatal !== undefined) throw this.#fatal
    await this.#noting(this.#requests.begin(call))
  }

  /** A refused commit aborts. @throws when no answer comes in time: the outcome is then unknown */
  async #commit(transaction: Transaction, call: Call): Promise<void> {
    const ended = this.#noting(this.#requests.end('commit', this.#endingCall()))
    this.#ending = ended.catch(() => {})
    try {
      await call.wait(ended)
    } catch (error) {
      const isUnsure = call.isOver || this.#requests.isUnsure
      if (isUnsure) throw call.signal!.aborted ? error : this.#unsure(error)
      transaction.fail(error)
      await this.#abort(transaction, call)
    }
  }

  /** The abort continues after the call is over: the next transaction waits for it. */
  async #abort(transaction: Transaction, call: Call): Promise<void> {
    transaction.finish()
    transaction.fail(abortedError()) // unless it has already failed by itself
    const { failure } = transaction
    if (failure?.fatal) {
      this.#fatal = failure
      return
    }
    const ended = transaction
      .idle()
      .then(() => this.#noting(this.#requests.end('abort', this.#endingCall())))
    this.#ending = ended.catch((cause: unknown) => {
      this.#cluster.options.logger?.warn({ error: cause }, 'aborting a transaction failed')
    })
    await call.wait(this.#ending).catch(() => {}) // the caller gets the reason of the abort
  }

  /** Lasts no longer than the broker keeps the transaction open. */
  #endingCall(): Call {
    return this.#cluster.call({ signal: this.#stopped.signal, timeoutMs: this.#timeoutMs })
  }

  async #noting(asked: Promise<void>): Promise<void> {
    try {
      await asked
    } catch (error) {
      if (error instanceof KafkaError && error.fatal) this.#fatal = error
      throw error
    }
  }

  #unsure(error: unknown): KafkaError {
    const what =
      `transactional id ${this.#transactionalId}: the commit was asked for and not answered in time: ` +
      'whether it was carried out is not known'
    return new KafkaError('REQUEST_TIMED_OUT', what, { cause: error })
  }

  async #close(options: CallOptions): Promise<void> {
    const call = this.#cluster.call({ timeoutMs: Infinity, ...options })
    this.#closed.abort(closedError())
    try {
      await call.wait(this.#line)
      await call.wait(this.#ending)
    } finally {
      this.#stopped.abort(closedError())
      this.#requests.close()
      await this.#producer.close(options)
      this.#onClose(this)
    }
  }
}

function isPassing({ fatal, retriable, code }: KafkaError): boolean {
  return !fatal && (retriable || PASSING.has(code))
}

function abortedError(): KafkaError {
  return new KafkaError('INVALID_TXN_STATE', 'the transaction was aborted')
}

function closedError(): KafkaError {
  return new KafkaError('CLOSED', 'the producer is closed')
}
