// Terminal: the built CLI in bash, against a broker of its own in an empty directory; for tests.

import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Broker } from '../../../broker/broker.ts'

const cli = fileURLToPath(new URL('../main.js', import.meta.url))

interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export class Terminal implements AsyncDisposable {
  readonly #children: ChildProcessWithoutNullStreams[] = []
  readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  readonly #broker: Broker
  readonly #env: NodeJS.ProcessEnv

  private constructor(broker: Broker) {
    this.#broker = broker
    const own = { MILLRACE_BROKERS: broker.bootstrap, NODE: process.execPath, CLI: cli }
    this.#env = { ...process.env, ...own, NO_COLOR: '', FORCE_COLOR: '' }
  }

  static async open(): Promise<Terminal> {
    return new Terminal(await Broker.start({ ephemeral: true }))
  }

  get bootstrap(): string {
    return this.#broker.bootstrap
  }

  /** Runs a script in which `M` is the CLI, without tap's hooks, which cost 0.2 s each time. */
  bash(script: string): Promise<Ended> {
    const source = `unset NODE_OPTIONS; M() { "$NODE" "$CLI" "$@"; }\n${script}`
    const options = { cwd: this.#directory, env: this.#env, maxBuffer: 64 * 1024 * 1024 }
    return new Promise((resolve) => {
      execFile('bash', ['-c', source], options, (error, stdout, stderr) => {
        const status = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1
        resolve({ status, stdout, stderr })
      })
    })
  }

  /** Starts the CLI alone, so that it can be signalled. */
  start(...args: string[]): ChildProcessWithoutNullStreams {
    const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, cli, ...args], {
      cwd: this.#directory,
      env: this.#env,
    })
    this.#children.push(child)
    return child
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    await this.#broker.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** The first line of a stream. */
export async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  const [line] = (await once(createInterface(stream), 'line')) as [string]
  return line
}

export async function allOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  return text
}
