// A crash, and a disk that refuses, at every step of creating, growing, configuring and deleting topics, of appends
// and of table records: after the next start each change is there in full or not at all, and no later one is lost.

import t, { type Test } from 'tap'
import { VirtualClock } from '../broker/testing/virtual-clock.ts'
import { budget, thinned } from '../protocol/testing/budget.ts'
import { SEED } from '../protocol/testing/seed.ts'
import { parsePartitionDirectory, partitionDirectory } from './layout.ts'
import { openStore } from './open-store.ts'
import type { Store } from './store.ts'
import { FaultyFs, type Fault, type Step } from './testing/faulty-fs.ts'
import { seededRandom } from './testing/random.ts'
import { batchOf, readRecords } from './testing/store-kit.ts'

const DOUBLE_CRASHES = budget(10, 200)
/** The quick budget takes every fourth step of a scenario. */
const STRIDE = 8
/** Enough for a machine that does much else. */
const TIMEOUT_MS = 110_000
const DATA = '/data'

type TopicState = readonly [partitionCount: number, config: Readonly<Record<string, string>>]
/** Stands among the topics for what is set of the brokers. */
const BROKERS = 'all brokers'
/** Before the name of a user, with the iterations in place of partitions. */
const USER = 'user '
const MECHANISM = 'SCRAM-SHA-256'

/** By name. */
type State = Readonly<Record<string, TopicState>>

/** The promises from before the process ended. */
interface Promised {
  /** After the last change that was acknowledged. */
  state: State
  /** The state after the interrupted change. */
  next: State
  /** `partition directory` -> offset -> value. */
  readonly records: Map<string, Map<number, string>>
  readonly ids: Map<string, string>
  readonly producerIds: number[]
}

function nothingPromised(): Promised {
  return { state: {}, next: {}, records: new Map(), ids: new Map(), producerIds: [] }
}

/** Time stands still: a store that has crashed is left as it is, and its timers would look at the crashed disk. */
const open = (fs: FaultyFs) =>
  openStore({ dataDir: DATA, writer: 'inline', fs, clock: new VirtualClock() })

function stateOf(store: Store): State {
  const topics = Array.from(store.topics.list()).filter((topic) => !topic.isInternal)
  const state: Record<string, TopicState> = {}
  for (const { name, partitionCount, config } of topics) state[name] = [partitionCount, config]
  const overrides = store.brokerOverrides.get('')
  if (Object.keys(overrides).length > 0) state[BROKERS] = [0, overrides]
  for (const user of ['ann', 'bob']) {
    const credential = store.scramCredentials.find(MECHANISM, user)
    if (credential) state[`${USER}${user}`] = [credential.iterations, {}]
  }
  for (const [id, { principal }] of store.acls.list()) state[`acl ${id}`] = [0, { principal }]
  for (const [id, { quotas }] of store.clientQuotas.list())
    state[`quota ${id}`] = [quotas['producer_byte_rate']!, {}]
  return state
}

const acl = {
  resourceType: 2,
  resourceName: 'a',
  patternType: 3,
  principal: 'User:ann',
  host: '*',
  operation: 3,
  permissionType: 3,
}
const aclState: TopicState = [0, { principal: acl.principal }]

const without = (state: State, name: string): State =>
  Object.fromEntries(Object.entries(state).filter(([other]) => other !== name))

