// The operators' verbs: change configuration, alter topics, verify data directories.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from '../../../protocol/testing/tap.ts'
import { Broker } from '../../../broker/broker.ts'
import { numbers, Terminal } from '../testing/terminal.ts'

const terminal = await Terminal.open()
t.teardown(() => terminal[Symbol.asyncDispose]())

t.test('config set and unset change topics and brokers, and tell what held before', async (t) => {
  const { stdout, stderr, statuses } = await terminal.run(`
    topic create -q tuned
    config set topic tuned retention.ms=5000 cleanup.policy+=compact --dry-run
    config set topic tuned retention.ms=5000 cleanup.policy+=compact --json
    config unset topic tuned retention.ms --json
    config set broker num.partitions=2 --json
    config set broker 1 num.partitions=3 --json
    config show --origin
    config unset broker 1 num.partitions -q
    config unset broker num.partitions -q
    config show --origin
    config set topic tuned retention.mss=1
    config set broker port=1
    config set topic nowhere retention.ms=1
    config set topic retention.ms=1
    config set topic tuned retention.ms`)
  const told = stdout.split('\n').map((line) => line.replaceAll(/ +/g, ' '))
  const isAsked = (line: string) => /^(OF|tuned|\{|num\.partitions) ?/.test(line)
  t.same(told.filter(isAsked), [
    'OF NAME BEFORE NOW',
    'tuned retention.ms 604800000 5000',
    'tuned cleanup.policy delete delete + compact',
    '{"of":"tuned","name":"retention.ms","before":"604800000","value":"5000"}',
    '{"of":"tuned","name":"cleanup.policy","before":"delete","value":"delete,compact"}',
    '{"of":"tuned","name":"retention.ms","before":"5000","value":"604800000"}',
    '{"of":"all brokers","name":"num.partitions","value":"2"}',
    '{"of":"broker 1","name":"num.partitions","before":"2","value":"3"}',
    'num.partitions 3 dynamicBroker',
    'OF NAME BEFORE NOW',
    'OF NAME BEFORE NOW',
    'num.partitions 1 default',
  ])
  t.match(stderr, /dry run: nothing was changed/)
  t.match(stderr, /did you mean retention.ms\?/)
  t.match(stderr, /cannot update port dynamically/)
  t.match(stderr, /expected name=value, not 'retention.ms'/)
  t.strictSame(statuses, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3, 2, 2])
})

t.test('topic alter adds partitions and changes configs, all or nothing', async (t) => {
  const { stdout, stderr, statuses } = await terminal.run(`
    topic create -q grown -c retention.ms=5
    topic alter grown -p 3 -c retention.mss=1
    topic alter grown -p 1 -c retention.ms=7
    topic alter grown -p 3 -c segment.ms=7 -c retention.ms= --dry-run
    topic info grown
    topic alter grown -p 3 -c segment.ms=7 -c retention.ms= --json
    topic info grown --json
    topic alter grown
    topic alter nowhere -p 3`)
  t.match(
    stdout,
    /\nTOPIC +PARTITIONS\ngrown +3\nOF .*\ngrown +segment.ms +604800000 +7\ngrown +retention.ms +5 +604800000\n/,
  )
  t.match(
    stdout,
    /\ngrown .*\nretention.ms=5\nPARTITION/,
    'neither refusal nor dry run did a thing',
  )
  t.match(stdout, /\n\{"topic":"grown","partitions":3\}\n\{"of":"grown","name":"segment.ms"/)
  t.match(stdout, /"config":\{"segment.ms":"7"\},"partitions":\[.*"partition":2.*\]\}\n$/)
  t.match(stderr, /INVALID_PARTITIONS/)
  t.match(stderr, /nothing to change: say -p or -c/)
  t.strictSame(statuses, [0, 1, 1, 0, 0, 0, 0, 2, 3])
})

t.test('verify tells damage, repairs it, and refuses a directory in use', async (t) => {
  const dataDir = t.testdir()
  const broker = await Broker.start({ dataDir, config: { 'flush.policy': 'os' } })
  const { stderr, statuses } = await terminal.run(
    `
    lines | produce -q -b ${broker.bootstrap} numbers
    verify '${dataDir}'`,
    { lines: numbers(1, 1000) },
  )
  t.match(stderr, /is in use by process \d+.*\n$/)
  t.strictSame(statuses, [0, 1])
  await broker.close()
  const log = join(dataDir, 'numbers-0', `${'0'.repeat(20)}.log`)
  const sound = await terminal.run(`verify '${dataDir}'`)
  t.same([sound.statuses, sound.stdout], [[0], ''])
  t.match(sound.stderr, /^2 logs, \d+ segments, \d+ batches: sound\n$/)
  const bytes = readFileSync(log)
  bytes[100]! ^= 1
  writeFileSync(log, bytes)
  const damaged = await terminal.run(`verify '${dataDir}' --json -q`)
  t.strictSame(damaged.statuses, [1])
  t.match(JSON.parse(damaged.stdout), {
    severity: 'damage',
    where: `numbers-0/${'0'.repeat(20)}.log`,
    what: /^offsets 0 to \d+ cannot be read/,
    repair: /^set aside/,
  })
  const repaired = await terminal.run(`
    verify '${dataDir}' --repair
    verify '${dataDir}'
    verify nowhere
    verify`)
  const known = 'SEVERITY .*\\nnote .*known.*\\n'
  t.match(repaired.stdout, new RegExp(`^SEVERITY +WHERE .*\\ndamage .*\\n${known}${known}$`))
  t.strictSame(repaired.statuses, [0, 0, 3, 2])
})
