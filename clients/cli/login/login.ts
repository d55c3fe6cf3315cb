// Login: combines the settings of all sources into options of a client.

import type { ClientOptions } from '../../client-options.ts'
import type { SaslOptions } from '../../net/sasl/options.ts'
import type { TlsOptions } from '../../net/tls/options.ts'
import { CliError } from '../exit.ts'
import { DEFAULT_BROKERS, type CommonOptions } from '../flags.ts'
import type { Io } from '../io.ts'
import { profileNamed, type Profile } from './profiles.ts'
import { merged, settingsOf, type Settings, type Source } from './settings.ts'
import { fromEnvironment, fromFlags } from './sources.ts'

type LoginOptions = Pick<ClientOptions, 'brokers' | 'clientId' | 'tls' | 'sasl'>

/** Called with a property of a file that has no effect here. */
export type Note = (text: string) => void

/**
 * @param isAskable whether the command may ask for a password
 * @throws {CliError} usage, for settings that contradict each other or name a file that does not exist
 */
export async function loginOptions(
  options: CommonOptions,
  note: Note,
  isAskable = true,
): Promise<LoginOptions> {
  const { io } = options
  const settings = merged(...(await layersOf(options, note)))
  const tls = settings.tls === true ? await tlsFrom(settings, io.env) : undefined
  const sasl = await saslFrom(settings, io, isAskable)
  return {
    brokers: settings.brokers ?? DEFAULT_BROKERS,
    clientId: settings.clientName ?? 'millrace-cli',
    tls,
    sasl,
  }
}

/** Most commands need no secret: what reads one is loaded for those that do. */
const secrets = () => import('./secrets.ts')

/** The strongest first. The readers of files are loaded only if a file is named. */
async function layersOf(options: CommonOptions, note: Note): Promise<Settings[]> {
  const { X: given, io } = options
  const layers = [fromFlags(options)]
  if (given !== undefined) {
    const { argumentsOfLibrdkafka } = await import('./librdkafka.ts')
    layers.push(argumentsOfLibrdkafka(given, note))
  }
  layers.push(fromEnvironment(io.env), ...(await layersOfFiles(options, io.env, note)))
  const profile = profileNamed(options.profile ?? io.env['MILLRACE_PROFILE'], io.env)
  if (profile !== undefined)
    layers.push(settingsOf(profile, 'profile'), ...(await layersOfFiles(profile, io.env, note)))
  return layers
}

async function layersOfFiles(
  { properties, commandConfig }: Pick<Profile, 'properties' | 'commandConfig'>,
  env: Io['env'],
  note: Note,
): Promise<Settings[]> {
  const layers: Settings[] = []
  if (properties !== undefined) {
    const { readLibrdkafka } = await import('./librdkafka.ts')
    layers.push(readLibrdkafka(properties, note))
  }
  if (commandConfig !== undefined) {
    const { readJava } = await import('./java.ts')
    layers.push(readJava(commandConfig, env, note))
  }
  return layers
}

async function tlsFrom(settings: Settings, env: Io['env']): Promise<TlsOptions> {
  const { ca, cert, certKey, keystore, keyPassword } = settings
  const { contentsOf, textFrom } = await secrets()
  const pem = async (source: Source | undefined, what: string) =>
    source === undefined ? undefined : await textFrom(source, what, env)
  return {
    ca: await pem(ca, 'ca'),
    cert: await pem(cert, 'cert'),
    key: await pem(certKey, 'cert-key'),
    pfx: keystore && 'file' in keystore ? contentsOf(keystore.file, 'keystore') : undefined,
    passphrase: await pem(keyPassword, 'the password of the key'),
    rejectUnauthorized: settings.verifyCertificate,
    verifyHostName: settings.verifyHostName,
  }
}

async function saslFrom(
  settings: Settings,
  io: Io,
  isAskable: boolean,
): Promise<SaslOptions | undefined> {
  const { user, password } = settings
  const mechanism = settings.sasl ?? (user === undefined ? undefined : 'scram-sha-256')
  if (mechanism === undefined) return undefined
  if (mechanism === 'oauthbearer') return { mechanism, token: await tokenFrom(settings, io.env) }
  if (user === undefined) throw new CliError('usage', `${mechanism} needs a user: --user NAME`)
  const { passwordAsked, textFrom } = await secrets()
  if (password !== undefined)
    return {
      mechanism,
      username: user,
      password: await textFrom(password, 'the password', io.env),
    }
  if (!isAskable) throw new CliError('usage', `there is no password for ${user}`)
  return { mechanism, username: user, password: await passwordAsked(user, io) }
}

async function tokenFrom(
  { tokenCommand, tokenUrl, clientId, clientSecret, scope, extensions }: Settings,
  env: Io['env'],
): Promise<Extract<SaslOptions, { mechanism: 'oauthbearer' }>['token']> {
  const { checkTokenUrl, tokenByCommand, tokenByCredentials } = await import('./tokens.ts')
  if (tokenCommand !== undefined) return () => tokenByCommand(tokenCommand, extensions)
  if (tokenUrl === undefined)
    throw new CliError('usage', 'oauthbearer needs --token-command, or --token-url and --client-id')
  checkTokenUrl(tokenUrl)
  if (clientId === undefined || clientSecret === undefined) {
    const what = clientId === undefined ? '--client-id ID' : '--client-secret-file FILE'
    throw new CliError(
      'usage',
      `--token-url needs ${what} (or MILLRACE_CLIENT_ID, MILLRACE_CLIENT_SECRET)`,
    )
  }
  const { textFrom } = await secrets()
  const secret = await textFrom(clientSecret, "the client's secret", env)
  const credentials = { url: tokenUrl, clientId, clientSecret: secret, scope }
  return () => tokenByCredentials(credentials, extensions)
}
