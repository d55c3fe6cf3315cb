// The checker itself: it finds every anomaly in a small history, and accepts a similar history that is possible.

import t, { type Test } from '../../../protocol/testing/tap.ts'
import { explain, findAnomalies, type Anomaly } from './checker.ts'
import { describe, History, type Batch, type Isolation, type Operation } from './history.ts'

type How = 'ok' | 'fail' | 'info'
const P = 'p-0'
const G = 'g'

/** A history written by hand: a log that is what the test says, and answers that may contradict it. */
class Story {
  readonly history = new History()
  readonly #logs = new Map<string, Batch[]>()
  readonly #aborted = new Set<string>()
  #tags = 0

  /** A batch in the log, as the final scan finds it. */
  batch(values: readonly string[], more: Partial<Batch> & { partition?: string } = {}): this {
    const { partition = P, ...fields } = more
    const batches = this.#log(partition)
    const baseOffset = fields.baseOffset ?? (batches.at(-1)?.lastOffset ?? -1) + 1
    const none = { producerId: -1, producerEpoch: -1, baseSequence: -1, control: null }
    const lastOffset = baseOffset + Math.max(1, values.length) - 1
    batches.push({ ...none, baseOffset, lastOffset, values, ...fields })
    return this
  }

  marker(control: 'commit' | 'abort', partition = P): this {
    return this.batch([], { control, producerId: 1, producerEpoch: 0, partition })
  }

  /** Not for read_committed. */
  aborted(...values: string[]): this {
    for (const value of values) this.#aborted.add(value)
    return this
  }

  send(
    values: readonly string[],
    baseOffset: number,
    how: How = 'ok',
    more: { transaction?: string; instance?: string; sequence?: number; partition?: string } = {},
  ): this {
    const { transaction = null, instance, sequence: baseSequence = 0, partition = P } = more
    const producer =
      instance === undefined ? null : { instance, producerId: 1, producerEpoch: 0, baseSequence }
    const send = this.history.invoke('send', { partition, values, producer, transaction })
    return this.#end(send, how, () => this.history.ok(send, { baseOffset }))
  }

  end(transaction: string, isCommit: boolean, how: How = 'ok', instance = 'i'): this {
    const end = this.history.invoke('end', { transaction, isCommit, instance })
    const answer = { producerId: 1, producerEpoch: 0 }
    return this.#end(end, how, () => this.history.ok(end, answer))
  }

  init(instance: string, producerEpoch: number, transactionalId: string | null = 'x'): this {
    const init = this.history.invoke('init', { transactionalId, instance })
    this.history.ok(init, { producerId: 1, producerEpoch })
    return this
  }

  commit(offset: number, how: How = 'ok', transaction: string | null = null, instance = 'i'): this {
    const tag = `tag${++this.#tags}`
    const asked = { group: G, partition: P, offset, tag, transaction, instance }
    const commit = this.history.invoke('commit', asked)
    return this.#end(commit, how, () => this.history.ok(commit, {}))
  }

  /** @param tag undefined: nothing is committed */
  committed(tag?: number): this {
    const fetch = this.history.invoke('committed', { group: G, partition: P })
    this.history.ok(fetch, tag === undefined ? null : { offset: 0, tag: `tag${tag}` })
    return this
  }

  own(member: string, generation: number, ...partitions: string[]): this {
    const own = this.history.invoke('own', { group: G, generation, member })
    this.history.ok(own, { partitions })
    return this
  }

