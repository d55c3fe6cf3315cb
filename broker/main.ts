// runBroker: runs a broker as its own process: sources of configuration, banner, signals, exit codes.
// `millrace start` calls it. Exit codes: 0 stopped by a signal, 1 failure, 2 an invalid configuration, 130 a second
// signal.

import { statSync } from 'node:fs'
import { KafkaError } from '../protocol/errors.ts'
import { systemClock } from '../storage/clock.ts'
import type { StoreOptions } from '../storage/store-options.ts'
import { Broker } from './broker.ts'
import {
  environmentSource,
  isNetworkOpen,
  readSettings,
  type ConfigSource,
  type Settings,
} from './config.ts'
import { fileSource } from './config-file.ts'
import { CannotListen } from './net/listener.ts'
import { ProcessLog, type LogFormat } from './process-log.ts'
import type { SecureReport } from './secure/report.ts'

const DEFAULT_FILE = 'millrace.yaml'
/** A stop takes `shutdown.timeout.ms` and the time of the last sync; after this time the process ends in any case. */
const STOP_MS_MAX = 10_000

/** The flags of `millrace start`. */
export interface StartFlags {
  readonly data?: string | undefined
  readonly ephemeral?: boolean | undefined
  readonly port?: string | undefined
  readonly host?: string | undefined
  /** A port, or 'off'. */
  readonly http?: string | undefined
  /** Path of a YAML file or of a server.properties; ./millrace.yaml unless given. */
  readonly config?: string | undefined
  /** 'num.partitions=3', any number of times. */
  readonly set?: readonly string[] | undefined
  readonly acceptUnauthenticatedNetwork?: boolean | undefined
  /** Certificates, a first user and a listener with TLS: secure/secure.ts. */
  readonly secure?: boolean | undefined
  readonly securePort?: string | undefined
  readonly plaintext?: boolean | undefined
  /** The banner as one JSON object: bootstrap, listeners, http, data. */
  readonly json?: boolean | undefined
}

/** The outputs for banner and errors. The log writes to stderr itself. */
interface Terminal {
  out(text: string): void
  err(text: string): void
}

const processTerminal: Terminal = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
}

/**
 * Runs until a signal stops the broker.
 *
 * @param writer a thread for it
 * @returns the exit code
 */
export async function runBroker(
  flags: StartFlags,
  terminal = processTerminal,
  writer: StoreOptions['writer'] = 'thread',
): Promise<number> {
  const clock = systemClock
  let settings: Settings
  let secured: SecureReport | undefined
  const passedOver: string[] = []
  try {
    let given: readonly ConfigSource[] = await sources(flags, (text) => passedOver.push(text))
    if (flags.secure === true) {
      const { secure } = await import('./secure/secure.ts')
      ;({ sources: given, report: secured } = await secure(given, flags, clock))
    }
    settings = readSettings(given)
  } catch (error) {
    terminal.err(`${(error as Error).message}\n`)
    return error instanceof KafkaError ? 2 : 1
  }
  const log = new ProcessLog(settings.broker['log.level'], clock, { format: logFormat(settings) })
  for (const message of passedOver) log.warn(message)
  const die = (error: unknown): never => {
    log.error('stopping at once: the broker cannot go on', { error })
    process.exit(1)
  }
  const ephemeral = flags.ephemeral === true
  let broker: Broker
  try {
    broker = await Broker.open({ settings, ephemeral, writer, onFatal: die, clock, log })
  } catch (error) {
    terminal.err(`${explain(error, settings)}\n`)
    return error instanceof KafkaError && error.code === 'INVALID_CONFIG' ? 2 : 1
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)
  const stop = stopSignal()
  terminal.out(flags.json === true ? jsonBanner(broker, secured) : banner(broker, secured))
  logStart(broker, settings, log)
  const signal = await stop
  log.info('stopping', { signal })
  clock.after(STOP_MS_MAX, () => die(new Error(`not stopped after ${STOP_MS_MAX} ms`)))
  process.once(signal, () => process.exit(130))
  await broker.close()
  log.info('stopped')
  return 0
}

