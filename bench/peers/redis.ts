// Redis Streams with an append-only file that Redis syncs before each answer.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Unavailable } from '../report.ts'
import { ServerProcess } from '../server-process.ts'
import { LineClient, type LineMeaning } from './line-client.ts'
import { said, startServer, type PeerKind, type Setting } from './peer.ts'
import type { Channel } from './publisher.ts'

const MISSING = 'install redis-server (Debian package redis-server)'
const SETTINGS = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']

/** @throws {Unavailable} if it is not installed */
async function version(): Promise<string> {
  try {
    return /v=(\S+)/.exec(await said('redis-server', '--version'))?.[1] ?? 'unknown'
  } catch (error) {
    throw new Unavailable(MISSING, { cause: error })
  }
}

const kind: PeerKind = {
  name: 'redis',

  version,

  async start(dir) {
    await version() // throws if it is not installed
    const dataDir = join(dir, 'redis')
    mkdirSync(dataDir, { recursive: true })
    const listen = (port: number) => ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', dataDir]
    const logPath = join(dir, 'redis.log')
    const spawn = (port: number) =>
      ServerProcess.spawn('redis-server', [...listen(port), ...SETTINGS], { logPath })
    const probe = async (address: string) => {
      using client = await LineClient.connect(address, meaningOfRedisLine)
      await client.call('PING\r\n')
    }
    return startServer({ dataDir, logPath, spawn, probe })
  },
}

/** Synced before the answer. */
export const redis: Setting = { name: 'redis, synced', kind, topicConfig: {} }

/** The id of an added record comes in two lines: its length, then itself. */
export function meaningOfRedisLine(line: string): LineMeaning {
  if (line.startsWith('-')) return { refusal: line }
  return line.startsWith('$') ? 'nothing' : 'answer'
}

export async function redisChannel(address: string, value: Uint8Array): Promise<Channel> {
  const request = command('XADD', 'bench', '*', 'v', value)
  return {
    async connect() {
      const client = await LineClient.connect(address, meaningOfRedisLine)
      return {
        publish: () => client.call(request),
        [Symbol.dispose]: () => client[Symbol.dispose](),
      }
    },
    async [Symbol.asyncDispose]() {
      using client = await LineClient.connect(address, meaningOfRedisLine)
      await client.call(command('DEL', 'bench'))
    },
  }
}

function command(...words: (string | Uint8Array)[]): Buffer {
  const parts = words.flatMap((word) => [`$${word.length}\r\n`, word, '\r\n'])
  return Buffer.concat([`*${words.length}\r\n`, ...parts].map((part) => Buffer.from(part)))
}
