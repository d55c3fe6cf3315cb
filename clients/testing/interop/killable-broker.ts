// A broker in its own process, which a test kills and restarts on the same port with the same data.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../cli/main.js', import.meta.url))

export class KillableBroker implements AsyncDisposable {
  readonly bootstrap: string
  readonly #args: readonly string[]
  #child: ChildProcess | undefined

  private constructor(
    dataDir: string,
    port: number,
    config: Readonly<Record<string, string | number>>,
  ) {
    this.bootstrap = `127.0.0.1:${port}`
    const where = ['--data', dataDir, '--port', `${port}`, '--http', 'off']
    const settings = Object.entries(config).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const quiet = 'log.level' in config ? [] : ['--quiet'] // a test may set another level
    this.#args = [main, 'start', ...where, ...settings, '--json', ...quiet]
  }

  static async start(
    dataDir: string,
    config: Readonly<Record<string, string | number>> = {},
  ): Promise<KillableBroker> {
    const broker = new KillableBroker(dataDir, await freePort(), config)
    await broker.start()
    return broker
  }

  /** Resolves when the broker listens. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, this.#args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    const [banner] = (await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'exit'),
    ])) as unknown[]
    if (!Buffer.isBuffer(banner)) throw new Error(`the broker ended with ${String(banner)}`)
  }

  /** The process id; undefined while the broker is down. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** The peak memory of the running process. Linux only. */
  get peakBytes(): number {
    const status = readFileSync(`/proc/${this.#child!.pid}/status`, 'utf8')
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024
  }

  /** SIGKILL. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** SIGTERM: the broker stops in order. */
  stop(): Promise<void> {
    return this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    child.kill(signal)
    await once(child, 'exit')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
