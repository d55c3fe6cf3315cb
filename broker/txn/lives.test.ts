// Random lives of transactional producers: they begin, write, commit, abort, are fenced and time out; the disk is
// slow, and the broker crashes at any write. In every run each transaction is committed everywhere or aborted
// everywhere, as its producer asked and was answered, and none stays open.

import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import t from '../../protocol/testing/tap.ts'
import { budget } from '../../protocol/testing/budget.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { transactionWorld, type TransactionWorld } from '../testing/transaction-world.ts'
import { settle } from '../testing/virtual-clock.ts'
import type { ProducerIdentity } from './messages.ts'

const LIVES = budget(400, 3000, 'LIVES')
const TIMEOUT_MS = 60_000
const PARTITIONS = 3
/** The next epochs are the last ones of the producer id, now and then. */
const NEARLY_USED_UP = 32_764

/** One transaction of a producer. */
interface Transaction {
  readonly writtenTo: Set<string>
  /** The end that its producer asked for, if it did. */
  asked?: 'commit' | 'abort'
  /** The end in the producer's answer. */
  told?: 'commit' | 'abort'
  /** The ends in the logs' markers. */
  readonly ends: Set<'commit' | 'abort'>
}

/** The logs: who has a transaction open in them. */
class Logs {
  readonly #w: TransactionWorld
  readonly #open = new Map<string, Transaction>()
  #heardCount = 0

  constructor(w: TransactionWorld) {
    this.#w = w
  }

  write(where: string, { producerId }: ProducerIdentity, transaction: Transaction): void {
    this.hear()
    const key = `${where} ${producerId}`
    const open = this.#open.get(key) ?? transaction
    assert.equal(open, transaction, `${key} mixes two transactions`)
    this.#open.set(key, transaction)
    transaction.writtenTo.add(where)
  }

  /** Takes over what the disk has told the logs since the last time. */
  hear(): void {
    const { heard } = this.#w.disk
    for (const { where, producerId, isCommit } of heard.slice(this.#heardCount)) {
      const key = `${where} ${producerId}`
      const transaction = this.#open.get(key)
      if (transaction === undefined) continue // told twice
      this.#open.delete(key)
      transaction.ends.add(isCommit ? 'commit' : 'abort')
      assert.equal(transaction.ends.size, 1, `${key}: a part is committed, another aborted`)
      if (isCommit) assert.equal(transaction.asked, 'commit', `${key}: nobody asked for a commit`)
    }
    this.#heardCount = heard.length
  }

  isOpen(transaction: Transaction): boolean {
    return [...this.#open.values()].includes(transaction)
  }

  get openCount(): number {
    return this.#open.size
  }
}

/** A client library: one request at a time, the same again when no answer came, out of use once it is fenced. */
class Client {
  readonly #w: TransactionWorld
  readonly #logs: Logs
  readonly #id: string
  readonly #isV2: boolean
  #who: ProducerIdentity | undefined
  #transaction: Transaction | undefined
  #isBusy = false
  /** A crash ends what ran before it: its answers reach nobody. */
  #life = 0
  readonly finished: Transaction[] = []

  constructor(w: TransactionWorld, logs: Logs, id: string, isV2: boolean) {
    this.#w = w
    this.#logs = logs
    this.#id = id
    this.#isV2 = isV2
  }

  crashed(): void {
    this.#life++
    this.#isBusy = false
  }

  async init(isNew: boolean): Promise<void> {
    const current = isNew ? null : (this.#who ?? null)
    const request = { transactionalId: this.#id, timeoutMs: TIMEOUT_MS, current }
    const answer = await this.#ask(() => this.#w.coordinator.initProducer(request))
    if (answer === undefined) return
    this.#giveUp()
    this.#who = typeof answer === 'string' ? undefined : answer
  }

  /** Adds a partition, or that of offsets, and writes to it. */
  async write(partition: number): Promise<void> {
    const { asked } = (this.#transaction ??= begun())
    if (this.#who === undefined || asked !== undefined) return
    const request = { transactionalId: this.#id, ...this.#who }
    const transaction = this.#transaction
    if (partition === PARTITIONS) {
      await this.#refusedBy(() =>
        this.#w.coordinator.commitOffsets(request, true, async () => {
          this.#logs.write('__consumer_offsets-0', request, transaction)
          return undefined
        }),
      )
      return
    }
    const addition = [{ topic: 't', partitions: [partition] }]
    const isRefused = await this.#refusedBy(() => this.#w.coordinator.add(request, addition))
    const id = this.#w.coordinator.get(this.#id)
    const isOwn = id?.record.producerEpoch === request.producerEpoch
    if (isRefused || !isOwn || !id.includes('t', partition)) return
    this.#logs.write(`t-${partition}`, request, transaction)
  }

  async end(isCommit: boolean): Promise<void> {
    const transaction = this.#transaction
    if (this.#who === undefined || transaction === undefined || this.#isBusy) return
    transaction.asked ??= isCommit ? 'commit' : 'abort'
    const { asked } = transaction
    const request = { transactionalId: this.#id, ...this.#who, bumpsEpoch: this.#isV2 }
    const answer = await this.#ask(() =>
      this.#w.coordinator.end({ ...request, isCommit: asked === 'commit' }),
    )
    if (answer === undefined || answer === 'CONCURRENT_TRANSACTIONS') return
    if (typeof answer === 'string') return this.#lose()
    this.#who = answer
    this.#logs.hear()
    assert.ok(!this.#logs.isOpen(transaction), 'it was answered before all logs had heard')
    transaction.told = asked
    this.#giveUp()
  }

  #giveUp(): void {
    if (this.#transaction !== undefined) this.finished.push(this.#transaction)
    this.#transaction = undefined
  }

  #lose(): void {
    this.#giveUp()
    this.#who = undefined
  }

  async #refusedBy(request: () => Promise<string | undefined>): Promise<boolean> {
    const error = await this.#ask(async () => (await request()) ?? 'fine')
    if (error !== undefined && error !== 'fine') this.#lose()
    return error !== 'fine'
  }

  /** @returns undefined when the client is busy, or when no answer came */
  async #ask<Answer>(request: () => Promise<Answer>): Promise<Answer | undefined> {
    if (this.#isBusy) return undefined
    const life = this.#life
    this.#isBusy = true
    const answer = await request()
    if (life !== this.#life) return undefined
    this.#isBusy = false
    return answer
  }
}

function begun(): Transaction {
  return { writtenTo: new Set(), ends: new Set() }
}

type Step =
  | { readonly kind: 'init' | 'end'; readonly who: number; readonly flag: boolean }
  | { readonly kind: 'write'; readonly who: number; readonly partition: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'hold' }
  | { readonly kind: 'release' | 'crash'; readonly writes: number }

const CLIENTS = 3
const who = fc.nat({ max: CLIENTS - 1 })
const writes = fc.nat({ max: 4 })
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('init' as const), who, flag: fc.boolean() }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      who,
      partition: fc.nat({ max: PARTITIONS }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('end' as const), who, flag: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('release' as const, 'crash' as const), writes }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hold' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(10_000, 80_000),
    }),
  },
)

