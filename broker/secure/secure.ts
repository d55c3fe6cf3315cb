// secure: what `start --secure` does before the broker starts: certificates, a first user and files for clients, made once in
// the data directory, and the properties of a SASL_SSL listener. For users: docs/guide/security.md, "Start"

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { KafkaError } from '../../protocol/errors.ts'
import { randomPassword } from '../../protocol/sasl/new-password.ts'
import { DEFAULT_ITERATIONS } from '../../protocol/sasl/scram-mechanisms.ts'
import type { Clock } from '../../storage/clock.ts'
import { openStore } from '../../storage/open-store.ts'
import { isLoopback } from '../addresses.ts'
import { STANDARD_AUTHORIZER } from '../auth/configs.ts'
import { ANONYMOUS, principalText, type Principal } from '../auth/principal.ts'
import { readSettings, type ConfigSource } from '../config.ts'
import { parseAdvertised } from '../listener-configs.ts'
import { certificateFiles, keepCertificates } from './certificates.ts'
import { clientFiles, writeClientFiles } from './client-files.ts'
import { machineNames } from './machine-names.ts'
import { PrivateFiles } from './private-files.ts'
import { SecureReport } from './report.ts'
import { mechanismsOf, setPassword } from './stopped-users.ts'

const DIRECTORY = 'secure'
/** Written last: the first user and the files for clients are there. */
const DONE_FILE = 'done.json'
const USER = 'admin'
const ADMIN: Principal = { type: 'User', name: USER }
const LISTENER = 'SASL_SSL'
const SECURE_PORT = '9094'
const PLAINTEXT_PORT = '9092'
/** Listens on every address. */
const EVERYWHERE = '0.0.0.0'
const HTTP_HOST = '127.0.0.1'
/** What `--secure` decides itself. */
const DECIDED = ['listeners', 'listener.security.protocol.map']

export interface SecureFlags {
  /** Of the listener with TLS. */
  readonly securePort?: string | undefined
  /** false: no listener without TLS, on loopback. */
  readonly plaintext?: boolean | undefined
}

export interface Secured {
  /** The configuration, with the listeners. */
  readonly sources: readonly ConfigSource[]
  readonly report: SecureReport
}

/**
 * @param given the configuration, the strongest source first: `host` is for the listener with TLS, `port` for the other one
 * @throws {KafkaError} INVALID_CONFIG
 * @throws {Error} for a data directory that is in use, or a CA that cannot be used: says what to do
 */
export async function secure(
  given: readonly ConfigSource[],
  { securePort = SECURE_PORT, plaintext = true }: SecureFlags,
  clock: Clock,
): Promise<Secured> {
  const host = valueIn(given, 'host') ?? EVERYWHERE
  check(given, host, securePort)
  const dataDir = dataDirOf(given)
  const directory = join(dataDir, DIRECTORY)
  const isDone = existsSync(join(directory, DONE_FILE))
  const password = isDone ? undefined : await makeUser(dataDir, directory, given, securePort, clock)
  const files = new PrivateFiles(directory)
  const certificates = keepCertificates(files, hostsOf(host, given), clock.now())
  const listener = listenerSource(files, `${LISTENER}://${bracketed(host)}:${securePort}`)
  const port = valueIn(given, 'port') ?? PLAINTEXT_PORT
  const listeners = [...(plaintext ? [`PLAINTEXT://:${port}`] : []), listener.listeners]
  const own = { ...listener, listeners: listeners.join(',') }
  const isHttpReached = !isLoopback(valueIn(given, 'http.host') ?? HTTP_HOST)
  const http = isHttpReached || !plaintext ? httpProperties(files) : {}
  return {
    sources: [
      { origin: '--secure', properties: own },
      ...given.map(without('host', 'port')),
      { origin: '--secure', properties: { ...rights(plaintext), ...http } },
    ],
    report: new SecureReport({
      directory,
      user: USER,
      password,
      files: Object.values(clientFiles).filter((name) => files.read(name) !== undefined),
      certificates,
    }),
  }
}