  /** Reads the log as it is so far. */
  poll(
    isolation: Isolation = 'read_uncommitted',
    more: Partial<Operation<'poll'>['asked']> & {
      skipping?: readonly string[]
      showing?: readonly string[]
      next?: number
      high?: number
      stable?: number
    } = {},
  ): this {
    const { partition = P, from = 0, isFinal = false, skipping = [], showing = [] } = more
    const batches = this.#log(partition)
    const { high = (batches.at(-1)?.lastOffset ?? -1) + 1, stable = high } = more
    const { next = Math.min(high, stable) } = more
    const hidden = new Set(isolation === 'read_committed' ? this.#aborted : [])
    for (const value of skipping) hidden.add(value)
    for (const value of showing) hidden.delete(value)
    const records = batches
      .flatMap(({ baseOffset, values }) =>
        values.map((value, i) => ({ offset: baseOffset + i, value })),
      )
      .filter(({ offset, value }) => offset >= from && offset < next && !hidden.has(value))
    const poll = this.history.invoke('poll', { partition, isolation, from, isFinal })
    this.history.ok(poll, {
      batches: [...batches],
      records,
      next,
      highWatermark: high,
      lastStableOffset: stable,
    })
    return this
  }

  /** The final scans. */
  scan(...partitions: string[]): this {
    for (const partition of partitions.length === 0 ? [P] : partitions) {
      this.poll('read_uncommitted', { partition, isFinal: true })
      this.poll('read_committed', { partition, isFinal: true })
    }
    return this
  }

  /** From now on the log is this one: what no log may become. */
  rewritten(partition = P): this {
    this.#logs.delete(partition)
    return this
  }

  #log(partition: string): Batch[] {
    const log = this.#logs.get(partition) ?? []
    this.#logs.set(partition, log)
    return log
  }

  #end(operation: Operation, how: How, ok: () => void): this {
    if (how === 'ok') ok()
    if (how === 'fail') this.history.fail(operation, 'REFUSED')
    return this
  }
}

const story = () => new Story()

function good(t: Test, what: string, { history }: Story): void {
  t.strictSame(findAnomalies(history).map(explain), [], what)
}

function bad(t: Test, anomaly: Anomaly, what: string, { history }: Story): void {
  const findings = findAnomalies(history)
  const found = findings.map((each) => each.anomaly)
  t.ok(found.includes(anomaly), what, { findings: findings.map(explain) })
}

/** Producer 1, epoch 0. */
const sequenced = (baseSequence: number) => ({ producerId: 1, producerEpoch: 0, baseSequence })
const inTxn = (transaction: string, sequence = 0, partition = P) => ({
  transaction,
  instance: 'i',
  sequence,
  partition,
})

t.test('records are lost', async (t) => {
  good(
    t,
    'all there',
    story().send(['a', 'b'], 0).send(['c'], 2).batch(['a', 'b']).batch(['c']).scan(),
  )
  bad(t, 'lost write', 'acknowledged', story().send(['a'], 0).send(['b'], 1).batch(['a']).scan())
  bad(
    t,
    'lost write',
    'read',
    story().send(['a'], 0, 'info').batch(['a']).poll().rewritten().scan(),
  )
  good(t, 'nobody knows', story().send(['a'], 0, 'info').scan())
  good(t, 'or it is there', story().send(['a'], 0, 'info').batch(['a']).scan())
  const { history } = story().scan()
  history.invoke('poll', { partition: P, isolation: 'read_committed', from: 0, isFinal: true })
  t.match(findAnomalies(history), [{ anomaly: 'lost write' }], 'nobody can read it')
})

t.test('values come from nowhere', async (t) => {
  bad(t, 'unknown value', 'never sent', story().batch(['a']).scan())
  bad(t, 'unknown value', 'refused', story().send(['a'], 0, 'fail').batch(['a']).scan())
  const other = { partition: 'p-1' }
  bad(t, 'unknown value', 'elsewhere', story().send(['a'], 0, 'ok', other).batch(['a']).scan())
  const again = story().send(['a'], 0, 'info').send(['a'], 0, 'fail')
  good(t, 'refused the second time', again.batch(['a']).scan())
  bad(t, 'unknown value', 'a strange offset', story().commit(1).committed(7))
})

