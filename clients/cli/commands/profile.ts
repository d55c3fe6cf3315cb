// profile add|use|ls|show|rm: saved settings. For users: docs/guide/cli.md, "Profiles"

import { resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import { CliError } from '../exit.ts'
import { clusterOptions, commonOptions, examples, shapes, type CommonOptions } from '../flags.ts'
import {
  profileNamed,
  readProfiles,
  unknownProfile,
  writeProfiles,
  type Profile,
} from '../login/profiles.ts'
import { settingsOf } from '../login/settings.ts'
import { namedByFlags } from '../login/sources.ts'
import { Notes, Stdout, type Shape } from '../print.ts'
import { paintFor } from '../show.ts'

export function define(profile: Command): void {
  const add = profile
    .command('add')
    .description('save the settings that the other flags say; the first one is used at once')
    .argument('<name>', 'letters, digits, - and _', profileName)
    .option('--password-env <variable>', 'the variable that will hold the password')
    .option('--password-command <command>', 'prints the password: of a password manager')
    .option('--key-password-env <variable>', 'the variable that will hold the password of the key')
    .option('--client-secret-env <variable>', "the variable that will hold the client's secret")
    .addHelpText(
      'after',
      examples(
        'millrace profile add prod -b kafka.example.com:9093 --tls --user ann --password-env PROD_PASSWORD',
        'millrace profile add staging -F client.properties',
        'millrace profile use staging',
      ),
    )
    .action(addProfile)
  clusterOptions(commonOptions(add), true)
  const verb = (name: string, summary: string): Command =>
    commonOptions(profile.command(name).description(summary))
  verb('use', 'use a profile where none is named; `none`: none')
    .argument('<name>')
    .action(useProfile)
  shapes(verb('ls', 'list the profiles; * is the one in use')).alias('list').action(listProfiles)
  shapes(verb('show', 'show the settings of a profile: of the one in use, unless named'))
    .alias('info')
    .argument('[name]')
    .action(showProfile)
  verb('rm', 'forget a profile').alias('delete').argument('<name>').action(removeProfile)
}

function profileName(text: string): string {
  if (/^[\w-]{1,100}$/.test(text) && text !== 'none') return text
  throw new InvalidArgumentError('Expected letters, digits, - and _, and not none.')
}

type AddOptions = CommonOptions &
  Pick<Profile, 'passwordEnv' | 'passwordCommand' | 'keyPasswordEnv' | 'clientSecretEnv'>

function addProfile(name: string, _: unknown, command: Command): void {
  const options = command.optsWithGlobals<AddOptions>()
  const { io, X: properties, profile } = options
  if (properties !== undefined || profile !== undefined)
    throw new CliError('usage', 'a profile takes the flags to log in, -F and --command-config')
  const saved = profileOf(options)
  settingsOf(saved, 'flag')
  const { current, profiles } = readProfiles(io.env)
  const isFirst = current === undefined && Object.keys(profiles).length === 0
  writeProfiles(
    { current: isFirst ? name : current, profiles: { ...profiles, [name]: saved } },
    io.env,
  )
  const isUsed = isFirst || current === name
  new Notes(options).say(isUsed ? `${name} is saved, and in use` : `${name} is saved`)
}

/** Paths become absolute: the profile is used from anywhere. */
function profileOf(options: AddOptions): Profile {
  const { properties, commandConfig } = options
  const { passwordEnv, passwordCommand, keyPasswordEnv, clientSecretEnv } = options
  const references = { passwordEnv, passwordCommand, keyPasswordEnv, clientSecretEnv }
  const named = { ...namedByFlags(options), ...references, properties, commandConfig }
  const paths = new Set(['ca', 'cert', 'certKey', 'properties', 'commandConfig'])
  const entries = Object.entries(named).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    entries.map(([name, value]) => {
      const isPath = paths.has(name) || name.endsWith('File')
      return [name, isPath ? resolve(String(value)) : value]
    }),
  ) as Profile
}

function useProfile(name: string, _: unknown, command: Command): void {
  const options = command.optsWithGlobals<CommonOptions>()
  const { profiles } = readProfiles(options.io.env)
  if (name !== 'none' && !Object.hasOwn(profiles, name)) throw unknownProfile(name, profiles)
  writeProfiles({ current: name === 'none' ? undefined : name, profiles }, options.io.env)
  new Notes(options).say(name === 'none' ? 'no profile is in use' : `${name} is in use`)
}

async function listProfiles(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<CommonOptions & Shape>()
  const { io } = options
  const { current, profiles } = readProfiles(io.env)
  const rows = Object.entries(profiles).map(([profile, settings]) => ({
    profile,
    inUse: profile === current ? '*' : '',
    brokers: settings.brokers ?? '',
    tls: hasTls(settings) ? 'tls' : '',
    sasl: settings.sasl ?? '',
    user: settings.user ?? settings.clientId ?? '',
    file: settings.properties ?? settings.commandConfig ?? '',
  }))
  const stdout = new Stdout(io)
  const headings = ['PROFILE', 'IN USE', 'BROKERS', 'TLS', 'SASL', 'USER', 'FILE']
  await stdout.rows(options, headings, rows, paintFor(io.stdout, io.env))
  await stdout.flush()
}

function hasTls({ tls, ca, cert }: Profile): boolean {
  return (tls ?? ca ?? cert) !== undefined
}

/** A file edited by hand may hold secrets, too. */
const SECRETS: readonly string[] = ['password', 'keyPassword', 'clientSecret']

async function showProfile(name: string | undefined, _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<CommonOptions & Shape>()
  const { io } = options
  const profile = profileNamed(name ?? options.profile ?? io.env['MILLRACE_PROFILE'], io.env)
  if (profile === undefined) throw new CliError('notFound', 'no profile is in use: name one')
  const rows = Object.entries(profile).map(([setting, value]) => ({
    setting,
    value: SECRETS.includes(setting) ? '...' : String(value),
  }))
  const stdout = new Stdout(io)
  await stdout.rows(options, ['SETTING', 'VALUE'], rows, paintFor(io.stdout, io.env))
  await stdout.flush()
}

function removeProfile(name: string, _: unknown, command: Command): void {
  const options = command.optsWithGlobals<CommonOptions>()
  const { current, profiles } = readProfiles(options.io.env)
  if (!Object.hasOwn(profiles, name)) throw unknownProfile(name, profiles)
  const others = Object.entries(profiles).filter(([each]) => each !== name)
  const left = current === name ? undefined : current
  writeProfiles({ current: left, profiles: Object.fromEntries(others) }, options.io.env)
  new Notes(options).say(`${name} is forgotten`)
}
