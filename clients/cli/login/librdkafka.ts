// Property files of librdkafka, as kcat -F reads them, and its -X: with librdkafka's names, defaults and refusals.

import { statSync } from 'node:fs'
import { CliError } from '../exit.ts'
import { librdkafkaNames } from './property-names.ts'
import { contentsOf } from './secrets.ts'
import { extensionsOf, mechanismOf, type Settings, type Source } from './settings.ts'

/** A property with its place, for messages. */
export type Property = readonly [name: string, value: string, origin: string]

const aliases: Readonly<Record<string, string>> = {
  'metadata.broker.list': 'bootstrap.servers',
  'sasl.mechanisms': 'sasl.mechanism',
}

/** Properties that must not be ignored: without them a connection would be less safe than the file says. */
const refused: Readonly<Record<string, string>> = {
  'ssl.crl.location': 'there are no revocation lists here',
  'ssl.engine.location': 'keys cannot be in an engine here: ssl.key.location',
  'ssl.engine.id': 'keys cannot be in an engine here: ssl.key.location',
  'ssl.providers': 'providers of OpenSSL cannot be chosen here',
  'plugin.library.paths': 'there are no plug-ins here',
  'enable.sasl.oauthbearer.unsecure.jwt': 'there are no unsecured tokens here: --token-command',
  'sasl.oauthbearer.config': 'there are no unsecured tokens here: --token-command',
}

const used = new Set([
  'bootstrap.servers',
  'client.id',
  'security.protocol',
  'sasl.mechanism',
  'sasl.username',
  'sasl.password',
  'ssl.ca.location',
  'ssl.ca.pem',
  'ssl.certificate.location',
  'ssl.certificate.pem',
  'ssl.key.location',
  'ssl.key.pem',
  'ssl.key.password',
  'ssl.keystore.location',
  'ssl.keystore.password',
  'enable.ssl.certificate.verification',
  'ssl.endpoint.identification.algorithm',
  'sasl.oauthbearer.method',
  'sasl.oauthbearer.client.id',
  'sasl.oauthbearer.client.secret',
  'sasl.oauthbearer.token.endpoint.url',
  'sasl.oauthbearer.scope',
  'sasl.oauthbearer.extensions',
])

/** Every user of the machine can read arguments, so they may hold no secret. */
const secrets: Readonly<Record<string, string>> = {
  'sasl.password': 'MILLRACE_PASSWORD',
  'ssl.key.password': 'MILLRACE_KEY_PASSWORD',
  'ssl.keystore.password': 'MILLRACE_KEY_PASSWORD',
  'sasl.oauthbearer.client.secret': 'MILLRACE_CLIENT_SECRET',
  'ssl.key.pem': 'MILLRACE_CERT_KEY',
}

/** The properties of -X. @throws {CliError} usage, also for a secret */
export function argumentsOfLibrdkafka(
  pairs: readonly (readonly [name: string, value: string])[],
  note: (text: string) => void,
): Settings {
  for (const [name] of pairs) {
    const variable = secrets[name]
    if (variable === undefined) continue
    throw new CliError(
      'usage',
      `-X ${name}: a secret is no argument: put it into a file for -F, or into ${variable}`,
    )
  }
  return fromLibrdkafka(
    pairs.map(([name, value]) => [name, value, '-X']),
    note,
  )
}

/** @throws {CliError} usage, with file and line */
export function readLibrdkafka(path: string, note: (text: string) => void): Settings {
  const lines = contentsOf(path, '-F').toString().split(/\r?\n/)
  const properties = lines.flatMap((line, i): Property[] => {
    const text = line.trim()
    if (text === '' || text.startsWith('#')) return []
    const at = text.indexOf('=')
    if (at < 1) throw new CliError('usage', `${path}:${i + 1}: want property=value`)
    return [[text.slice(0, at).trim(), text.slice(at + 1).trim(), `${path}:${i + 1}`]]
  })
  return fromLibrdkafka(properties, note)
}