t.test('an offset holds two values', async (t) => {
  const two = () => story().send(['a'], 0, 'info').send(['b'], 0)
  bad(t, 'two values', 'read', two().batch(['a']).poll().rewritten().batch(['b']).scan())
  bad(t, 'two values', 'acknowledged', story().send(['a'], 0).send(['b'], 0).batch(['b']).scan())
  const lost = story().send(['a'], 0).rewritten().marker('abort')
  bad(t, 'two values', 'a control batch in its place', lost.scan())
  good(t, 'one of them was never there', two().batch(['b']).poll().scan())
})

t.test('a batch is there twice', async (t) => {
  const retried = (first: How, second: number) =>
    story().send(['a'], 0, first, { instance: 'i' }).send(['a'], second, 'ok', { instance: 'i' })
  good(t, 'once', retried('info', 0).batch(['a'], sequenced(0)).scan())
  const twice = (w: Story) => w.batch(['a'], sequenced(0)).batch(['a'], sequenced(0)).scan()
  bad(t, 'duplicate', 'one sequence, two places', twice(retried('info', 1)))
  const once = retried('ok', 1).batch(['a'], sequenced(0))
  bad(t, 'duplicate', 'two answers', once.scan())
  const plain = story().send(['a'], 0, 'info').send(['a'], 1).batch(['a']).batch(['a'])
  good(t, 'without a producer id there is no promise', plain.scan())
})

t.test('sends are out of order', async (t) => {
  const swapped = story().send(['a'], 1).send(['b'], 0).batch(['b']).batch(['a'])
  bad(t, 'send order', 'one after the other', swapped.scan())
  const { history } = new Story()
  const asked = { partition: P, producer: null, transaction: null }
  const [a, b] = ['a', 'b'].map((value) => history.invoke('send', { ...asked, values: [value] }))
  history.ok(a!, { baseOffset: 1 })
  history.ok(b!, { baseOffset: 0 })
  t.strictSame(findAnomalies(history), [], 'at the same time')
  const sends = (...sequences: number[]) =>
    sequences.reduce(
      (w, sequence, i) =>
        w
          .send([`v${sequence}`], i, 'ok', { instance: 'i', sequence })
          .batch([`v${sequence}`], sequenced(sequence)),
      story(),
    )
  good(t, 'a sequence', sends(0, 1, 2).scan())
  bad(t, 'send order', 'a sequence is missing', sends(0, 2).scan())
  const late = story().send(['a'], 0, 'info', { instance: 'i' }).send(['b'], 1)
  const retried = late
    .send(['a'], 0, 'ok', { instance: 'i' })
    .batch(['a'], sequenced(0))
    .batch(['b'])
  good(t, 'a retry is answered with its place', retried.scan())
})

t.test('polls leave out what they may not, or go back', async (t) => {
  const three = () => story().send(['a', 'b', 'c'], 0).batch(['a', 'b', 'c'])
  good(
    t,
    'all of it, in parts',
    three().poll('read_committed', { next: 1 }).poll('read_committed', { from: 1 }).scan(),
  )
  bad(
    t,
    'gap',
    'one is left out',
    three()
      .poll('read_committed', { skipping: ['b'] })
      .scan(),
  )
  bad(
    t,
    'gap',
    'an offset is not there',
    story().send(['a'], 0).send(['b'], 2).batch(['a']).batch(['b'], { baseOffset: 2 }).scan(),
  )
  const { history } = three().scan()
  const poll = history.invoke('poll', {
    partition: P,
    isolation: 'read_uncommitted',
    from: 1,
    isFinal: false,
  })
  const records = [{ offset: 0, value: 'a' }]
  history.ok(poll, { batches: [], records, next: 3, highWatermark: 3, lastStableOffset: 3 })
  t.match(findAnomalies(history)[0], { anomaly: 'poll order' }, 'before where it was asked')
})

