// The verbs of operators: configuration changed, topics altered, data directories verified.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { Terminal } from '../testing/terminal.ts'

const terminal = await Terminal.open()
t.teardown(() => terminal[Symbol.asyncDispose]())

t.test('config set and unset change topics and brokers, and tell what held before', async (t) => {
  const { stdout, stderr, status } = await terminal.bash(`
    M topic create -q tuned > /dev/null
    M config set topic tuned retention.ms=5000 cleanup.policy+=compact --dry-run
    M config set topic tuned retention.ms=5000 cleanup.policy+=compact --json
    M config unset topic tuned retention.ms --json
    M config set broker num.partitions=2 --json
    M config set broker 1 num.partitions=3 --json
    M config show --origin | grep num.partitions | tr -s ' '
    M config unset broker 1 num.partitions -q > /dev/null; M config unset broker num.partitions -q > /dev/null
    M config show --origin | grep num.partitions | tr -s ' '
    M config set topic tuned retention.mss=1; echo $?
    M config set broker port=1; echo $?
    M config set topic nowhere retention.ms=1; echo $?
    M config set topic retention.ms=1; echo $?
    M config set topic tuned retention.ms; echo $?`)
  t.same(stdout.split('\n'), [
    'OF     NAME            BEFORE     NOW',
    'tuned  retention.ms    604800000  5000',
    'tuned  cleanup.policy  delete     delete + compact',
    '{"of":"tuned","name":"retention.ms","before":"604800000","value":"5000"}',
    '{"of":"tuned","name":"cleanup.policy","before":"delete","value":"delete,compact"}',
    '{"of":"tuned","name":"retention.ms","before":"5000","value":"604800000"}',
    '{"of":"all brokers","name":"num.partitions","value":"2"}',
    '{"of":"broker 1","name":"num.partitions","before":"2","value":"3"}',
    'num.partitions 3 dynamicBroker',
    'num.partitions 1 default',
    '1',
    '1',
    '3',
    '2',
    '2',
    '',
  ])
  t.match(stderr, /dry run: nothing was changed/)
  t.match(stderr, /did you mean retention.ms\?/)
  t.match(stderr, /cannot update port dynamically/)
  t.match(stderr, /expected name=value, not 'retention.ms'/)
  t.equal(status, 0)
})

t.test('topic alter adds partitions and changes configs, all or nothing', async (t) => {
  const { stdout, stderr, status } = await terminal.bash(`
    M topic create -q grown -c retention.ms=5 > /dev/null
    M topic alter grown -p 3 -c retention.mss=1; echo $?
    M topic alter grown -p 1 -c retention.ms=7; echo $?
    M topic alter grown -p 3 -c segment.ms=7 -c retention.ms= --dry-run
    M topic info grown | head -3
    M topic alter grown -p 3 -c segment.ms=7 -c retention.ms= --json
    M topic info grown --json
    M topic alter grown; echo $?
    M topic alter nowhere -p 3`)
  t.match(
    stdout,
    /^1\n1\nTOPIC +PARTITIONS\ngrown +3\nOF .*\ngrown +segment.ms +604800000 +7\ngrown +retention.ms +5 +604800000\n/,
  )
  t.match(
    stdout,
    /\ngrown .*\nretention.ms=5\nPARTITION/,
    'neither refusal nor dry run did a thing',
  )
  t.match(stdout, /\n\{"topic":"grown","partitions":3\}\n\{"of":"grown","name":"segment.ms"/)
  t.match(stdout, /"config":\{"segment.ms":"7"\},"partitions":\[.*"partition":2.*\]\}\n2\n$/)
  t.match(stderr, /INVALID_PARTITIONS/)
  t.match(stderr, /nothing to change: say -p or -c/)
  t.equal(status, 3)
})

t.test('verify tells damage, repairs it, and refuses a directory in use', async (t) => {
  const dataDir = t.testdir()
  const broker = await Broker.start({ dataDir, config: { 'flush.policy': 'os' } })
  const { stderr } = await terminal.bash(`
    seq 1000 | M produce -q -b ${broker.bootstrap} numbers
    M verify ${dataDir}; echo "status $?" >&2`)
  t.match(stderr, /is in use by process \d+.*\nstatus 1\n$/)
  await broker.close()
  const log = join(dataDir, 'numbers-0', `${'0'.repeat(20)}.log`)
  const sound = await terminal.bash(`M verify ${dataDir}`)
  t.same([sound.status, sound.stdout], [0, ''])
  t.match(sound.stderr, /^2 logs, \d+ segments, \d+ batches: sound\n$/)
  const bytes = readFileSync(log)
  bytes[100]! ^= 1
  writeFileSync(log, bytes)
  const damaged = await terminal.bash(`M verify ${dataDir} --json -q`)
  t.equal(damaged.status, 1)
  t.match(JSON.parse(damaged.stdout), {
    severity: 'damage',
    where: `numbers-0/${'0'.repeat(20)}.log`,
    what: /^offsets 0 to \d+ cannot be read/,
    repair: /^set aside/,
  })
  const repaired = await terminal.bash(`M verify ${dataDir} --repair; M verify ${dataDir} | wc -l`)
  t.match(repaired.stdout, /^SEVERITY +WHERE .*\ndamage .*\nSEVERITY .*\nnote .*known.*\n2\n$/)
  t.equal(repaired.status, 0)
  t.equal((await terminal.bash('M verify nowhere')).status, 3)
  t.equal((await terminal.bash('M verify')).status, 2)
})
