// What users of kcat and rpk look for: the cluster, where a time is, other names of verbs, YAML, completion, hints.

import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { Terminal } from '../testing/terminal.ts'

const terminal = await Terminal.open()
t.teardown(() => terminal[Symbol.asyncDispose]())

t.jobs = 2
t.setTimeout(120_000)

t.test(
  'the cluster tells its brokers, partitions and health, for people and programs',
  async (t) => {
    const { stdout, status } = await terminal.bash(`
    M topic create -q seen -p 2 > /dev/null
    M cluster info; M cluster describe --json; M cluster health; M cluster health --json`)
    t.equal(status, 0)
    t.match(
      stdout,
      /^cluster \S{22}\nBROKER  ADDRESS\n1 \* +127\.0\.0\.1:\d+\nTOPIC +PARTITION +LEADER/,
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
  const { stdout, status } = await terminal.bash(`
    seq 100 | M produce -q measured
    M topic ls --sizes --rates --json | grep measured
    M topic offsets measured --at @-1h --json
    M topic offsets measured --at latest --json
    M tail measured -q -o beginning -n 1; M tail measured -q -o earliest:latest | wc -l`)
  t.equal(status, 0)
  const lines = stdout.split('\n')
  const listed = JSON.parse(lines[0]!)
  t.match(listed, { topic: 'measured', partitions: 1, records: 100, recordsPerSecond: 0 })
  t.ok(listed.bytes > 500 && listed.bytes < 5000, `${listed.bytes} bytes`)
  t.same(
    lines.slice(1, 3).map((line) => JSON.parse(line).offset),
    [0, 100],
  )
  t.same(
    lines.slice(3, 5).map((line) => line.trim()),
    ['1', '100'],
  )
})

t.test('verbs answer to the names that kafka and rpk have for them, and in YAML', async (t) => {
  const { stdout, status } = await terminal.bash(`
    M topic create -q named -c retention.ms=5000 > /dev/null
    M topic describe named --yaml; M topic list --yaml; M config show topic named --yaml
    M topic delete named --yes --yaml`)
  t.equal(status, 0)
  const [described, listed, config, deleted] = parseAllDocuments(stdout).map((each) => each.toJS())
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
  const scripts = ['M tail -C', 'M cluster -L', 'M tail t --from-beginning', 'M produce -t t']
  const all = await Promise.all(scripts.map((script) => terminal.bash(script)))
  t.same(
    all.map(({ status }) => status),
    [2, 2, 2, 2],
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
  const { stdout, status } = await terminal.bash(`
    echo 1 | M produce -q complete-me; M tail complete-me -q -g completing -o start -e > /dev/null
    for shell in bash zsh fish powershell; do M complete $shell | wc -l; done
    M complete -- ''; M complete -- topic cr; M complete -- tail --read
    M complete -- tail ''; M completion -- group lag ''`)
  t.equal(status, 0)
  const lines = stdout.split('\n')
  t.ok(
    lines.slice(0, 4).every((count) => Number(count) > 20),
    'each shell has a script',
  )
  t.match(stdout, /\ntail\tprint records, and follow\n/)
  t.match(stdout, /\ncreate\tcreate topics\n/)
  t.match(stdout, /\n--read-committed\t/)
  t.match(stdout, /\ncomplete-me\t/)
  t.match(stdout, /\ncompleting\t/)
  const away = await terminal.bash(`M complete -- tail -b 127.0.0.1:1 ''`)
  t.match(away, { status: 0, stderr: '' }, 'nobody to ask is no error')
})

t.test('a reader that goes away ends what waits, whatever it waits for', async (t) => {
  await terminal.bash('M topic create quiet; echo 1 | M produce -q spoken')
  const { stdout } = await terminal.bash(`
    M tail -q quiet | true; echo \${PIPESTATUS[@]}
    M tail -q spoken -o start | head -1; echo \${PIPESTATUS[@]}`)
  t.equal(stdout, '0 0\n1\n0 0\n')
})

t.test('numbers that JavaScript would round come back as they went in', async (t) => {
  const value = '{"id":9007199254740993,"price":1.10,"far":1e400}'
  const { stdout } = await terminal.bash(`
    echo '{"key":12345678901234567890,"value":${value}}' | M produce -q exact --json
    M tail -q exact -o start -e -f '%k %v\\n'; M tail -q exact -o start -e --json --serde json`)
  t.match(stdout, `12345678901234567890 ${value}\n`)
  t.match(stdout, `"value":${value},`)
})

t.test('what a record holds does not steer a terminal through NDJSON', async (t) => {
  const { stdout } = await terminal.bash(`
    printf '\\u009b2J\\u0007' | M produce -q steering; M tail -q steering -o start -e --json`)
  t.match(stdout, '"value":"\\u009b2J\\u0007"')
})

t.test(
  'a disk that is full is said while produce waits for it: what, and until when',
  async (t) => {
    const { stdout } = await terminal.bash(`
    "$NODE" "$CLI" start --ephemeral --port 0 --http off --json -q -c log.disk.min.free.bytes=9000000000000000 > banner &
    broker=$!
    until [ -s banner ]; do sleep 0.1; done
    address=$("$NODE" -p 'JSON.parse(require("fs").readFileSync("banner")).bootstrap')
    echo first | M produce -q full -b $address
    (echo second; sleep 600) | "$NODE" "$CLI" produce full -b $address 2> said &
    until grep -s 'disk is full' said; do sleep 0.1; done
    kill -KILL $! $broker; pkill -P $$ sleep`)
    t.match(
      stdout,
      /^a send failed: trying again: KAFKA_STORAGE_ERROR: full\[0\]: the disk is full: \d+ bytes are free/,
    )
    t.match(stdout, /a record that waits for two minutes fails/)
  },
)
