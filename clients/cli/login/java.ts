// Property files of Java's clients, as Kafka's own tools read them with --command-config: their names, JAAS lines, key stores
// and defaults. Secrets may lie elsewhere, by config providers.

import { isProviderProperty, resolveVariables } from '../../../protocol/config-providers.ts'
import { MalformedProperties, parseJavaProperties } from '../../../protocol/java-properties.ts'
import { parseJaas, type JaasEntry } from '../../../protocol/sasl/jaas.ts'
import { CliError } from '../exit.ts'
import type { Io } from '../io.ts'
import { javaNames } from './property-names.ts'
import { contentsOf } from './secrets.ts'
import { mechanismOf, type Settings, type Source } from './settings.ts'

const used = new Set([
  'bootstrap.servers',
  'client.id',
  'security.protocol',
  'sasl.mechanism',
  'sasl.jaas.config',
  'sasl.login.callback.handler.class',
  'sasl.oauthbearer.token.endpoint.url',
  'sasl.oauthbearer.client.credentials.client.id',
  'sasl.oauthbearer.client.credentials.client.secret',
  'sasl.oauthbearer.scope',
  'ssl.keystore.type',
  'ssl.keystore.location',
  'ssl.keystore.password',
  'ssl.keystore.key',
  'ssl.keystore.certificate.chain',
  'ssl.key.password',
  'ssl.truststore.type',
  'ssl.truststore.location',
  'ssl.truststore.password',
  'ssl.truststore.certificates',
  'ssl.endpoint.identification.algorithm',
])

/** Java classes, and the values that they stand for. */
const refused: Readonly<Record<string, string>> = {
  'security.providers': 'there are no classes of Java here',
  'ssl.engine.factory.class': 'there are no classes of Java here',
  'sasl.client.callback.handler.class': 'there are no classes of Java here',
  'sasl.login.class': 'there are no classes of Java here',
  'sasl.oauthbearer.jwt.retriever.class': 'there are no classes of Java here: --token-command',
  'sasl.oauthbearer.assertion.file': 'tokens by assertion are not known here: --token-command',
}

/** @param note called with a property that has no effect here; @throws {CliError} usage, with the property's name */
export function readJava(path: string, env: Io['env'], note: (text: string) => void): Settings {
  const properties = resolved(path, propertiesIn(path), env)
  const fail = (name: string, why: string): CliError =>
    new CliError('usage', `${path}: ${name}: ${why}`)
  const idle: string[] = []
  const unknown: string[] = []
  for (const name of properties.keys()) {
    if (refused[name] !== undefined) throw fail(name, refused[name])
    if (!used.has(name)) (javaNames.has(name) ? idle : unknown).push(name)
  }
  if (idle.length > 0) note(`${path}: without effect here: ${idle.join(', ')}`)
  if (unknown.length > 0) note(`${path}: unknown to Kafka's clients: ${unknown.join(', ')}`)
  return settingsFrom(properties, fail)
}

/** @throws {CliError} usage, with the number of the line */
function propertiesIn(path: string): ReadonlyMap<string, string> {
  try {
    return parseJavaProperties(contentsOf(path, '--command-config').toString('latin1'))
  } catch (error) {
    if (!(error instanceof MalformedProperties)) throw error
    throw new CliError('usage', `${path}: ${error.message}`)
  }
}

/** Without the properties of the providers. @throws {CliError} usage: the variable, and why it has no value */
function resolved(
  path: string,
  written: ReadonlyMap<string, string>,
  environment: Io['env'],
): ReadonlyMap<string, string> {
  const contents = (file: string) => contentsOf(file, 'a config provider').toString()
  try {
    const { properties } = resolveVariables(written, { environment, contentsOf: contents })
    return new Map([...properties].filter(([name]) => !isProviderProperty(name)))
  } catch (error) {
    throw new CliError('usage', `${path}: ${(error as Error).message}`, { cause: error })
  }
}

type Fail = (name: string, why: string) => CliError

function settingsFrom(properties: ReadonlyMap<string, string>, fail: Fail): Settings {
  const text = (name: string): string | undefined => properties.get(name) || undefined
  const protocol = (text('security.protocol') ?? 'PLAINTEXT').toUpperCase()
  if (!['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'].includes(protocol))
    throw fail('security.protocol', 'it is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL')
  const hasTls = protocol.endsWith('SSL')
  return {
    brokers: text('bootstrap.servers'),
    clientName: text('client.id'),
    tls: hasTls,
    ...(hasTls ? { ...trusted(text, fail), ...identity(text, fail) } : {}),
    verifyHostName:
      properties.get('ssl.endpoint.identification.algorithm') === '' ? false : undefined,
    ...(protocol.startsWith('SASL') ? saslFrom(text, fail) : {}),
  }
}

