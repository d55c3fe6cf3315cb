// The broker as a whole: embedded, as a process, its configuration, metrics and health.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Kafka, logLevel } from 'kafkajs'
import t from 'tap'
import { metadata } from '../protocol/api/03_metadata.ts'
import { fetch as fetchApi } from '../protocol/api/01_fetch.ts'
import { produce } from '../protocol/api/00_produce.ts'
import { createTopics } from '../protocol/api/19_create_topics.ts'
import { errorCode } from '../protocol/errors.ts'
import { Broker } from './broker.ts'
import { environmentSource, readSettings } from './config.ts'
import { fileSource } from './config-file.ts'
import { Histogram } from './metrics/histogram.ts'
import { LoopTimes } from './metrics/loop.ts'
import { metrics } from './metrics/table.ts'
import { BrokerHealth } from './health.ts'
import { ProcessLog } from './process-log.ts'
import { runBroker, type StartFlags } from './main.ts'
import { openFilesMax, shareOfOpenFiles } from './open-files.ts'
import { systemClock } from '../storage/clock.ts'
import { RawClient } from './testing/raw-client.ts'
import { VirtualClock } from './testing/virtual-clock.ts'
import { batchOf, fetchFrom, fetchRequest, produceTo, valuesOf, World } from './testing/world.ts'

t.setTimeout(180_000)

const scratch = mkdtempSync(join(tmpdir(), 'millrace-broker-test-'))
t.teardown(() => rmSync(scratch, { recursive: true, force: true }))

async function connected(broker: Broker, use: (client: RawClient) => Promise<void>) {
  const client = await RawClient.connect(broker.bootstrap)
  await use(client)
  await client.close()
}

t.test('several brokers live in one process, each with its own data', async (t) => {
  await using first = await Broker.start({ ephemeral: true })
  await using second = await Broker.start({ ephemeral: true })
  t.not(first.bootstrap, second.bootstrap)
  await connected(first, async (client) => {
    await client.send(metadata, { topics: [{ name: 'mine' }] })
  })
  await connected(second, async (client) => {
    t.same((await client.send(metadata, { topics: null })).topics, [])
  })
})

t.test('an ephemeral broker leaves no file, an ordinary one leaves its data', async (t) => {
  const ephemeral = await Broker.start({ ephemeral: true })
  t.ok(existsSync(ephemeral.dataDir))
  await ephemeral.close()
  t.notOk(existsSync(ephemeral.dataDir))

  const dataDir = join(scratch, 'kept')
  const first = await Broker.start({ dataDir })
  let clusterId: string | null = null
  await connected(first, async (client) => {
    clusterId = (await client.send(metadata, { topics: [{ name: 'kept' }] })).clusterId
    await produceTo(client, 'kept', 0, batchOf(['a', 'b']))
  })
  await first.close()
  const again = await Broker.start({ dataDir })
  await connected(again, async (client) => {
    t.equal((await client.send(metadata, { topics: [] })).clusterId, clusterId)
    t.same(valuesOf((await fetchFrom(client, 'kept', 0, 0)).records), ['a', 'b'])
  })
  await again.close()
})

t.test('a second broker on the same data is refused, and says whose it is', async (t) => {
  await using first = await Broker.start({ dataDir: join(scratch, 'shared') })
  await t.rejects(Broker.start({ dataDir: first.dataDir }), new RegExp(`${process.pid}`))
})