/** Changes of all kinds, one after the other; throws at the first that is refused. */
class Scenario {
  readonly promised = nothingPromised()
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async run(): Promise<void> {
    const { topics } = this.#store
    await this.#create('a', 2)
    await this.#append('a', 0, ['one', 'two'])
    await this.#append('a', 1, ['three'])
    await this.#change({ ...this.promised.state, a: [3, {}] }, () => topics.addPartitions('a', 3))
    await this.#append('a', 2, ['four'])
    const config = { 'segment.bytes': '200' }
    await this.#change({ ...this.promised.state, a: [3, config] }, () =>
      topics.configure('a', config),
    )
    await this.#append('a', 0, ['five', 'six', 'seven', 'eight'])
    await this.#create('b', 1)
    await this.#append('b', 0, ['nine'])
    await this.#delete('b')
    this.promised.producerIds.push(await this.#store.producerIds.next())
    await this.#create('b', 2)
    await this.#append('b', 1, ['ten'])
    const overrides = { 'num.partitions': '3' }
    await this.#change({ ...this.promised.state, [BROKERS]: [0, overrides] }, () =>
      this.#store.brokerOverrides.change('', () => overrides),
    )
    await this.#setPassword('ann', 4096)
    await this.#setPassword('bob', 4096)
    await this.#setPassword('ann', 8192)
    await this.#change(without(this.promised.state, `${USER}bob`), () =>
      this.#store.scramCredentials.change(async () => [
        { mechanism: MECHANISM, user: 'bob', credential: undefined },
      ]),
    )
    await this.#acls()
    await this.#quotas()
  }

  /** Two at once, of which a crash leaves both or none; then one goes. */
  async #acls(): Promise<void> {
    const { acls } = this.#store
    const both = { ...this.promised.state, 'acl 1': aclState, 'acl 2': aclState }
    await this.#change(both, () =>
      acls.write([
        ['1', acl],
        ['2', acl],
      ]),
    )
    await this.#change(without(both, 'acl 1'), () => acls.write([['1', undefined]]))
  }

  /** As ACLs; a quota is changed, too. */
  async #quotas(): Promise<void> {
    const { clientQuotas } = this.#store
    const of = (rate: number) => ({ entity: { user: 'ann' }, quotas: { producer_byte_rate: rate } })
    const both = { ...this.promised.state, 'quota 1': [5, {}], 'quota 2': [6, {}] } as State
    await this.#change(both, () =>
      clientQuotas.write([
        ['1', of(5)],
        ['2', of(6)],
      ]),
    )
    await this.#change({ ...without(both, 'quota 1'), 'quota 2': [7, {}] }, () =>
      clientQuotas.write([
        ['1', undefined],
        ['2', of(7)],
      ]),
    )
  }

  async #create(name: string, partitionCount: number): Promise<void> {
    await this.#change({ ...this.promised.state, [name]: [partitionCount, {}] }, async () => {
      const { id } = await this.#store.topics.create({ name, partitionCount })
      this.promised.ids.set(name, id)
    })
  }

  async #setPassword(user: string, iterations: number): Promise<void> {
    const key = Buffer.from(user)
    const credential = { salt: key, storedKey: key, serverKey: key, iterations }
    await this.#change({ ...this.promised.state, [`${USER}${user}`]: [iterations, {}] }, () =>
      this.#store.scramCredentials.change(async () => [{ mechanism: MECHANISM, user, credential }]),
    )
  }

  async #delete(name: string): Promise<void> {
    for (let partition = 0; partition < 10; partition++) {
      this.promised.records.delete(partitionDirectory(name, partition))
    }
    await this.#change(without(this.promised.state, name), () => this.#store.topics.delete(name))
    this.promised.ids.delete(name)
  }

  async #change(next: State, change: () => Promise<unknown>): Promise<void> {
    this.promised.next = next
    await change()
    this.promised.state = next
  }

  async #append(topic: string, partition: number, values: readonly string[]): Promise<void> {
    const log = this.#store.logs.get(topic, partition)!
    const directory = partitionDirectory(topic, partition)
    const acknowledged = this.promised.records.get(directory) ?? new Map<number, string>()
    this.promised.records.set(directory, acknowledged)
    const appends = values.map(async (value) => {
      const { error, message, baseOffset } = await this.#store.writer.append(
        log,
        batchOf([{ value }]),
      )
      if (error) throw new Error(message)
      acknowledged.set(baseOffset, value)
    })
    for (const result of await Promise.allSettled(appends)) {
      if (result.status === 'rejected') throw result.reason
    }
  }
}

