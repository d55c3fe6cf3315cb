// The CLI as processes: pipes, signals, exit codes; records come out unchanged, in order and binary safe.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import t from '../../protocol/testing/tap.ts'
import { allOf, firstLine, numbers, Terminal } from './testing/terminal.ts'

const terminal = await Terminal.open()
t.teardown(() => terminal[Symbol.asyncDispose]())

t.test('stdout of a command becomes records; a topic becomes stdin', async (t) => {
  const { stdout, stderr, status } = await terminal.bash(
    'touch alpha beta gamma delta xyz; ls | M produce files && M tail files -o start -e | grep a; ls | grep a',
  )
  const names = 'alpha\nbeta\ndelta\ngamma\n'
  t.equal(stdout, names + names)
  t.match(stderr, /files: 5 records/)
  t.match(stderr, /files: partition 0 from 0 to 5/)
  t.equal(status, 0)
})

t.test('the reader may come later, and read again', async (t) => {
  const { stdout } = await terminal.run(
    `
    three | produce -q later
    tail -q later -o start -e
    tail -q later -o start -e`,
    { three: numbers(1, 3) },
  )
  t.equal(stdout, '1\n2\n3\n1\n2\n3\n')
})

t.test('head -1 ends a tail that follows, with status 0 and no word', async (t) => {
  await terminal.run('lines | produce -q long', { lines: numbers(1, 5_000) })
  const { stdout, stderr } = await terminal.bash(
    'M tail -q long -o start | head -1; echo ${PIPESTATUS[@]}; M --help | head -1; echo ${PIPESTATUS[@]}',
  )
  t.equal(stdout, '1\n0 0\nUsage: millrace [options] [command]\n0 0\n')
  t.equal(stderr, '')
})

t.test('binary input comes out as it went in', async (t) => {
  const random = randomBytes(1_500_000)
  writeFileSync(terminal.path('random'), random)
  await terminal.run(`produce -q raw --raw '${terminal.path('random')}'`)
  const printed = async (words: string): Promise<Buffer> => {
    const { stdout, ended } = terminal.start(words)
    t.equal(await ended, 0, words)
    return stdout.bytes
  }
  t.ok((await printed('tail -q raw -o start -e --raw')).equals(random), 'whole')
  const framed = await printed('tail -q raw -o start -e --length-prefixed')
  await terminal.run('framed | produce -q again --length-prefixed', { framed })
  t.ok((await printed('tail -q again -o start -e --length-prefixed')).equals(framed), 'framed')
  t.equal((await printed("tail -q again -o start -e -f '%S '")).toString(), '524288 524288 451424 ')
})

t.test('a hundred thousand lines keep their order', async (t) => {
  const { stdout, status } = await terminal.bash(
    'seq 100000 | M produce -q seq -z lz4; M tail -q seq -o start -e | cmp - <(seq 100000) && echo same',
  )
  t.equal(stdout, 'same\n')
  t.equal(status, 0)
})

t.test('NDJSON copies a topic: keys, headers, times, tombstones and binary values', async (t) => {
  const { stdout, stderr } = await terminal.run(
    `
    lines | produce -q source --key-delim '\\t' -Z -H a=b -H a=c
    bytes | produce -q source --raw
    tail -q source -o start -e --json`,
    { lines: 'ann\t{"cents":250}\nbob\t\n', bytes: Buffer.from([0o377, 0, 0o200]) },
  )
  t.equal(stderr, '')
  writeFileSync(terminal.path('out'), stdout)
  const copied = await terminal.run(`
    produce -q target --json '${terminal.path('out')}'
    tail -q target -o start -e --json`)
  t.equal(copied.stdout.replaceAll('"target"', '"source"'), stdout)
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

t.test('tail follows: it prints what is produced after it began, at once', async (t) => {
  await terminal.run('topic create followed')
  const tail = terminal.start('tail followed -n 2')
  await tail.stderr.until(({ text }) => text === 'followed: partition 0 from 0\n')
  await terminal.run('three | produce -q followed', { three: 'one\ntwo\nthree\n' })
  t.equal(await tail.ended, 0)
  t.equal(tail.stdout.text, 'one\ntwo\n')
})

t.test('^C ends a tail with status 130, and a produce after what it has read', async (t) => {
  const tail = terminal.spawn('tail', 'followed')
  await firstLine(tail.stderr)
  tail.kill('SIGINT')
  t.same(await once(tail, 'exit'), [130, null])

  await terminal.run('topic create interrupted')
  const produce = terminal.spawn('produce', 'interrupted')
  const report = allOf(produce.stderr)
  produce.stdin.write('one\ntwo\n')
  const { stdout } = await terminal.run('tail -q interrupted -o start -n 2') // ends when both have arrived
  t.equal(stdout, 'one\ntwo\n')
  produce.kill('SIGINT')
  t.same(await once(produce, 'exit'), [130, null])
  t.match(await report, /interrupted: 2 records/)
})
