// The certificates of `start --secure`: made once, renewed by a start before they end. For users: docs/guide/security.md

import { X509Certificate } from 'node:crypto'
import { canonicalAddress } from '../../protocol/canonical-address.ts'
import { Authority } from './authority.ts'
import type { PrivateFiles } from './private-files.ts'

const DAY_MS = 86_400_000
const CA_DAYS = 3_650
const SERVER_DAYS = 397
/** A start renews a certificate that ends before that. */
export const RENEWAL_DAYS = 90
/** Clocks of clients may be behind. */
const BEFORE_MS = DAY_MS

export const certificateFiles = {
  /** Certificate and key of the CA, in one file so that they belong together after a crash. */
  authority: 'ca-key.pem',
  /** The certificate alone, for clients. */
  ca: 'ca.pem',
  /** Key and certificate of the listener. */
  server: 'server.pem',
} as const

export interface Certificates {
  /** ms since the epoch: the broker must have been started again before. */
  readonly endsAtMs: number
  /** Clients need the new ca.pem. */
  readonly isCaNew: boolean
  /** What the server's certificate is good for. */
  readonly hosts: readonly string[]
}

/**
 * Makes what is missing, and renews what ends soon or lacks a host.
 *
 * @throws {Error} for files of a CA that cannot be used: says what to do
 */
export function keepCertificates(
  files: PrivateFiles,
  hosts: readonly string[],
  nowMs: number,
): Certificates {
  const before = loadAuthority(files, nowMs)
  const authority = before ?? makeAuthority(files, nowMs)
  const { cert: ca } = authority.identity
  if (files.read(certificateFiles.ca) !== ca) files.write(certificateFiles.ca, ca)
  const present = files.read(certificateFiles.server)
  if (present !== undefined && isGood(present, authority, hosts, nowMs))
    return { endsAtMs: endOf(present), isCaNew: before === undefined, hosts }
  const endsAtMs = Math.min(nowMs + SERVER_DAYS * DAY_MS, endOf(ca))
  const { cert, key } = authority.issue({
    name: 'millrace',
    hosts,
    notBefore: new Date(nowMs - BEFORE_MS),
    notAfter: new Date(endsAtMs),
  })
  files.write(certificateFiles.server, key + cert)
  return { endsAtMs, isCaNew: before === undefined, hosts }
}

/** @returns undefined if there is none, or it would end before a new certificate is renewed */
function loadAuthority(files: PrivateFiles, nowMs: number): Authority | undefined {
  const text = files.read(certificateFiles.authority)
  if (text === undefined) return undefined
  try {
    const authority = Authority.load({ cert: text, key: text })
    const isLong = endOf(text) - nowMs > (SERVER_DAYS - RENEWAL_DAYS) * DAY_MS
    return isLong ? authority : undefined
  } catch (error) {
    const path = files.path(certificateFiles.authority)
    const advice = 'put it back, or remove it to have another CA, whose ca.pem all clients need'
    throw new Error(`${path} cannot be used (${(error as Error).message}): ${advice}`)
  }
}

function makeAuthority(files: PrivateFiles, nowMs: number): Authority {
  const authority = Authority.create('millrace CA', {
    notBefore: new Date(nowMs - BEFORE_MS),
    notAfter: new Date(nowMs + CA_DAYS * DAY_MS),
  })
  const { cert, key } = authority.identity
  files.write(certificateFiles.authority, key + cert)
  return authority
}

function isGood(
  server: string,
  { identity: { cert } }: Authority,
  hosts: readonly string[],
  nowMs: number,
): boolean {
  try {
    const certificate = new X509Certificate(server)
    const isKept = certificate.verify(new X509Certificate(cert).publicKey)
    const isLong = endOf(server) - nowMs > RENEWAL_DAYS * DAY_MS
    return isKept && isLong && hosts.every((host) => isFor(certificate, host))
  } catch {
    return false // it is not the only copy of anything
  }
}

function isFor(certificate: X509Certificate, host: string): boolean {
  const address = canonicalAddress(host)
  const found = address === undefined ? certificate.checkHost(host) : certificate.checkIP(address)
  return found !== undefined
}

/** ms since the epoch. */
function endOf(cert: string): number {
  return Date.parse(new X509Certificate(cert).validTo)
}
