// The verbs of the CLI, one by one: flags, what they print, exit codes.

import { once } from 'node:events'
import t from 'tap'
import { firstLine, Terminal } from '../testing/terminal.ts'

const terminal = await Terminal.open()
t.teardown(() => terminal[Symbol.asyncDispose]())

t.jobs = 2 // most of the time goes into starting Node

t.test('ranges, counts and partitions choose what is printed', async (t) => {
  const { stdout, stderr } = await terminal.bash(`
    M topic create -q ranges -p 2 > /dev/null
    seq 0 9 | M produce -q ranges -p 0; echo a | M produce -q ranges -p 1
    T() { M tail -q ranges "$@" -f '%v '; echo; }
    T -o -3 -e -p 0; T -o 4:6 -p 0; T -o :end -p 0 -n 2; T -o @-1h -e -p 1
    T -o @2001-01-01:@2001-01-02; T -o +3:-5 -p 0-0
    M tail ranges -o start -e -p 0,1 --raw`)
  t.same(stdout.split(/ ?\n/).slice(0, 6), ['7 8 9', '4 5', '0 1', 'a', '', '3 4'])
  t.match(stderr, 'ranges: partition 0 from 0 to 10, 1 from 0 to 1\n')
})

t.test('filters see keys, text, JSON and MessagePack', async (t) => {
  const { stdout, stderr } = await terminal.bash(`
    printf '%s\\n' 'ann={"cents":250}' 'bob={"cents":10}' 'cyd=no json' | M produce -q mixed --key-delim =
    T() { M tail -q mixed -o start -e "$@"; }
    T --key bob --grep cents; T --filter 'value.cents > 100' -f '%k%n'
    echo '{"value":{"cents":990}}' | M produce -q packed --json --serde msgpack
    M tail -q packed -o start -e --serde msgpack --filter 'value.cents == 990'
    T --key ann --serde bytes
    T --serde json --key cyd`)
  t.equal(stdout, '{"cents":10}\nann\n{"cents":990}\neyJjZW50cyI6MjUwfQ==\nno json\n')
  t.match(stderr, /warning: a record is left out, --filter fails: .*\(said once\)\n/)
  t.match(stderr, /warning: a record is shown as text/)
})

t.test('exit codes say what went wrong, and one line tells it', async (t) => {
  await terminal.bash('M topic create taken')
  const cases: [script: string, status: number, stderr: RegExp][] = [
    ['M tail t --jsn', 2, /^millrace: unknown option '--jsn' \(Did you mean --json\?\)\n$/],
    ['M tial t', 2, /^millrace: unknown command 'tial' \(Did you mean tail\?\)\n$/],
    ['M tail t -o yesterday', 2, /^millrace: offset range 'yesterday': expected end, start, -10/],
    ['M tail nowhere', 3, /^millrace: no topic 'nowhere'; .*\n$/],
    ['M tail taken -p 7', 3, /^millrace: taken has no partition 7/],
    ['M produce t no-such-file', 3, /^millrace: no file 'no-such-file'\n$/],
    ['M topic ls -b 127.0.0.1:1', 5, /^millrace: .*127\.0\.0\.1:1.*millrace start.*\n$/],
    ['M topic ls -b 127.0.0.1:port', 2, /^millrace: .*127\.0\.0\.1:port.*\n$/],
    ['M topic create taken', 1, /^millrace: .*TOPIC_ALREADY_EXISTS.*\n$/],
    ['M topic create two taken', 6, /^millrace: .*TOPIC_ALREADY_EXISTS.*\n$/],
    ['M topic rm taken', 2, /--yes/],
    ['echo nonsense | M produce -q t --json', 1, /^millrace: line 1: not a record in JSON/],
  ]
  const all = await Promise.all(cases.map(([script]) => terminal.bash(script)))
  for (const [i, [script, status, stderr]] of cases.entries()) {
    t.equal(all[i]!.status, status, script)
    t.match(all[i]!.stderr, stderr)
  }
})

t.test('a refused record stops a produce: what went before stays, status 6', async (t) => {
  const { stdout, stderr, status } = await terminal.bash(`
    (echo before; sleep 0.3; head -c 1200000 /dev/zero | tr '\\0' x; echo; echo after) | M produce -q partly
    status=$?; M tail -q partly -o start -n 1; exit $status`)
  t.equal(status, 6)
  t.equal(stdout, 'before\n')
  t.match(stderr, /^millrace: \d of 3 records were acknowledged; stopped at: MESSAGE_TOO_LARGE/)
})

t.test('topics are created, shown, trimmed and removed; a dry run changes nothing', async (t) => {
  const { stdout, stderr, status } = await terminal.bash(`
    M topic create shop -p 2 -c segment.bytes=1048576 --dry-run
    M topic create shop -p 2 -c segment.bytes=1048576
    M topic create shop --if-not-exists
    seq 10 | M produce -q shop -p 1
    M topic ls | grep -E 'TOPIC|shop'
    M topic info shop
    M topic trim shop --to 4 --dry-run
    M topic trim shop --to 4 --yes --json
    M tail -q shop -o start -e | head -1
    M topic rm shop --yes
    M topic info shop`)
  t.match(stdout, /^would create shop with 2 partitions\ncreated shop with 2 partitions\n/)
  t.match(stdout, /\nTOPIC +PARTITIONS +RECORDS\nshop +2 +10\n/)
  t.match(
    stdout,
    /\nsegment.bytes=1048576\nPARTITION  START  END  RECORDS .*\n +0 +0 +0 +0 .*\n +1 +0 +10 +10 /,
  )
  t.match(stdout, '\n        1      0          4        4\n')
  t.match(stdout, '{"partition":1,"start":0,"newStart":4,"deletes":4}\n5\nDELETES')
  t.match(stderr, /dry run: nothing was changed/)
  t.equal(status, 3, 'it is gone')
})

t.test('config show tells values and where they come from', async (t) => {
  const { stdout, status } = await terminal.bash(`
    M topic create -q set -c retention.ms=5000 > /dev/null
    M config show topic set --origin | grep -E 'NAME|^retention.ms|^segment.bytes'
    M config show --json | head -1
    M config show | grep num.partitions`)
  t.match(
    stdout,
    /^NAME +VALUE +ORIGIN\nretention.ms +5000 +topic\nsegment.bytes +1073741824 +default\n\{"name":"/,
  )
  t.match(stdout, /num.partitions +1\n$/)
  t.equal(status, 0)
})

t.test(
  'start is the default verb: it prints where it listens, and SIGTERM ends it with status 0',
  async (t) => {
    const child = terminal.start('--ephemeral', '--port', '0', '--http', '0', '--json')
    const line = await firstLine(child.stdout)
    const { bootstrap, http } = JSON.parse(line) as { bootstrap: string; http: string }
    const { stdout } = await terminal.bash(
      `echo hello | M produce -q -b ${bootstrap} t; M tail -q -b ${bootstrap} t -o start -e`,
    )
    t.equal(stdout, 'hello\n')
    t.equal((await fetch(`${http}/healthz`)).status, 200)
    child.kill('SIGTERM')
    t.same(await once(child, 'exit'), [0, null])
  },
)
