// TLS and SASL of the options, in the form that sockets need. Modules that the options do not need are not loaded.

import type { Clock } from '../clock.ts'
import type { Logger } from '../logger.ts'
import type { Address } from './address.ts'
import type { ConnectionOptions } from './connection.ts'
import type { Login } from './sasl/login.ts'
import type { SaslOptions } from './sasl/options.ts'
import type { TlsOptions } from './tls/options.ts'
import { Tls } from './tls/tls.ts'

interface SecurityOptions {
  readonly tls?: boolean | TlsOptions | undefined
  readonly sasl?: SaslOptions | undefined
}

interface SecurityDeps {
  readonly clock: Clock
  readonly logger: Logger | undefined
  readonly timeoutMs: number
  readonly bootstrap: readonly Address[]
}

/** @throws {TypeError} for certificates that cannot be used */
export function securityOf(
  { tls: given = false, sasl }: SecurityOptions,
  deps: SecurityDeps,
): Pick<ConnectionOptions, 'tls' | 'login'> {
  const tls = given === false ? undefined : new Tls(given === true ? {} : given)
  warnOf(tls, sasl, deps)
  return { tls, login: sasl && loginLater(sasl, deps) }
}

/** All sockets share one login, which the first of them loads. */
function loginLater(options: SaslOptions, deps: SecurityDeps): () => Promise<Login> {
  let login: Promise<Login> | undefined
  return () => (login ??= import('./sasl/login.ts').then(({ loginOf }) => loginOf(options, deps)))
}

function warnOf(
  tls: Tls | undefined,
  sasl: SaslOptions | undefined,
  { bootstrap, logger }: SecurityDeps,
): void {
  if (tls?.isBlind)
    logger?.warn({}, 'tls.rejectUnauthorized is false: anybody may pass for a broker')
  const tells = sasl?.mechanism === 'plain' || sasl?.mechanism === 'oauthbearer'
  if (tells && tls === undefined && !bootstrap.every(isLoopback))
    logger?.warn({}, `sasl.${sasl.mechanism} without tls: everybody on the way can read its secret`)
}

function isLoopback({ host }: Address): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}
