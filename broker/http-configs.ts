// The configuration of the HTTP server: where it listens, and how it knows its clients. Network thread.

import { KafkaError } from '../protocol/errors.ts'
import { isLoopback } from './addresses.ts'
import { unsafe } from './listener-configs.ts'
import { ListenerProperties, type GivenProperties } from './listener-properties.ts'
import { httpSaslConfigOf, type SaslConfig } from './sasl/sasl-configs.ts'
import type { SecurityProtocol } from './session.ts'
import { tlsConfigOf, type TlsConfig } from './tls/tls-configs.ts'

/** The value of `http.port` for no HTTP server. */
export const NO_HTTP = -1
/** The name of the HTTP server in metrics and log; names of Kafka's listeners are in capitals. */
const NAME = 'http'

export interface HttpConfig {
  readonly name: typeof NAME
  /** Without it there is no server. */
  readonly isOn: boolean
  readonly host: string
  /** 0 for a free one. */
  readonly port: number
  readonly securityProtocol: SecurityProtocol
  /** Undefined without TLS. */
  readonly tls: TlsConfig | undefined
  /** Undefined: it asks nobody for a password. */
  readonly sasl: SaslConfig | undefined
}

interface HttpProperties {
  readonly 'http.host': string
  readonly 'http.port': number
  readonly 'http.security.protocol': SecurityProtocol
  readonly 'i.accept.unauthenticated.network': boolean
}

/** @throws {KafkaError} INVALID_CONFIG: which property, and what to try */
export function httpConfigOf(properties: HttpProperties, given: GivenProperties): HttpConfig {
  const { 'http.host': host, 'http.port': port } = properties
  const securityProtocol = properties['http.security.protocol']
  const isOn = port !== NO_HTTP
  const isSasl = securityProtocol.startsWith('SASL')
  const isTls = securityProtocol.endsWith('SSL')
  const own = new ListenerProperties(undefined, given)
  const tls = isOn && isTls ? tlsConfigOf(NAME, own, isSasl) : undefined
  const sasl = isOn && isSasl ? httpSaslConfigOf(given) : undefined
  const config: HttpConfig = { name: NAME, isOn, host, port, securityProtocol, tls, sasl }
  checkReach(config, properties['i.accept.unauthenticated.network'])
  return config
}

/** Other machines reach the address, and it does not know its clients, or does not encrypt. */
function reachesOthers({ host, securityProtocol, tls }: HttpConfig): boolean {
  const isOfAllowed = tls?.values['ssl.client.auth'] === 'required'
  return !isLoopback(host) && securityProtocol !== 'SASL_SSL' && !isOfAllowed
}

export function isHttpExposed(config: HttpConfig): boolean {
  return config.isOn && reachesOthers(config)
}

/** @param isOpen other machines may come without a password. @throws {KafkaError} INVALID_CONFIG when they should not */
function checkReach(config: HttpConfig, isOpen: boolean): void {
  if (!reachesOthers(config)) return
  const { host, securityProtocol } = config
  if (securityProtocol === 'SASL_PLAINTEXT')
    throw new KafkaError(
      'INVALID_CONFIG',
      `http.host=${host} can be reached from other machines, where anybody on the way could read passwords: use http.security.protocol=SASL_SSL, or 127.0.0.1`,
    )
  const risk = 'where anybody could read the names and sizes of topics and groups'
  if (!isOpen) throw unsafe(`http.host=${host}`, `${risk}: use http.security.protocol=SASL_SSL`)
}
