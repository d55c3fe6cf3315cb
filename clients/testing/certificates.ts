// Certificates for tests: X.509 v3 of one shape (P-256, ECDSA with SHA-256), written in DER by hand (RFC 5280).
// Nothing here reads certificates: Node, OpenSSL and Java do, and would refuse a wrong one.

import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'

export interface Identity {
  /** PEM; the chain's other certificates follow, if there are any. */
  readonly cert: string
  /** PEM, PKCS8. */
  readonly key: string
}

export interface IdentityOptions {
  /** The common name. */
  readonly name: string
  /** The whole subject instead, in DER. */
  readonly subject?: Buffer
  /** The host names and addresses of its owner. */
  readonly hosts?: readonly string[]
  readonly notBefore?: Date
  readonly notAfter?: Date
}

const DAY_MS = 86_400_000

/** Signs certificates of others with its own. */
export class Authority {
  readonly cert: string
  readonly #name: string
  readonly #privateKey: KeyObject
  readonly #keyId: Buffer

  constructor(name: string) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#name = name
    this.#privateKey = privateKey
    const spki = publicKey.export({ type: 'spki', format: 'der' })
    this.#keyId = keyIdOf(spki)
    this.cert = this.#issue({ name }, spki, true)
  }

  issue(options: IdentityOptions): Identity {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const spki = publicKey.export({ type: 'spki', format: 'der' })
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
    return { cert: this.#issue(options, spki, false), key: String(key) }
  }

  #issue(options: IdentityOptions, spki: Buffer, isAuthority: boolean): string {
    const { name, hosts = [] } = options
    const notBefore = options.notBefore ?? new Date(Date.now() - DAY_MS)
    const notAfter = options.notAfter ?? new Date(Date.now() + DAY_MS)
    const serial = randomBytes(16)
    serial[0] = (serial[0]! & 0x7f) | 1 // positive, without a leading zero
    const extensions = [
      extension('551d13', true, sequence(...(isAuthority ? [BOOLEAN_TRUE] : []))),
      extension('551d0f', true, isAuthority ? KEY_CERT_SIGN : DIGITAL_SIGNATURE),
      extension('551d0e', false, der(0x04, keyIdOf(spki))),
      extension('551d23', false, sequence(der(0x80, this.#keyId))),
      ...(isAuthority ? [] : [extension('551d25', false, SERVER_AND_CLIENT)]),
      ...(hosts.length === 0 ? [] : [extension('551d11', false, sequence(...hosts.map(host)))]),
    ]
    const body = sequence(
      der(0xa0, der(0x02, Buffer.of(2))), // version 3
      der(0x02, serial),
      ECDSA_WITH_SHA256,
      commonName(this.#name),
      sequence(time(notBefore), time(notAfter)),
      options.subject ?? commonName(name),
      spki,
      der(0xa3, sequence(...extensions)),
    )
    const signature = sign('sha256', body, this.#privateKey)
    return pem(sequence(body, ECDSA_WITH_SHA256, der(0x03, Buffer.of(0), signature)))
  }
}

/** Tag, length, contents. */
function der(tag: number, ...contents: Buffer[]): Buffer {
  const body = Buffer.concat(contents)
  const { length } = body
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), body])
}

function sequence(...contents: Buffer[]): Buffer {
  return der(0x30, ...contents)
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

const BOOLEAN_TRUE = der(0x01, Buffer.of(0xff))
const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'))
const KEY_CERT_SIGN = der(0x03, Buffer.of(2, 0x04))
const DIGITAL_SIGNATURE = der(0x03, Buffer.of(7, 0x80))
const SERVER_AND_CLIENT = sequence(oid('2b06010505070301'), oid('2b06010505070302'))

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(isCritical ? [BOOLEAN_TRUE] : []), der(0x04, value))
}

/** An attribute of a subject. @param type an object identifier, its bytes in hex. @param tag of the value: 0x0c for UTF-8 */
export function attribute(type: string, tag: number, value: string | Buffer): Buffer {
  return sequence(oid(type), der(tag, Buffer.from(value as string)))
}

/** @param names each one attribute, or several that count as one */
export function subjectOf(...names: readonly Buffer[][]): Buffer {
  return sequence(...names.map((attributes) => der(0x31, ...attributes)))
}

function commonName(name: string): Buffer {
  return sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(name)))))
}

/** A name, or an address of IPv4 or of IPv6 (`::1` only). */
function host(name: string): Buffer {
  if (isIP(name) === 0) return der(0x82, Buffer.from(name))
  const bytes = name === '::1' ? [...Buffer.alloc(15), 1] : name.split('.').map(Number)
  return der(0x87, Buffer.from(bytes))
}

/** UTCTime, good until 2049. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/\D/g, '').slice(2, 14)
  return der(0x17, Buffer.from(`${digits}Z`))
}

function keyIdOf(spki: Buffer): Buffer {
  return createHash('sha1').update(spki).digest()
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g)!
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
