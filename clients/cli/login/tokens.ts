// Tokens for OAUTHBEARER: from the output of a command, or from an authorization server for client credentials (RFC 6749, 4.4).

import { systemClock } from '../../clock.ts'
import type { OauthToken } from '../../net/sasl/options.ts'
import { CliError } from '../exit.ts'
import { outputOf } from './secrets.ts'

/** The lifetime of a token that does not state one. */
const LIFETIME_MS_DEFAULT = 300_000

const ANSWER_CHARS_MAX = 200_000
const ANSWER_TIMEOUT_MS = 10_000

type Extensions = OauthToken['extensions']

/** @param command prints a token, or JSON with one as `access_token`, `token` or `value` */
export async function tokenByCommand(command: string, extensions: Extensions): Promise<OauthToken> {
  return { ...tokenIn((await outputOf(command, 'the token')).trim()), extensions }
}

export interface Credentials {
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scope: string | undefined
}

/** @throws {CliError} with the server's answer to the request, without the secret */
export async function tokenByCredentials(
  { url, clientId, clientSecret, scope }: Credentials,
  extensions: Extensions,
): Promise<OauthToken> {
  const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) })
  const pair = [clientId, clientSecret].map(encodeURIComponent).join(':')
  const authorization = `Basic ${Buffer.from(pair).toString('base64')}`
  let answer: Response
  let text: string
  try {
    answer = await fetch(url, {
      method: 'POST',
      body: form,
      headers: { authorization, accept: 'application/json' },
      redirect: 'error', // the secret is for this server only
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    })
    text = (await answer.text()).slice(0, ANSWER_CHARS_MAX)
  } catch (error) {
    const { cause, message } = error as { cause?: { message?: string }; message: string }
    throw new CliError(
      'unreachable',
      `${url} cannot be asked for a token: ${cause?.message ?? message}`,
    )
  }
  if (answer.ok) return { ...tokenIn(text), extensions }
  throw new CliError('notAuthorised', `${url} gives no token: ${answer.status}${reasonIn(text)}`)
}

/** @throws {CliError} usage, for an address to which the secret must not be sent */
export function checkTokenUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url?.hostname ?? '')
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal)) return
  throw new CliError(
    'usage',
    'the token URL must begin with https:// (http:// for this machine only)',
  )
}

function tokenIn(text: string): Pick<OauthToken, 'value' | 'expiresAt'> {
  const json = text.startsWith('{') ? parsed(text) : { access_token: text }
  const value = json['access_token'] ?? json['token'] ?? json['value']
  if (typeof value !== 'string' || value === '')
    throw new CliError(
      'failed',
      'there is no token in the answer: want text, or JSON with access_token',
    )
  return {
    value,
    expiresAt: endIn(json) ?? endOfJwt(value) ?? systemClock.now() + LIFETIME_MS_DEFAULT,
  }
}

/** `expires_in` of OAuth is in s from now; `expiresAt` of a signer of AWS's is in ms since the epoch. */
function endIn(json: Readonly<Record<string, unknown>>): number | undefined {
  const [seconds, at] = [
    Number(json['expires_in']),
    Number(json['expiresAt'] ?? json['expiryTime']),
  ]
  if (seconds > 0) return systemClock.now() + seconds * 1_000
  return at > 0 ? at : undefined
}

/** `exp` of a JWT: in s since the epoch. */
function endOfJwt(token: string): number | undefined {
  const [, payload = ''] = token.split('.')
  const exp = Number(parsed(Buffer.from(payload, 'base64url').toString())['exp'])
  return exp > 0 ? exp * 1_000 : undefined
}

/** Only the parts of OAuth's errors that are for developers. */
function reasonIn(text: string): string {
  const { error, error_description: description } = parsed(text)
  const words = [error, description].filter((each) => typeof each === 'string')
  return words.length === 0 ? '' : `, ${words.join(': ').slice(0, 300)}`
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