/** Runs a module in a process of its own. @returns its lines on stdout, and how it ended */
async function inChild(
  source: string,
): Promise<{ lines: string[]; code: number | null; error: string }> {
  const imports = ['broker.js', 'main.js'].map((file) => new URL(file, import.meta.url).href)
  const program = `const [broker, main] = await Promise.all(${JSON.stringify(imports)}.map((url) => import(url)))\n${source}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: scratch })
  const lines: string[] = []
  let error = ''
  child.stderr.on('data', (chunk) => (error += chunk))
  createInterface(child.stdout).on('line', (line) => lines.push(line))
  const [code] = await once(child, 'close')
  return { lines, code: code as number | null, error }
}

t.test('a closed broker leaves nothing that keeps the process alive', async (t) => {
  const { lines, code, error } = await inChild(`
    const one = await broker.Broker.start({ ephemeral: true, http: 0 })
    const { port } = new URL('kafka://' + one.bootstrap)
    await (await fetch(one.httpUrl + '/metrics')).text()
    const socket = (await import('node:net')).connect(Number(port), '127.0.0.1')
    await new Promise((resolve) => socket.on('connect', resolve))
    socket.on('close', () => console.log('disconnected'))
    await one.close()
    await one.close()
    console.log('closed')
  `)
  t.equal(error, '')
  t.same(lines.sort(), ['closed', 'disconnected'])
  t.equal(code, 0)
})

/** `runBroker` in a process of its own, once it listens. @param preload a module for all its threads */
async function startProcess(flags: StartFlags, preload?: string) {
  const main = new URL('main.js', import.meta.url).href
  const program = `
    import { runBroker } from ${JSON.stringify(main)}
    process.exitCode = await runBroker(${JSON.stringify(flags)})
  `
  const script = join(scratch, 'start.mjs')
  writeFileSync(script, program)
  const args = preload === undefined ? [script] : ['--import', preload, script]
  const child = spawn(process.execPath, args, { cwd: scratch })
  const closed = once(child, 'close')
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const [banner] = (await Promise.race([once(child.stdout, 'data'), closed])) as [unknown]
  if (!Buffer.isBuffer(banner)) throw new Error(`the broker did not start: ${stderr}`)
  return { child, closed, banner: banner.toString(), stderr: () => stderr }
}

t.test('a start on a directory that others can reach says so', async (t) => {
  if (process.platform === 'win32') {
    t.comment('Windows has other permissions')
    return
  }
  const data = join(scratch, 'open')
  mkdirSync(data)
  chmodSync(data, 0o755)
  const run = await startProcess({ data, port: '0', http: 'off' })
  run.child.kill('SIGTERM')
  t.same(await run.closed, [0, null])
  t.match(run.stderr(), /other users of this machine can reach the data","advice":"chmod -R o= /)
})

const stopSignals = ['SIGTERM', 'SIGHUP'] as const
for (const signal of stopSignals)
  t.test(`${signal}: what was asked is answered, everything is on disk, exit code 0`, async (t) => {
    const data = join(scratch, `stopped-${signal}`)
    const run = await startProcess({ data, port: '0', http: '0' })
    t.match(
      run.banner,
      /listens on 127\.0\.0\.1:\d+\n +data .*stopped-SIG[A-Z]+\n +metrics +http:.*\/metrics\n +try /,
    )
    const client = await RawClient.connect(run.banner.split(/\s/)[3]!)
    await client.send(metadata, { topics: [{ name: 'work' }] })
    const topics = [{ name: 'work', partitions: [{ index: 0, records: batchOf(['last']) }] }]
    const request = { transactionalId: null, acks: -1, timeoutMs: 1000, topics }
    const asked = [
      client.write(produce, request, 9),
      client.write(fetchApi, fetchRequest('work', 0, 1, { maxWaitMs: 600_000 }), 11),
    ]
    const answers = [client.nextFrame(), client.nextFrame()]
    await answers[0]
    run.child.kill(signal)
    t.same(
      (await Promise.all(answers)).map((frame) => frame.readInt32BE(0)),
      asked,
    )
    t.same(await run.closed, [0, null])
    const lines = run
      .stderr()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { message: string })
    t.same(
      lines.map(({ message }) => message),
      ['ready', 'stopping', 'stopped'],
    )
    await using again = await Broker.start({ dataDir: data })
    await connected(again, async (reader) => {
      t.same(valuesOf((await fetchFrom(reader, 'work', 0, 0)).records), ['last'])
    })
  })

/** From the moment that `path` exists, no sync succeeds. */
function failingSyncs(path: string): string {
  const preload = join(scratch, 'failing-syncs.mjs')
  const source = `
    import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    const { fdatasyncSync } = fs
    fs.fdatasyncSync = (fd) => {
      if (fs.existsSync(${JSON.stringify(path)})) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
      fdatasyncSync(fd)
    }
    syncBuiltinESMExports()
  `
  writeFileSync(preload, source)
  return preload
}

t.test(
  'a failed sync: nothing is acknowledged after it, a clear last line, exit code 1',
  async (t) => {
    const broken = join(scratch, 'broken')
    const flags = { data: join(scratch, 'failing'), port: '0', http: 'off' }
    const run = await startProcess(flags, failingSyncs(broken))
    const client = await RawClient.connect(run.banner.split(/\s/)[3]!)
    await client.send(metadata, { topics: [{ name: 'doomed' }] })
    t.match(await produceTo(client, 'doomed', 0, batchOf(['kept'])), {
      errorCode: 0,
      baseOffset: 0,
    })
    writeFileSync(broken, '')
    const answer = await produceTo(client, 'doomed', 0, batchOf(['lost'])).catch(() => undefined)
    t.ok(answer === undefined || answer.errorCode === errorCode('KAFKA_STORAGE_ERROR'))
    t.same(await run.closed, [1, null])
    const last = JSON.parse(run.stderr().trim().split('\n').at(-1)!) as object
    t.match(last, {
      level: 'error',
      message: /stopping at once/,
      error: /EIO: i\/o error, fdatasync/,
    })
    await using again = await Broker.start({ dataDir: flags.data })
    await connected(again, async (reader) => {
      const [first] = valuesOf((await fetchFrom(reader, 'doomed', 0, 0)).records)
      t.equal(first, 'kept')
    })
  },
)

t.test('a port that is taken is named, and which of the two it is', async (t) => {
  await using other = await Broker.start({ ephemeral: true, http: 0 })
  const httpPort = new URL(other.httpUrl!).port
  const kafkaPort = other.bootstrap.split(':')[1]!
  const start = async (flags: StartFlags) => {
    let said = ''
    const terminal = { out: () => {}, err: (text: string) => (said += text) }
    const own = { data: join(scratch, 'taken'), port: '0', http: 'off', ...flags }
    t.equal(await runBroker(own, terminal, 'inline'), 1)
    return said
  }
  t.match(await start({ port: kafkaPort }), `port ${kafkaPort} at 127.0.0.1 is taken: `)
  t.match(await start({ port: kafkaPort }), '--port (0 for a free one)')
  t.match(await start({ http: httpPort }), `HTTP port ${httpPort} at 127.0.0.1 is taken: `)
  t.match(await start({ http: httpPort }), '--http (0 for a free one)')
})

t.test('a start that cannot be says why, on one line, with its own exit code', async (t) => {
  const cases: [flags: StartFlags, code: number, says: RegExp][] = [
    [
      { set: ['num.partition=3'] },
      2,
      /property num\.partition \(flag\); did you mean num\.partitions\?/,
    ],
    [{ set: ['nonsense'] }, 2, /-c nonsense: want -c name=value/],
    [{ set: ['num.partitions=many'] }, 2, /num\.partitions=many \(flag\): want 1 to/],
    [{ host: '0.0.0.0' }, 2, /--i-accept-unauthenticated-network/],
    [{ config: 'nowhere.yaml' }, 2, /nowhere\.yaml: .*no such file/],
    [{ data: '/dev/null/x' }, 1, /the broker cannot start: ENOTDIR/],
  ]
  for (const [flags, code, says] of cases) {
    let said = ''
    const terminal = { out: () => {}, err: (text: string) => (said += text) }
    t.equal(await runBroker({ port: '0', http: 'off', ...flags }, terminal), code)
    t.match(said, says)
    t.equal(said.trim().split('\n').length, 1)
  }
})

t.test('flags win over the environment, that over the file, that over the defaults', async (t) => {
  const path = join(scratch, 'millrace.yaml')
  writeFileSync(
    path,
    'num.partitions: 3\nfetch.max.bytes: 2048\nlog.retention.ms: 5\nhost: [127.0.0.1, "::1"]\n',
  )
  const environment = {
    MILLRACE_NUM_PARTITIONS: '4',
    MILLRACE_LOG_RETENTION_MS: '6',
    MILLRACE_BROKERS: 'x:1',
    MILLRACE_SERVICE_HOST: '10.0.0.1',
    MILLRACE_SERVICE_PORT_KAFKA: '9092',
    MILLRACE_PORT: 'tcp://10.0.0.1:9092',
    MILLRACE_PORT_9092_TCP_ADDR: '10.0.0.1',
    MILLRACE_NUM_PARTITION: '9',
    HOME: '/',
  }
  const passedOver: string[] = []
  const { broker, topicDefaults, given } = readSettings([
    { origin: 'flag', properties: { 'num.partitions': '5' } },
    environmentSource(environment, (message) => passedOver.push(message)),
    await fileSource(path, {}),
  ])
  t.match(passedOver, [/^MILLRACE_NUM_PARTITION is passed over: .*did you mean num.partitions\?$/])
  t.equal(passedOver.length, 1, 'what Kubernetes sets is not worth a word')
  t.equal(broker['num.partitions'], 5)
  t.equal(broker['fetch.max.bytes'], 2048)
  t.equal(broker.host, '127.0.0.1,::1')
  t.equal(broker.port, 9092)
  t.same(topicDefaults, { 'retention.ms': '6' })
  t.equal(given.get('num.partitions')?.origin, 'flag')
  t.equal(given.get('log.retention.ms')?.origin, 'environment')
  t.equal(given.get('fetch.max.bytes')?.origin, path)
  t.same((await fileSource(join(scratch, 'none.yaml'), {}, true)).properties, {})
})

t.test('a file that is no configuration is refused, naming it', async (t) => {
  const path = join(scratch, 'bad.yaml')
  for (const [text, says] of [
    ['- a\n- b\n', /bad\.yaml: want lines/],
    ['just text\n', /bad\.yaml: want lines/],
    ['a: [\n', /bad\.yaml/],
    ['num.partitions: {a: 1}\n', /bad\.yaml: num\.partitions: want one value/],
  ] as const) {
    writeFileSync(path, text)
    await t.rejects(fileSource(path, {}), says)
  }
})

t.test('values are checked', async (t) => {
  const set = (name: string, value: string) =>
    readSettings([{ origin: 'test', properties: { [name]: value } }]).broker
  t.throws(() => set('port', '65536'), /port=65536 \(test\): want 0 to 65535/)
  t.throws(() => set('auto.create.topics.enable', 'yes'), /true or false/)
  t.throws(() => set('log.retention.ms', 'x'), { code: 'INVALID_CONFIG' })
})

t.test('metrics count what happened, and health says whether clients may come', async (t) => {
  const broker = await Broker.start({
    ephemeral: true,
    http: 0,
    config: { 'metrics.topics.max': 1 },
  })
  t.teardown(() => broker.close())
  const client = await RawClient.connect(broker.bootstrap)
  await client.send(metadata, { topics: [{ name: 'counted' }, { name: 'uncounted' }] })
  const batch = batchOf(['a', 'b', 'c'])
  await produceTo(client, 'counted', 0, batch)
  await produceTo(client, 'counted', 9, batch)
  await produceTo(client, 'uncounted', 0, batch)
  await fetchFrom(client, 'counted', 0, 0)
  const response = await fetch(`${broker.httpUrl}/metrics`)
  t.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  const text = await response.text()
  const value = (series: string) => {
    const line = text.split('\n').find((each) => each.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(series.length + 1))
  }
  t.equal(value('millrace_records_in_total{topic="counted"}'), 3)
  t.equal(value('millrace_received_bytes_total{topic="counted"}'), batch.length)
  t.equal(value('millrace_records_out_total{topic="counted"}'), 3)
  t.equal(value('millrace_sent_bytes_total{topic="counted"}'), batch.length)
  t.equal(value('millrace_records_in_total{topic="other"}'), 3)
  t.equal(value('millrace_requests_total{api="Produce"}'), 3)
  t.equal(
    value('millrace_request_errors_total{api="Produce",error="UNKNOWN_TOPIC_OR_PARTITION"}'),
    1,
  )
  t.equal(value('millrace_request_duration_seconds_count{api="Produce"}'), 3)
  t.equal(value('millrace_request_duration_seconds_bucket{api="Produce",le="+Inf"}'), 3)
  t.equal(value('millrace_connections{listener="kafka"}'), 1)
  t.equal(value('kafka_brokers'), 1)
  t.ok(value('millrace_group_commit_batches_count')! > 0)
  t.ok(value('millrace_disk_free_bytes')! > 0)
  const names = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
  t.same(
    [...names].filter((name) => !(name! in metrics)),
    [],
    'every metric is in the table',
  )
  const absent = Object.keys(metrics).filter((name) => !names.has(name))
  t.same(absent, [], 'and every one of the table is there')
  await client.close()

  const health = async (path: string) => {
    const answer = await fetch(`${broker.httpUrl}${path}`)
    return [answer.status, await answer.json()]
  }
  t.same(await health('/healthz'), [200, { status: 'ok' }])
  t.match(await (await fetch(broker.httpUrl!)).text(), /^millrace \d+\.\d+\.\d+\n[^]*\/metrics/)
  t.same(await health('/readyz'), [200, { status: 'ready', reasons: [], warnings: [] }])
})

/** The status of a request with this Host header, or none. */
function statusFor(url: string, host: string | undefined, path = '/metrics'): Promise<number> {
  const { hostname, port } = new URL(url)
  const headers = host === undefined ? {} : { host }
  return new Promise((resolve, reject) => {
    get({ hostname, port, path, headers, setHost: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode!)
    }).on('error', reject)
  })
}

t.test('HTTP on loopback answers to its own names only', async (t) => {
  const config = { 'advertised.listeners': 'Broker.example:7000' }
  await using broker = await Broker.start({ ephemeral: true, http: 0, config })
  const url = broker.httpUrl!
  const { host } = new URL(url)
  const own = [host, 'localhost', 'LocalHost:80', '127.0.0.1', '127.1.2.3', '[::1]:9644']
  for (const name of [...own, 'broker.example', 'broker.example:1'])
    t.equal(await statusFor(url, name), 200, name)
  const others = ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1']
  for (const name of [...others, 'x y', '[::2]', 'evil.example:9644'])
    for (const path of ['/metrics', '/healthz', '/readyz', '/nothing'])
      t.equal(await statusFor(url, name, path), 421, `${name} ${path}`)
})

t.test('HTTP that other machines reach answers to any name', async (t) => {
  const config = { 'http.host': '0.0.0.0', 'i.accept.unauthenticated.network': true }
  await using broker = await Broker.start({ ephemeral: true, http: 0, config })
  const { port } = new URL(broker.httpUrl!)
  t.equal(await statusFor(`http://127.0.0.1:${port}`, 'metrics.example'), 200)
})