class Life {
  readonly #w = transactionWorld()
  readonly #logs = new Logs(this.#w)
  /** The first two fence each other. */
  readonly #clients: Client[]

  constructor(isFirstV2: boolean) {
    this.#clients = [
      new Client(this.#w, this.#logs, 'a', isFirstV2),
      new Client(this.#w, this.#logs, 'a', true),
      new Client(this.#w, this.#logs, 'b', !isFirstV2),
    ]
  }

  async start(isNearlyUsedUp: boolean): Promise<void> {
    for (const client of this.#clients) await client.init(true)
    if (!isNearlyUsedUp) return
    const { records } = this.#w.disk
    for (const [id, record] of records)
      records.set(id, { ...record, producerEpoch: NEARLY_USED_UP })
    this.#w.restart()
    for (const client of this.#clients) await client.init(true)
  }

  async take(step: Step): Promise<void> {
    const w = this.#w
    if ('ms' in step) await w.clock.advance(step.ms)
    else if ('who' in step) void this.#act(this.#clients[step.who]!, step)
    else if (step.kind === 'hold') w.disk.hold()
    else if (step.kind === 'release') w.disk.release(step.writes)
    else {
      for (const client of this.#clients) client.crashed()
      w.restart(step.writes)
    }
    await settle()
    this.#logs.hear()
  }

  async #act(client: Client, step: Step): Promise<void> {
    if (step.kind === 'write') await client.write(step.partition)
    else if (step.kind === 'init') await client.init(step.flag)
    else if (step.kind === 'end') await client.end(step.flag)
  }

  /** All producers are gone. */
  async calmDown(): Promise<void> {
    this.#w.disk.release()
    await this.#w.clock.advance(2 * TIMEOUT_MS)
    this.#logs.hear()
    assert.equal(this.#logs.openCount, 0, 'a transaction hangs')
    for (const { told, ends } of this.#clients.flatMap(({ finished }) => finished)) {
      if (told !== undefined && ends.size > 0) assert.deepEqual([...ends], [told])
    }
    this.#w.coordinator.close()
  }
}

t.test('transactions keep their promises through random lives', async (t) => {
  t.comment(`SEED=${SEED}`)
  const property = fc.asyncProperty(
    fc.boolean(),
    fc.boolean(),
    fc.array(steps, { minLength: 10, maxLength: 60 }),
    async (isFirstV2, isNearlyUsedUp, life) => {
      const lived = new Life(isFirstV2)
      await lived.start(isNearlyUsedUp)
      for (const step of life) await lived.take(step)
      await lived.calmDown()
    },
  )
  await fc.assert(property, { seed: SEED, numRuns: LIVES })
  t.pass(`${LIVES} lives`)
})
