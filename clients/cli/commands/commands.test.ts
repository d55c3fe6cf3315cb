// The verbs of the CLI, one by one: flags, output, exit codes.

import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import t from '../../../protocol/testing/tap.ts'
import { firstLine, numbers, Terminal } from '../testing/terminal.ts'

const terminal = await Terminal.open()
t.teardown(() => terminal[Symbol.asyncDispose]())

t.test('ranges, counts and partitions choose what is printed', async (t) => {
  const { stdout, stderr } = await terminal.run(
    `
    topic create -q ranges -p 2
    ten | produce -q ranges -p 0
    one | produce -q ranges -p 1
    tail -q ranges -f '%v ' -o -3 -e -p 0
    tail -q ranges -f '/%v ' -o 4:6 -p 0
    tail -q ranges -f '|%v ' -o :end -p 0 -n 2
    tail -q ranges -f '%v ' -o @-1h -e -p 1
    tail -q ranges -f '%v ' -o @2001-01-01:@2001-01-02
    tail -q ranges -f '+%v ' -o +3:-5 -p 0-0
    tail ranges -o start -e -p 0,1 --raw`,
    { ten: numbers(0, 9), one: 'a\n' },
  )
  t.match(stdout, '\n7 8 9 /4 /5 |0 |1 a +3 +4 ')
  t.match(stderr, 'ranges: partition 0 from 0 to 10, 1 from 0 to 1\n')
})

t.test('filters see keys, text, JSON and MessagePack', async (t) => {
  const { stdout, stderr } = await terminal.run(
    `
    pairs | produce -q mixed --key-delim =
    tail -q mixed -o start -e --key bob --grep cents
    tail -q mixed -o start -e --filter 'value.cents > 100' -f '%k\\n'
    json | produce -q packed --json --serde msgpack
    tail -q packed -o start -e --serde msgpack --filter 'value.cents == 990'
    tail -q mixed -o start -e --key ann --serde bytes
    tail -q mixed -o start -e --serde json --key cyd`,
    {
      pairs: 'ann={"cents":250}\nbob={"cents":10}\ncyd=no json\n',
      json: '{"value":{"cents":990}}\n',
    },
  )
  t.equal(stdout, '{"cents":10}\nann\n{"cents":990}\neyJjZW50cyI6MjUwfQ==\nno json\n')
  t.match(stderr, /warning: a record is left out, --filter fails: .*\(said once\)\n/)
  t.match(stderr, /warning: a record is shown as text/)
})

t.test('exit codes say what went wrong, and one line tells it', async (t) => {
  await terminal.run('topic create taken')
  const cases: [script: string, status: number, stderr: RegExp][] = [
    ['tail t --jsn', 2, /^millrace: unknown option '--jsn' \(Did you mean --json\?\)\n$/],
    ['tial t', 2, /^millrace: unknown command 'tial' \(Did you mean tail\?\)\n$/],
    ['tail t -o yesterday', 2, /^millrace: offset range 'yesterday': expected end, start, -10/],
    ['tail nowhere', 3, /^millrace: no topic 'nowhere'; .*\n$/],
    ['tail taken -p 7', 3, /^millrace: taken has no partition 7/],
    ['produce t no-such-file', 3, /^millrace: no file 'no-such-file'\n$/],
    ['topic ls -b 127.0.0.1:1', 5, /^millrace: .*127\.0\.0\.1:1.*millrace start.*\n$/],
    ['topic ls -b 127.0.0.1:port', 2, /^millrace: .*127\.0\.0\.1:port.*\n$/],
    ['topic create taken', 1, /^millrace: .*TOPIC_ALREADY_EXISTS.*\n$/],
    ['topic create two taken', 6, /^millrace: .*TOPIC_ALREADY_EXISTS.*\n$/],
    ['topic rm taken', 2, /--yes/],
    ['nonsense |  produce -q t --json', 1, /^millrace: line 1: not a record in JSON/],
  ]
  const all = await Promise.all(
    cases.map(([script]) => terminal.run(script, { nonsense: 'nonsense' })),
  )
  for (const [i, [script, status, stderr]] of cases.entries()) {
    t.equal(all[i]!.statuses[0], status, script)
    t.match(all[i]!.stderr, stderr)
  }
})

t.test('a refused record stops a produce: what went before stays, status 6', async (t) => {
  await terminal.run('topic create partly')
  const input = new PassThrough()
  const { stderr, ended } = terminal.start('produce -q partly', input)
  input.write('before\n')
  const { stdout } = await terminal.run('tail -q partly -o start -n 1') // when it has arrived
  input.end(`${'x'.repeat(1_200_000)}\nafter\n`)
  t.equal(await ended, 6)
  t.equal(stdout, 'before\n')
  t.match(
    stderr.text,
    /^millrace: \d of 3 records were acknowledged; stopped at: MESSAGE_TOO_LARGE/,
  )
})

t.test('topics are created, shown, trimmed and removed; a dry run changes nothing', async (t) => {
  const { stdout, stderr, statuses } = await terminal.run(
    `
    topic create shop -p 2 -c segment.bytes=1048576 --dry-run
    topic create shop -p 2 -c segment.bytes=1048576
    topic create shop --if-not-exists
    ten | produce -q shop -p 1
    topic ls
    topic info shop
    topic trim shop --to 4 --dry-run
    topic trim shop --to 4 --yes --json
    tail -q shop -o start -e -n 1
    topic rm shop --yes
    topic info shop`,
    { ten: numbers(1, 10) },
  )
  t.match(stdout, /^would create shop with 2 partitions\ncreated shop with 2 partitions\n/)
  t.match(stdout, /\nTOPIC +PARTITIONS +RECORDS\n(.+\n)*shop +2 +10\n/)
  t.match(
    stdout,
    /\nsegment.bytes=1048576\nPARTITION  START  END  RECORDS .*\n +0 +0 +0 +0 .*\n +1 +0 +10 +10 /,
  )
  t.match(stdout, '\n        1      0          4        4\n')
  t.match(stdout, '{"partition":1,"start":0,"newStart":4,"deletes":4}\n5\nDELETES')
  t.match(stderr, /dry run: nothing was changed/)
  t.strictSame(statuses, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3], 'it is gone')
})

t.test('config show tells values and where they come from', async (t) => {
  const { stdout, statuses } = await terminal.run(`
    topic create -q set -c retention.ms=5000
    config show topic set --origin
    config show --json
    config show`)
  t.match(stdout, /\nNAME +VALUE +ORIGIN\n/)
  t.match(stdout, /\nretention.ms +5000 +topic\n/)
  t.match(stdout, /\nsegment.bytes +1073741824 +default\n/)
  t.match(stdout, /\n\{"name":"num.partitions","value":"1"/)
  t.match(stdout, /\nnum.partitions +1\n/)
  t.strictSame(statuses, [0, 0, 0, 0])
})

t.test(
  'start is the default verb: it prints where it listens, and SIGTERM ends it with status 0',
  async (t) => {
    const child = terminal.spawn('--ephemeral', '--port', '0', '--http', '0', '--json')
    const line = await firstLine(child.stdout)
    const { bootstrap, http } = JSON.parse(line) as { bootstrap: string; http: string }
    const { stdout } = await terminal.run(
      `hello | produce -q -b ${bootstrap} t
      tail -q -b ${bootstrap} t -o start -e`,
      { hello: 'hello\n' },
    )
    t.equal(stdout, 'hello\n')
    t.equal((await fetch(`${http}/healthz`)).status, 200)
    child.kill('SIGTERM')
    t.same(await once(child, 'exit'), [0, null])
  },
)
