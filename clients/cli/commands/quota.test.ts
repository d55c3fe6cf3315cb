// quota ls|set|rm.

import t from '../../../protocol/testing/tap.ts'
import { byteRate, eventRate, percentage } from '../rates.ts'
import { Terminal } from '../testing/terminal.ts'

const terminal = await Terminal.open()
t.teardown(() => terminal[Symbol.asyncDispose]())

/** Without the headings, one space between columns. */
function linesOf(stdout: string): string[] {
  const lines = stdout.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '))
  return lines.filter((line) => line !== '' && !line.startsWith('USER'))
}

t.test('quota set, ls and rm', async (t) => {
  const made = await terminal.run(`
    quota ls
    quota set --for-user ann --produce 10MB/s --fetch 1MiB
    quota set --for-user ann --requests 25%
    quota set --default-user --for-client-id app --mutations 0.5/s
    quota set --for-ip 10.0.0.7 --connections 20
    quota set --for-user ben --produce 1 --dry-run`)
  t.strictSame(made.statuses, [0, 0, 0, 0, 0, 0])
  t.match(made.stderr, /no quotas[^]*dry run/)
  t.strictSame(linesOf(made.stdout), [
    'ann - - 10,000,000 1,048,576 - - -',
    'ann - - 10,000,000 1,048,576 25 - -',
    '* app - - - - 0.5 -',
    '- - 10.0.0.7 - - - - 20',
  ])
  const listed = await terminal.run(`
    quota ls --for-user ann
    quota ls --for-client-id app --json
    quota ls --for-client-id app --strict
    quota ls --default-ip`)
  t.strictSame(linesOf(listed.stdout), [
    'ann - - 10,000,000 1,048,576 25 - -',
    '{"user":null,"clientId":"app","controllerMutationRate":0.5}',
  ])
  const removed = await terminal.run(`
    quota rm --for-user ann --only produce requests --yes
    quota rm --for-user ann --only produce --yes
    quota rm --for-user ann --dry-run
    quota ls --for-user ann --json
    quota rm --for-user ann --yes
    quota ls --for-user ann`)
  t.strictSame(removed.statuses, [0, 0, 0, 0, 0, 0])
  t.strictSame(linesOf(removed.stdout), [
    'ann - - 10,000,000 - 25 - -',
    'ann - - - 1,048,576 - - -',
    '{"user":"ann","consumerByteRate":1048576}',
    'ann - - - 1,048,576 - - -',
  ])
  t.match(removed.stderr, /user ann has no such quotas[^]*no quotas/)
})

t.test('what cannot take effect is refused in words', async (t) => {
  const refused = async (command: string, why: RegExp) => {
    const { statuses, stderr } = await terminal.run(`quota ${command}`)
    t.not(statuses[0], 0, command)
    t.match(stderr, why, command)
  }
  await refused('set --produce 1', /say whose quotas/)
  await refused('set --for-user ann', /say how much: --produce/)
  await refused('set --for-user ann --for-ip 1.2.3.4 --connections 1', /--for-ip goes with no user/)
  await refused(
    'set --for-user ann --connections 1',
    /--connections cannot take effect: .*use --for-ip/,
  )
  await refused('set --for-ip 1.2.3.4 --produce 1', /--produce cannot take effect/)
  await refused('set --for-ip 10.0.0.0/8 --connections 1', /no address/)
  await refused('set --for-user ann --default-user --produce 1', /default-user/)
  await refused('set --for-user ann --produce 0', /10MB\/s/)
  await refused('set --for-user ann --produce ten', /10MB\/s/)
  await refused('rm --yes', /say whose quotas/)
  await refused('rm --for-user ann --only bytes --yes', /produce, fetch/)
})

t.test('rates are read as people write them', async (t) => {
  const read = ['1', '1.5kb', '2KB/s', '3MiB', ' 1 GB/s ', '7B/s'].map(byteRate)
  t.strictSame(read, [1, 1500, 2000, 3 * 1024 ** 2, 1e9, 7])
  for (const text of ['', '-1', '1TBit', '0', '1/m', '1constructor', '0.2'])
    t.throws(() => byteRate(text), /10MB/, text)
  t.strictSame(['5', '0.5/s'].map(eventRate), [5, 0.5])
  t.strictSame(['5', '12.5 %'].map(percentage), [5, 12.5])
  for (const text of ['', '0', 'x', '-1']) {
    t.throws(() => eventRate(text), /per second/)
    t.throws(() => percentage(text), /percentage/)
  }
})