/** @param note called with a property that has no effect here; @throws {CliError} usage, for one that librdkafka does not have */
function fromLibrdkafka(properties: readonly Property[], note: (text: string) => void): Settings {
  const given = new Map<string, Property>()
  const idle: string[] = []
  for (const [name, value, origin] of properties) {
    const own = aliases[name] ?? name
    if (used.has(own)) given.set(own, [name, value, origin])
    else if (refused[name] !== undefined)
      throw new CliError('usage', `${origin}: ${name}: ${refused[name]}`)
    else if (librdkafkaNames.has(name.replace(/^topic\./, ''))) idle.push(name)
    else throw new CliError('usage', `${origin}: librdkafka has no property ${name.slice(0, 100)}`)
  }
  if (idle.length > 0) note(`without effect here: ${idle.join(', ')}`)
  return settingsFrom(given)
}

function settingsFrom(given: ReadonlyMap<string, Property>): Settings {
  const text = (name: string): string | undefined => given.get(name)?.[1] || undefined
  const origin = (name: string): string => given.get(name)?.[2] ?? ''
  const source = (kind: string): Source | undefined => {
    const [pem, path] = [text(`${kind}.pem`), text(`${kind}.location`)]
    if (pem !== undefined) return { text: pem.replaceAll('\\n', '\n') }
    return path === undefined ? undefined : { file: path }
  }
  const keystore = text('ssl.keystore.location')
  const keyPassword = text(keystore === undefined ? 'ssl.key.password' : 'ssl.keystore.password')
  const shared = { brokers: text('bootstrap.servers'), clientName: text('client.id') }
  const protocol = protocolOf(given)
  if (protocol === undefined) return shared
  return {
    ...shared,
    tls: protocol.endsWith('ssl'),
    ca: text('ssl.ca.location') === 'probe' ? undefined : notDirectory(source('ssl.ca')),
    cert: source('ssl.certificate'),
    certKey: source('ssl.key'),
    keystore: keystore === undefined ? undefined : { file: keystore },
    keyPassword: keyPassword === undefined ? undefined : { text: keyPassword },
    verifyCertificate: isFalse(text('enable.ssl.certificate.verification')) ? false : undefined,
    verifyHostName: text('ssl.endpoint.identification.algorithm') === 'none' ? false : undefined,
    ...(protocol.startsWith('sasl') ? saslFrom(text, origin) : {}),
  }
}

/** @returns undefined if only -X sets other properties: then librdkafka's default protocol does not apply */
function protocolOf(given: ReadonlyMap<string, Property>): string | undefined {
  const [, value = 'plaintext', origin = ''] = given.get('security.protocol') ?? []
  const protocol = value.toLowerCase()
  if (!['plaintext', 'ssl', 'sasl_plaintext', 'sasl_ssl'].includes(protocol))
    throw new CliError(
      'usage',
      `${origin}: security.protocol is plaintext, ssl, sasl_plaintext or sasl_ssl`,
    )
  const isSaid = [...given.keys()].some((name) => /^(security|ss?l|sasl)\b/.test(name))
  return isSaid ? protocol : undefined
}

function saslFrom(
  text: (name: string) => string | undefined,
  origin: (name: string) => string,
): Settings {
  const mechanism = text('sasl.mechanism')
  if (mechanism === undefined) {
    const why = 'without sasl.mechanism librdkafka means GSSAPI (Kerberos), which there is not here'
    throw new CliError('usage', `${origin('security.protocol')}: ${why}`)
  }
  const password = text('sasl.password')
  const secret = text('sasl.oauthbearer.client.secret')
  const extensions = text('sasl.oauthbearer.extensions')
  return {
    sasl: mechanismOf(mechanism, origin('sasl.mechanism')),
    user: text('sasl.username'),
    password: password === undefined ? undefined : { text: password },
    tokenUrl: text('sasl.oauthbearer.token.endpoint.url'),
    clientId: text('sasl.oauthbearer.client.id'),
    clientSecret: secret === undefined ? undefined : { text: secret },
    scope: text('sasl.oauthbearer.scope'),
    extensions:
      extensions === undefined
        ? undefined
        : extensionsOf(extensions, origin('sasl.oauthbearer.extensions')),
  }
}

function isFalse(value: string | undefined): boolean {
  return ['false', 'f', '0', 'no'].includes((value ?? '').toLowerCase())
}

/** librdkafka also accepts a directory of certificates. */
function notDirectory(source: Source | undefined): Source | undefined {
  const path = source !== undefined && 'file' in source ? source.file : undefined
  if (path !== undefined && statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new CliError(
      'usage',
      `ssl.ca.location: ${path} is a directory: put its certificates into one file`,
    )
  return source
}
