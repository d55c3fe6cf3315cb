// Connections, dispatch and listeners through real sockets: order, limits, timeouts, hostile bytes.

import { once } from 'node:events'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { randomBytes } from 'node:crypto'
import t from '../../protocol/testing/tap.ts'
import { produce } from '../../protocol/api/00_produce.ts'
import { fetch } from '../../protocol/api/01_fetch.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { apiVersions } from '../../protocol/api/18_api_versions.ts'
import { incrementalAlterConfigs } from '../../protocol/api/44_incremental_alter_configs.ts'
import { apis } from '../../protocol/apis.ts'
import { decode } from '../../protocol/compile.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import { encodeRequestFrame } from '../../protocol/frame.ts'
import { Reader } from '../../protocol/wire.ts'
import { AuditLog } from '../auth/audit.ts'
import { everythingAllowed } from '../auth/permissions.ts'
import { Broker } from '../broker.ts'
import { ProcessLog, printable, REPEATS_MAX } from '../process-log.ts'
import { connectionDeps, connectionOver, SocketTaking } from '../testing/client-connection.ts'
import { sessionFor } from '../testing/session.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { RawClient } from '../testing/raw-client.ts'
import { batchOf, fetchFrom, fetchRequest, produceTo, valuesOf, World } from '../testing/world.ts'
import { Dispatch, type AnswerPlace } from '../call.ts'
import { Disconnect } from '../disconnect.ts'
import type { Handler } from '../handler.ts'
import { unlimitedRoom } from '../unsent.ts'
import { Workshop } from '../work.ts'
import { noThrottling } from '../quota/testing/no-throttling.ts'

const MIB = 1024 * 1024
const world = await World.open(t)

const produceRequest = (name: string, value: string, index = 0) => ({
  transactionalId: null,
  acks: -1,
  timeoutMs: 1000,
  topics: [{ name, partitions: [{ index, records: batchOf([value]) }] }],
})
const allTopics = { topics: null }

/** Correlation ids of the next `count` answers. */
async function nextIds(client: RawClient, count: number): Promise<number[]> {
  const ids: number[] = []
  while (ids.length < count) ids.push((await client.nextFrame()).readInt32BE(0))
  return ids
}

t.test('pipelined requests of all kinds are answered in the order they were asked', async (t) => {
  const { client } = await world.topic('pipelined')
  const asked: number[] = []
  for (let i = 0; i < 200; i++) {
    if (i % 3 === 0) asked.push(client.write(metadata, allTopics))
    else asked.push(client.write(produce, produceRequest('pipelined', `${i}`), 9))
  }
  t.same(await nextIds(client, asked.length), asked)
})

t.test('pipelined batches are appended in the order they were sent', async (t) => {
  const { client } = await world.topic('ordered')
  const values = Array.from({ length: 500 }, (_, i) => `${i}`)
  for (const value of values) client.write(produce, produceRequest('ordered', value), 9)
  await nextIds(client, values.length)
  t.same(valuesOf((await fetchFrom(client, 'ordered', 0, 0)).records), values)
})

t.test('a waiting fetch holds back the answers after it, and only on its connection', async (t) => {
  const { client } = await world.topic('held-back')
  const other = await world.connect()
  const waiting = client.write(fetch, fetchRequest('held-back', 0, 0, { maxWaitMs: 60_000 }), 11)
  const behind = client.write(metadata, allTopics)
  await settled(other)
  t.equal(client.frameCount, 0)
  await produceTo(other, 'held-back', 0, batchOf(['x']))
  t.same(await nextIds(client, 2), [waiting, behind])
})

t.test('frames may come in any pieces', async (t) => {
  const { client } = await world.topic('pieces')
  const frame = (id: number) =>
    Buffer.concat(encodeRequestFrame(produce, 9, id, null, produceRequest('pieces', `${id}`)))
  for (const byte of frame(1)) client.socket.write(Buffer.of(byte))
  client.socket.write(Buffer.concat([frame(2), frame(3), frame(4).subarray(0, 30)]))
  client.socket.write(frame(4).subarray(30))
  t.same(await nextIds(client, 4), [1, 2, 3, 4])
  t.same(valuesOf((await fetchFrom(client, 'pieces', 0, 0)).records), ['1', '2', '3', '4'])
})