t.test('the loop is looked at from the first request for metrics on', async (t) => {
  const clock = new VirtualClock()
  const times = new LoopTimes(clock)
  await clock.advance(1000)
  t.equal(times.seconds.cumulativeCounts().at(-1), 0)
  times.start()
  await clock.advance(1000)
  times.start()
  t.equal(times.seconds.cumulativeCounts().at(-1), 200)
  times.stop()
  await clock.advance(1000)
  t.equal(times.seconds.cumulativeCounts().at(-1), 200)

  const real = new LoopTimes(systemClock)
  real.start()
  const until = performance.now() + 50
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 20))
  real.stop()
  const { seconds } = real
  const atMost40Ms = seconds.cumulativeCounts()[seconds.bounds.indexOf(0.04)]!
  t.ok(seconds.cumulativeCounts().at(-1)! > atMost40Ms, 'what keeps the loop for 50 ms is seen')
})

t.test('health tells every reason not to come', async (t) => {
  const disk: { shortage?: string } = {}
  const health = new BrokerHealth({ shortage: () => Promise.resolve(disk.shortage) })
  t.same(await health.reasonsNotReady(), [])
  health.stop()
  health.fail(new Error('EIO'))
  disk.shortage = 'the disk is full'
  t.same(await health.reasonsNotReady(), [
    'the broker is stopping',
    'the disk failed: EIO',
    'the disk is full',
  ])
})

