// The properties of SASL, by Kafka's names: any listener may have its own, and most may be a mechanism's own. Network thread.
// What they are made into: sasl-listeners.ts

import { KafkaError } from '../../protocol/errors.ts'
import { parseJaas } from '../../protocol/sasl/jaas.ts'
import { anyList, row, whole, type ConfigSpec } from '../../storage/config.ts'
import { isLoopback } from '../addresses.ts'
import { ListenerProperties, type GivenProperties, type ValuesOf } from '../listener-properties.ts'
import { mechanismNames, type MechanismName } from './mechanism.ts'

function text(fallback: string, allowed: string, says: string): ConfigSpec<string> {
  return row('string', fallback, allowed, { says, readOnly: true }, (value) => value.trim())
}

/** Java's limit of both: a day would be long. */
const SKEW_SECONDS_MAX = 86_400n

const oauthConfigs = {
  'sasl.oauthbearer.clock.skew.seconds': whole(
    'int',
    30,
    0,
    {
      readOnly: true,
      says: 'How far the clocks of the broker and of the token server may differ.',
    },
    SKEW_SECONDS_MAX,
  ),
  'sasl.oauthbearer.expected.audience': anyList({
    readOnly: true,
    says: 'The broker refuses a token that is for none of these audiences. Empty: for any.',
  }),
  'sasl.oauthbearer.expected.issuer': text(
    '',
    'a text',
    'The broker refuses a token of another issuer. Empty: of any.',
  ),
  'sasl.oauthbearer.jwks.endpoint.refresh.ms': whole('long', 3_600_000, 1, {
    readOnly: true,
    says: 'How long the broker uses a key set before it reads it again. For a token with an unknown key it does so earlier.',
  }),
  'sasl.oauthbearer.jwks.endpoint.url': text(
    '',
    'an https:, http: or file: URL',
    'The key set (JWKS) with which the broker checks the signatures of tokens. OAUTHBEARER needs it: the broker takes no unsigned token.',
  ),
  'sasl.oauthbearer.scope.claim.name': text(
    'scope',
    'the name of a claim',
    'The claim of a token with its scopes: a text, or a list of texts.',
  ),
  'sasl.oauthbearer.sub.claim.name': text(
    'sub',
    'the name of a claim',
    'The claim of a token with the name of the user.',
  ),
} as const satisfies Record<string, ConfigSpec>

/** In order of name. */
export const saslConfigs = {
  'connection.authentication.timeout.ms': whole('int', 10_000, 1, {
    readOnly: true,
    says: 'The broker closes a connection whose client has not logged in after this time.',
  }),
  'connection.failed.authentication.delay.ms': whole('int', 100, 0, {
    readOnly: true,
    says: 'The broker answers a failed login after this time, or a multiple of it. With 0 the time of the answer tells which users exist.',
  }),
  'connections.max.reauth.ms': whole('long', 0, 0, {
    readOnly: true,
    says: 'The longest session of a client that logs in by SASL: after this time it must have logged in again (KIP-368). 0: until the connection ends.',
  }),
  'sasl.enabled.mechanisms': anyList(
    {
      readOnly: true,
      says: `The mechanisms that a SASL listener offers: ${mechanismNames.join(', ')}. PLAIN needs SASL_SSL or loopback.`,
    },
    'SCRAM-SHA-256,SCRAM-SHA-512',
  ),
  'sasl.jaas.config': row(
    'password',
    '',
    'MODULE required NAME="VALUE" ...;',
    {
      readOnly: true,
      says: 'A line of JAAS for one mechanism. PLAIN\'s `user_NAME="PASSWORD"` adds a user to those that have a SCRAM password.',
    },
    (line) => ({ line: line.trim() }),
  ),
  ...oauthConfigs,
  'sasl.server.max.receive.size': whole('int', 524_288, 512, {
    readOnly: true,
    says: 'The largest request of a client that has not logged in.',
  }),
} as const satisfies Record<string, ConfigSpec>

export type OauthConfig = ValuesOf<typeof oauthConfigs>

/** SASL of one listener, as its properties say. */
export interface SaslConfig {
  readonly mechanisms: readonly MechanismName[]
  /** By mechanism; 0: until the connection ends. */
  readonly sessionMs: ReadonlyMap<string, number>
  readonly receiveBytesMax: number
  readonly timeoutMs: number
  readonly failureDelayMs: number
  /** Of PLAIN's JAAS line: passwords by user. */
  readonly users: ReadonlyMap<string, string>
  /** Undefined without OAUTHBEARER. */
  readonly oauth: OauthConfig | undefined
}

/** The listener that the properties are of. */
interface Owner {
  readonly name: string
  readonly securityProtocol: string
  readonly hosts: readonly string[]
}

/** @throws {KafkaError} INVALID_CONFIG: which property, and what to try */
export function saslConfigOf(listener: Owner, given: GivenProperties): SaslConfig {
  const properties = new ListenerProperties(listener.name, given)
  const { 'sasl.enabled.mechanisms': enabled } = properties.read(saslConfigs)
  return configWith(mechanismsOf(listener, properties, enabled), properties)
}

