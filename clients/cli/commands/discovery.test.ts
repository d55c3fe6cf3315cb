// Features that users of kcat and rpk look for: the cluster, offsets by time, other names of verbs, YAML, completion, hints.

import t from '../../../protocol/testing/tap.ts'
import { parseAllDocuments } from 'yaml'
import { Broker } from '../../../broker/broker.ts'
import { numbers, Terminal } from '../testing/terminal.ts'

const terminal = await Terminal.open()
t.teardown(() => terminal[Symbol.asyncDispose]())

t.test(
  'the cluster tells its brokers, partitions and health, for people and programs',
  async (t) => {
    const { stdout, statuses } = await terminal.run(`
    topic create -q seen -p 2
    cluster info
    cluster describe --json
    cluster health
    cluster health --json`)
    t.strictSame(statuses, [0, 0, 0, 0, 0])
    t.match(
      stdout,
      /\ncluster \S{22}\nBROKER  ADDRESS\n1 \* +127\.0\.0\.1:\d+\nTOPIC +PARTITION +LEADER/,
    )
    t.match(stdout, /\nseen +0 +1 +1 +1\nseen +1 +1 +1 +1\n/)
    const [info, health] = stdout.split('\n').filter((line) => line.startsWith('{'))
    const { clusterId, brokers, topics } = JSON.parse(info!)
    t.match(
      {
        clusterId,
        brokers,
        topics: topics.filter(({ topic }: { topic: string }) => topic === 'seen'),
      },
      {
        clusterId: /^\S{22}$/,
        brokers: [{ id: 1 }],
        topics: [{ topic: 'seen', partitions: [{ partition: 0, leader: 1 }, { partition: 1 }] }],
      },
    )
    t.match(stdout, /\nhealthy: 1 brokers, \d+ partitions\n/)
    t.match(JSON.parse(health!), {
      healthy: true,
      controller: 1,
      leaderless: [],
      underReplicated: [],
    })
  },
)

t.test('topics tell sizes and rates, and at which offset a time is', async (t) => {
  const { stdout, statuses } = await terminal.run(
    `
    lines | produce -q measured
    topic ls --sizes --rates --json
    topic offsets measured --at @-1h --json
    topic offsets measured --at latest --json
    tail measured -q -o beginning -n 1
    tail measured -q -o earliest:latest`,
    { lines: numbers(1, 100) },
  )
  t.strictSame(statuses, [0, 0, 0, 0, 0, 0])
  const lines = stdout.split('\n').filter((line) => !line.includes('"topic":"seen"'))
  const listed = JSON.parse(lines[0]!)
  t.match(listed, { topic: 'measured', partitions: 1, records: 100, recordsPerSecond: 0 })
  t.ok(listed.bytes > 500 && listed.bytes < 5000, `${listed.bytes} bytes`)
  t.same(
    lines.slice(1, 3).map((line) => JSON.parse(line).offset),
    [0, 100],
  )
  t.same(lines.slice(3).join('\n'), `1\n${numbers(1, 100)}`)
})

t.test('verbs answer to the names that kafka and rpk have for them, and in YAML', async (t) => {
  const { stdout, statuses } = await terminal.run(`
    topic create -q named -c retention.ms=5000 --yaml
    topic describe named --yaml
    topic list --yaml
    config show topic named --yaml
    topic delete named --yes --yaml`)
  t.strictSame(statuses, [0, 0, 0, 0, 0])
  const [, described, listed, config, deleted] = parseAllDocuments(stdout).map((each) =>
    each.toJS(),
  )
  t.match(described, {
    topic: 'named',
    config: { 'retention.ms': '5000' },
    partitions: [{ end: 0 }],
  })
  t.match(
    listed.filter(({ topic }: { topic: string }) => topic === 'named'),
    [{ partitions: 1 }],
  )
  t.match(
    config.find(({ name }: { name: string }) => name === 'retention.ms'),
    { value: '5000' },
  )
  t.match(deleted, [{ topic: 'named' }])
})

