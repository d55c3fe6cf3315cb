// The widest request of every API against a broker with many partitions and groups: it lives, its memory is bounded, and a
// neighbour is answered in between. FULL=1: 10,000 partitions, 1,000 groups, and requests of a million elements.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { apiVersions } from '../../protocol/api/18_api_versions.ts'
import { createTopics } from '../../protocol/api/19_create_topics.ts'
import { offsetCommit } from '../../protocol/api/08_offset_commit.ts'
import { encodeRequestFrame } from '../../protocol/frame.ts'
import { KillableBroker } from '../../clients/testing/interop/killable-broker.ts'
import { budget, isFull } from '../../protocol/testing/budget.ts'
import { RawClient } from '../testing/raw-client.ts'
import { widestRequests, type Existing } from '../testing/widest.ts'

const PARTITIONS = budget(150, 9000)
const TOPICS = budget(50, 1000)
const GROUPS = budget(50, 1000)
const ELEMENTS = budget(500, 100_000)
/** Of what the broker takes at most, whatever it is asked. */
const RSS_BYTES_MAX = budget(700e6, 1600e6)
/** A neighbour hears at least so often while a request runs: far from how often it does, on any machine. */
const NEIGHBOUR_MS_MAX = 1000

t.setTimeout(budget(110_000, 1_800_000))

t.test('the widest request of every API costs its neighbours little', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-widest-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  await using broker = await KillableBroker.start(dataDir)
  const existing = await prepared(broker.bootstrap)
  const neighbour = new Neighbour(await RawClient.connect(broker.bootstrap))
  for (const wide of widestRequests(existing, ELEMENTS, isFull)) {
    const client = await RawClient.connect(broker.bootstrap)
    const { api, version, request } = wide
    const frame = Buffer.concat(encodeRequestFrame(api, version, 1, 'wide', request))
    const { answered, tookMs, outcome } = await neighbour.during(() => sent(client, frame))
    await client.close()
    t.ok(
      answered >= Math.floor(tookMs / NEIGHBOUR_MS_MAX),
      `${wide.title}: ${outcome} in ${tookMs.toFixed()} ms, neighbour answered ${answered} times`,
    )
    const rss = broker.peakBytes
    if (!t.ok(rss < RSS_BYTES_MAX, `${(rss / 1e6).toFixed()} MB at most`)) break
  }
  t.comment(`a neighbour's requests: ${neighbour.summary()}`)
  await neighbour.close()
})

async function prepared(bootstrap: string): Promise<Existing> {
  const client = await RawClient.connect(bootstrap)
  const names = Array.from({ length: TOPICS }, (_, i) => `topic-${i}`)
  const wide = { name: 'wide', numPartitions: PARTITIONS, replicationFactor: 1 }
  const small = names.map((name) => ({ name, numPartitions: 1, replicationFactor: 1 }))
  const { topics } = await client.send(createTopics, {
    topics: [wide, ...small],
    timeoutMs: 60_000,
  })
  const failed = topics.find(({ errorCode }) => errorCode !== 0)
  if (failed !== undefined) throw new Error(`${failed.name}: ${failed.errorMessage}`)
  const groups = Array.from({ length: GROUPS }, (_, i) => `group-${i}`)
  const partitions = [{ partitionIndex: 0, committedOffset: 0 }]
  for (const groupId of groups)
    await client.send(offsetCommit, { groupId, topics: [{ name: 'wide', partitions }] })
  await client.close()
  return { topics: ['wide', ...names], partitionCount: PARTITIONS, groups }
}

/** @returns what became of it */
async function sent(client: RawClient, frame: Buffer): Promise<string> {
  client.socket.write(frame)
  try {
    const { length } = await client.nextFrame()
    return `answered with ${length} bytes`
  } catch (error) {
    return (error as Error).message
  }
}

/** Asks one small thing after the other. */
class Neighbour {
  readonly #client: RawClient
  readonly #asking: Promise<void>
  #answeredCount = 0
  #isClosing = false
  readonly #latenciesMs: number[] = []

  constructor(client: RawClient) {
    this.#client = client
    this.#asking = this.#ask()
  }

  async during(run: () => Promise<string>) {
    const before = this.#answeredCount
    const startedAt = performance.now()
    const outcome = await run()
    const tookMs = performance.now() - startedAt
    await this.#answeredAfter(this.#answeredCount)
    return { answered: this.#answeredCount - before, tookMs, outcome }
  }

  summary(): string {
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.floor(sorted.length * share)]!.toFixed(1)
    return `${sorted.length}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(0.999999)} ms`
  }

  async close(): Promise<void> {
    this.#isClosing = true
    await this.#asking
    await this.#client.close()
  }

  async #answeredAfter(count: number): Promise<void> {
    while (this.#answeredCount === count) await new Promise(setImmediate)
  }

  async #ask(): Promise<void> {
    while (!this.#isClosing) {
      const startedAt = performance.now()
      await this.#client.send(apiVersions, {})
      this.#latenciesMs.push(performance.now() - startedAt)
      this.#answeredCount++
    }
  }
}
