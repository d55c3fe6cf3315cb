// Listener configuration: where the broker listens, by Kafka's properties: `listeners`, `advertised.listeners`,
// `listener.security.protocol.map`, or by the short form, `host` and `port`. Network thread.
// The properties of a listener's own, `listener.name.NAME.PROPERTY`: listener-properties.ts

import { KafkaError } from '../protocol/errors.ts'
import { listItems } from '../storage/config.ts'
import { addressText, isLoopback } from './addresses.ts'
import {
  ListenerProperties,
  listenerPropertyName,
  type GivenProperties,
} from './listener-properties.ts'
import { saslConfigOf, type SaslConfig } from './sasl/sasl-configs.ts'
import type { Endpoint, SecurityProtocol } from './session.ts'
import { tlsConfigOf, type TlsConfig } from './tls/tls-configs.ts'

/** The listener of the short form. */
const SHORT_NAME = 'PLAINTEXT'
/** A file made for KRaft lists its controller too, which clients never dial. */
const CONTROLLER = 'CONTROLLER'
const LOOPBACK_HOSTS = ['127.0.0.1', '::1']
const PORT_MAX = 65_535
/** Of a listener that asks nobody who they are. */
const ANYBODY = 'where anybody could read, write and delete everything'

const securityProtocols: readonly string[] = [
  'PLAINTEXT',
  'SSL',
  'SASL_PLAINTEXT',
  'SASL_SSL',
] satisfies SecurityProtocol[]

/** One listener of the broker. */
export interface ListenerConfig {
  /** In capitals: Kafka's names are the same in either case. */
  readonly name: string
  readonly securityProtocol: SecurityProtocol
  /** Addresses to bind, at the same port. */
  readonly hosts: readonly string[]
  /** 0 for one that is free on all hosts. */
  readonly port: number
  readonly advertised: Advertised
  /** Undefined without TLS. */
  readonly tls: TlsConfig | undefined
  /** Undefined without SASL. */
  readonly sasl: SaslConfig | undefined
}

/** What clients are told to connect to. An undefined host or port is the one that they dialled. */
export type Advertised = Partial<Endpoint>

/** NAME://HOST:PORT */
export interface NamedAddress extends Endpoint {
  readonly name: string
}

/** The same, or HOST:PORT, or HOST. */
export interface AdvertisedAddress extends Advertised {
  readonly name: string | undefined
  readonly host: string
}

/** What the properties say, parsed. */
interface PlaceProperties {
  readonly listeners: readonly NamedAddress[]
  readonly 'advertised.listeners': readonly AdvertisedAddress[]
  readonly 'listener.security.protocol.map': ReadonlyMap<string, SecurityProtocol>
  readonly 'controller.listener.names': readonly string[]
  readonly host: string
  readonly port: number
  readonly 'i.accept.unauthenticated.network': boolean
}

const ADDRESS = /^(?:([\w.-]+):\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([^\s:/,[\]]*))(?::(\d{1,5}))?$/

/** @returns undefined for what is no address */
function addressIn(text: string): (Advertised & { readonly name: string | undefined }) | undefined {
  const match = ADDRESS.exec(text)
  if (match === null) return undefined
  const [, name, ipv6, host = ''] = match
  const port = match[4] === undefined ? undefined : Number(match[4])
  if (port !== undefined && port > PORT_MAX) return undefined
  return { name: name?.toUpperCase(), host: ipv6 ?? host, ...(port !== undefined && { port }) }
}

/** @returns undefined unless each is NAME://HOST:PORT, perhaps without a host */
export function parseListeners(value: string): readonly NamedAddress[] | undefined {
  const listeners: NamedAddress[] = []
  for (const item of listItems(value)) {
    const { name, host, port } = addressIn(item) ?? {}
    if (name === undefined || host === undefined || port === undefined) return undefined
    listeners.push({ name, host, port })
  }
  return listeners
}

/** @returns undefined unless each is HOST, HOST:PORT or [IPV6]:PORT, with or without NAME:// before it */
export function parseAdvertised(value: string): readonly AdvertisedAddress[] | undefined {
  const addresses: AdvertisedAddress[] = []
  for (const item of listItems(value)) {
    const address = addressIn(item)
    if (!address?.host || isUnspecified(address.host)) return undefined
    addresses.push({ ...address, host: address.host })
  }
  return addresses
}

/** @returns undefined unless each is NAME:PROTOCOL */
export function parseProtocolMap(value: string): ReadonlyMap<string, SecurityProtocol> | undefined {
  const protocols = new Map<string, SecurityProtocol>()
  for (const item of listItems(value.toUpperCase())) {
    const [name = '', protocol = '', ...rest] = item.split(':').map((part) => part.trim())
    if (name === '' || rest.length > 0 || !isSecurityProtocol(protocol)) return undefined
    protocols.set(name, protocol)
  }
  return protocols
}