t.test('a flag of another tool is told what it is here', async (t) => {
  const scripts = ['tail -C', 'cluster -L', 'tail t --from-beginning', 'produce -t t']
  const all = await Promise.all(scripts.map((script) => terminal.run(script)))
  t.same(
    all.map(({ statuses }) => statuses),
    [[2], [2], [2], [2]],
  )
  t.match(
    all.map(({ stderr }) => stderr),
    [
      /unknown option '-C' \(kcat -C is `millrace tail TOPIC`\)\n$/,
      /millrace cluster info/,
      /that is -o start/,
      /topics are named without a flag/,
    ],
  )
})

t.test('a shell completes verbs, flags and the names of topics and groups', async (t) => {
  await terminal.run(
    `
    one | produce -q complete-me
    tail complete-me -q -g completing -o start -e`,
    { one: '1\n' },
  )
  const { stdout, status } = await terminal.bash(`
    M complete bash | wc -l
    M complete -- ''; M complete -- tail --read
    until M complete -- tail '' | grep complete-me; do :; done
    until M completion -- group lag '' | grep completing; do :; done`)
  t.equal(status, 0)
  t.ok(Number(stdout.split('\n', 1)[0]) > 20, 'a shell has a script')
  t.match(stdout, /\ntail\tprint records, and wait for new ones\n/)
  t.match(stdout, /\n--read-committed\t/)
  t.match(stdout, /\ncomplete-me\t/)
  t.match(stdout, /\ncompleting\t/)
  const away = await terminal.bash(`M complete -- tail -b 127.0.0.1:1 ''`)
  t.match(away, { status: 0, stderr: '' }, 'nobody to ask is no error')
})

t.test('a reader that goes away ends what waits, whatever it waits for', async (t) => {
  await terminal.run('topic create quiet')
  const { stdout } = await terminal.bash('M tail -q quiet | true; echo ${PIPESTATUS[@]}')
  t.equal(stdout, '0 0\n')
})

t.test('numbers that JavaScript would round come back as they went in', async (t) => {
  const value = '{"id":9007199254740993,"price":1.10,"far":1e400}'
  const { stdout } = await terminal.run(
    `
    line | produce -q exact --json
    tail -q exact -o start -e -f '%k %v\\n'
    tail -q exact -o start -e --json --serde json`,
    { line: `{"key":12345678901234567890,"value":${value}}\n` },
  )
  t.match(stdout, `12345678901234567890 ${value}\n`)
  t.match(stdout, `"value":${value},`)
})

t.test('what a record holds does not steer a terminal through NDJSON', async (t) => {
  const { stdout } = await terminal.run(
    `
    text | produce -q steering
    tail -q steering -o start -e --json`,
    { text: '\u009b2J\u0007' },
  )
  t.match(stdout, '"value":"\\u009b2J\\u0007"')
})

t.test(
  'a disk that is full is said while produce waits for it: what, and until when',
  async (t) => {
    const config = { 'log.disk.min.free.bytes': 9_000_000_000_000_000 }
    const broker = await Broker.start({ ephemeral: true, config })
    t.teardown(() => broker.close())
    await terminal.run(`first | produce -q full -b ${broker.bootstrap}`, { first: 'first\n' })
    const { stderr, ended } = terminal.start(`produce full -b ${broker.bootstrap}`, 'second\n')
    await stderr.until(({ text }) => text.includes('disk is full'))
    t.match(
      stderr.text,
      /^a send failed: trying again: KAFKA_STORAGE_ERROR: full\[0\]: the disk is full: \d+ bytes are free/,
    )
    t.match(stderr.text, /a record that waits for two minutes fails/)
    await terminal.run(`config set broker log.disk.min.free.bytes=0 -b ${broker.bootstrap}`)
    t.equal(await ended, 0, 'and goes on when there is room')
  },
)
