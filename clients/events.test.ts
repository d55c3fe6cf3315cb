// A client's reports to its operators: events, traces, and log lines at their levels.

import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from '../protocol/testing/tap.ts'
import { produce } from '../protocol/api/00_produce.ts'
import { fetch } from '../protocol/api/01_fetch.ts'
import { metadata } from '../protocol/api/03_metadata.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { RequestOf } from '../protocol/schema.ts'
import type { ClientEvents, Logger } from './index.ts'
import { refusal } from './testing/fake-broker.ts'
import {
  GroupWorld,
  numbers,
  read as readGroup,
  readAll,
  texts as groupTexts,
  until,
} from './testing/group-world.ts'
import { read, texts, world, write } from './testing/reader-world.ts'

/** Collects a channel's messages until the test is over. */
function told<Name extends keyof ClientEvents>(t: Test, name: Name): ClientEvents[Name][] {
  const messages: ClientEvents[Name][] = []
  const listener = (message: unknown): void => void messages.push(message as ClientEvents[Name])
  subscribe(`millrace:${name}`, listener)
  t.teardown(() => unsubscribe(`millrace:${name}`, listener))
  return messages
}

/** As `start 0`, `error 0 why`, `end 0`, by offset. */
function traced(t: Test): string[] {
  const seen: string[] = []
  const note =
    (what: string) =>
    ({ record, error }: any): void =>
      void seen.push(`${what} ${record.offset}${what === 'error' ? ` ${error.message}` : ''}`)
  const channel = tracingChannel('millrace:consume')
  const none = (): void => {}
  const subscribers = { asyncStart: none, asyncEnd: none }
  const all = { ...subscribers, start: note('start'), end: note('end'), error: note('error') }
  channel.subscribe(all)
  t.teardown(() => channel.unsubscribe(all))
  return seen
}

/** A logger that remembers `level: text`. */
function remembering(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = []
  const note =
    (level: string) =>
    (_: object, text: string): void =>
      void lines.push(`${level}: ${text}`)
  return { lines, logger: { debug: note('debug'), info: note('info'), warn: note('warn') } }
}

t.test('what a loop does with each record is traced, also when it is left', async (t) => {
  await using w = await world()
  write(w.log, numbers(6))
  const seen = traced(t)
  const consumer = w.client.consumer({ topics: [texts], from: 'earliest', until: 'end' })
  for await (const { offset } of consumer) {
    seen.push(`body ${offset}`)
    if (offset === 1) break
  }
  const left = 'the loop was left with this record in hand'
  t.same(seen.splice(0), [
    'start 0',
    'body 0',
    'end 0',
    'start 1',
    'body 1',
    `error 1 ${left}`,
    'end 1',
  ])
  const failing = async () => {
    for await (const { offset } of consumer) throw new Error(`body ${offset}`)
  }
  await t.rejects(failing(), /body 2/)
  t.same(seen.splice(0), ['start 2', `error 2 ${left}`, 'end 2'])
  for await (const { records } of consumer.batches()) seen.push(`body ${records.length}`)
  const [starts, ends] = ['start', 'end'].map((what) => [3, 4, 5].map((n) => `${what} ${n}`))
  t.same(seen, [...starts!, 'body 3', ...ends!], 'each record of a batch')
})

t.test('what run does with each record is traced, and its error', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.send(3)
  const seen = traced(t)
  const consumer = w.consumer()
  const running = consumer.run(async ({ offset }) => {
    await sleep(1)
    if (offset === 1) throw new Error('handler')
  })
  await t.rejects(running, /handler/)
  t.same(seen, ['start 0', 'end 0', 'start 1', 'error 1 handler', 'end 1'])
})

t.test(
  'sockets and requests: connect, disconnect, request with time and error, throttle',
  async (t) => {
    const { logger, lines } = remembering()
    await using w = await world({ logger, requestTimeoutMs: 1000 })
    const [connects, disconnects] = [told(t, 'connect'), told(t, 'disconnect')]
    const [requests, throttles] = [told(t, 'request'), told(t, 'throttle')]
    const { bootstrap: address } = w.broker
    await w.client.admin().describeTopics(['t'])
    t.match(connects, [{ address, durationMs: Number }])
    t.match(requests.at(-1), { address, api: 'Metadata', version: Number, durationMs: Number })
    t.notOk('error' in requests.at(-1)!)
    w.broker.next(metadata, () => ({ throttleTimeMs: 7, brokers: [], topics: [] }))
    await t.rejects(w.client.admin().describeTopics(['t']))
    t.match(throttles, [{ address, api: 'Metadata', throttleTimeMs: 7 }])
    w.broker.next(metadata, () => 'silence')
    await w.client.admin().describeTopics(['t'])
    t.match(
      requests.find(({ error }) => error !== undefined),
      { api: 'Metadata', error: { code: 'REQUEST_TIMED_OUT' } },
    )
    t.match(disconnects, [{ address, error: { code: 'REQUEST_TIMED_OUT' } }])
    await w.client.close()
    t.same(disconnects.slice(1), [{ address }], 'closed by the client: without an error')
    await w.broker.stop()
    await using gone = await world({ bootstrapTimeoutMs: 0 })
    await gone.broker.stop()
    await t.rejects(gone.client.admin().describeTopics(['t']))
    t.match(connects.at(-1), { error: { code: 'NETWORK_EXCEPTION' } })
    for (const line of [
      'debug: connected',
      'info: a broker asks to slow down',
      'info: disconnected',
      'debug: disconnected',
      'info: a call failed: trying again',
    ])
      t.ok(lines.includes(line), line)
  },
)