function isSecurityProtocol(name: string): name is SecurityProtocol {
  return securityProtocols.includes(name)
}

/** 0.0.0.0 or ::, however written: an address to listen on. Apache Kafka refuses to advertise it, too. */
function isUnspecified(host: string): boolean {
  try {
    const { hostname } = new URL(`http://${host.includes(':') ? `[${host}]` : host}`)
    return ['0.0.0.0', '[::]', '[::ffff:0:0]'].includes(hostname)
  } catch {
    return false
  }
}

/** Where a listener is, and which property says so. */
interface Place {
  readonly name: string
  readonly hosts: readonly string[]
  readonly port: number
  readonly text: string
}

/** How the properties were set. */
interface Setting {
  readonly given: GivenProperties
  /** Whether a stronger source sets one property than the other, which is set, too: a flag is stronger than a file. */
  readonly outranks: (name: string, other: string) => boolean
  /** Hears of settings that have no effect. */
  readonly note: (message: string) => void
}

/** @throws {KafkaError} INVALID_CONFIG: which listener, and what to try */
export function listenersOf(
  properties: PlaceProperties,
  setting: Setting,
): readonly ListenerConfig[] {
  const { given, note } = setting
  const controllers = [CONTROLLER, ...properties['controller.listener.names'].map(upper)]
  const { listeners } = properties
  const listed = placesOf(listeners, controllers, note)
  const places =
    listeners.length === 0 ? [shortPlace(properties)] : changedPlaces(listed, properties, setting)
  checkPlaces(places)
  checkOwners(given, places, controllers)
  const told = advertisedBy(properties, listed, setting)
  const advertised = advertisedFor(places, told, controllers)
  const isOpen = properties['i.accept.unauthenticated.network']
  return places.map((place) => {
    const { name, hosts, port, text } = place
    const securityProtocol = protocolOf(place, properties['listener.security.protocol.map'])
    const at = { name, securityProtocol, hosts, port, advertised: advertised(name) }
    const tls = tlsOf(name, securityProtocol, given)
    const sasl = securityProtocol.startsWith('SASL') ? saslConfigOf(at, given) : undefined
    const listener = { ...at, tls, sasl }
    if (!isOpen) checkReach(listener, text)
    return listener
  })
}

/**
 * A host or port from a stronger source than `listeners` changes the listener that is there.
 *
 * @throws {KafkaError} INVALID_CONFIG when there are several
 */
function changedPlaces(
  listed: readonly Place[],
  { host, port }: PlaceProperties,
  { given, outranks, note }: Setting,
): readonly Place[] {
  const [only, ...others] = listed
  if (only === undefined) return listed
  let changed = only
  for (const name of ['host', 'port'] as const) {
    const set = given.get(name)
    if (set === undefined) continue
    if (!outranks(name, 'listeners')) {
      note(`${name} has no effect: listeners says where to listen`)
      continue
    }
    const text = `${name}=${set.text} (${set.origin})`
    if (others.length > 0)
      throw refused(
        `${text}: listeners (${given.get('listeners')?.origin}) has several: set listeners itself`,
      )
    changed = { ...changed, ...(name === 'host' ? { hosts: hostsIn(host), text } : { port }) }
  }
  return [changed, ...others]
}

/** What a listener advertises as its own port changes with it. */
function advertisedBy(
  properties: PlaceProperties,
  [only]: readonly Place[],
  { outranks }: Setting,
): readonly AdvertisedAddress[] {
  const { port, 'advertised.listeners': told } = properties
  const isChanged = outranks('port', 'listeners') && outranks('port', 'advertised.listeners')
  if (!isChanged || only === undefined) return told
  return told.map((address) => {
    const { name, host } = address
    const isOwn = address.port === only.port && (name ?? only.name) === only.name
    if (!isOwn) return address
    return { name, host, ...(port !== 0 && { port }) } // a free port is the one that the client dials
  })
}

function tlsOf(
  name: string,
  securityProtocol: SecurityProtocol,
  given: GivenProperties,
): TlsConfig | undefined {
  if (!securityProtocol.endsWith('SSL')) return undefined
  return tlsConfigOf(name, new ListenerProperties(name, given), securityProtocol === 'SASL_SSL')
}

function shortPlace({ host, port }: PlaceProperties): Place {
  return { name: SHORT_NAME, hosts: hostsIn(host), port, text: `host=${host}` }
}

/** @param host addresses, comma-separated */
function hostsIn(host: string): readonly string[] {
  return [...new Set(host.split(',').flatMap((each) => hostsFor(each.trim())))]
}

