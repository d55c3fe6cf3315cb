// Authority: a CA that signs certificates for this broker, and the certificates: X.509 v3 of one shape (RFC 5280), P-256 with
// SHA-256. It only writes certificates: Node, OpenSSL and Java read them. Why by hand: docs/decisions/0029-users-and-secure.md

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { canonicalAddress } from '../../protocol/canonical-address.ts'
import {
  bitString,
  der,
  integer,
  octetString,
  oid,
  sequence,
  time,
  TRUE,
  utf8String,
} from './der.ts'

/** A certificate and its key. */
export interface Identity {
  /** PEM. */
  readonly cert: string
  /** PEM, PKCS8. */
  readonly key: string
}

export interface Lifetime {
  readonly notBefore: Date
  readonly notAfter: Date
}

export interface IdentityOptions extends Lifetime {
  /** The common name. */
  readonly name: string
  /** The whole subject instead, in DER. */
  readonly subject?: Buffer | undefined
  /** The host names and addresses of its owner, which clients check. */
  readonly hosts: readonly string[]
}

/** Signs certificates of others with its own. */
export class Authority {
  readonly identity: Identity
  readonly #name: string
  readonly #privateKey: KeyObject

  private constructor(name: string, privateKey: KeyObject, cert: string) {
    this.#name = name
    this.#privateKey = privateKey
    this.identity = { cert, key: pemOf(privateKey) }
  }

  static create(name: string, lifetime: Lifetime): Authority {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const issuer = { name, privateKey }
    return new Authority(
      name,
      privateKey,
      issued(issuer, privateKey, { name, hosts: [], ...lifetime }),
    )
  }

  /** One that `create` has made; the texts may be one. @throws {Error} for any other, or a key that is not its own */
  static load({ cert, key }: Identity): Authority {
    const certificate = new X509Certificate(cert)
    const privateKey = createPrivateKey(key)
    const [, name] = /^CN=([^\n]+)$/.exec(certificate.subject) ?? []
    if (name === undefined || !certificate.ca || privateKey.asymmetricKeyType !== 'ec')
      throw new Error('it was not made here')
    if (!certificate.checkPrivateKey(privateKey)) throw new Error('the key belongs to another one')
    return new Authority(name, privateKey, pem(certificate.raw))
  }

  /** A certificate for servers and clients. */
  issue(options: IdentityOptions): Identity {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const issuer = { name: this.#name, privateKey: this.#privateKey }
    return { cert: issued(issuer, privateKey, options), key: pemOf(privateKey) }
  }
}

interface Issuer {
  readonly name: string
  readonly privateKey: KeyObject
}

const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'))
const VERSION_3 = der(0xa0, integer(Buffer.of(2)))
const KEY_CERT_SIGN = bitString(2, Buffer.of(0x04))
const DIGITAL_SIGNATURE = bitString(7, Buffer.of(0x80))
const SERVER_AND_CLIENT = sequence(oid('2b06010505070301'), oid('2b06010505070302'))
const SERIAL_BYTES = 16

/** @param privateKey of the owner; the issuer's own makes a CA */
function issued(issuer: Issuer, privateKey: KeyObject, options: IdentityOptions): string {
  const { name, subject = commonName(name), hosts, notBefore, notAfter } = options
  const isAuthority = issuer.privateKey === privateKey
  const publicKey = publicKeyOf(privateKey)
  const serial = randomBytes(SERIAL_BYTES)
  serial[0] = (serial[0]! & 0x7f) | 1 // positive, without a leading zero
  const extensions = [
    extension('551d13', true, sequence(...(isAuthority ? [TRUE] : []))), // basic constraints
    extension('551d0f', true, isAuthority ? KEY_CERT_SIGN : DIGITAL_SIGNATURE),
    extension('551d0e', false, octetString(keyIdOf(publicKey))),
    extension('551d23', false, sequence(der(0x80, keyIdOf(publicKeyOf(issuer.privateKey))))),
    ...(isAuthority ? [] : [extension('551d25', false, SERVER_AND_CLIENT)]),
    ...(hosts.length === 0 ? [] : [extension('551d11', false, sequence(...hosts.map(hostName)))]),
  ]
  const body = sequence(
    VERSION_3,
    integer(serial),
    ECDSA_WITH_SHA256,
    commonName(issuer.name),
    sequence(time(notBefore), time(notAfter)),
    subject,
    publicKey,
    der(0xa3, sequence(...extensions)),
  )
  const signature = sign('sha256', body, issuer.privateKey)
  return pem(sequence(body, ECDSA_WITH_SHA256, bitString(0, signature)))
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(isCritical ? [TRUE] : []), octetString(value))
}

function commonName(name: string): Buffer {
  return sequence(der(0x31, sequence(oid('550403'), utf8String(name))))
}

function hostName(name: string): Buffer {
  const address = canonicalAddress(name)
  return address === undefined ? der(0x82, Buffer.from(name)) : der(0x87, addressBytes(address))
}

/** @param address in canonical form */
function addressBytes(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const [first, last] = [groups(head), groups(tail ?? '')]
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0')
  const hex = [...first, ...zeros, ...last].map((group) => group.padStart(4, '0'))
  return Buffer.from(hex.join(''), 'hex')
}

/** As it lies in a certificate. */
function publicKeyOf(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
}

function keyIdOf(publicKey: Buffer): Buffer {
  return createHash('sha1').update(publicKey).digest()
}

function pemOf(privateKey: KeyObject): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g)!
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
