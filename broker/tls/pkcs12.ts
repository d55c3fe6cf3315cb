// Pkcs12: private key and certificates of a PKCS12 store (RFC 7292), as OpenSSL and Java's keytool have written it for years:
// encrypted by PBES2 (PBKDF2 and AES). Node could load a whole store, but would then also accept clients of every CA in it. Pure.

import { createDecipheriv, createPrivateKey, pbkdf2Sync, type KeyObject } from 'node:crypto'
import { contextTag, Der, DerError, tags } from './der.ts'

export interface Pkcs12 {
  readonly key: KeyObject
  /** DER, in the order of the store. */
  readonly certificates: readonly Buffer[]
}

const DATA = '1.2.840.113549.1.7.1'
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6'
const KEY_BAG = '1.2.840.113549.1.12.10.1.1'
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2'
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3'
const PBES2 = '1.2.840.113549.1.5.13'

/** By the id of PBKDF2's pseudorandom function; SHA-1 is the default. */
const digests: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
}

const ciphers: Readonly<Record<string, readonly [name: string, keyBytes: number]>> = {
  '2.16.840.1.101.3.4.1.2': ['aes-128-cbc', 16],
  '2.16.840.1.101.3.4.1.22': ['aes-192-cbc', 24],
  '2.16.840.1.101.3.4.1.42': ['aes-256-cbc', 32],
}
const ITERATIONS_MAX = 5_000_000

/** An encryption that is too old, or that is not known here. */
export class UnknownEncryption extends Error {
  override readonly name = 'UnknownEncryption'
}

/**
 * @param password checked: the store's own check of it has passed
 * @throws {DerError | UnknownEncryption | Error} Error: OpenSSL refuses the key
 */
export function readPkcs12(store: Buffer, password: string): Pkcs12 {
  const content = Der.read(store).as(tags.sequence).child(1)
  const keys: KeyObject[] = []
  const certificates: Buffer[] = []
  for (const part of Der.read(octetsOf(content)).as(tags.sequence).children) {
    for (const bag of Der.read(safeContents(part, password)).as(tags.sequence).children) {
      const type = bag.child(0).oid
      const value = bag.child(1).child(0)
      if (type === CERTIFICATE_BAG) certificates.push(value.child(1).child(0).contents)
      else if (type === KEY_BAG) keys.push(privateKey(value.bytes))
      else if (type === SHROUDED_KEY_BAG) keys.push(privateKey(value.bytes, password))
    }
  }
  const [key, another] = keys
  if (key === undefined || another !== undefined)
    throw new DerError(`${keys.length} private keys, expected one`)
  return { key, certificates }
}

function privateKey(der: Buffer, passphrase?: string): KeyObject {
  const secret = passphrase === undefined ? {} : { passphrase }
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8', ...secret })
}

/** Of a ContentInfo with data. */
function octetsOf(contentInfo: Der): Buffer {
  if (contentInfo.as(tags.sequence).child(0).oid !== DATA)
    throw new DerError('a store that is signed, not protected by a password')
  return contentInfo.child(1).child(0).as(tags.octetString).contents
}

function safeContents(part: Der, password: string): Buffer {
  if (part.as(tags.sequence).child(0).oid !== ENCRYPTED_DATA) return octetsOf(part)
  const [, algorithm, content] = part.child(1).child(0).child(1).children
  if (algorithm === undefined || content === undefined) throw new DerError('no encrypted content')
  const encrypted =
    content.tag === contextTag(0)
      ? Buffer.concat(content.children.map((piece) => piece.contents))
      : content.contents
  return decrypted(algorithm, encrypted, password)
}

/** PBES2 (RFC 8018). */
function decrypted(algorithm: Der, encrypted: Buffer, password: string): Buffer {
  if (algorithm.child(0).oid !== PBES2)
    throw new UnknownEncryption(`certificates encrypted by ${algorithm.child(0).oid}`)
  const [derivation, scheme] = algorithm.child(1).children
  if (derivation === undefined || scheme === undefined) throw new DerError('no parameters of PBES2')
  const [salt, iterations, ...more] = derivation.child(1).children
  const digestId = more.find(({ tag }) => tag === tags.sequence)?.child(0).oid
  const digest = digests[digestId ?? '1.2.840.113549.2.7']
  const [cipher, keyBytes] = ciphers[scheme.child(0).oid] ?? []
  if (digest === undefined || cipher === undefined || keyBytes === undefined)
    throw new UnknownEncryption(`certificates encrypted by ${scheme.child(0).oid}`)
  const count = iterations?.number ?? 0
  if (salt === undefined || count < 1 || count > ITERATIONS_MAX)
    throw new DerError('parameters of PBKDF2')
  const key = pbkdf2Sync(password, salt.contents, count, keyBytes, digest)
  const decipher = createDecipheriv(cipher, key, scheme.child(1).contents)
  return Buffer.concat([decipher.update(encrypted), decipher.final()])
}