t.test('a client that says its end is answered before the connection closes', async (t) => {
  const { client } = await world.topic('half-closed')
  const fetching = client.write(fetch, fetchRequest('half-closed', 0, 0, { maxWaitMs: 60_000 }), 11)
  const asking = client.write(metadata, allTopics)
  client.socket.end()
  t.same(await nextIds(client, 2), [fetching, asking])
  await client.closed
})

const software = { clientSoftwareName: 'raw', clientSoftwareVersion: '1.0' }

t.test(
  'an unknown version of ApiVersions is answered in version 0, with its own range',
  async (t) => {
    const client = await world.connect()
    for (const version of [5, 99]) {
      const frame = Buffer.concat(encodeRequestFrame(apiVersions, 3, 7, 'future', {}))
      frame.writeInt16BE(version, 6)
      client.socket.write(frame)
      const reader = new Reader(await client.nextFrame())
      t.equal(reader.int32(), 7, 'correlation id, and no tagged fields after it')
      const answer = decode(apiVersions.response, 0, reader)
      t.equal(answer.errorCode, errorCode('UNSUPPORTED_VERSION'))
      t.same(answer.apiKeys, [{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
      t.equal(reader.remaining, 0)
    }
    t.match(await client.send(apiVersions, {}, 0), { errorCode: 0 }, 'the connection lives on')
  },
)

t.test(
  'ApiVersions lists what there is, sorted, with Produce from 0 and Fetch from 4',
  async (t) => {
    const client = await world.connect()
    for (const version of [0, 1, 2, 3, 4]) {
      const { errorCode: code, apiKeys } = await client.send(apiVersions, software, version)
      t.equal(code, 0)
      const keys = apiKeys.map(({ apiKey }) => apiKey)
      t.same(
        keys,
        apis.map(({ key }) => key),
      )
      t.match(
        apiKeys[0],
        { minVersion: 0, maxVersion: 13 },
        'librdkafka stops compressing unless 0 is there',
      )
      t.match(apiKeys[1], { minVersion: 4, maxVersion: 17 })
    }
  },
)

t.test('ApiVersions refuses names of software that Apache Kafka refuses', async (t) => {
  const client = await world.connect()
  const ask = (clientSoftwareName: string, clientSoftwareVersion: string, version = 4) =>
    client.send(apiVersions, { clientSoftwareName, clientSoftwareVersion }, version)
  for (const name of ['a', 'apache-kafka-java', 'a.b--c', 'a'.repeat(30_000)]) {
    t.match(await ask(name, '4.3.1'), { errorCode: 0 })
    t.match(await ask('x', name), { errorCode: 0 })
  }
  const refused = { errorCode: errorCode('INVALID_REQUEST'), apiKeys: [] }
  for (const name of ['', ' ', 'a b', '-a', 'a-', '.', 'a_b', 'a\n', '\u00e9']) {
    for (const version of [3, 4]) {
      t.match(await ask(name, '1', version), refused, JSON.stringify(name))
      t.match(await ask('a', name, version), refused)
    }
  }
  t.match(await ask('', '', 2), { errorCode: 0 }, 'before version 3 there are none')
})

t.test('ApiVersions announces the transactions of KIP-890 to who can read of it', async (t) => {
  const client = await world.connect()
  const featuresIn = async (version: number) => {
    const { supportedFeatures, finalizedFeatures, finalizedFeaturesEpoch } = await client.send(
      apiVersions,
      software,
      version,
    )
    return { supportedFeatures, finalizedFeatures, finalizedFeaturesEpoch }
  }
  const name = 'transaction.version'
  const none = { supportedFeatures: [], finalizedFeatures: [], finalizedFeaturesEpoch: -1 }
  const finalized = {
    finalizedFeatures: [{ name, maxVersionLevel: 2, minVersionLevel: 2 }],
    finalizedFeaturesEpoch: 0,
  }
  t.same(await featuresIn(2), none)
  t.same(await featuresIn(3), { ...finalized, supportedFeatures: [] }, 'no minimum of 0')
  t.same(await featuresIn(4), {
    ...finalized,
    supportedFeatures: [{ name, minVersion: 0, maxVersion: 2 }],
  })
})

t.test('what no broker can answer closes the connection, with a line in the log', async (t) => {
  const request = (key: number, version: number) => {
    const frame = Buffer.concat(encodeRequestFrame(metadata, 1, 1, 'odd', allTopics))
    frame.writeInt16BE(key, 4)
    frame.writeInt16BE(version, 6)
    return frame
  }
  const size = (bytes: number) => {
    const frame = Buffer.alloc(4)
    frame.writeInt32BE(bytes)
    return frame
  }
  const cases: [what: string, bytes: Buffer, logged: RegExp][] = [
    ['an unknown API', request(999, 0), /unknown API key 999/],
    ['an unknown version', request(3, 99), /Metadata version 99, 0 to 13/],
    ['Produce 2', request(0, 2), /Produce version 2, 3 to 13/],
    [
      'a request cut short',
      Buffer.concat([size(9), Buffer.of(0, 3, 0, 1, 0, 0, 0, 1, 0)]),
      /malformed frame/,
    ],
    ['an empty frame', size(0), /malformed frame/],
    ['a frame of 2 GB', size(0x7fff_ffff), /2147483647 bytes/],
    ['a negative size', size(-1), /-1 bytes/],
  ]
  for (const [what, bytes, expected] of cases) {
    world.logged.length = 0
    const client = await world.connect()
    client.socket.write(bytes)
    await client.closed
    t.match(world.logged.at(-1), { message: 'connection closed', reason: expected }, what)
  }
})

t.test('random bytes and damaged requests close connections and harm nobody else', async (t) => {
  const { client: honest } = await world.topic('honest')
  const good = Buffer.concat(encodeRequestFrame(produce, 9, 1, 'x', produceRequest('honest', 'x')))
  const before = process.memoryUsage().arrayBuffers
  for (let round = 0; round < 40; round++) {
    const floods = Array.from({ length: 10 }, async (_, i) => {
      const client = await RawClient.connect(world.broker.bootstrap)
      const damaged = Buffer.from(good)
      damaged[4 + ((round * 10 + i) % (good.length - 4))]! ^= 1 << (i % 8)
      client.socket.end(i % 2 === 0 ? damaged : randomBytes(2000))
      await client.closed
    })
    await Promise.all(floods)
  }
  t.match(await produceTo(honest, 'honest', 0, batchOf(['still here'])), { errorCode: 0 })
  t.ok(process.memoryUsage().arrayBuffers - before < 32 * MIB)
  const unexpected = world.logged.filter(({ level }) => level === 'error')
  t.same(unexpected, [], 'nothing was unexpected')
})

/** Everything that was sent before has arrived when this resolves. */
async function settled(other: RawClient): Promise<void> {
  for (let i = 0; i < 5; i++) await other.send(metadata, allTopics)
}

t.test('requests that arrive together leave the loop to others in between', async (t) => {
  let nowMs = 0
  const started: number[] = []
  const clock = { now: () => nowMs, monotonic: () => nowMs, after: () => ({ cancel() {} }) }
  const deps = connectionDeps(
    {
      appends: () => false,
      start(frame, exchange, _session, onDone) {
        nowMs++ // each takes a millisecond, and answers at once
        started.push(frame[1]!)
        exchange.answer = []
        onDone()
      },
    },
    clock,
  )
  const open = () => connectionOver(new SocketTaking(), deps)
  const floods = Array.from({ length: 7 }, open)
  const honest = open()
  const request = (id: number) => Buffer.of(0, 0, 0, 2, 0, id)
  for (const [id, flood] of floods.entries())
    flood.receive(Buffer.concat(Array<Buffer>(100).fill(request(id))))
  const turns: number[][] = []
  while (started.length > 0) {
    turns.push(started.splice(0))
    if (turns.length === 10) honest.receive(request(99))
    await new Promise(setImmediate)
  }
  t.ok(
    turns.every((ids) => ids.length <= 11),
    'a turn takes no more than it should, and one request',
  )
  t.equal(turns.flat().length, 701, 'all are started')
  const served = turns.findIndex((ids) => ids.includes(99))
  t.ok(served >= 0 && served <= 12, `the honest one after ${served - 10} turns`)
  for (const id of floods.keys()) {
    const first = turns.slice(0, 4).flat()
    t.ok(first.includes(id), `none of those who ask for much comes last: ${id}`)
  }
})

t.test('slices are large for a quick reader, and what a slow one can take', async (t) => {
  const clock = new VirtualClock()
  const socket = new SocketTaking()
  const answers = [Buffer.alloc(16), Buffer.alloc(24 * MIB)]
  const deps = connectionDeps(
    {
      appends: () => false,
      start(_frame, exchange, _session, onDone) {
        exchange.answer = [answers.shift()!]
        onDone()
      },
    },
    clock,
  )
  const transport = connectionOver(socket, deps)
  const request = Buffer.of(0, 0, 0, 2, 0, 1)
  const nextSlice = async (ms: number) => {
    await clock.advance(ms)
    const { bytes, taken } = socket.written.shift()!
    taken()
    await clock.advance(0)
    return bytes.length / 1024
  }
  transport.receive(request)
  t.equal(await nextSlice(0), 16 / 1024)
  transport.receive(request)
  const first = []
  for (let i = 0; i < 65; i++) first.push(await nextSlice(0))
  t.ok(
    first.every((kib) => kib === 256),
    'until it has taken more than sockets hold, nothing is known of a reader',
  )
  t.equal(await nextSlice(101), 1024)
  t.equal(await nextSlice(0), 256, 'the slice before took long')
  t.equal(await nextSlice(100), 1024)
})

t.test('half a frame and an idle connection are closed when their time is up', async (t) => {
  const clock = new VirtualClock()
  const timed = await World.open(t, { clock })
  const [half, idle, busy] = [await timed.connect(), await timed.connect(), await timed.connect()]
  half.socket.write(Buffer.of(0, 0, 1, 0, 0, 3))
  await settled(busy)
  await clock.advance(29_000)
  await settled(busy)
  t.notOk(half.socket.closed)
  await clock.advance(2000)
  await half.closed
  t.match(timed.logged.at(-1), { reason: 'no complete frame within 30000 ms' })
  await clock.advance(560_000)
  await settled(busy)
  t.notOk(idle.socket.closed)
  await clock.advance(20_000)
  await idle.closed
  await settled(busy)
})

t.test('a reader that does not read is bounded, harms nobody, and is closed', async (t) => {
  const clock = new VirtualClock()
  const timed = await World.open(t, { clock, config: { 'message.max.bytes': 2 * MIB } })
  const { client: honest } = await timed.topic('much')
  const large = batchOf(['x'.repeat(MIB)], { timestamp: -1 })
  for (let i = 0; i < 4; i++) await produceTo(honest, 'much', 0, large)
  const lazy = await timed.connect()
  lazy.socket.pause()
  await settled(honest)
  const before = process.memoryUsage().arrayBuffers
  const asking = fetchRequest('much', 0, 0, { partitionMaxBytes: 4 * MIB })
  for (let i = 0; i < 100; i++) lazy.write(fetch, asking, 11)
  for (let i = 0; i < 20; i++) {
    const { records } = await fetchFrom(honest, 'much', 0, 0, { partitionMaxBytes: MIB })
    t.equal(valuesOf(records).length, 1)
  }
  t.ok(
    process.memoryUsage().arrayBuffers - before < 64 * MIB,
    'not the 400 MiB that were asked for',
  )
  await clock.advance(31_000)
  lazy.socket.resume()
  await lazy.closed
  const reason = 'the client has read nothing for 30000 ms'
  t.ok(timed.logged.some((line) => line['reason'] === reason))
})

t.test(
  'requests larger than what may be held still get through, one after the other',
  async (t) => {
    const config = {
      'queued.max.request.bytes': MIB,
      'connection.held.max.bytes': 1,
      'inbox.max.bytes': MIB,
    }
    const tight = await World.open(t, { config })
    await tight.topic('tight')
    const value = 'x'.repeat(300_000)
    const clients = await Promise.all(Array.from({ length: 10 }, () => tight.connect()))
    const asked = clients.map(async (client) => {
      for (let i = 0; i < 5; i++) client.write(produce, produceRequest('tight', value), 9)
      await nextIds(client, 5)
    })
    await Promise.all(asked)
    const { highWatermark } = await fetchFrom(clients[0]!, 'tight', 0, 0)
    t.equal(highWatermark, 50)
  },
)

t.test('connections are capped, in all and by address', async (t) => {
  const capped = await World.open(t, {
    config: { 'max.connections': 3, 'max.connections.per.ip': 2 },
  })
  const first = await capped.connect()
  await capped.connect()
  const refused = await capped.connect()
  await refused.closed
  t.match(capped.logged.at(-1), { message: 'connection refused', connections: 2, ofAddress: 2 })
  await first.close()
  const again = await until(async () => {
    const client = await capped.connect()
    return client.send(metadata, allTopics).catch(() => undefined)
  })
  t.equal(again.brokers.length, 1, 'a place is free when somebody leaves')
})

t.test('a limit that is changed while the broker runs holds at once', async (t) => {
  const changing = await World.open(t)
  const client = await changing.connect()
  const setMax = async (name: string, value: string) => {
    const configs = [{ name, configOperation: 0, value }]
    const resources = [{ resourceType: 4, resourceName: '1', configs }]
    const { responses } = await client.send(incrementalAlterConfigs, {
      resources,
      validateOnly: false,
    })
    t.match(responses, [{ errorCode: 0 }])
  }
  await setMax('max.connections', '1')
  const refused = await changing.connect()
  await refused.closed
  await setMax('max.connections', '2')
  await setMax('connection.frame.timeout.ms', '1')
  const half = await changing.connect()
  half.socket.write(Buffer.of(0, 0))
  await half.closed
  t.match(changing.logged.at(-1), { reason: 'no complete frame within 1 ms' })
})

/** Tries until there is a result. */
async function until<Result>(attempt: () => Promise<Result | undefined>): Promise<Result> {
  for (;;) {
    const result = await attempt()
    if (result !== undefined) return result
  }
}

t.test('both loopback addresses lead here, and each client is sent where it dialled', async (t) => {
  const { port } = new URL(`kafka://${world.broker.bootstrap}`)
  const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === '::1'),
  )
  for (const host of hasIpv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']) {
    const client = await RawClient.connect(host === '::1' ? `[::1]:${port}` : `${host}:${port}`)
    const { brokers, controllerId, clusterId } = await client.send(metadata, allTopics)
    t.same(brokers, [{ nodeId: 1, host, port: Number(port), rack: null }])
    t.equal(controllerId, 1)
    t.match(clusterId, /^[\w-]{22}$/)
    await client.close()
  }
})

t.test('an advertised address is told instead of the one that was dialled', async (t) => {
  const config = { 'advertised.listeners': 'PLAINTEXT://broker.example:7000' }
  const advertising = await World.open(t, { config })
  const { brokers } = await (await advertising.connect()).send(metadata, allTopics)
  t.match(brokers, [{ host: 'broker.example', port: 7000 }])
})

t.test('an address that others reach is refused, unless that is accepted', async (t) => {
  await t.rejects(Broker.start({ ephemeral: true, host: '0.0.0.0' }), {
    code: 'INVALID_CONFIG',
    message: /0\.0\.0\.0 can be reached from other machines.*--i-accept-unauthenticated-network/,
  })
  await t.rejects(
    Broker.start({ ephemeral: true, config: { 'http.host': '10.0.0.1' } }),
    /10\.0\.0\.1/,
  )
  const config = { 'i.accept.unauthenticated.network': true }
  await using broker = await Broker.start({ ephemeral: true, host: '0.0.0.0', config })
  t.match(broker.bootstrap, /^0\.0\.0\.0:\d+$/)
})

t.test('a taken port is refused, and nothing is left behind', async (t) => {
  const { port } = new URL(`kafka://${world.broker.bootstrap}`)
  await t.rejects(Broker.start({ ephemeral: true, port: Number(port) }), { code: 'EADDRINUSE' })
})

t.test('a closing broker answers what it was asked, and takes no more', async (t) => {
  const closing = await World.open(t)
  const { client } = await closing.topic('closing')
  const asked = [
    client.write(produce, produceRequest('closing', 'last'), 9),
    client.write(fetch, fetchRequest('closing', 0, 5, { maxWaitMs: 60_000 }), 11),
    client.write(fetch, fetchRequest('closing', 0, 1, { maxWaitMs: 60_000 }), 11),
  ]
  const answers = nextIds(client, 3)
  await settled(await closing.connect())
  await closing.broker.close()
  t.same(await answers, asked)
  await client.closed
  const late = connect(Number(new URL(`kafka://${closing.broker.bootstrap}`).port), '127.0.0.1')
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
  t.equal(error.code, 'ECONNREFUSED')
})

t.test('what a handler throws becomes the answer to its request, and nothing more', async (t) => {
  const logged: string[] = []
  const run = (
    handler: Partial<Handler>,
  ): Promise<{ exchange: AnswerPlace; failure: Error | undefined }> => {
    const log = new ProcessLog('debug', new VirtualClock(), { write: (line) => logged.push(line) })
    const whole = { api: metadata, handle: () => undefined, refuse: refuseMetadata, ...handler }
    const observer = { requestDone() {} }
    const clock = new VirtualClock()
    const workshop = new Workshop({ answerBytesMax: 1 << 20 }, clock)
    const dispatch = new Dispatch({
      handlers: [whole],
      authorizer: everythingAllowed,
      audit: new AuditLog(clock, log, false),
      observer,
      throttling: noThrottling(clock),
      workshop,
      clock,
      log,
    })
    const exchange: AnswerPlace = {
      answer: undefined,
      sent: undefined,
      isLast: false,
      room: unlimitedRoom(new VirtualClock()),
    }
    const frame = Buffer.concat(
      encodeRequestFrame(metadata, 1, 5, 'evil\u001b[2J\n', allTopics),
    ).subarray(4)
    return new Promise((resolve) => {
      dispatch.start(frame, exchange, sessionFor(), (failure) => resolve({ exchange, failure }))
    })
  }
  const refuseMetadata: Handler['refuse'] = (_request, code) => ({
    brokers: [],
    topics: [{ errorCode: code, name: 'x', partitions: [] }],
  })
  const codeIn = ({ exchange }: { exchange: AnswerPlace }) => {
    const reader = new Reader(Buffer.concat(exchange.answer!), 8)
    return decode(metadata.response, 1, reader).topics[0]!.errorCode
  }
  const boom = () => {
    throw new TypeError('boom')
  }
  t.equal(codeIn(await run({ handle: boom })), errorCode('UNKNOWN_SERVER_ERROR'))
  t.match(logged[0], /"a request failed","api":"Metadata".*evil\\\\u\{1b\}\[2J.*TypeError: boom/)
  t.equal(codeIn(await run({ handle: async () => boom() })), errorCode('UNKNOWN_SERVER_ERROR'))
  const refusing = () => {
    throw new KafkaError('REQUEST_TIMED_OUT', 'late')
  }
  t.equal(codeIn(await run({ handle: refusing })), errorCode('REQUEST_TIMED_OUT'))
  t.match(await run({ handle: () => ({ brokers: 3 }) }), { failure: Disconnect })
  t.match(await run({ handle: boom, refuse: boom }), { failure: Disconnect })
  t.match(await run({ handle: () => Promise.reject(new Disconnect('go')) }), {
    failure: { message: 'go' },
  })
})

t.test('client text in the log is escaped and cut', async (t) => {
  t.equal(printable('a\nb\u202e\u0000é'), 'a\\u{a}b\\u{202e}\\u{0}é')
  t.equal(printable('x'.repeat(300)), `${'x'.repeat(256)}...`)
})

t.test('a client that is refused over and over does not fill the log', async (t) => {
  const clock = new VirtualClock()
  const lines: { remote?: string; leftOut?: number }[] = []
  const log = new ProcessLog('info', clock, { write: (line) => lines.push(JSON.parse(line)) })
  const refuse = (times: number) => {
    for (let i = 0; i < times; i++) log.warn('connection refused', { remote: `${i}` })
  }
  refuse(REPEATS_MAX + 7)
  t.equal(lines.length, REPEATS_MAX)
  log.warn('something else')
  log.info('connection refused')
  t.equal(lines.length, REPEATS_MAX + 2, 'other messages are written')
  await clock.advance(10_000)
  refuse(1)
  t.match(lines.at(-1), { remote: '0', leftOut: 7 })
})
