// Groups on the command line: several tails that share the work, and the verbs of `group`.

import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { Client, string, topic } from '../../index.ts'
import { Terminal } from '../testing/terminal.ts'

const terminal = await Terminal.open()
const client = new Client({ brokers: terminal.bootstrap })
const { groups } = client.admin()
t.teardown(async () => {
  await client.close()
  await terminal[Symbol.asyncDispose]()
})

const numbers = topic('numbers', { value: string })
await client.admin().createTopics([{ topic: numbers, partitions: 6 }])

/** Writes `count` numbers from `first` on, a sixth of them into each partition. */
async function send(first: number, count: number): Promise<void> {
  await using producer = client.producer()
  const values = Array.from({ length: count }, (_, i) => first + i)
  await producer.send(
    numbers,
    values.map((value) => ({ value: `${value}`, partition: value % 6 })),
  )
}

/** The lines of several streams so far, and a wait for when they are as wanted. */
function watch(streams: readonly NodeJS.ReadableStream[]) {
  const lines = streams.map((): string[] => [])
  let check = (): void => {}
  streams.forEach((stream, i) => {
    createInterface(stream).on('line', (line) => {
      lines[i]!.push(line)
      check()
    })
  })
  const until = (isSo: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      check = () => isSo() && resolve()
      check()
    })
  return { lines, until }
}

t.test('three tails of one group share the work: all is printed, nothing twice', async (t) => {
  const tails = [1, 2, 3].map(() => terminal.start('tail', 'numbers', '-g', 'trio', '-o', 'start'))
  const notes = watch(tails.map(({ stderr }) => stderr))
  const printed = watch(tails.map(({ stdout }) => stdout))
  const readsTwo = /^numbers: partition \d from 0, \d from 0$/
  await notes.until(() => notes.lines.every((told) => readsTwo.test(told.at(-1) ?? '')))
  await send(0, 6_000)
  const printedCount = () => printed.lines.reduce((sum, { length }) => sum + length, 0)
  await printed.until(() => printedCount() >= 6_000)
  const ends = tails.map((tail) => once(tail, 'exit'))
  for (const tail of tails) tail.kill('SIGINT')
  t.strictSame(
    await Promise.all(ends),
    tails.map(() => [130, null]),
  )
  t.strictSame(
    printed.lines.map(({ length }) => length),
    [2_000, 2_000, 2_000],
  )
  const isUpward = (a: string, b: string) => Number(a) - Number(b)
  const input = Array.from({ length: 6_000 }, (_, i) => `${i}`)
  t.strictSame(printed.lines.flat().sort(isUpward), input, 'together: the input, nothing twice')
  const { total, partitions } = await groups.lag('trio')
  t.equal(total, 0, 'what was printed is committed')
  t.equal(partitions.length, 6)
  t.equal((await groups.describe(['trio']))[0]!.state, 'Empty', 'and they have left')
})

t.jobs = 3 // these mostly wait, or start Node

t.test('tails that stop at the end get their share before they do', async (t) => {
  const following = terminal.start('tail', 'numbers', '-g', 'ends', '-o', 'start')
  const lines = watch([following.stdout])
  await lines.until(() => lines.lines[0]!.length === 6_000)
  const { stdout, stderr, status } = await terminal.bash('M tail numbers -g ends -e')
  t.equal(stdout, '')
  t.match(stderr, /^numbers: partition \d from 1000, \d from 1000, \d from 1000\n$/m)
  t.equal(status, 0)
  following.kill('SIGINT')
  await once(following, 'exit')

  const together = await terminal.bash(`
    for i in 1 2 3; do M tail -q numbers -g together -o start -e & done | sort -n > all
    seq 0 5999 | cmp - all`)
  t.match(together, { stdout: '', stderr: '', status: 0 })
})

t.test(
  'a group goes on where it stopped: after -n, at the end with -e, past a reader that left',
  async (t) => {
    const { stdout, stderr, status } = await terminal.bash(`
    seq 5 | M produce -q few
    T() { M tail -q few -g few -o start "$@"; }
    T -n 2; echo; T -n 2 --grep '[35]'; echo; seq 6 7 | M produce -q few; T -e; echo
    seq 100000 | M produce -q many; M tail -q many -g left -o start | head -1; echo \${PIPESTATUS[@]}`)
    t.equal(stdout, '1\n2\n\n3\n5\n\n6\n7\n\n1\n0 0\n')
    t.equal(stderr, '')
    t.equal(status, 0)
    const [left] = await groups.describe(['left'])
    t.strictSame(left!.members, [], 'it has left, so that nobody waits for it')
    const { total } = await groups.lag('left')
    t.ok(total > 0, 'what nobody took is not committed')
  },
)

