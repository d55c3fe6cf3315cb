// A server in a process of its own, as users run it: its costs, and its end together with this process.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { descriptorCountOf, forgetPeak, usageOf, type Usage } from './usage.ts'

export interface ServerOptions {
  readonly env?: Readonly<Record<string, string>>
  /** A file for all of its output; without it this process can read stdout, and shares stderr. */
  readonly logPath?: string
}

export class ServerProcess implements AsyncDisposable {
  /** When it was spawned, by `performance.now()`. */
  readonly startedMs: number
  readonly #child: ChildProcess

  /** @throws {Error} ENOENT if the command does not exist */
  static async spawn(
    command: string,
    args: readonly string[],
    { env = {}, logPath }: ServerOptions = {},
  ): Promise<ServerProcess> {
    const log = logPath === undefined ? undefined : openSync(logPath, 'a')
    const startedMs = performance.now()
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', log ?? 'pipe', log ?? 'inherit'],
    })
    if (log !== undefined) closeSync(log)
    await once(child, 'spawn')
    return new ServerProcess(child, startedMs)
  }

  private constructor(child: ChildProcess, startedMs: number) {
    this.startedMs = startedMs
    this.#child = child
    const kill = () => child.kill('SIGKILL')
    process.on('exit', kill) // this process may be stopped half-way
    child.on('exit', () => process.off('exit', kill))
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  get stdout(): Readable {
    return this.#child.stdout!
  }

  usage(): Usage {
    return usageOf(this.#child.pid!)
  }

  /** Open file descriptors; NaN without /proc. */
  get descriptorCount(): number {
    return descriptorCountOf(this.#child.pid!)
  }

  forgetPeak(): void {
    forgetPeak(this.#child.pid!)
  }

  /** SIGKILL. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.hasEnded) return
    const exited = once(this.#child, 'exit')
    this.#child.kill(signal)
    await exited
  }
}
