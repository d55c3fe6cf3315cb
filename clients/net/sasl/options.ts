// SaslOptions: the identity of the client. Checked at the door, never shown.

import { callback, checked, namesTo, oneOf, required, rule, secret, shape } from '../../options.ts'
import type { Rule } from '../../options.ts'

export type SaslOptions =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    }
  | {
      readonly mechanism: 'oauthbearer'
      /** The client calls it when it opens a socket without a token, and again after four fifths of a token's lifetime. */
      readonly token: () => Promise<OauthToken> | OauthToken
    }

export interface OauthToken {
  /** The token after `Bearer`. */
  readonly value: string
  /** ms since the epoch. */
  readonly expiresAt: number
  /** Extensions for the broker, for instance `logicalCluster` and `identityPoolId` of Confluent Cloud (KIP-342). */
  readonly extensions?: Readonly<Record<string, string>> | undefined
}

interface AllSaslOptions {
  readonly mechanism: SaslOptions['mechanism']
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly token?: (() => Promise<OauthToken> | OauthToken) | undefined
}

/** Kafka's brokers refuse a longer message. */
const SECRET_CHARS_MAX = 100_000

const credential = (expected: string): Rule<string> =>
  rule(
    `${expected}, at most ${SECRET_CHARS_MAX} characters, without NUL`,
    (value) =>
      typeof value === 'string' &&
      value !== '' &&
      value.length <= SECRET_CHARS_MAX &&
      !value.includes('\0'),
  )

const all = shape<AllSaslOptions>({
  mechanism: required(oneOf('plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer')),
  username: credential('text that is not empty'),
  password: secret(credential('text that is not empty')),
  token: secret(callback()),
})

/** The options of each mechanism; all are required. */
export const saslOptions: Rule<SaslOptions> = secret({
  expected: all.expected,
  take(value, call, name) {
    const options = all.take(value, call, name)
    const isOauth = options.mechanism === 'oauthbearer'
    const needed = isOauth ? (['token'] as const) : (['username', 'password'] as const)
    const others = isOauth ? (['username', 'password'] as const) : (['token'] as const)
    for (const each of needed) {
      if (options[each] === undefined)
        throw new TypeError(`${call}: ${name}.${each} is missing, ${options.mechanism} needs it`)
    }
    for (const each of others) {
      if (options[each] !== undefined)
        throw new TypeError(`${call}: ${name}.${each} is not for ${options.mechanism}`)
    }
    return options as SaslOptions
  },
})

const extensionValue = rule<string>(
  'printable ASCII text',
  (value) => typeof value === 'string' && /^[\x21-\x7e \t\r\n]+$/.test(value),
)

/** The characters that RFC 6750 allows in a token; with others a token could add fields to its message. */
const tokenOptions = shape<OauthToken>({
  value: required(
    secret(
      rule(
        `a token, at most ${SECRET_CHARS_MAX} characters of A-Z a-z 0-9 - . _ ~ + / =`,
        (value) =>
          typeof value === 'string' &&
          value.length <= SECRET_CHARS_MAX &&
          /^[A-Za-z0-9\-._~+/]+=*$/.test(value),
      ),
    ),
  ),
  expiresAt: required(
    rule('a time in ms since the epoch', (value) => Number.isFinite(value) && value > 0),
  ),
  extensions: secret(namesTo(extensionValue)),
})

/** @throws {TypeError} if the user's function returned something else; the message does not show it */
export function checkedToken(given: unknown): OauthToken {
  const token = checked('sasl.token()', secret(tokenOptions), given, 'what it gives')
  for (const name of Object.keys(token.extensions ?? {})) {
    if (!/^[A-Za-z]+$/.test(name) || name === 'auth')
      throw new TypeError(
        `sasl.token(): extensions.${name.slice(0, 100)}: a name is letters, not auth`,
      )
  }
  return token
}
