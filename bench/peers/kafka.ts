// Apache Kafka: one KRaft node with its defaults and the JVM settings of its scripts, and the tools in its jars.

import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Unavailable } from '../report.ts'
import { ServerProcess } from '../server-process.ts'
import { probeKafka } from './kafka-wire.ts'
import { TlsListener } from './tls-listener.ts'
import { said, startServer, type PeerKind, type Setting } from './peer.ts'

const SCRIPT = fileURLToPath(new URL('../../../bench/peers/kafka.sh', import.meta.url))
/** The one change of its defaults: a deleted topic's files are deleted at once, not after a minute. */
const PROPERTIES = 'log.segment.delete.delay.ms=100\nlog.initial.task.delay.ms=100'

const run = promisify(execFile)

/** @throws {Unavailable} without Java, or with neither Maven nor KAFKA_HOME */
async function script(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  try {
    const { stdout } = await run('bash', [SCRIPT, ...args], { env: { ...process.env, ...env } })
    return stdout.replaceAll('\u001B[0m', '').trim() // Maven resets colours it never set
  } catch (error) {
    throw new Unavailable('Apache Kafka needs Java 17, and Maven or KAFKA_HOME', { cause: error })
  }
}

function kindOf(name: 'kafka' | 'kafka-tls'): PeerKind {
  return {
    name,

    async version() {
      const tool = await kafkaTool('kafka.Kafka', ['--version'])
      return /^\d\S*/m.exec(tool)?.[0] ?? 'unknown'
    },

    start(dir) {
      const home = join(dir, 'kafka')
      mkdirSync(home, { recursive: true })
      const logPath = join(dir, 'kafka.log')
      const tls = name === 'kafka-tls' ? new TlsListener(dir) : undefined
      const spawn = async (port: number) => {
        const own = tls === undefined ? [] : [...listenersWith(tls, port), ...tls.properties]
        const env = {
          KAFKA_PEER_DIR: home,
          KAFKA_PROPERTIES: [PROPERTIES, ...own].join('\n'),
        }
        const [java, ...args] = (await script(['command', `${port}`], env)).split('\n')
        return ServerProcess.spawn(java!, args, { logPath })
      }
      return startServer({ dataDir: join(home, 'data'), logPath, spawn, probe: probeKafka, tls })
    },
  }
}

function listenersWith(tls: TlsListener, port: number): string[] {
  const plaintext = `PLAINTEXT://127.0.0.1:${port}`
  const controller = `CONTROLLER://127.0.0.1:${port + 1}`
  return [
    `listeners=${[plaintext, controller, tls.at(port)].join(',')}`,
    `advertised.listeners=${[plaintext, tls.at(port)].join(',')}`,
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL',
  ]
}

const kind = kindOf('kafka')

/** Its default: written before the answer; the kernel syncs later. */
export const kafka: Setting = { name: 'kafka', kind, topicConfig: {} }

/** The same, for clients with TLS and without. */
export const kafkaTls: Setting = { name: 'kafka, TLS', kind: kindOf('kafka-tls'), topicConfig: {} }

/** Synced before the answer, like millrace's default. */
export const kafkaSynced: Setting = {
  name: 'kafka, synced',
  kind,
  topicConfig: { 'flush.messages': '1' },
}

const TOOL_MS_MAX = 300_000
const OUTPUT_BYTES_MAX = 16 * 2 ** 20

/** Runs a main class of Kafka's jars. @returns its output. @throws {Unavailable} if Kafka is not installed */
export async function kafkaTool(mainClass: string, args: readonly string[]): Promise<string> {
  classpath ??= script(['classpath'])
  const limits = { timeout: TOOL_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX }
  const { stdout } = await run('java', ['-cp', await classpath, mainClass, ...args], limits)
  return stdout
}

/** Looked for once; it may have to be downloaded. */
let classpath: Promise<string> | undefined

export const javaVersion = () => said('java', '-version')
