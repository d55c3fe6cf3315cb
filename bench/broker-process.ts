// A broker in a process of its own, as users run it, and what it costs: CPU seconds and memory, from /proc.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../clients/cli/main.js', import.meta.url))
const READY_MS_MAX = 20_000
/** Linux counts CPU time in these, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100

export interface Usage {
  /** User and system, of all threads. NaN where there is no /proc. */
  readonly cpuSeconds: number
  readonly rssBytes: number
}

export class BrokerProcess implements AsyncDisposable {
  readonly bootstrap: string
  /** From spawn until it said that it is ready. */
  readonly readyMs: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, bootstrap: string, readyMs: number) {
    this.#child = child
    this.bootstrap = bootstrap
    this.readyMs = readyMs
  }

  static async start(dataDir: string): Promise<BrokerProcess> {
    const started = performance.now()
    const args = [MAIN, 'start', '--data', dataDir, '--port', '0', '--http', '0', '--json']
    const child = spawn(process.execPath, args, {
      env: { ...process.env, MILLRACE_LOG_LEVEL: 'warn' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const kill = () => child.kill('SIGKILL')
    process.on('exit', kill) // this process may be stopped half-way
    child.on('exit', () => process.off('exit', kill))
    try {
      const bootstrap = await bootstrapSaidBy(child)
      return new BrokerProcess(child, bootstrap, performance.now() - started)
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
  }

  usage(): Usage {
    const { pid } = this.#child
    try {
      // The name, in parentheses, may hold spaces.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')
      const rssKib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
      return { cpuSeconds, rssBytes: Number(rssKib) * 1024 }
    } catch {
      return { cpuSeconds: NaN, rssBytes: NaN }
    }
  }

  /** Open file descriptors; NaN where there is no /proc. */
  get descriptorCount(): number {
    try {
      return readdirSync(`/proc/${this.#child.pid}/fd`).length
    } catch {
      return NaN
    }
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await exited
  }
}

/** The address in the banner. */
async function bootstrapSaidBy(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout!, signal: AbortSignal.timeout(READY_MS_MAX) })
  for await (const banner of lines) {
    child.stdout!.resume() // whatever else it says
    return (JSON.parse(banner) as { bootstrap: string }).bootstrap
  }
  throw new Error(`the broker did not say within ${READY_MS_MAX} ms where it listens`)
}
