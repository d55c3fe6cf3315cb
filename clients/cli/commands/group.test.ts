// Groups on the command line: several tails that share the work, and the verbs of `group`.

import t from '../../../protocol/testing/tap.ts'
import { Client, string, topic } from '../../index.ts'
import type { Printed } from '../testing/printed.ts'
import { numbers as count, Terminal } from '../testing/terminal.ts'

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

const upward = (a: number, b: number) => a - b
const oneToEach = (count: number) => Array.from({ length: count }, (_, i) => i)

t.test('three tails of one group share the work: all is printed, nothing twice', async (t) => {
  const tails = [1, 2, 3].map(() => terminal.start('tail numbers -g trio -o start'))
  const readsTwo = /^numbers: partition \d from 0, \d from 0$/
  const toldTwo = ({ lines }: Printed) => readsTwo.test(lines.at(-1) ?? '')
  await Promise.all(tails.map(({ stderr }) => stderr.until(toldTwo)))
  await send(0, 6_000)
  const hasShare = ({ lines }: Printed) => lines.length >= 2_000
  await Promise.all(tails.map(({ stdout }) => stdout.until(hasShare)))
  for (const tail of tails) tail.interrupt()
  t.strictSame(await Promise.all(tails.map(({ ended }) => ended)), [130, 130, 130])
  const printed = tails.map(({ stdout }) => stdout.lines)
  t.strictSame(
    printed.map(({ length }) => length),
    [2_000, 2_000, 2_000],
  )
  const all = printed.flat().map(Number).sort(upward)
  t.strictSame(all, oneToEach(6_000), 'together: the input, nothing twice')
  const { total, partitions } = await groups.lag('trio')
  t.equal(total, 0, 'what was printed is committed')
  t.equal(partitions.length, 6)
  t.equal((await groups.describe(['trio']))[0]!.state, 'Empty', 'and they have left')
})

t.test('tails that stop at the end get their share before they do', async (t) => {
  const following = terminal.start('tail numbers -g ends -o start')
  await following.stdout.until(({ lines }) => lines.length === 6_000)
  const { stdout, stderr, statuses } = await terminal.run('tail numbers -g ends -e')
  t.equal(stdout, '')
  t.match(stderr, /^numbers: partition \d from 1000, \d from 1000, \d from 1000\n$/m)
  t.strictSame(statuses, [0])
  following.interrupt()
  t.equal(await following.ended, 130)

  const tail = 'tail -q numbers -g together -o start -e'
  const together = await Promise.all([1, 2, 3].map(() => terminal.run(tail)))
  const printed = together.flatMap((each) => each.stdout.split('\n').slice(0, -1))
  t.strictSame(printed.map(Number).sort(upward), oneToEach(6_000))
  t.match(together, [{ stderr: '' }, { stderr: '' }, { stderr: '' }])
})

t.test(
  'a group goes on where it stopped: after -n, at the end with -e, past a reader that left',
  async (t) => {
    const few = await terminal.run(
      `
      first | produce -q few
      tail -q few -g few -o start -n 2 -f '%v '
      tail -q few -g few -o start -n 2 --grep [35] -f '/%v '
      more | produce -q few
      tail -q few -g few -o start -e -f '|%v '`,
      { first: count(1, 5), more: count(6, 7) },
    )
    t.match(few, { stdout: '1 2 /3 /5 |6 |7 ', stderr: '', statuses: [0, 0, 0, 0, 0] })
    await terminal.run('many | produce -q many', { many: count(1, 100_000) })
    const many = await terminal.bash(
      'M tail -q many -g left -o start | head -1; echo ${PIPESTATUS[@]}',
    )
    t.match(many, { stdout: '1\n0 0\n', stderr: '', status: 0 })
    const [left] = await groups.describe(['left'])
    t.strictSame(left!.members, [], 'it has left, so that nobody waits for it')
    const { total } = await groups.lag('left')
    t.ok(total > 0, 'what nobody took is not committed')
  },
)

t.test('groups are listed, shown, reset and removed; a dry run changes nothing', async (t) => {
  await groups.reset('moved', 100, { of: [numbers] })
  const { stdout, stderr, statuses } = await terminal.run(`
    group ls
    group lag moved
    group lag moved --json
    group reset moved --to start -t numbers -p 0-1 --dry-run
    group reset moved --to 42 --dry-run --json
    group reset moved --to -10 --dry-run --json
    group reset moved --to @2001-01-01 --dry-run --json
    group reset moved --to @-1ms --dry-run --json
    group reset moved --to end --yes --json
    group reset moved --to end
    group rm moved --yes
    group info moved`)
  t.match(stdout, /^GROUP +STATE +TYPE +PROTOCOL\n(.+\n)*moved +Empty +classic +-\n/)
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
  t.strictSame(statuses.slice(-3), [2, 0, 3], 'it is gone')
})

t.test('members are shown with what they read; who reads cannot be moved', async (t) => {
  await using reader = client.consumer({ topics: [numbers], group: 'live', from: 'earliest' })
  await reader[Symbol.asyncIterator]().next()
  const { stdout } = await terminal.run('group info live\ngroup info live --json')
  t.match(stdout, /^live +Stable +consumer +cooperative-sticky +coordinator 1\nMEMBER +INSTANCE/)
  t.match(stdout, /\nmillrace-\S+ +- +millrace +127.0.0.1 +numbers 0,1,2,3,4,5\n/)
  t.match(JSON.parse(stdout.split('\n')[3]!), { group: 'live', members: [{ topics: ['numbers'] }] })

  const cases: [script: string, status: number, stderr: RegExp][] = [
    ['tail numbers -g live -p 1', 2, /-p and -g exclude each other/],
    ['tail numbers -g live -o 1:9', 2, /with -g, -o is one place/],
    ['tail nowhere -g live', 3, /^millrace: no topic 'nowhere'/],
    ['group reset live --to start --yes', 1, /NON_EMPTY_GROUP: group live has active members/],
  ]
  const all = await Promise.all(cases.map(([script]) => terminal.run(script)))
  for (const [i, [script, status, stderr]] of cases.entries()) {
    t.equal(all[i]!.statuses[0], status, script)
    t.match(all[i]!.stderr, stderr)
  }
})

t.test('lag can be watched until ^C', async (t) => {
  const lag = terminal.start('group lag trio --watch --json')
  await lag.stdout.until(({ lines }) => lines.length >= 12) // six partitions, twice
  lag.interrupt()
  t.equal(await lag.ended, 130)
  t.match(JSON.parse(lag.stdout.lines[11]!), { group: 'trio', partition: 5, lag: 0 })
})