/** The broken promises of a store after a restart; empty: none. */
async function brokenPromises(fs: FaultyFs, store: Store, promised: Promised): Promise<string[]> {
  const broken: string[] = []
  const found = JSON.stringify(stateOf(store))
  const allowed = [promised.state, promised.next].map((state) => JSON.stringify(state))
  if (!allowed.includes(found)) broken.push(`${found} is neither of ${allowed.join(' and ')}`)
  for (const [name, id] of promised.ids) {
    const topic = store.topics.get(name)
    if (topic && topic.id !== id) broken.push(`topic ${name} has another id`)
  }
  const owned: string[] = []
  for (const { name, partitionCount } of store.topics.list()) {
    for (let partition = 0; partition < partitionCount; partition++) {
      const directory = partitionDirectory(name, partition)
      owned.push(directory)
      const records = await readRecords(store.reader, store.logs.get(name, partition)!, 0)
      if (records.some(({ offset }, i) => offset !== i))
        broken.push(`offsets of ${directory} are not dense`)
      for (const [offset, value] of promised.records.get(directory) ?? []) {
        if (records[offset]?.value !== value)
          broken.push(`${directory}: ${value} at ${offset} is lost`)
      }
    }
  }
  const onDisk = fs.readDirectory(DATA).map(({ name }) => name)
  const strangers = onDisk.filter((name) => parsePartitionDirectory(name) && !owned.includes(name))
  if (strangers.length > 0) broken.push(`nobody owns ${strangers.join()}`)
  if (onDisk.some((name) => name.endsWith('.deleted')))
    broken.push('a deleted directory is still there')
  const producerId = await store.producerIds.next()
  if (promised.producerIds.includes(producerId))
    broken.push(`producer id ${producerId} is given out twice`)
  return broken
}

/** Can topics be made and written as ever? */
async function isWorking(store: Store): Promise<boolean> {
  for (const name of ['b', 'c']) {
    if (store.topics.get(name)) continue
    await store.topics.create({ name, partitionCount: 1 })
  }
  const { error } = await store.writer.append(store.logs.get('b', 0)!, batchOf([{ value: 'x' }]))
  return error === undefined
}

/** Runs the scenario until something stops it. @returns what was promised, and whether it came to its end */
async function runUntilFault(
  fs: FaultyFs,
  opened?: Store,
): Promise<{ promised: Promised; isDone: boolean }> {
  const store = opened ?? (await openSomehow(fs))
  if (!store) return { promised: nothingPromised(), isDone: false }
  const scenario = new Scenario(store)
  try {
    await scenario.run()
    if (!opened) await store[Symbol.asyncDispose]()
    return { promised: scenario.promised, isDone: true }
  } catch {
    return { promised: scenario.promised, isDone: false }
  }
}

/** Undefined when the disk fails too early. */
async function openSomehow(fs: FaultyFs): Promise<Store | undefined> {
  return open(fs).catch(() => undefined)
}

/** A store whose disk fails may fail to close: what counts is what the next start finds. */
async function closeSomehow(store: Store | undefined): Promise<void> {
  try {
    await store?.[Symbol.asyncDispose]()
  } catch {
    // see above
  }
}

async function checkRestart(
  t: Test,
  fs: FaultyFs,
  promised: Promised,
  what: string,
): Promise<void> {
  const store = await open(fs)
  const broken = await brokenPromises(fs, store, promised)
  if (broken.length > 0) t.fail(what, { broken })
  if (!(await isWorking(store))) t.fail(`${what}: nothing can be appended`)
  await store[Symbol.asyncDispose]()
  if (fs.openFileCount > 0) t.fail(`${what}: ${fs.openFileCount} files are open after the close`)
}

/** Everything that the scenario does to a good disk. */
async function stepsOfScenario(): Promise<readonly Step[]> {
  const steps: Step[] = []
  const { isDone } = await runUntilFault(new FaultyFs({ faultAt: (step) => void steps.push(step) }))
  if (!isDone) throw new Error('the scenario fails on a good disk')
  return steps
}