function placesOf(
  listeners: readonly NamedAddress[],
  controllers: readonly string[],
  note: (message: string) => void,
): Place[] {
  const places: Place[] = []
  for (const { name, host, port } of listeners) {
    const text = `listeners=${name}://${addressText(host, port)}`
    if (controllers.includes(name)) note(`${text} is passed over: this broker needs no controller`)
    else places.push({ name, hosts: hostsFor(host), port, text })
  }
  return places
}

/** A listener without a host is for this machine only; Kafka would listen on all addresses. */
function hostsFor(host: string): readonly string[] {
  return host === '' || host === 'localhost' ? LOOPBACK_HOSTS : [host]
}

/** @throws {KafkaError} INVALID_CONFIG unless there are some, each with a name and an address of its own */
function checkPlaces(places: readonly Place[]): void {
  if (places.length === 0) throw refused('listeners has none for clients: add PLAINTEXT://:9092')
  const seen = new Set<string>()
  for (const { name, hosts, port, text } of places) {
    const addresses = port === 0 ? [] : hosts.map((host) => addressText(host, port))
    for (const own of [name, ...addresses]) {
      if (seen.has(own)) throw refused(`${text}: another listener has ${own}, too`)
      seen.add(own)
    }
  }
}

/** @throws {KafkaError} INVALID_CONFIG for a property of a listener that is not there */
function checkOwners(
  given: GivenProperties,
  places: readonly Place[],
  controllers: readonly string[],
): void {
  const names = places.map(({ name }) => name)
  for (const [property, { origin }] of given) {
    const owner = listenerPropertyName(property)?.listener?.toUpperCase()
    if (owner === undefined || names.includes(owner) || controllers.includes(owner)) continue
    throw refused(
      `${property} (${origin}): there is no listener ${owner}, only ${names.join(', ')}`,
    )
  }
}

/** What other machines could do on a listener with such a security protocol, and what to use; undefined when they may come. */
function riskOf({ securityProtocol, tls }: ListenerConfig): string | undefined {
  switch (securityProtocol) {
    case 'PLAINTEXT':
      return `${ANYBODY}: use SASL_SSL or SSL`
    case 'SASL_PLAINTEXT':
      return 'where anybody on the way could read passwords and records: use SASL_SSL'
    case 'SSL':
      return tls?.values['ssl.client.auth'] === 'required'
        ? undefined
        : `${ANYBODY}: use ssl.client.auth=required or SASL_SSL`
    case 'SASL_SSL':
      return undefined
  }
}

/** Other machines reach it, and it does not know its clients, or does not encrypt. */
export function isExposed(listener: ListenerConfig): boolean {
  return riskOf(listener) !== undefined && !listener.hosts.every(isLoopback)
}

/** @throws {KafkaError} INVALID_CONFIG */
function checkReach(listener: ListenerConfig, text: string): void {
  if (isExposed(listener)) throw unsafe(text, riskOf(listener)!)
}

/** What other machines reach, and should not. */
export function unsafe(what: string, risk: string): KafkaError {
  const advice = 'or 127.0.0.1, or say --i-accept-unauthenticated-network'
  return refused(`${what} can be reached from other machines, ${risk}, ${advice}`)
}

/** @throws {KafkaError} INVALID_CONFIG for a protocol that is not known, or not served */
function protocolOf(
  { name, text }: Place,
  protocols: ReadonlyMap<string, SecurityProtocol>,
): SecurityProtocol {
  const protocol = protocols.get(name) ?? name
  if (!isSecurityProtocol(protocol))
    throw refused(`${text}: add ${name}:PLAINTEXT to listener.security.protocol.map`)
  return protocol
}

/** @throws {KafkaError} INVALID_CONFIG for addresses that belong to no listener */
function advertisedFor(
  places: readonly Place[],
  advertised: readonly AdvertisedAddress[],
  controllers: readonly string[],
): (name: string) => Advertised {
  const names = places.map(({ name }) => name)
  const byName = new Map<string | undefined, Advertised>()
  for (const { name, ...address } of advertised) {
    if (name !== undefined && controllers.includes(name)) continue
    if (name !== undefined && !names.includes(name))
      throw refused(`advertised.listeners: there is no listener ${name}, only ${names.join(', ')}`)
    if (byName.has(name) || (name === undefined && address.port !== undefined && names.length > 1))
      throw refused(
        `advertised.listeners: say which listener is at ${address.host}: NAME://HOST:PORT`,
      )
    byName.set(name, address)
  }
  return (name) => byName.get(name) ?? byName.get(undefined) ?? {}
}

function refused(message: string): KafkaError {
  return new KafkaError('INVALID_CONFIG', message)
}

function upper(text: string): string {
  return text.toUpperCase()
}