/** Flags, then the environment, then the file. */
async function sources(
  flags: StartFlags,
  warn: (message: string) => void,
): Promise<ConfigSource[]> {
  const isDefaultFile = flags.config === undefined
  return [
    flagSource(flags),
    environmentSource(process.env, warn),
    await fileSource(flags.config ?? DEFAULT_FILE, process.env, isDefaultFile),
  ]
}

function flagSource(flags: StartFlags): ConfigSource {
  const properties: Record<string, string> = {}
  for (const pair of flags.set ?? []) {
    const equals = pair.indexOf('=')
    if (equals < 1) throw new KafkaError('INVALID_CONFIG', `-c ${pair}: want -c name=value`)
    properties[pair.slice(0, equals)] = pair.slice(equals + 1)
  }
  const { data, host, port, http } = flags
  if (data !== undefined) properties['log.dir'] = data
  if (host !== undefined) properties['host'] = host
  if (port !== undefined) properties['port'] = port
  if (http !== undefined) properties['http.port'] = http === 'off' ? '-1' : http
  if (flags.acceptUnauthenticatedNetwork) properties['i.accept.unauthenticated.network'] = 'true'
  return { origin: 'flag', properties }
}

function logFormat({ broker: config }: Settings): LogFormat {
  const format = config['log.format']
  return format !== 'auto' ? format : process.stderr.isTTY === true ? 'text' : 'json'
}

function explain(error: unknown, { broker: config }: Settings): string {
  if (error instanceof CannotListen) return explainListener(error, config.listeners.length > 0)
  const { code, message, address, port } = error as NodeJS.ErrnoException & Taken
  if (code === 'EADDRINUSE')
    return `HTTP port ${port} at ${address} is taken: ${elsewhere('with --http (0 for a free one)')}`
  if (code === 'EACCES')
    return `${message}: choose a directory that can be written with --data, or another --port`
  return `the broker cannot start: ${message}`
}

function explainListener({ code, host, port, message }: CannotListen, isNamed: boolean): string {
  if (isNamed) return `${message}: ${elsewhere('in listeners')}`
  if (code === 'EADDRINUSE')
    return `port ${port} at ${host} is taken: ${elsewhere('with --port (0 for a free one)')}`
  return `${message}: choose another address with --host, or another --port`
}

/** The advice for a port that is in use. */
function elsewhere(how: string): string {
  return `stop what listens there, or choose another ${how}`
}

/** The fields that `listen` adds to EADDRINUSE. */
interface Taken {
  readonly address?: string
  readonly port?: number
}

function logStart(broker: Broker, settings: Settings, log: ProcessLog): void {
  const { bootstrap, listeners, httpUrl, dataDir } = broker
  log.info('ready', { bootstrap, listeners, httpUrl, dataDir, seconds: process.uptime() })
  if (isNetworkOpen(settings))
    log.warn('other machines can connect without a password, and read, write and delete everything')
  if (process.platform === 'win32') return
  if ((statSync(dataDir).mode & 0o007) !== 0)
    log.warn('other users of this machine can reach the data', { advice: `chmod -R o= ${dataDir}` })
}

function jsonBanner(
  { bootstrap, listeners, httpUrl, dataDir }: Broker,
  secured: SecureReport | undefined,
): string {
  const facts = secured && { secure: secured.facts(listeners) }
  return `${JSON.stringify({ bootstrap, listeners, http: httpUrl, data: dataDir, ...facts })}\n`
}

function banner(
  { bootstrap, listeners, httpUrl, dataDir }: Broker,
  secured: SecureReport | undefined,
): string {
  const [, ...others] = Object.entries(listeners)
  const lines = [
    `millrace listens on ${bootstrap}`,
    ...others.map(([name, address]) => `  also     ${address} (${name})`),
    `  data     ${dataDir}`,
    httpUrl === undefined ? undefined : `  metrics  ${httpUrl}/metrics`,
    `  try      echo hello | npx millrace produce greetings ${secured?.login ?? `-b ${bootstrap}`}`,
  ]
  const text = `${lines.filter((line) => line !== undefined).join('\n')}\n`
  return text + (secured?.banner(listeners) ?? '')
}

/** SIGHUP: the terminal in which the broker ran was closed. */
const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

function stopSignal(): Promise<(typeof stopSignals)[number]> {
  return new Promise((resolve) => {
    for (const signal of stopSignals) process.once(signal, resolve)
  })
}
