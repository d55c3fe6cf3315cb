// SaslOptions: who the client says it is. Checked at the door, shown nowhere.

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
      /** Asked when a socket is opened and no token is at hand, and again when four fifths of a token's time are over. */
      readonly token: () => Promise<OauthToken> | OauthToken
    }

export interface OauthToken {
  /** As it goes behind `Bearer`. */
  readonly value: string
  /** ms since the epoch. */
  readonly expiresAt: number
  /** What the broker is told beside it, for instance `logicalCluster` and `identityPoolId` of Confluent Cloud (KIP-342). */
  readonly extensions?: Readonly<Record<string, string>> | undefined
}

interface AllSaslOptions {
  readonly mechanism: SaslOptions['mechanism']
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly token?: (() => Promise<OauthToken> | OauthToken) | undefined
}

/** Above it a broker of Kafka refuses the message as a whole. */
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

/** Which options a mechanism has, it must have. */
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

/** RFC 6750's characters of a token; with others it could break out of its message. */
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

/** @throws {TypeError} what is wrong with what the user's function has given, without showing it */
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