t.test('a full disk is told at once, and how long it lasts', async (t) => {
  const { logger, lines } = remembering()
  await using w = await world({ logger })
  const retries = told(t, 'retry')
  const full = (name: ErrorName) => (request: RequestOf<typeof produce>) => ({
    topics: request.topics.map((topic) => ({ ...topic, partitions: [refusal(0, name)] })),
  })
  w.broker.next(produce, ...Array.from({ length: 5 }, () => full('KAFKA_STORAGE_ERROR')))
  await using producer = w.client.producer()
  await producer.send(texts, { value: 'a' })
  t.match(
    retries.map(({ what, failures, topic, error }) => [what, failures, topic, (error as any).code]),
    [1, 2, 3, 4, 5].map((n) => ['send', n, 't', 'KAFKA_STORAGE_ERROR']),
  )
  t.ok(retries.every(({ forMs }, i) => forMs! >= (retries[i - 1]?.forMs ?? 0)))
  const warnings = lines.filter((line) => line.startsWith('warn'))
  t.match(warnings, [
    /^warn: a send failed: trying again$/,
    /^warn: a send failed, for \d+ ms by now: trying again$/,
    /^warn: a send failed, for \d+ ms by now: trying again$/,
  ])
  t.equal(warnings.length, 3, 'the longer it lasts, the rarer: at the first, second and fourth')
  w.broker.next(produce, full('NOT_LEADER_OR_FOLLOWER'))
  await producer.send(texts, { value: 'b' })
  t.ok(lines.includes('info: a send failed: trying again'), 'a leader that moves is no trouble')
  w.broker.next(fetch, () => 'hangUp')
  await read(w.client.consumer({ topics: [texts], from: 'earliest', until: 'end' }))
  t.match(retries.at(-1), { what: 'fetch', topic: 't', partition: 0, failures: 1 })
})

t.test('a buffer that is full is told once each time', async (t) => {
  const { logger, lines } = remembering()
  await using w = await world({ logger })
  const full = told(t, 'bufferFull')
  await using producer = w.client.producer({ maxBufferedBytes: 1000, batchBytes: 500 })
  const records = Array.from({ length: 20 }, () => ({ value: 'x'.repeat(400) }))
  for (let i = 1; i <= 2; i++) {
    await producer.send(texts, records)
    t.same(
      full,
      Array.from({ length: i }, () => ({ topic: 't', maxBufferedBytes: 1000 })),
    )
  }
  t.equal(lines.filter((line) => line === 'warn: sends wait for room').length, 2)
})

t.test('a reader that has to go on elsewhere is told', async (t) => {
  const { logger, lines } = remembering()
  await using w = await world({ logger })
  const resets = told(t, 'reset')
  w.log.startOffset = w.log.endOffset = 5
  write(w.log, ['5'])
  await read(w.client.consumer({ topics: [texts], from: 2, until: 'end' }))
  const message = { topic: 't', partition: 0, offset: 2, newOffset: 5, reason: 'out of range' }
  t.same(resets, [message])
  t.ok(lines.includes('warn: the position is not in the log: going on elsewhere'))
})

t.test('members tell of joins, assignments and commits', async (t) => {
  const { logger, lines } = remembering()
  await using w = await GroupWorld.open(2, {}, { logger })
  const [joins, assignments] = [told(t, 'join'), told(t, 'assignment')]
  const commits = told(t, 'commit')
  await w.send(10)
  const member = readGroup(w.consumer())
  await until(async () => (await w.committed()) === 10)
  const second = w.consumer({ until: 'end' })
  const done = readAll(second)
  await until(() => member.consumer.assignment().length === 1)
  t.match(joins[0], { group: 'g', memberId: String, generationId: 1, isLeader: true })
  t.equal(joins[0]!.protocol, 'cooperative-sticky')
  const both = [0, 1].map((partition) => ({ topic: groupTexts.name, partition }))
  t.same(assignments[0], { group: 'g', kind: 'assigned', partitions: both })
  t.match(
    assignments.find(({ kind }) => kind === 'revoked'),
    { group: 'g', partitions: [{ topic: 'texts' }] },
  )
  t.match(commits[0], { group: 'g', offsets: [{ topic: 'texts' }], durationMs: Number })
  await done
  await member.consumer.close()
  for (const line of [
    'info: the group has shared its partitions out',
    'info: partitions assigned',
    'info: partitions revoked',
    'debug: committed',
  ])
    t.ok(lines.includes(line), line)
})
