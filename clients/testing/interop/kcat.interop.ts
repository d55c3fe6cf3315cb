// Common uses of kcat: list, produce from a pipe, consume from anywhere.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { jsonLines, runPython } from './peers.ts'
import { requireTools, run } from './tools.ts'

requireTools()

const START_MS = Date.UTC(2024, 1, 29)

const config = {
  listeners: 'PLAINTEXT://127.0.0.1:0,EXTERNAL://127.0.0.1:0',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT',
  'num.partitions': 3,
}
const broker = await Broker.start({ ephemeral: true, config })
t.teardown(() => broker.close())
const bootstrap = broker.listeners['EXTERNAL']!

async function kcat(args: string[], input?: string): Promise<string> {
  const { stdout } = await run('kcat', ['-b', bootstrap, ...args], Buffer.from(input ?? ''))
  return stdout.toString()
}

const consume = (...args: string[]) => kcat(['-C', '-q', '-e', ...args])

interface Listing {
  readonly brokers: { readonly id: number; readonly name: string }[]
  readonly topics: { readonly topic: string; readonly partitions: { readonly leader: number }[] }[]
}

t.test('-L lists the broker, its topics and their partitions', async (t) => {
  await kcat(['-P', '-t', 'listed'], 'one\n')
  const { brokers, topics } = JSON.parse(await kcat(['-L', '-J'])) as Listing
  t.same(
    brokers.map(({ name }) => name),
    [bootstrap],
  )
  const listed = topics.find(({ topic }) => topic === 'listed')
  t.same(
    listed?.partitions.map(({ leader }) => leader),
    Array(3).fill(brokers[0]?.id),
  )
  t.match(await kcat(['-L', '-t', 'listed']), /topic "listed" with 3 partitions/)
})

t.test('lines go in and come out in order', async (t) => {
  const lines = Array.from({ length: 10_000 }, (_, i) => `line ${i}\n`).join('')
  await kcat(['-P', '-t', 'lines', '-p', '0'], lines)
  t.equal(await consume('-t', 'lines', '-p', '0'), lines)
  t.equal(await consume('-t', 'lines', '-p', '0'), lines, 'and again')
})

t.test('without a partition, records spread over all and all are read', async (t) => {
  const lines = Array.from({ length: 3000 }, (_, i) => `${i}`)
  await kcat(['-P', '-t', 'spread', '-X', 'sticky.partitioning.linger.ms=0'], lines.join('\n'))
  const read = (await consume('-t', 'spread', '-f', '%p %s\n')).trim().split('\n')
  t.same(new Set(read.map((line) => line[0])), new Set(['0', '1', '2']))
  t.same(read.map((line) => line.slice(2)).sort(), lines.sort())
})

t.test('keys, headers and null values', async (t) => {
  const args = ['-P', '-t', 'keyed', '-p', '0', '-K', ':', '-Z', '-H', 'a=1', '-H', 'b=2']
  await kcat(args, 'ann:1\nbob:\nno key\n')
  const lines = (await consume('-t', 'keyed', '-p', '0', '-J')).trim().split('\n')
  const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  t.same(
    records.map(({ key, payload, headers }) => [key, payload, headers]),
    [
      ['ann', '1', ['a', '1', 'b', '2']],
      ['bob', null, ['a', '1', 'b', '2']],
      [null, 'no key', ['a', '1', 'b', '2']],
    ],
  )
})

t.test('-o takes beginning, end, an offset, one from the end, and times', async (t) => {
  await tenRecords('ten')
  const from = (offset: string, ...args: string[]) =>
    consume('-t', 'ten', '-p', '0', '-o', offset, '-f', '%s ', ...args)
  t.equal(await from('beginning'), '0 1 2 3 4 5 6 7 8 9 ')
  t.equal(await from('end'), '')
  t.equal(await from('7'), '7 8 9 ')
  t.equal(await from('-2'), '8 9 ')
  t.equal(await from('3', '-c', '2'), '3 4 ')
  t.equal(await from(`s@${START_MS + 6000}`), '6 7 8 9 ', 'the time of a record')
  t.equal(await from(`s@${START_MS + 6001}`), '7 8 9 ', 'between two records')
  t.equal(await from(`s@${START_MS + 10_000}`), '', 'after all of them')
  const range = ['-o', `e@${START_MS + 5000}`]
  t.equal(await from(`s@${START_MS + 2000}`, ...range), '2 3 4 ')
})

t.test('-Q answers which offset a time has', async (t) => {
  await tenRecords('times')
  t.match(await kcat(['-Q', '-t', `times:0:${START_MS + 3000}`]), /times \[0\] offset 3/)
  t.match(await kcat(['-Q', '-t', 'times:0:-1']), /times \[0\] offset 10/)
  t.match(await kcat(['-Q', '-t', 'times:0:-2']), /times \[0\] offset 0/)
})

t.test('a consumer at the end hears of a record as it arrives', async (t) => {
  await kcat(['-P', '-t', 'tailed', '-p', '0'], 'old\n')
  const args = ['-C', '-u', '-b', bootstrap, '-t', 'tailed', '-p', '0', '-o', 'end']
  const tail = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => tail.kill())
  const [notice] = (await once(createInterface(tail.stderr), 'line')) as [string]
  t.match(notice, /Reached end of topic tailed \[0\]/)
  await kcat(['-P', '-t', 'tailed', '-p', '0'], 'new\n')
  const [line] = (await once(createInterface(tail.stdout), 'line')) as [string] // -u writes the line in pieces
  t.equal(line, 'new')
})

t.test('an idempotent producer is welcome', async (t) => {
  await kcat(['-P', '-t', 'once', '-p', '0', '-X', 'enable.idempotence=true'], '1\n2\n3\n')
  t.equal(await consume('-t', 'once', '-p', '0'), '1\n2\n3\n')
})

/**
 * Writes ten records a second apart, from START_MS on, in lz4 batches of several: kcat itself cannot set timestamps.
 */
async function tenRecords(topic: string): Promise<void> {
  const records = Array.from({ length: 10 }, (_, i) => ({
    key: null,
    value: Buffer.from(`${i}`),
    headers: [],
    timestamp: START_MS + i * 1000,
  }))
  const argument = { topic, codec: 'lz4', config: { 'linger.ms': 100 } }
  await runPython(bootstrap, 'confluent_peer.py', 'produce', argument, jsonLines(records))
}
