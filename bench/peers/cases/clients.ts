// Clients in JavaScript: ours, kafkajs and @platformatic/kafka, on the same broker. Each in a process of its own,
// whose CPU time is measured.

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ClientLoadResult } from '../../client-load.ts'
import { Unavailable } from '../../report.ts'
import type { Case, RatioWanted, Sample } from '../case.ts'
import { withTopic } from '../kafka-wire.ts'
import { kafka } from '../kafka.ts'
import { cpuPerMillion, kcatProduce, MIB, recordsPerSecond } from '../measuring.ts'
import { millraceUnsynced } from '../millrace.ts'
import type { Setting } from '../peer.ts'

const KIB = 1024
const SECONDS = 4
/** Reading large records is so fast that a smaller amount would measure the JIT compiler. */
const PAYLOAD_BYTES = { small: 256 * MIB, large: 1024 * MIB }
const RUN_MS_MAX = 120_000
const LOAD = fileURLToPath(new URL('../../client-load.js', import.meta.url))

/** Never dependencies: @platformatic/kafka needs a newer Node than millrace does, which the package `node` installs. */
const INSTALLED = ['@platformatic/kafka@2', 'node@24']

interface Contestant {
  /** The column's. */
  readonly name: string
  /** Its name in `client-load`. */
  readonly client: string
  readonly isNewNode?: true
}

const contestants: readonly Contestant[] = [
  { name: 'millrace', client: 'millrace' },
  { name: 'millrace, batches', client: 'millrace-batches' },
  { name: 'kafkajs', client: 'kafkajs' },
  { name: 'millrace, Node 24', client: 'millrace', isNewNode: true },
  { name: 'platformatic, Node 24', client: 'platformatic', isNewNode: true },
]

type Work = 'produce' | 'consume'

export const clientCases: Case[] = [
  ...casesOn('', millraceUnsynced, contestants),
  ...casesOn('-on-kafka', kafka, contestants),
]

function casesOn(suffix: string, broker: Setting, all: readonly Contestant[]): Case[] {
  return (['produce', 'consume'] as const).flatMap((work) =>
    [100, KIB].map((recordBytes) => {
      const size = recordBytes === KIB ? '1k' : `${recordBytes}b`
      const shown =
        work === 'consume' ? all : all.filter(({ client }) => client !== 'millrace-batches')
      return clientCase(`client-${work}-${size}${suffix}`, work, recordBytes, broker, shown)
    }),
  )
}

function clientCase(
  name: string,
  work: Work,
  recordBytes: number,
  broker: Setting,
  shown: readonly Contestant[],
): Case {
  const settings = shown.map(({ name }) => ({ ...broker, name }))
  const named = (name: string) => settings.find((setting) => setting.name === name)!
  const against = (of: string, to: string, times: number): RatioWanted[] => [
    { metric: 'rate', of: named(of), to: named(to), atLeast: times },
    { metric: 'CPU', of: named(of), to: named(to), atMost: Number((1 / times).toPrecision(3)) },
  ]
  const what = work === 'produce' ? 'objects with text as their value' : 'in a group'
  return {
    name,
    title: `clients in JavaScript ${work} records of ${recordBytes} bytes, ${what}, 1 partition, on ${broker.name}`,
    settings,
    metrics: [recordsPerSecond, cpuPerMillion],
    ratios: [
      ...against('millrace', 'kafkajs', 5),
      ...against('millrace, Node 24', 'platformatic, Node 24', 1.5),
    ],
    async measure(setting, world) {
      const contestant = shown[settings.indexOf(setting)]!
      const payloadBytes = recordBytes < KIB ? PAYLOAD_BYTES.small : PAYLOAD_BYTES.large
      const count = Math.floor((payloadBytes * world.scale) / recordBytes)
      const peer = await world.peerOf(setting)
      const topic = world.topicName()
      const shape = { name: topic, partitions: 1, config: setting.topicConfig }
      return withTopic(peer, shape, async () => {
        if (work === 'consume') {
          const linesPath = world.linesFile(count, recordBytes)
          await kcatProduce(peer.address, { topic, linesPath, batchBytes: 64 * KIB })
        }
        return load(contestant, [
          work,
          peer.address,
          topic,
          recordBytes,
          SECONDS * world.scale,
          count,
        ])
      })
    },
  }
}

const run = promisify(execFile)

async function load(
  { client, isNewNode }: Contestant,
  args: readonly (string | number)[],
): Promise<Sample> {
  const dir = isNewNode === true ? await (installation ??= install()) : ''
  const node = isNewNode === true ? join(dir, 'node_modules/node/bin/node') : process.execPath
  const all = [LOAD, client, ...args.map(String), dir]
  const { stdout } = await run(node, all, { timeout: RUN_MS_MAX })
  const { recordsPerSecond, cpuSecondsPerMillion } = JSON.parse(stdout) as ClientLoadResult
  return { rate: recordsPerSecond, CPU: cpuSecondsPerMillion }
}

let installation: Promise<string> | undefined

/** @returns the directory. @throws {Unavailable} where npm cannot install */
async function install(): Promise<string> {
  const dir = join(tmpdir(), 'millrace-client-peers')
  if (existsSync(join(dir, 'node_modules/node/bin/node'))) return dir
  mkdirSync(dir, { recursive: true })
  try {
    await run('npm', ['install', '--no-audit', '--no-fund', '--prefix', dir, ...INSTALLED])
  } catch (error) {
    throw new Unavailable(`npm cannot install ${INSTALLED.join(' and ')}`, { cause: error })
  }
  return dir
}
