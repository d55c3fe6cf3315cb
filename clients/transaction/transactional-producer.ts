// TransactionalProducer: records and offsets of several partitions, all of them or none. One transaction at a time.
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
  /** The same at every start of the same worker, and of no other at the same time: a newer producer fences older ones. */
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
  /** How often `work` is run, at most. Default: as often as there is time. */
  readonly maxRuns?: number | undefined
}

const transactionOptions = shape<TransactionOptions>({
  ...callRows,
  maxRuns: whole(1, Number.MAX_SAFE_INTEGER),
})

/** A transaction that was aborted for one of these may succeed when it is run again. */
const PASSING: ReadonlySet<ErrorName> = new Set([
  'TRANSACTION_ABORTABLE',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
  // The group rebalances. When the function runs again, its commitOffsetsOf tells whether the partition is still ours.
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
  /** The end of the last transaction, which may go on after its caller has given up. */
  #ending: Promise<void> = Promise.resolve()
  /** In which transaction's function the code runs. */
  readonly #inside = new AsyncLocalStorage<Transaction>()
  #fatal: KafkaError | undefined
  /** Aborted by `close`. */
  readonly #closed = new AbortController()
  /** Aborted when nothing more is asked of the broker. */
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
   * Fences older producers with this transactional id and aborts what they left open, so that readers do not wait for it. It
   * happens by itself as soon as the producer exists; this waits for it.
   */
  async start(options: CallOptions = {}): Promise<void> {
    const call = this.#callOf(checked('producer.start', callOptions, options))
    await this.#inLine(call, () => this.#begin(call))
  }

  /**
   * Runs `work`, and commits what it sends when it returns; aborts it when it throws, and throws that.
   *
   * What the cluster aborts for a reason that passes is run again, `work` with it, until the call is over. One
   * transaction at a time: calls that meet wait in line.
   *
   * @param options.timeoutMs default `transactionTimeoutMs`
   * @returns what `work` returns, committed
   * @throws {KafkaError} `fatal` when another producer with the same transactional id has fenced this one;
   *   REQUEST_TIMED_OUT, and then the message says when it is not known whether it was committed
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

  /** Aborts a transaction that is open, and refuses further ones. Idempotent. */
  async close(options: CallOptions = {}): Promise<void> {
    const taken = checked('producer.close', callOptions, options)
    await (this.#closing ??= this.#close(taken))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** What the sender asks of the transaction under way. */
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

  /** It is over when the producer is closed, too. */
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

  /** @returns what `work` returned, committed, or what the transaction had to be aborted for; @throws everything else */
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

  /** A refusal aborts it. @throws when no answer comes in time: what became of it is then not known */
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

  /** Goes on by itself when the call is over: the next transaction waits for it. */
  async #abort(transaction: Transaction, call: Call): Promise<void> {
    transaction.finish()
    transaction.fail(abortedError()) // unless it has failed of itself
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
    await call.wait(this.#ending).catch(() => {}) // what it was aborted for is thrown
  }

  /** No longer than the broker keeps the transaction open. */
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
