// A broker is killed and restarted under an idempotent librdkafka producer: every record is there once.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { KillableBroker } from './killable-broker.ts'
import { jsonLines } from './peers.ts'
import { finished, pythonCommand, requireTools, run } from './tools.ts'

requireTools()

const KILLS = 3
const RECORDS_PER_ROUND = 20_000

const producerConfig = {
  'enable.idempotence': true,
  'batch.num.messages': 100,
  'reconnect.backoff.ms': 50,
  'reconnect.backoff.max.ms': 500,
}

t.test('a producer goes on where a killed broker left it', async (t) => {
  await using broker = await KillableBroker.start(t.testdir())
  const { bootstrap } = broker

  const argument = JSON.stringify({ topic: 'killed', config: producerConfig })
  const [python, args] = pythonCommand('confluent_peer.py', [bootstrap, 'produce', argument])
  const producer = spawn(python, args)
  t.teardown(() => producer.kill())
  const acks: { index: number; offset: number; error: string | null }[] = []
  const lines = createInterface(producer.stdout)
  lines.on('line', (line) => acks.push(JSON.parse(line) as (typeof acks)[number]))

  let sent = 0
  for (let kill = 0; kill < KILLS; kill++) {
    producer.stdin.write(numbered(sent, RECORDS_PER_ROUND))
    sent += RECORDS_PER_ROUND
    await once(lines, 'line') // some records are acknowledged, most are in flight
    await broker.kill()
    await broker.start()
  }
  producer.stdin.end(numbered(sent, RECORDS_PER_ROUND))
  sent += RECORDS_PER_ROUND
  await finished(producer, 'the producer')

  t.same(
    acks.filter(({ error }) => error !== null),
    [],
    'every record is acknowledged',
  )
  t.equal(acks.length, sent)
  const consume = ['-C', '-q', '-e', '-b', bootstrap, '-t', 'killed', '-f', '%o %s\n']
  const { stdout } = await run('kcat', consume)
  const storedLines = stdout.toString().trimEnd().split('\n')
  const stored = new Set(storedLines)
  const lost = acks.filter(({ index, offset }) => !stored.has(`${offset} record ${index}`))
  t.same(lost, [], 'each lies where its acknowledgement says')
  t.equal(storedLines.length, sent, 'and nowhere else')
  const offsets = acks.sort((a, b) => a.index - b.index).map(({ offset }) => offset)
  t.ok(
    offsets.every((offset, i) => i === 0 || offsets[i - 1]! < offset),
    'in order',
  )
})

function text(from: number, count: number): string {
  return Array.from({ length: count }, (_, i) => `record ${from + i}\n`).join('')
}

function numbered(from: number, count: number): string {
  const values = text(from, count).trimEnd().split('\n')
  return jsonLines(values.map((value) => ({ key: null, value: Buffer.from(value), headers: [] })))
}