t.test('groups are listed, shown, reset and removed; a dry run changes nothing', async (t) => {
  await groups.reset('moved', 100, { of: [numbers] })
  const { stdout, stderr, status } = await terminal.bash(`
    M group ls | grep -E 'GROUP|moved'
    M group lag moved | tail -n +2 | head -2
    M group lag moved --json | head -1
    M group reset moved --to start -t numbers -p 0-1 --dry-run
    for to in 42 -10 @2001-01-01 @-1ms; do M group reset moved --to $to --dry-run --json | head -1; done
    M group reset moved --to end --yes --json | head -2
    M group reset moved --to end
    M group rm moved --yes
    M group info moved`)
  t.match(stdout, /^GROUP +STATE +TYPE +PROTOCOL\nmoved +Empty +classic +-\n/)
  t.match(
    stdout,
    /\nTOPIC +PARTITION +COMMITTED +END +LAG +MEMBER\nnumbers +0 +100 +1,000 +900 +-\n/,
  )
  t.match(
    stdout,
    '{"group":"moved","topic":"numbers","partition":0,"committed":100,"end":1000,"lag":900,"member":null}',
  )
  t.match(stdout, /\nTOPIC +PARTITION +COMMITTED +NEW\nnumbers +0 +100 +0\nnumbers +1 +100 +0\n/)
  const places = [...stdout.matchAll(/"partition":0,"committed":100,"offset":(\d+)/g)]
  t.strictSame(
    places.map(([, offset]) => Number(offset)),
    [42, 990, 0, 1000, 1000],
    'an offset, so many before the end, the first record from a time on, one that is not yet, the end',
  )
  t.match(stdout, '{"topic":"numbers","partition":1,"committed":100,"offset":1000}\n')
  t.match(stdout, /\nDELETES +STATE +MEMBERS\nmoved +Empty +0\n/)
  t.match(stderr, /dry run: nothing was changed\nmillrace: this cannot be undone: say --yes/)
  t.match(stderr, 'millrace: there is no group moved; millrace group ls lists those that exist\n')
  t.equal(status, 3, 'it is gone')
})

t.test('members are shown with what they read; who reads cannot be moved', async (t) => {
  await using reader = client.consumer({ topics: [numbers], group: 'live', from: 'earliest' })
  await reader[Symbol.asyncIterator]().next()
  const { stdout } = await terminal.bash('M group info live; M group info live --json')
  t.match(stdout, /^live +Stable +consumer +cooperative-sticky +coordinator 1\nMEMBER +INSTANCE/)
  t.match(stdout, /\nmillrace-\S+ +- +millrace +127.0.0.1 +numbers 0,1,2,3,4,5\n/)
  t.match(JSON.parse(stdout.split('\n')[3]!), { group: 'live', members: [{ topics: ['numbers'] }] })

  const cases: [script: string, status: number, stderr: RegExp][] = [
    ['M tail numbers -g live -p 1', 2, /-p and -g exclude each other/],
    ['M tail numbers -g live -o 1:9', 2, /with -g, -o is one place/],
    ['M tail nowhere -g live', 3, /^millrace: no topic 'nowhere'/],
    ['M group reset live --to start --yes', 1, /NON_EMPTY_GROUP: group live has active members/],
  ]
  const all = await Promise.all(cases.map(([script]) => terminal.bash(script)))
  for (const [i, [script, status, stderr]] of cases.entries()) {
    t.equal(all[i]!.status, status, script)
    t.match(all[i]!.stderr, stderr)
  }
})

t.test('lag can be watched until ^C', async (t) => {
  const lag = terminal.start('group', 'lag', 'trio', '--watch', '--json')
  const { lines, until } = watch([lag.stdout])
  await until(() => lines[0]!.length >= 12) // six partitions, twice
  lag.kill('SIGINT')
  t.strictSame(await once(lag, 'exit'), [130, null])
  t.match(JSON.parse(lines[0]![11]!), { group: 'trio', partition: 5, lag: 0 })
})
