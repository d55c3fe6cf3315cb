// NATS JetStream: one stream in files. It writes before it answers, and syncs every two minutes (its default).

import { join } from 'node:path'
import { Unavailable } from '../report.ts'
import { ServerProcess } from '../server-process.ts'
import { LineClient, type LineMeaning } from './line-client.ts'
import { said, startServer, type PeerKind, type Setting } from './peer.ts'
import type { Channel } from './publisher.ts'

const MISSING = 'install nats-server (Debian package nats-server)'

/** @throws {Unavailable} if it is not installed */
async function version(): Promise<string> {
  try {
    return (await said('nats-server', '--version')).replace(/^.*v/, '')
  } catch (error) {
    throw new Unavailable(MISSING, { cause: error })
  }
}

const kind: PeerKind = {
  name: 'nats',

  version,

  async start(dir) {
    await version() // throws if it is not installed
    const dataDir = join(dir, 'nats')
    const args = (port: number) => ['-a', '127.0.0.1', '-p', `${port}`, '-js', '-sd', dataDir]
    const logPath = join(dir, 'nats.log')
    const spawn = (port: number) => ServerProcess.spawn('nats-server', args(port), { logPath })
    const probe = async (address: string) => {
      using client = await natsClient(address)
      await client.call('PING\r\n')
    }
    return startServer({ dataDir, logPath, spawn, probe })
  },
}

/** Not synced: this server can only sync at intervals. */
export const nats: Setting = { name: 'nats, not synced', kind, topicConfig: {} }

/** An acknowledgement is a message to the inbox, in two lines, of which the second is the answer. */
export function meaningOfNatsLine(line: string): LineMeaning {
  if (line === 'PONG') return 'answer'
  if (line === 'PING') return { reply: 'PONG\r\n' }
  if (line.startsWith('-ERR')) return { refusal: line }
  if (!line.startsWith('{')) return 'nothing' // INFO and MSG lines
  return line.includes('"error"') ? { refusal: line } : 'answer'
}

async function natsClient(address: string): Promise<LineClient> {
  const client = await LineClient.connect(address, meaningOfNatsLine)
  client.send('CONNECT {"verbose":false,"pedantic":false,"no_responders":true,"headers":true}\r\n')
  client.send('SUB inbox.> 1\r\n')
  return client
}

function message(subject: string, payload: string | Uint8Array): Buffer {
  const head = `PUB ${subject} inbox.a ${payload.length}\r\n`
  return Buffer.concat([Buffer.from(head), Buffer.from(payload), Buffer.from('\r\n')])
}

export async function natsChannel(address: string, value: Uint8Array): Promise<Channel> {
  using client = await natsClient(address)
  const stream = { name: 'bench', subjects: ['bench'], storage: 'file', num_replicas: 1 }
  await client.call(message('$JS.API.STREAM.CREATE.bench', JSON.stringify(stream)))
  const request = message('bench', value)
  return {
    async connect() {
      const publisher = await natsClient(address)
      return {
        publish: () => publisher.call(request),
        [Symbol.dispose]: () => publisher[Symbol.dispose](),
      }
    },
    async [Symbol.asyncDispose]() {
      using client = await natsClient(address)
      await client.call(message('$JS.API.STREAM.DELETE.bench', ''))
    },
  }
}