type Text = (name: string) => string | undefined

function trusted(text: Text, fail: Fail): Settings {
  const pem = text('ssl.truststore.certificates')
  if (pem !== undefined) return { ca: { text: pemLines(pem) } }
  const path = text('ssl.truststore.location')
  if (path === undefined) return {}
  if (text('ssl.truststore.type')?.toUpperCase() === 'PEM') return { ca: { file: path } }
  const command = `keytool -list -rfc -keystore ${path} > ca.pem`
  const then = 'then ssl.truststore.type=PEM and ssl.truststore.location=ca.pem'
  throw fail('ssl.truststore.type', `only PEM can be read here: \`${command}\`, ${then}`)
}

/** Java opens PKCS12 stores under the type JKS, too: so the contents of the file decide. */
function identity(text: Text, fail: Fail): Settings {
  const password = (name: string): Source | undefined => {
    const value = text(name)
    return value === undefined ? undefined : { text: value }
  }
  const [key, chain] = [text('ssl.keystore.key'), text('ssl.keystore.certificate.chain')]
  const keyPassword = password('ssl.key.password')
  if (key !== undefined && chain !== undefined)
    return { certKey: { text: pemLines(key) }, cert: { text: pemLines(chain) }, keyPassword }
  const path = text('ssl.keystore.location')
  if (path === undefined) return {}
  if (text('ssl.keystore.type')?.toUpperCase() === 'PEM')
    return { certKey: { file: path }, cert: { file: path }, keyPassword }
  if (contentsOf(path, 'ssl.keystore.location')[0] === 0x30)
    return { keystore: { file: path }, keyPassword: password('ssl.keystore.password') }
  const command = `keytool -importkeystore -srckeystore ${path} -destkeystore ${path}.p12 -deststoretype PKCS12`
  throw fail('ssl.keystore.location', `it is no PKCS12 store, nor PEM: \`${command}\``)
}

function saslFrom(text: Text, fail: Fail): Settings {
  const mechanism = text('sasl.mechanism')
  if (mechanism === undefined) {
    const why = "without it Kafka's clients mean GSSAPI (Kerberos), which there is not here"
    throw fail('sasl.mechanism', why)
  }
  const sasl = mechanismOf(mechanism, 'sasl.mechanism')
  const { module, options } = jaasOf(text('sasl.jaas.config'), fail)
  if (!/\.(Plain|Scram|OAuthBearer)LoginModule$/.test(module))
    throw fail('sasl.jaas.config', `${module.slice(0, 100)} is not known here`)
  if (options.get('tokenauth') === 'true')
    throw fail('sasl.jaas.config', 'there are no delegation tokens here')
  if (sasl === 'oauthbearer') return { sasl, ...oauthFrom(text, options, fail) }
  const password = options.get('password')
  return {
    sasl,
    user: options.get('username'),
    password: password === undefined ? undefined : { text: password },
  }
}

function oauthFrom(text: Text, options: ReadonlyMap<string, string>, fail: Fail): Settings {
  if ([...options.keys()].some((name) => name.startsWith('unsecuredLogin')))
    throw fail('sasl.jaas.config', 'there are no unsecured tokens here: --token-command')
  const credentials = 'sasl.oauthbearer.client.credentials.client'
  const secret = text(`${credentials}.secret`) ?? options.get('clientSecret')
  const extensions = [...options]
    .filter(([name]) => name.startsWith('extension_'))
    .map(([name, value]) => [name.slice('extension_'.length), value] as const)
  return {
    tokenUrl: text('sasl.oauthbearer.token.endpoint.url'),
    clientId: text(`${credentials}.id`) ?? options.get('clientId'),
    clientSecret: secret === undefined ? undefined : { text: secret },
    scope: text('sasl.oauthbearer.scope') ?? options.get('scope'),
    extensions: extensions.length === 0 ? undefined : Object.fromEntries(extensions),
  }
}

/** @throws {CliError} usage */
function jaasOf(line: string | undefined, fail: Fail): JaasEntry {
  if (line === undefined) throw fail('sasl.jaas.config', 'it is missing')
  try {
    return parseJaas(line)
  } catch (error) {
    throw fail('sasl.jaas.config', (error as Error).message)
  }
}

/** Kafka takes PEM in one line, with blanks instead of newlines. */
function pemLines(text: string): string {
  return text.replaceAll(
    /(-----BEGIN [A-Z0-9 ]+-----)([^-]*)(-----END [A-Z0-9 ]+-----)/g,
    (_, begin, body, end) => {
      const lines = String(body).trim().split(/\s+/).join('\n')
      return `${String(begin)}\n${lines}\n${String(end)}\n`
    },
  )
}
