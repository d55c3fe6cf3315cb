// The command line beside kcat, on the same broker: the cost of one process of each, from start to end, for the same job.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Case, Metric, RatioWanted } from '../case.ts'
import { withTopic } from '../kafka-wire.ts'
import { kcatProduce } from '../measuring.ts'
import { millraceUnsynced } from '../millrace.ts'

const KIB = 1024
const RECORDS = 1_000_000
const RECORD_BYTES = 100
const RUN_MS_MAX = 120_000
const CLI = fileURLToPath(new URL('../../../bundle/cli/millrace.cjs', import.meta.url))

const cpu: Metric = { name: 'CPU', unit: 'CPU-s', better: 'less' }

const ours = { ...millraceUnsynced, name: 'millrace' }
const kcat = { ...millraceUnsynced, name: 'kcat' }

/** A job on a topic with `count` records. */
interface Job {
  readonly name: string
  readonly what: string
  readonly ours: Args
  /** undefined: kcat has no such command. */
  readonly kcat?: { readonly args: Args; readonly atMost: number }
}

type Args = (topic: string, count: number, lines: string) => readonly string[]

const read = (topic: string, count: number) => [
  '-C',
  '-q',
  '-t',
  topic,
  '-o',
  'beginning',
  '-c',
  `${count}`,
]
const tail = (topic: string, count: number) => [
  'tail',
  '-q',
  topic,
  '-o',
  'start',
  '-n',
  `${count}`,
]

const jobs: readonly Job[] = [
  { name: 'tail', what: 'print values', ours: tail, kcat: { atMost: 1.5, args: read } },
  {
    name: 'format',
    what: 'print with -f',
    ours: (topic, count) => [...tail(topic, count), '-f', '%o %k %s\\n'],
    kcat: { atMost: 1.5, args: (topic, count) => [...read(topic, count), '-f', '%o %k %s\\n'] },
  },
  {
    name: 'json',
    what: 'print JSON',
    ours: (topic, count) => [...tail(topic, count), '--json'],
    kcat: { atMost: 1, args: (topic, count) => [...read(topic, count), '-J'] },
  },
  {
    name: 'produce',
    what: 'send the lines of a file',
    ours: (topic, _count, lines) => ['produce', '-q', topic, lines],
    kcat: { atMost: 1.5, args: (topic, _count, lines) => ['-P', '-q', '-t', topic, '-l', lines] },
  },
  {
    name: 'filter',
    what: 'print what a filter lets through, seconds for a million',
    ours: (topic) => [
      'tail',
      '-q',
      topic,
      '-o',
      'start',
      '-e',
      '--filter',
      "value.startsWith('zz')",
    ],
  },
  {
    name: 'ls',
    what: 'list topics',
    ours: () => ['topic', 'ls', '-q'],
    kcat: { atMost: 12, args: () => ['-L'] },
  },
]

export const cliCases: Case[] = jobs.map((job) => {
  const settings = job.kcat === undefined ? [ours] : [ours, kcat]
  const ratios: RatioWanted[] =
    job.kcat === undefined ? [] : [{ metric: 'CPU', of: ours, to: kcat, atMost: job.kcat.atMost }]
  return {
    name: `cli-${job.name}`,
    title: `the command line: ${job.what}, ${RECORDS.toLocaleString('en-US')} records of ${RECORD_BYTES} bytes, 1 partition`,
    settings,
    metrics: [cpu],
    ratios,
    async measure(setting, world) {
      const count = Math.floor(RECORDS * world.scale)
      const lines = world.linesFile(count, RECORD_BYTES)
      const peer = await world.peerOf(setting)
      const topic = world.topicName()
      const shape = { name: topic, partitions: 1, config: setting.topicConfig }
      return withTopic(peer, shape, async () => {
        if (job.name !== 'produce')
          await kcatProduce(peer.address, { topic, linesPath: lines, batchBytes: 64 * KIB })
        const command =
          setting === kcat
            ? ['kcat', '-b', peer.address, ...job.kcat!.args(topic, count, lines)]
            : [process.execPath, CLI, ...job.ours(topic, count, lines), '-b', peer.address]
        return { CPU: await cpuSecondsOf(command) }
      })
    },
  }
})

const run = promisify(execFile)

/** Of the process and its threads, by the shell that waited for it. @throws if it failed */
async function cpuSecondsOf(command: readonly string[]): Promise<number> {
  const script = 'unset NODE_OPTIONS NODE_EXTRA_CA_CERTS; "$@" > /dev/null && times'
  const { stdout } = await run('bash', ['-c', script, 'bash', ...command], { timeout: RUN_MS_MAX })
  const ofChildren = stdout.trim().split('\n').at(-1)!
  const times = [...ofChildren.matchAll(/(\d+)m([\d.]+)s/g)]
  return times.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  )
}