t.test('transactions are read before they are committed, or though they never were', async (t) => {
  const txn = () => story().send(['a'], 0, 'ok', inTxn('t')).batch(['a'], sequenced(0))
  good(t, 'committed', txn().end('t', true).marker('commit').poll('read_committed').scan())
  bad(
    t,
    'uncommitted read',
    'too early',
    txn().poll('read_committed').end('t', true).marker('commit').scan(),
  )
  good(
    t,
    'not for who wants it',
    txn().poll('read_uncommitted').end('t', true).marker('commit').scan(),
  )
  const aborted = () => txn().end('t', false).marker('abort').aborted('a')
  good(t, 'aborted', aborted().poll('read_committed').scan())
  bad(
    t,
    'aborted read',
    'aborted',
    aborted()
      .poll('read_committed', { showing: ['a'] })
      .scan(),
  )
  bad(t, 'aborted read', 'never ended', txn().poll('read_committed').scan())
  bad(t, 'aborted read', 'the commit was refused', txn().end('t', true, 'fail').scan())
  good(t, 'nobody knows: committed', txn().end('t', true, 'info').marker('commit').scan())
  good(t, 'nobody knows: aborted', txn().end('t', true, 'info').marker('abort').aborted('a').scan())
  const offset = (isCommit: boolean) => story().commit(1, 'ok', 't').end('t', isCommit).committed(1)
  good(t, 'its offset', offset(true))
  bad(t, 'aborted read', 'its offset', offset(false))
  bad(
    t,
    'uncommitted read',
    'its offset, too early',
    story().commit(1, 'ok', 't').committed(1).end('t', true),
  )
})

t.test('transactions are torn', async (t) => {
  const txn = () =>
    story()
      .send(['a'], 0, 'ok', inTxn('t'))
      .send(['b'], 0, 'ok', inTxn('t', 0, 'p-1'))
      .batch(['a'], sequenced(0))
      .batch(['b'], { ...sequenced(0), partition: 'p-1' })
  const both = [P, 'p-1']
  good(
    t,
    'whole',
    txn()
      .end('t', true)
      .scan(...both),
  )
  bad(
    t,
    'torn transaction',
    'a half of it',
    txn()
      .end('t', true)
      .aborted('b')
      .scan(...both),
  )
  good(
    t,
    'nothing of it',
    txn()
      .end('t', true, 'info')
      .aborted('a', 'b')
      .scan(...both),
  )
  bad(
    t,
    'torn transaction',
    'a half, though nobody knows',
    txn()
      .end('t', true, 'info')
      .aborted('b')
      .scan(...both),
  )
  bad(
    t,
    'torn transaction',
    'two ends',
    txn()
      .end('t', true)
      .end('t', false)
      .scan(...both),
  )

  const withOffset = (how: How) => txn().commit(5, 'ok', 't').end('t', true, how)
  good(
    t,
    'with its offset',
    withOffset('ok')
      .scan(...both)
      .committed(1),
  )
  bad(
    t,
    'torn transaction',
    'records without the offset',
    withOffset('ok')
      .scan(...both)
      .committed(),
  )
  bad(
    t,
    'torn transaction',
    'the same, though nobody knows',
    withOffset('info')
      .scan(...both)
      .committed(),
  )
  bad(
    t,
    'torn transaction',
    'an offset without the records',
    withOffset('info')
      .aborted('a', 'b')
      .scan(...both)
      .committed(1),
  )
  good(
    t,
    'neither',
    withOffset('info')
      .aborted('a', 'b')
      .scan(...both)
      .committed(),
  )
  good(
    t,
    'a newer offset',
    withOffset('ok')
      .commit(6)
      .scan(...both)
      .committed(2),
  )
})

t.test('a transaction that has ended holds the log back', async (t) => {
  const txn = () => story().send(['a'], 0, 'ok', inTxn('t')).batch(['a'], sequenced(0))
  const held = { stable: 0 }
  good(
    t,
    'until it ends',
    txn().poll('read_uncommitted', { stable: 0 }).end('t', true).marker('commit').scan(),
  )
  const late = txn().end('t', true).poll('read_uncommitted', { stable: 0 }).marker('commit')
  bad(t, 'undecided transaction', 'after the answer', late.scan())
  good(
    t,
    'nobody knows',
    txn().end('t', true, 'info').poll('read_committed', held).marker('commit').scan(),
  )
  const { history } = txn().end('t', true).poll('read_committed', held).marker('commit').scan()
  t.strictSame(findAnomalies(history, { endsMayBeLate: true }), [], 'a full disk makes it late')
  const forEver = txn().poll('read_uncommitted', { isFinal: true, stable: 0 })
  bad(t, 'undecided transaction', 'when all is over', forEver)
})

