// The principal of a client that has shown a certificate: `User:` and the subject, by the rules of its listener. Network thread.

import type { X509Certificate } from 'node:crypto'
import type { Principal } from '../auth/principal.ts'
import { DerError } from './der.ts'
import { subjectOf } from './distinguished-name.ts'
import type { PrincipalRules } from './principal-rules.ts'

/** Longer ones are refused: no subject that somebody made on purpose is so long. */
const SUBJECT_CHARS_MAX = 4096

/** @returns the principal, or why the client has none and must be refused */
export function principalOf(
  certificate: X509Certificate,
  rules: PrincipalRules,
): Principal | string {
  let subject: string
  try {
    subject = subjectOf(certificate.raw)
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    return `the subject of its certificate cannot be read: ${error.message}`
  }
  if (subject.length > SUBJECT_CHARS_MAX)
    return `the subject of its certificate has ${subject.length} characters`
  const name = rules.nameOf(subject)
  return name === undefined
    ? `no rule of ssl.principal.mapping.rules applies to ${subject}`
    : { type: 'User', name }
}
