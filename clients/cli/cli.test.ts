// The CLI in pipes, as a person runs it: what goes in comes out, in order, binary safe, and ends as it should.

import { once } from 'node:events'
import t from 'tap'
import { allOf, firstLine, Terminal } from './testing/terminal.ts'

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
  const { stdout } = await terminal.bash(
    'seq 3 | M produce -q later; M tail -q later -o start -e; M tail -q later -o start -e',
  )
  t.equal(stdout, '1\n2\n3\n1\n2\n3\n')
})

t.test('head -1 ends a tail that follows, with status 0 and no word', async (t) => {
  const { stdout, stderr } = await terminal.bash(
    'seq 5000 | M produce -q long; M tail -q long -o start | head -1; echo ${PIPESTATUS[@]}; M --help | head -1; echo ${PIPESTATUS[@]}',
  )
  t.equal(stdout, '1\n0 0\nUsage: millrace [options] [command]\n0 0\n')
  t.equal(stderr, '')
})

t.test('binary input comes out as it went in', async (t) => {
  const { stdout } = await terminal.bash(`
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
  const { stdout, status } = await terminal.bash(
    'seq 100000 | M produce -q seq -z lz4; M tail -q seq -o start -e | cmp - <(seq 100000) && echo same',
  )
  t.equal(stdout, 'same\n')
  t.equal(status, 0)
})

t.test('NDJSON copies a topic: keys, headers, times, tombstones and binary values', async (t) => {
  const { stdout, stderr } = await terminal.bash(`
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

t.test('tail follows: it prints what is produced after it began, at once', async (t) => {
  await terminal.bash('M topic create followed')
  const tail = terminal.start('tail', 'followed', '-n', '2')
  const output = allOf(tail.stdout)
  t.equal(await firstLine(tail.stderr), 'followed: partition 0 from 0')
  await terminal.bash('printf "one\\ntwo\\nthree\\n" | M produce -q followed')
  t.equal(await output, 'one\ntwo\n')
  t.equal(tail.exitCode ?? (await once(tail, 'exit'))[0], 0)
})

t.test('^C ends a tail with status 130, and a produce after what it has read', async (t) => {
  const tail = terminal.start('tail', 'followed')
  await firstLine(tail.stderr)
  tail.kill('SIGINT')
  t.same(await once(tail, 'exit'), [130, null])

  await terminal.bash('M topic create interrupted')
  const produce = terminal.start('produce', 'interrupted')
  const report = allOf(produce.stderr)
  produce.stdin.write('one\ntwo\n')
  const reader = terminal.start('tail', 'interrupted', '-o', 'start', '-n', '2') // ends when both have arrived
  t.equal(await allOf(reader.stdout), 'one\ntwo\n')
  produce.kill('SIGINT')
  t.same(await once(produce, 'exit'), [130, null])
  t.match(await report, /interrupted: 2 records/)
})