function listenerSource(files: PrivateFiles, listeners: string) {
  const prefix = `listener.name.${LISTENER.toLowerCase()}`
  return {
    listeners,
    [`${prefix}.ssl.keystore.type`]: 'PEM',
    [`${prefix}.ssl.keystore.location`]: files.path(certificateFiles.server),
    [`${prefix}.sasl.enabled.mechanisms`]: 'SCRAM-SHA-256,SCRAM-SHA-512',
  }
}

/** Unless the configuration says otherwise: the HTTP server has the same certificate and users. */
function httpProperties(files: PrivateFiles) {
  return {
    'http.security.protocol': 'SASL_SSL',
    'http.ssl.keystore.type': 'PEM',
    'http.ssl.keystore.location': files.path(certificateFiles.server),
  }
}

/** Unless the configuration says otherwise: the first user may do everything, later ones what ACLs allow. */
function rights(hasPlaintext: boolean) {
  const superUsers = hasPlaintext ? [ADMIN, ANONYMOUS] : [ADMIN]
  return {
    'authorizer.class.name': STANDARD_AUTHORIZER,
    'super.users': superUsers.map(principalText).join(';'),
  }
}

/** @throws {KafkaError} INVALID_CONFIG */
function check(given: readonly ConfigSource[], host: string, securePort: string): void {
  for (const name of DECIDED) {
    if (valueIn(given, name) !== undefined)
      throw refused(`${name} and --secure, which makes the listeners: use one of them`)
  }
  if (!/^\d{1,5}$/.test(securePort) || Number(securePort) === 0)
    throw refused(`--secure-port ${securePort}: want a port, which the files for clients name`)
  if (host.includes(','))
    throw refused(`host=${host}: with --secure one address, or 0.0.0.0 for all`)
}

/**
 * The first user and the files for clients. The store makes the data directory, in which it bears no strangers before.
 *
 * @returns the password; undefined if the user is there, whose password nobody knows
 */
async function makeUser(
  dataDir: string,
  directory: string,
  given: readonly ConfigSource[],
  port: string,
  clock: Clock,
): Promise<string | undefined> {
  const nodeId = valueIn(given, 'node.id') ?? valueIn(given, 'broker.id')
  await using store = await openStore({
    dataDir,
    writer: 'inline',
    clock,
    ...(nodeId !== undefined && { nodeId: Number(nodeId) }),
  })
  const files = new PrivateFiles(directory)
  const isThere = mechanismsOf(store, USER).length > 0
  const password = isThere ? undefined : randomPassword()
  if (password !== undefined) {
    writeClientFiles(files, { bootstrap: `localhost:${port}`, user: USER, password })
    await setPassword(store, { user: USER, password, iterations: DEFAULT_ITERATIONS }, true)
  }
  files.write(DONE_FILE, `${JSON.stringify({ user: USER })}\n`)
  return password
}

/** @throws {KafkaError} INVALID_CONFIG */
function dataDirOf(given: readonly ConfigSource[]): string {
  const names = ['log.dir', 'log.dirs', 'node.id', 'broker.id']
  const only = ({ origin, properties }: ConfigSource): ConfigSource => {
    const kept = Object.entries(properties).filter(([name]) => names.includes(name))
    return { origin, properties: Object.fromEntries(kept) }
  }
  return resolve(readSettings(given.map(only)).broker['log.dir'])
}

/** What clients may dial. */
function hostsOf(host: string, given: readonly ConfigSource[]): string[] {
  const advertised = parseAdvertised(valueIn(given, 'advertised.listeners') ?? '') ?? []
  const http = valueIn(given, 'http.host') ?? HTTP_HOST
  const others = [host, http, ...advertised.map((each) => each.host)]
  return machineNames(others.filter((each) => each !== EVERYWHERE && each !== '::'))
}

function valueIn(given: readonly ConfigSource[], name: string): string | undefined {
  return given.find(({ properties }) => Object.hasOwn(properties, name))?.properties[name]
}

function without(...names: readonly string[]): (source: ConfigSource) => ConfigSource {
  return ({ origin, properties }) => {
    const kept = Object.entries(properties).filter(([name]) => !names.includes(name))
    return { origin, properties: Object.fromEntries(kept) }
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function refused(message: string): KafkaError {
  return new KafkaError('INVALID_CONFIG', message)
}
