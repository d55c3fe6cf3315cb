// A broker in a process of its own, as users run it, on a port of its choice.

import { existsSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ServerProcess } from './server-process.ts'
import type { Usage } from './usage.ts'

const MAIN = fileURLToPath(new URL('../bundle/cli/millrace.cjs', import.meta.url))
const COMPILED = fileURLToPath(new URL('../.tsbuildinfo', import.meta.url))
const READY_MS_MAX = 60_000

export class BrokerProcess implements AsyncDisposable {
  readonly bootstrap: string
  /** From spawn until it printed that it is ready. */
  readonly readyMs: number
  readonly #server: ServerProcess

  private constructor(server: ServerProcess, bootstrap: string, readyMs: number) {
    this.#server = server
    this.bootstrap = bootstrap
    this.readyMs = readyMs
  }

  static async start(dataDir: string): Promise<BrokerProcess> {
    const server = await spawnBroker(dataDir, 0)
    try {
      const bootstrap = await bootstrapSaidBy(server)
      return new BrokerProcess(server, bootstrap, performance.now() - server.startedMs)
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
  }

  usage(): Usage {
    return this.#server.usage()
  }

  get descriptorCount(): number {
    return this.#server.descriptorCount
  }

  /** SIGKILL. */
  kill(): Promise<void> {
    return this.#server.kill()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]()
  }
}

/**
 * @param port 0: a free one, which the banner on stdout names
 * @param properties 'name=value', before the defaults
 */
export async function spawnBroker(
  dataDir: string,
  port: number,
  { logPath, properties = [] }: { logPath?: string; properties?: readonly string[] } = {},
): Promise<ServerProcess> {
  if (!existsSync(MAIN) || statSync(MAIN).mtimeMs < statSync(COMPILED).mtimeMs)
    throw new Error('the bundle is older than what was compiled last: npm run build')
  const args = ['start', '--data', dataDir, '--port', `${port}`, '--http', '0', '--json']
  const own = properties.flatMap((property) => ['-c', property])
  return ServerProcess.spawn(process.execPath, [MAIN, ...args, ...own], {
    // Node would read the machine's own certificates at its start, and the broker needs none.
    env: { MILLRACE_LOG_LEVEL: 'warn', NODE_EXTRA_CA_CERTS: '' },
    ...(logPath !== undefined && { logPath }),
  })
}

/** The address in the banner. */
async function bootstrapSaidBy({ stdout }: ServerProcess): Promise<string> {
  const lines = createInterface({ input: stdout, signal: AbortSignal.timeout(READY_MS_MAX) })
  for await (const banner of lines) {
    stdout.resume() // discards the rest of the output
    return (JSON.parse(banner) as { bootstrap: string }).bootstrap
  }
  throw new Error(`the broker did not say within ${READY_MS_MAX} ms where it listens`)
}