/** Of the HTTP server: passwords always, and tokens when there is a key set. @throws {KafkaError} INVALID_CONFIG */
export function httpSaslConfigOf(given: GivenProperties): SaslConfig {
  const properties = new ListenerProperties(undefined, given)
  const { 'sasl.oauthbearer.jwks.endpoint.url': url } = properties.read(oauthConfigs)
  return configWith(url === '' ? ['PLAIN'] : ['PLAIN', 'OAUTHBEARER'], properties)
}

function configWith(
  mechanisms: readonly MechanismName[],
  properties: ListenerProperties,
): SaslConfig {
  const values = properties.read(saslConfigs)
  const lines = new Map(mechanisms.map((mechanism) => [mechanism, jaasOf(mechanism, properties)]))
  return {
    mechanisms,
    sessionMs: new Map(
      mechanisms.map((mechanism) => {
        const { 'connections.max.reauth.ms': ms } = properties.read(saslConfigs, mechanism)
        return [mechanism, ms]
      }),
    ),
    receiveBytesMax: values['sasl.server.max.receive.size'],
    timeoutMs: values['connection.authentication.timeout.ms'],
    failureDelayMs: values['connection.failed.authentication.delay.ms'],
    users: usersOf(lines.get('PLAIN') ?? new Map()),
    oauth: mechanisms.includes('OAUTHBEARER') ? oauthOf(properties) : undefined,
  }
}

function mechanismsOf(
  { name, securityProtocol, hosts }: Owner,
  properties: ListenerProperties,
  given: readonly string[],
): readonly MechanismName[] {
  const property = properties.nameOf('sasl.enabled.mechanisms')
  const mechanisms = given.map((each) => {
    const known = mechanismNames.find((mechanism) => mechanism === each)
    if (known === undefined)
      throw refused(
        `${property}: ${each.slice(0, 50)} is not offered; any of ${mechanismNames.join(', ')}`,
      )
    return known
  })
  if (mechanisms.length === 0)
    throw refused(`${property} is empty: no client of listener ${name} could log in`)
  const isReadable = securityProtocol !== 'SASL_SSL' && !hosts.every(isLoopback)
  if (isReadable && mechanisms.includes('PLAIN'))
    throw refused(
      `${property}: by PLAIN anybody on the way to listener ${name} could read passwords; use SASL_SSL, or leave PLAIN out`,
    )
  return [...new Set(mechanisms)]
}

const modules: Readonly<Record<MechanismName, string>> = {
  PLAIN: 'PlainLoginModule',
  'SCRAM-SHA-256': 'ScramLoginModule',
  'SCRAM-SHA-512': 'ScramLoginModule',
  OAUTHBEARER: 'OAuthBearerLoginModule',
}

/** @returns the options; none when there is no line for the mechanism. @throws {KafkaError} INVALID_CONFIG, without secrets */
function jaasOf(
  mechanism: MechanismName,
  properties: ListenerProperties,
): ReadonlyMap<string, string> {
  const { line } = properties.read(saslConfigs, mechanism)['sasl.jaas.config']
  const name = properties.nameOf('sasl.jaas.config', mechanism)
  if (line === '') return new Map()
  try {
    const { module, options } = parseJaas(line)
    const isOwn = name.toLowerCase().includes(`.${mechanism.toLowerCase()}.`)
    if (module.endsWith(`.${modules[mechanism]}`)) return checked(options)
    if (!isOwn) return new Map() // a line for all mechanisms names the module of one
    throw new Error(`the module of ${mechanism} is ...${modules[mechanism]}`)
  } catch (error) {
    throw refused(`${name}: ${(error as Error).message}`)
  }
}

/** @throws {Error} for what would let anybody in */
function checked(options: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const unsecured = [...options.keys()].find((name) => name.startsWith('unsecured'))
  if (unsecured !== undefined)
    throw new Error(`${unsecured}: tokens need a signature; set sasl.oauthbearer.jwks.endpoint.url`)
  return options
}

const USER = 'user_'

/** @param options of the JAAS line. @throws {KafkaError} INVALID_CONFIG */
function usersOf(options: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const users = new Map<string, string>()
  for (const [name, password] of options) {
    if (!name.startsWith(USER)) continue
    const user = name.slice(USER.length)
    if (user === '' || password === '')
      throw refused(`sasl.jaas.config: ${name} has no ${user === '' ? 'name' : 'password'}`)
    users.set(user, password)
  }
  return users
}

function oauthOf(properties: ListenerProperties): OauthConfig {
  const oauth = properties.read(oauthConfigs, 'OAUTHBEARER')
  const name = properties.nameOf('sasl.oauthbearer.jwks.endpoint.url', 'OAUTHBEARER')
  const url = oauth['sasl.oauthbearer.jwks.endpoint.url']
  if (url === '')
    throw refused(`${name} is not set: OAUTHBEARER needs the key set of the token server`)
  const isUrl = URL.canParse(url) && ['https:', 'http:', 'file:'].includes(new URL(url).protocol)
  if (!isUrl) throw refused(`${name}: want an https:, http: or file: URL`)
  return oauth
}

function refused(message: string): KafkaError {
  return new KafkaError('INVALID_CONFIG', message)
}
