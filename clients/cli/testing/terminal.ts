// Terminal: the CLI against a broker of its own, in an empty directory; for tests. Most runs are in this process; bash and
// child processes are for tests of pipes, signals and the end of a process.

import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Broker } from '../../../broker/broker.ts'
import { run } from '../run.ts'
import { Printed } from './printed.ts'

const cli = fileURLToPath(new URL('../main.js', import.meta.url))

interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

interface Results {
  readonly statuses: number[]
  stdout: string
  stderr: string
}

/** A run of the command in this process. */
export interface Run {
  readonly stdout: Printed
  readonly stderr: Printed
  /** ^C. */
  interrupt(): void
  /** The exit code. */
  readonly ended: Promise<number>
}

/** Standard input of a command. */
type Input = string | Buffer | Readable

export class Terminal implements AsyncDisposable {
  readonly #children: ChildProcessWithoutNullStreams[] = []
  readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  readonly #broker: Broker
  readonly #env: NodeJS.ProcessEnv

  private constructor(broker: Broker) {
    this.#broker = broker
    const own = { MILLRACE_BROKERS: broker.bootstrap, NODE: process.execPath, CLI: cli }
    const config = this.path('config') // not the profiles of the user who runs the tests
    const system = { XDG_CONFIG_HOME: config, APPDATA: config, NO_COLOR: '', FORCE_COLOR: '' }
    this.#env = { ...process.env, ...own, ...system }
  }

  /** @param config of the broker */
  static async open(config: Readonly<Record<string, string>> = {}): Promise<Terminal> {
    return new Terminal(await Broker.start({ ephemeral: true, config }))
  }

  get bootstrap(): string {
    return this.#broker.bootstrap
  }

  /** Path of a file in the empty directory. */
  path(name: string): string {
    return join(this.#directory, name)
  }

  /**
   * Runs command lines in this process, one after the other.
   *
   * @param script a command in each line, without its name, `'` around words with spaces; `NAME | ...` feeds it `inputs[NAME]`
   * @returns their output, and the exit code of each
   */
  async run(script: string, inputs: Readonly<Record<string, Input>> = {}): Promise<Results> {
    const all: Results = { stdout: '', stderr: '', statuses: [] }
    for (const line of script.split('\n').filter((each) => each.trim() !== '')) {
      const [, name = '', words] = /^(?:\s*(\w+) \| )?(.*)$/.exec(line)!
      const { stdout, stderr, ended } = this.start(words!, inputs[name])
      all.statuses.push(await ended)
      all.stdout += stdout.text
      all.stderr += stderr.text
    }
    return all
  }

  /** Starts a command in this process, so that a test can look at it while it runs. */
  start(words: string, input: Input = ''): Run {
    const [stdout, stderr] = [new Printed(), new Printed()]
    const process = new EventEmitter()
    const ended = run(wordsOf(words), {
      stdin: input instanceof Readable ? input : Readable.from([Buffer.from(input)]),
      stdout,
      stderr,
      env: this.#env,
      on: (event, act) => process.on(event, act),
      exit: (status) => {
        throw new Error(`the process would end here, with ${status}`)
      },
    })
    return { stdout, stderr, ended, interrupt: () => void process.emit('SIGINT') }
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

  /** Starts the CLI as a process of its own, so that a test can send it signals. */
  spawn(...args: string[]): ChildProcessWithoutNullStreams {
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

function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
}

/** Lines of input, as `seq` prints them. */
export function numbers(first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}\n`).join('')
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