/** The fault at one step, and at no other. */
function at(step: number, fault: Fault): (at: Step) => Fault | undefined {
  return ({ index }) => (index === step ? fault : undefined)
}

t.setTimeout(TIMEOUT_MS)

t.test(
  'a crash at any step leaves each change done or not begun, killed or with the power cut',
  async (t) => {
    t.comment(`SEED=${SEED}`)
    const steps = await stepsOfScenario()
    t.ok(steps.length > 100, `${steps.length} steps`)
    for (const { index: step } of thinned(steps, STRIDE)) {
      const killed = new FaultyFs({ faultAt: at(step, 'crash') })
      const { promised } = await runUntilFault(killed)
      // The power cut looks at the disk before a restart changes it.
      const cut = killed.afterPowerCut(SEED + step)
      await checkRestart(t, cut, promised, `power cut at step ${step}`)
      await checkRestart(t, killed.afterKill(), promised, `kill at step ${step}`)
    }
  },
)

t.test('a crash in the restart after a crash changes nothing', async (t) => {
  t.comment(`SEED=${SEED}`)
  const random = seededRandom(SEED)
  const { length: stepCount } = await stepsOfScenario()
  for (let round = 0; round < DOUBLE_CRASHES; round++) {
    const first = random.below(stepCount)
    const fs = new FaultyFs({ faultAt: at(first, 'crash') })
    const { promised } = await runUntilFault(fs)
    const again = random.chance(0.5) ? fs.afterKill() : fs.afterPowerCut(SEED + round)
    const second = random.below(25)
    again.faultAt = at(second, 'crash')
    await closeSomehow(await openSomehow(again))
    const last = random.chance(0.5) ? again.afterKill() : again.afterPowerCut(SEED - round)
    await checkRestart(t, last, promised, `crashes at steps ${first} and ${second}`)
  }
  t.pass(`${DOUBLE_CRASHES} double crashes`)
})

t.test(
  'a full disk refuses a change as a whole, and takes it when there is room again',
  async (t) => {
    const steps = await stepsOfScenario()
    for (const { index, operation, path } of thinned(steps, STRIDE)) {
      if (operation !== 'write' && operation !== 'create') continue
      const what = `no room for ${operation} of ${path}, step ${index}`
      const fs = new FaultyFs({ faultAt: at(index, 'ENOSPC') })
      const store = await openSomehow(fs)
      if (!store) continue // it says so and does not start
      const { promised } = await runUntilFault(fs, store)
      fs.faultAt = () => undefined
      if (!(await isWorking(store))) t.fail(what)
      promised.state = promised.next = stateOf(store)
      await store[Symbol.asyncDispose]()
      await checkRestart(t, fs.afterKill(), promised, what)
    }
    t.pass(`${steps.length} steps`)
  },
)

t.test(
  'after a failed write or sync nothing is acknowledged, and what was promised before is there',
  async (t) => {
    let fatalCount = 0
    const steps = thinned(await stepsOfScenario(), STRIDE)
    for (const { index } of steps) {
      const fs = new FaultyFs({ faultAt: at(index, 'EIO') })
      const store = await openSomehow(fs)
      if (!store) continue // it says so and does not start
      let isFatal = false
      store.writer.onFatal(() => (isFatal = true))
      const { promised } = await runUntilFault(fs, store)
      if (isFatal) {
        fatalCount++
        const log = store.logs.get('__millrace_metadata', 0)!
        const { error } = await store.writer.append(log, batchOf([{ value: 'x' }]))
        if (error !== 'KAFKA_STORAGE_ERROR') t.fail(`step ${index}: acknowledged after the failure`)
      }
      await closeSomehow(store)
      await checkRestart(t, fs.afterPowerCut(index), promised, `EIO at step ${index}`)
    }
    t.ok(fatalCount > steps.length / 4, `${fatalCount} failures`)
  },
)