t.test('connections leave room for files', async (t) => {
  t.same(shareOfOpenFiles(1000), { connections: 480, http: 60, readers: 240, writer: 120 })
  t.same(shareOfOpenFiles(96), { connections: 28, http: 3, readers: 14, writer: 7 })
  t.same(shareOfOpenFiles(10), { connections: 1, http: 1, readers: 1, writer: 1 })
  t.equal(shareOfOpenFiles(Infinity).writer, Infinity)
  t.ok(openFilesMax() >= 64)
})

t.test(
  'the loop turns while the metrics of many partitions are written, once for concurrent requests',
  async (t) => {
    const world = await World.open(t, { config: { 'http.port': 0 } })
    const client = await world.connect()
    const topics = Array.from({ length: 60 }, (_, i) => {
      return { name: `many-${i}`, numPartitions: 4, replicationFactor: 1 }
    })
    await client.send(createTopics, { topics })
    let turnCount = 0
    let next = setImmediate(function turn() {
      turnCount++
      next = setImmediate(turn)
    })
    const ask = async () => (await fetch(`${world.broker.httpUrl}/metrics`)).text()
    const pages = await Promise.all([ask(), ask(), ask()])
    clearImmediate(next)
    t.ok(turnCount > Object.keys(metrics).length, `${turnCount} turns`)
    for (const page of pages)
      t.equal(page.match(/^millrace_log_size_bytes\{topic="many-/gm)?.length, 240)
  },
)

t.test('offsets and sizes are told by partition', async (t) => {
  const world = await World.open(t, { config: { 'http.port': 0 } })
  const { client } = await world.topic('sized', 2)
  await produceTo(client, 'sized', 1, batchOf(['a', 'b']))
  const text = await (await fetch(`${world.broker.httpUrl}/metrics`)).text()
  for (const line of [
    'kafka_topic_partitions{topic="sized"} 2',
    'kafka_topic_partition_current_offset{topic="sized",partition="1"} 2',
    'kafka_topic_partition_oldest_offset{topic="sized",partition="1"} 0',
    'millrace_partition_log_end_offset{topic="sized",partition="0"} 0',
    `millrace_log_size_bytes{topic="sized",partition="1"} ${batchOf(['a', 'b']).length}`,
  ]) {
    t.ok(text.split('\n').includes(line), line)
  }
})

t.test('a histogram puts values where they belong', async (t) => {
  const histogram = new Histogram(1, 4)
  t.same(histogram.bounds, [1, 2, 4, 8])
  for (const value of [0, 0.5, 1, 1.1, 2, 2.1, 4, 8, 8.1, 1e12]) histogram.observe(value)
  t.same(histogram.cumulativeCounts(), [3, 5, 7, 8, 10])
})

t.test('a refused data directory is left as it was', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-refused-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  writeFileSync(join(dataDir, 'letter.txt'), 'not ours')
  await t.rejects(Broker.start({ dataDir }), /is no millrace data directory/)
  t.same(readdirSync(dataDir), ['letter.txt'])
})

t.test('with log.level=debug the log tells of topics, configuration and groups', async (t) => {
  const world = await World.open(t)
  await world.topic('told', 2, { 'retention.ms': '5000' })
  const kafka = new Kafka({ brokers: [world.broker.bootstrap], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: 'told-group' })
  await consumer.connect()
  await consumer.subscribe({ topic: 'told' })
  await consumer.run({ eachMessage: async () => {} })
  const admin = kafka.admin()
  await admin.connect()
  while ((await admin.describeGroups(['told-group'])).groups[0]!.state !== 'Stable');
  await consumer.disconnect()
  const resources = [
    { type: 4, name: '1', configEntries: [{ name: 'num.partitions', value: '3' }] },
  ]
  await admin.alterConfigs({ validateOnly: false, resources })
  await admin.deleteTopics({ topics: ['told'] })
  await admin.disconnect()
  const told = world.logged.filter(({ topic }) => topic !== '__consumer_offsets')
  t.match(
    told.filter(({ message }) => /^(topic|group|broker) /.test(message)),
    [
      { message: 'topic created', topic: 'told', config: { 'retention.ms': '5000' } },
      { message: 'group formed', group: 'told-group', generationId: 1, memberCount: 1 },
      { message: 'broker configuration changed', set: ['num.partitions'] },
      { message: 'topic deleted', topic: 'told' },
    ],
  )
  const [change] = told.filter(({ message }) => message === 'topics deleted')
  t.match(change, { level: 'debug', principal: 'User:ANONYMOUS', names: ['told'] })
})

t.test('the process log is JSON for programs and text for people', async (t) => {
  const lines: string[] = []
  const clock = new VirtualClock()
  const write = (line: string) => lines.push(line)
  const facts = { topic: 'orders', reason: 'two words', count: 3, error: new Error('broken') }
  new ProcessLog('info', clock, { write }).info('it happened', facts)
  new ProcessLog('info', clock, { write, format: 'text' }).info('it happened', facts)
  const [json, text] = lines
  t.match(JSON.parse(json!), { level: 'info', message: 'it happened', topic: 'orders', count: 3 })
  t.match(
    text,
    /^\d\d:\d\d:\d\d\.\d{3} info {2}it happened {2}topic=orders {2}reason="two words" {2}count=3\n {2}Error: broken\n {4}/,
  )
})