t.test('producers are not who they say', async (t) => {
  good(t, 'one after the other', story().init('i', 0).init('j', 1))
  bad(t, 'shared identity', 'two with one epoch', story().init('i', 0).init('j', 0))
  bad(
    t,
    'shared identity',
    'without transactions too',
    story().init('i', 0, null).init('j', 0, null),
  )
  const replaced = () => story().init('i', 0).init('j', 1)
  const send = (how: How) => replaced().send(['a'], 0, how, inTxn('t'))
  bad(t, 'zombie', 'sends', send('ok').batch(['a'], sequenced(0)).aborted('a').scan())
  good(t, 'sends, and is refused', send('fail').scan())
  bad(t, 'zombie', 'commits', replaced().end('t', true))
  bad(t, 'zombie', 'commits offsets', replaced().commit(1, 'ok', 't'))
  good(t, 'is one of another id', story().init('i', 0).init('j', 1, 'y').end('t', true))
})

t.test('committed offsets move back', async (t) => {
  good(t, 'forward', story().committed().commit(1).committed(1).commit(2).committed(2))
  good(t, 'back, because somebody said so', story().commit(5).commit(1).committed(2))
  bad(t, 'offset moved back', 'by itself', story().commit(1).commit(2).committed(1))
  bad(t, 'offset moved back', 'to nothing', story().commit(1).committed())
  good(t, 'a commit that nobody knows of', story().commit(1).commit(2, 'info').committed(1))
  good(t, 'it may come late', story().commit(1).commit(2, 'info').committed(1).committed(2))
  bad(
    t,
    'offset moved back',
    'but it stays',
    story().commit(1).commit(2, 'info').committed(2).committed(1),
  )
  good(
    t,
    'unless it comes later still',
    story().commit(1, 'info').commit(2).committed(2).committed(1),
  )
})

t.test('the ends of a log move back', async (t) => {
  const two = () => story().send(['a', 'b'], 0).batch(['a', 'b'])
  good(t, 'never', two().poll().poll())
  bad(t, 'end moved back', 'the high watermark', two().poll().poll('read_uncommitted', { high: 1 }))
  bad(t, 'end moved back', 'behind an acknowledgement', two().poll('read_uncommitted', { high: 1 }))
  bad(
    t,
    'end moved back',
    'the last stable offset',
    two().poll().poll('read_committed', { stable: 1 }),
  )
  bad(t, 'end moved back', 'beyond the high watermark', two().poll('read_committed', { stable: 3 }))
})

t.test('a partition has two owners', async (t) => {
  good(
    t,
    'in two generations',
    story().own('m', 1, 'p-0', 'p-1').own('n', 2, 'p-0').own('m', 2, 'p-1'),
  )
  good(t, 'who heard it twice', story().own('m', 1, 'p-0').own('m', 1, 'p-0'))
  bad(t, 'two owners', 'in one', story().own('m', 1, 'p-0', 'p-1').own('n', 1, 'p-1'))
})

t.test('a finding says what, where, and quotes the operations', async (t) => {
  const { history } = story().send(['a'], 0).send(['b'], 1).batch(['a']).scan()
  const text = findAnomalies(history).map(explain).join('\n')
  t.match(
    text,
    /^lost write: b is no more at p-0@1\n {2}\[2\.\.3\] send .*"b".* ok \{"baseOffset":1\}/,
  )
  const failed = story().send(['a'], 0, 'fail').send(['b'], 0, 'info').history.operations
  t.match(failed.map(describe), [/^\[0\.\.1\] send .* fail REFUSED$/, /^\[2\.\.\] send .* info $/])
})
