// A server to compare with: how to start it, its costs, and its name and settings in the tables.

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ServerProcess } from '../server-process.ts'
import type { Usage } from '../usage.ts'
import type { TlsListener } from './tls-listener.ts'

const READY_MS_MAX = 60_000
const PROBE_EVERY_MS = 10
const SAID_CHARACTERS_MAX = 2000

export interface Peer extends AsyncDisposable {
  /** host:port, on loopback. */
  readonly address: string
  /** Its listener with TLS, of a kind that has one. */
  readonly tls?: TlsAddress
  /** From spawn until it answered a first request. */
  readonly readyMs: number
  /** The directory of its files: with a directory for each partition, if it speaks Kafka's protocol. */
  readonly dataDir: string
  usage(): Usage
  /** Measures the peak of memory from now on. */
  forgetPeak(): void
}

export interface TlsAddress {
  readonly address: string
  /** What librdkafka needs for it. */
  readonly settings: Readonly<Record<string, string>>
}

export interface PeerKind {
  readonly name: 'millrace' | 'millrace-tls' | 'kafka' | 'kafka-tls' | 'nats' | 'redis'
  /** @returns its version. @throws {Unavailable} if it is not installed */
  version(): string | Promise<string>
  /** @param dir its own; it uses files of an earlier start again. @throws {Unavailable} likewise */
  start(dir: string): Promise<Peer>
}

/** One column of a table: a server, and the durability of its topics. */
export interface Setting {
  readonly name: string
  readonly kind: PeerKind
  readonly topicConfig: Readonly<Record<string, string>>
}

export interface ServerRecipe {
  readonly dataDir: string
  /** The file for its output. */
  readonly logPath: string
  spawn(port: number): Promise<ServerProcess>
  /** One request and its answer; rejects until the server answers. */
  probe(address: string): Promise<void>
  readonly tls?: TlsListener | undefined
}

export async function startServer(recipe: ServerRecipe): Promise<Peer> {
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const server = await recipe.spawn(port)
  try {
    await untilAnswered(server, () => recipe.probe(address))
  } catch (error) {
    await server[Symbol.asyncDispose]()
    const said = readFileSync(recipe.logPath, 'utf8').slice(-SAID_CHARACTERS_MAX)
    throw new Error(`a server did not start; it said: ${said}`, { cause: error })
  }
  const { tls } = recipe
  return {
    address,
    ...(tls && { tls: { address: tls.address(port), settings: tls.clientSettings } }),
    readyMs: performance.now() - server.startedMs,
    dataDir: recipe.dataDir,
    usage: () => server.usage(),
    forgetPeak: () => server.forgetPeak(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function untilAnswered(server: ServerProcess, probe: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + READY_MS_MAX
  for (;;) {
    try {
      return await probe()
    } catch (error) {
      if (server.hasEnded || performance.now() > deadline) throw error
      await setTimeout(PROBE_EVERY_MS)
    }
  }
}

/** A port that was free a moment ago, like the next one, which Kafka's controller takes. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = await listen(0)
    const { port } = server.address() as AddressInfo
    const next = await listen(port + 1).catch(() => undefined)
    await close(server)
    if (next !== undefined) await close(next)
    if (next !== undefined) return port
  }
}

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function close(server: Server): Promise<void> {
  server.close()
  await once(server, 'close')
}

const run = promisify(execFile)

/** @returns the output of a command. @throws {Error} ENOENT if it does not exist */
export async function said(command: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await run(command, args)
  return `${stdout}${stderr}`.trim()
}
