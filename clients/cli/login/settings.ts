// Settings: the cluster, and how to log in there, from flags, the environment, property files and profiles. Pure.
// A stronger source wins setting by setting: flag, environment, property file, profile.

import type { SaslOptions } from '../../net/sasl/options.ts'
import { CliError } from '../exit.ts'

/** The place of a secret or a certificate. */
export type Source =
  | { readonly text: string }
  | { readonly file: string }
  | { readonly variable: string }
  | { readonly command: string }

export interface Settings {
  readonly brokers?: string | undefined
  /** The client id: the name of this client for brokers. */
  readonly clientName?: string | undefined
  readonly tls?: boolean | undefined
  readonly ca?: Source | undefined
  readonly cert?: Source | undefined
  readonly certKey?: Source | undefined
  /** PKCS12, instead of `cert` and `certKey`. */
  readonly keystore?: Source | undefined
  /** The passphrase of `certKey` or `keystore`. */
  readonly keyPassword?: Source | undefined
  readonly verifyCertificate?: boolean | undefined
  readonly verifyHostName?: boolean | undefined
  readonly sasl?: SaslOptions['mechanism'] | undefined
  readonly user?: string | undefined
  readonly password?: Source | undefined
  readonly tokenCommand?: string | undefined
  readonly tokenUrl?: string | undefined
  /** OAuth's client credentials, with `tokenUrl`. */
  readonly clientId?: string | undefined
  readonly clientSecret?: Source | undefined
  readonly scope?: string | undefined
  readonly extensions?: Readonly<Record<string, string>> | undefined
}

/** The settings that flags, variables and profiles have by name. Their values are text; `tls` may be true. */
export interface NamedSettings {
  readonly brokers?: string
  readonly tls?: boolean | string
  readonly ca?: string
  readonly cert?: string
  readonly certKey?: string
  readonly keyPasswordFile?: string
  readonly keyPasswordEnv?: string
  readonly keyPassword?: string
  readonly sasl?: string
  readonly user?: string
  readonly password?: string
  readonly passwordFile?: string
  readonly passwordEnv?: string
  readonly passwordCommand?: string
  readonly tokenCommand?: string
  readonly tokenUrl?: string
  readonly clientId?: string
  readonly clientSecret?: string
  readonly clientSecretFile?: string
  readonly clientSecretEnv?: string
  readonly scope?: string
  readonly extensions?: string
}

export const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] as const

/** @param origin of the settings, for messages; @throws {CliError} usage */
export function settingsOf(given: NamedSettings, origin: string): Settings {
  const file = (path: string | undefined) => (path === undefined ? undefined : { file: path })
  const { brokers, user, tokenCommand, tokenUrl, clientId, scope, extensions } = given
  return withImplied({
    brokers,
    tls: tlsOf(given.tls, origin),
    ca: file(given.ca),
    cert: file(given.cert),
    certKey: file(given.certKey),
    keyPassword: secretOf(given.keyPassword, given.keyPasswordFile, given.keyPasswordEnv),
    sasl: mechanismOf(given.sasl, origin),
    user,
    password:
      secretOf(given.password, given.passwordFile, given.passwordEnv) ??
      (given.passwordCommand === undefined ? undefined : { command: given.passwordCommand }),
    tokenCommand,
    tokenUrl,
    clientId,
    clientSecret: secretOf(given.clientSecret, given.clientSecretFile, given.clientSecretEnv),
    scope,
    extensions: extensions === undefined ? undefined : extensionsOf(extensions, origin),
  })
}

/** A CA or a certificate implies TLS; a source of tokens implies OAUTHBEARER. */
function withImplied(settings: Settings): Settings {
  const { ca, cert, certKey, keystore, tokenCommand, tokenUrl } = settings
  const wantsTls = (ca ?? cert ?? certKey ?? keystore) !== undefined
  const wantsTokens = (tokenCommand ?? tokenUrl) !== undefined
  return {
    ...settings,
    tls: settings.tls ?? (wantsTls ? true : undefined),
    sasl: settings.sasl ?? (wantsTokens ? 'oauthbearer' : undefined),
  }
}

/** Alternative sources of one value: a stronger one of any kind replaces all weaker ones. */
const RIVALS: readonly (readonly (keyof Settings)[])[] = [
  ['tokenCommand', 'tokenUrl'],
  ['cert', 'keystore'],
]

/** @param layers the strongest first */
export function merged(...layers: readonly Settings[]): Settings {
  const all: Record<string, unknown> = {}
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer)) {
      const rivals = RIVALS.find((names) => names.includes(name as keyof Settings)) ?? [name]
      const isTaken = rivals.some((each) => all[each] !== undefined)
      if (value !== undefined && !isTaken) all[name] = value
    }
  }
  return all
}

function secretOf(
  text: string | undefined,
  file: string | undefined,
  variable: string | undefined,
): Source | undefined {
  if (text !== undefined) return { text }
  if (file !== undefined) return { file }
  return variable === undefined ? undefined : { variable }
}

function tlsOf(given: boolean | string | undefined, origin: string): boolean | undefined {
  if (given === undefined || typeof given === 'boolean') return given
  if (['1', 'true', 'yes'].includes(given)) return true
  if (['', '0', 'false', 'no'].includes(given)) return false
  throw new CliError('usage', `tls (${origin}): want true or false`)
}

/** @throws {CliError} usage */
export function mechanismOf(
  given: string | undefined,
  origin: string,
): SaslOptions['mechanism'] | undefined {
  if (given === undefined) return undefined
  const name = mechanisms.find((each) => each === given.toLowerCase())
  if (name !== undefined) return name
  throw new CliError(
    'usage',
    `${refusedMechanism(given)} (${origin}); there are ${mechanisms.join(', ')}`,
  )
}

function refusedMechanism(given: string): string {
  const name = given.toUpperCase()
  if (name === 'AWS_MSK_IAM')
    return 'AWS_MSK_IAM works as oauthbearer with a --token-command that prints a signed token: see docs/guide/security.md'
  if (name === 'GSSAPI') return 'there is no GSSAPI (Kerberos) here'
  return `there is no mechanism ${given.slice(0, 50)}`
}

/** `name=value,name=value`. */
export function extensionsOf(text: string, origin: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').map((pair): [string, string] => {
    const [, name, value] = /^\s*([A-Za-z]+)=(.*)$/.exec(pair) ?? []
    if (name === undefined || value === undefined)
      throw new CliError('usage', `extensions (${origin}): want name=value,name=value`)
    return [name, value.trim()]
  })
  return Object.fromEntries(pairs)
}
