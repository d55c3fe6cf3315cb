// The CLI as a person runs it: the built program in bash, against one embedded broker.

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Broker } from '../../broker/broker.ts'

const cli = fileURLToPath(new URL('main.js', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
const broker = await Broker.start({ ephemeral: true })
t.teardown(async () => {
  for (const child of children) child.kill('SIGKILL')
  await broker.close()
  rmSync(directory, { recursive: true, force: true })
})

const env: NodeJS.ProcessEnv = {
  ...process.env,
  MILLRACE_BROKERS: broker.bootstrap,
  NODE: process.execPath,
  CLI: cli,
}
for (const name of ['NO_COLOR', 'FORCE_COLOR']) delete env[name]

interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a bash script in an empty directory; `M` in it is the CLI, without tap's hooks, which cost 0.2 s each time. */
function bash(script: string): Promise<Ended> {
  return new Promise((resolve) => {
    const source = `unset NODE_OPTIONS; M() { "$NODE" "$CLI" "$@"; }\n${script}`
    const options = { cwd: directory, env, maxBuffer: 64 * 1024 * 1024 }
    execFile('bash', ['-c', source], options, (error, stdout, stderr) => {
      resolve({
        status: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
        stdout,
        stderr,
      })
    })
  })
}

const children: ChildProcess[] = []

/** Starts the CLI alone, so that it can be signalled. */
function start(...args: string[]): ChildProcess {
  const command = ['-u', 'NODE_OPTIONS', process.execPath, cli, ...args]
  const child = spawn('env', command, { cwd: directory, env, stdio: ['pipe', 'pipe', 'pipe'] })
  children.push(child)
  return child
}

/** The first line of stderr: where tail begins, hence that it has begun. */
async function announced({ stderr }: ChildProcess): Promise<string> {
  const [line] = (await once(createInterface(stderr!), 'line')) as [string]
  return line
}

async function allOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = ''
  for await (const chunk of stream!) text += String(chunk)
  return text
}

t.test('stdout of a command becomes records; a topic becomes stdin', async (t) => {
  const { stdout, stderr, status } = await bash(
    'touch alpha beta gamma delta xyz; ls | M produce files && M tail files -o start -e | grep a; ls | grep a',
  )
  const names = 'alpha\nbeta\ndelta\ngamma\n'
  t.equal(stdout, names + names)
  t.match(stderr, /files: 5 records/)
  t.match(stderr, /files: partition 0 from 0 to 5/)
  t.equal(status, 0)
})

t.test('the reader may come later, and read again', async (t) => {
  const { stdout } = await bash(
    'seq 3 | M produce -q later; M tail -q later -o start -e; M tail -q later -o start -e',
  )
  t.equal(stdout, '1\n2\n3\n1\n2\n3\n')
})

t.test('head -1 ends a tail that follows, with status 0 and no word', async (t) => {
  const { stdout, stderr } = await bash(
    'seq 5000 | M produce -q long; M tail -q long -o start | head -1; echo ${PIPESTATUS[@]}; M --help | head -1; echo ${PIPESTATUS[@]}',
  )
  t.equal(stdout, '1\n0 0\nUsage: millrace [options] [command]\n0 0\n')
  t.equal(stderr, '')
})

t.test('binary input comes out as it went in', async (t) => {
  const { stdout } = await bash(`
    head -c 1500000 /dev/urandom > random
    M produce -q raw --raw random
    M tail -q raw -o start -e --raw | cmp - random && echo whole
    M tail -q raw -o start -e --length-prefixed > framed
    M produce -q again --length-prefixed < framed
    M tail -q again -o start -e --length-prefixed | cmp - framed && echo framed
    M tail -q again -o start -e -f '%S '`)
  t.equal(stdout, 'whole\nframed\n524288 524288 451424 ')
})

t.test('a hundred thousand lines keep their order', async (t) => {
  const { stdout, status } = await bash(
    'seq 100000 | M produce -q seq -z lz4; M tail -q seq -o start -e | cmp - <(seq 100000) && echo same',
  )
  t.equal(stdout, 'same\n')
  t.equal(status, 0)
})

t.test('NDJSON copies a topic: keys, headers, times, tombstones and binary values', async (t) => {
  const { stdout, stderr } = await bash(`
    printf 'ann\\t{"cents":250}\\nbob\\t\\n' | M produce -q source --key-delim '\\t' -Z -H a=b -H a=c
    printf '\\377\\000\\200' | M produce -q source --raw
    M tail -q source -o start -e --json > out
    M produce -q target --json out
    M tail -q target -o start -e --json | sed s/target/source/ | cmp - out && cat out`)
  t.equal(stderr, '')
  const records = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  t.match(records, [
    {
      topic: 'source',
      partition: 0,
      offset: 0,
      timestamp: Number,
      key: 'ann',
      value: '{"cents":250}',
    },
    {
      key: 'bob',
      value: null,
      headers: [
        ['a', 'b'],
        ['a', 'c'],
      ],
    },
    { key: null, value: '/wCA', encoding: { value: 'base64' }, headers: [] },
  ])
})

t.test('ranges, counts and partitions choose what is printed', async (t) => {
  const { stdout, stderr } = await bash(`
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
  const { stdout, stderr } = await bash(`
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

t.test('tail follows: it prints what is produced after it began, at once', async (t) => {
  await bash('M topic create followed')
  const tail = start('tail', 'followed', '-n', '2')
  const output = allOf(tail.stdout)
  t.equal(await announced(tail), 'followed: partition 0 from 0')
  await bash('printf "one\\ntwo\\nthree\\n" | M produce -q followed')
  t.equal(await output, 'one\ntwo\n')
  t.equal(tail.exitCode ?? (await once(tail, 'exit'))[0], 0)
})

t.test('^C ends a tail with status 130, and a produce after what it has read', async (t) => {
  const tail = start('tail', 'followed')
  await announced(tail)
  tail.kill('SIGINT')
  t.same(await once(tail, 'exit'), [130, null])

  await bash('M topic create interrupted')
  const produce = start('produce', 'interrupted')
  const report = allOf(produce.stderr)
  produce.stdin!.write('one\ntwo\n')
  const reader = start('tail', 'interrupted', '-o', 'start', '-n', '2') // ends when both have arrived
  t.equal(await allOf(reader.stdout), 'one\ntwo\n')
  produce.kill('SIGINT')
  t.same(await once(produce, 'exit'), [130, null])
  t.match(await report, /interrupted: 2 records/)
})

t.test('exit codes say what went wrong, and one line tells it', async (t) => {
  const cases: [script: string, status: number, stderr: RegExp][] = [
    ['M tail t --jsn', 2, /^millrace: unknown option '--jsn' \(Did you mean --json\?\)\n$/],
    ['M tial t', 2, /^millrace: unknown command 'tial' \(Did you mean tail\?\)\n$/],
    ['M tail t -g group', 2, /^millrace: unknown option '-g'\n$/],
    ['M tail t -o yesterday', 2, /^millrace: offset range 'yesterday': expected end, start, -10/],
    ['M tail nowhere', 3, /^millrace: no topic 'nowhere'; .*\n$/],
    ['M tail files -p 7', 3, /^millrace: files has no partition 7/],
    ['M produce t no-such-file', 3, /^millrace: no file 'no-such-file'\n$/],
    ['M topic ls -b 127.0.0.1:1', 5, /^millrace: .*127\.0\.0\.1:1.*millrace start.*\n$/],
    ['M topic ls -b 127.0.0.1:port', 2, /^millrace: .*127\.0\.0\.1:port.*\n$/],
    ['M topic create files', 1, /^millrace: .*TOPIC_ALREADY_EXISTS.*\n$/],
    ['M topic create two files', 6, /^millrace: .*TOPIC_ALREADY_EXISTS.*\n$/],
    ['M topic rm files', 2, /--yes/],
    ['echo nonsense | M produce -q t --json', 1, /^millrace: line 1: not a record in JSON/],
  ]
  const all = await Promise.all(cases.map(([script]) => bash(script)))
  for (const [i, [script, status, stderr]] of cases.entries()) {
    t.equal(all[i]!.status, status, script)
    t.match(all[i]!.stderr, stderr)
  }
})

t.test('a refused record stops a produce: what went before stays, status 6', async (t) => {
  const { stdout, stderr, status } = await bash(`
    (echo before; sleep 0.3; head -c 1200000 /dev/zero | tr '\\0' x; echo; echo after) | M produce -q partly
    status=$?; M tail -q partly -o start -n 1; exit $status`)
  t.equal(status, 6)
  t.equal(stdout, 'before\n')
  t.match(stderr, /^millrace: \d of 3 records were acknowledged; stopped at: MESSAGE_TOO_LARGE/)
})

t.test('topics are created, shown, trimmed and removed; a dry run changes nothing', async (t) => {
  const { stdout, stderr, status } = await bash(`
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
  const { stdout, status } = await bash(`
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
    const child = start('--ephemeral', '--port', '0', '--http', '0', '--json')
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    const { bootstrap, http } = JSON.parse(line) as { bootstrap: string; http: string }
    const { stdout } = await bash(
      `echo hello | M produce -q -b ${bootstrap} t; M tail -q -b ${bootstrap} t -o start -e`,
    )
    t.equal(stdout, 'hello\n')
    t.equal((await fetch(`${http}/healthz`)).status, 200)
    child.kill('SIGTERM')
    t.same(await once(child, 'exit'), [0, null])
  },
)
