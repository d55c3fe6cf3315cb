// The settings of flags and environment variables, from one table. Pure. Table for users: docs/guide/cli.md

import { Option } from 'commander'
import type { CommonOptions } from '../flags.ts'
import type { Io } from '../io.ts'
import { mechanisms, settingsOf, type NamedSettings, type Settings } from './settings.ts'

/** Name of the setting -> its flag and help. All of them have a variable, too, for example MILLRACE_CERT_KEY. */
const flags = {
  tls: ['--tls', 'use TLS; --ca and --cert imply it'],
  ca: ['--ca <file>', 'PEM: the CAs to trust, instead of those that Node trusts'],
  cert: ['--cert <file>', 'PEM: the certificate of this client (mTLS)'],
  certKey: ['--cert-key <file>', 'PEM: the key of --cert'],
  keyPasswordFile: ['--key-password-file <file>', 'has the password of --cert-key'],
  sasl: ['--sasl <mechanism>', `${mechanisms.join(', ')}; with --user scram-sha-256`],
  user: ['--user <name>', 'log in; asks for the password if no other flag or variable says it'],
  passwordFile: ['--password-file <file>', 'has the password of --user'],
  tokenCommand: ['--token-command <command>', 'prints a token for oauthbearer, or JSON with one'],
  tokenUrl: ['--token-url <url>', 'gives tokens for --client-id and its secret'],
  clientId: ['--client-id <id>', 'the name of this client at --token-url'],
  clientSecretFile: ['--client-secret-file <file>', 'has the secret of --client-id'],
  scope: ['--scope <text>', 'the scope of the tokens from --token-url'],
  extensions: ['--extensions <list>', 'name=value,... to send with a token: logicalCluster, ...'],
} as const satisfies {
  readonly [Name in keyof NamedSettings]: readonly [flag: string, text: string]
}

/** Every user of the machine can read arguments, so secrets have no flags. */
const secrets = ['password', 'keyPassword', 'clientSecret'] as const

const flagNames = Object.keys(flags) as (keyof typeof flags)[]

export function loginFlags(): Option[] {
  return Object.values(flags).map(([flag, text]) => new Option(flag, text))
}

/** The settings of a command line's flags. */
export function namedByFlags(options: CommonOptions): NamedSettings {
  const given = options as NamedSettings
  const pairs = flagNames.map((name) => [name, given[name]])
  return { brokers: options.brokers, ...Object.fromEntries(pairs) } as NamedSettings
}

export function fromFlags(options: CommonOptions): Settings {
  return settingsOf(namedByFlags(options), 'flag')
}

export function fromEnvironment(env: Io['env']): Settings {
  const names = ['brokers', ...flagNames, ...secrets] as const
  const pairs = names.map((name) => [name, env[variableOf(name)]])
  return settingsOf(Object.fromEntries(pairs) as NamedSettings, 'environment')
}

function variableOf(name: string): string {
  return `MILLRACE_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}
