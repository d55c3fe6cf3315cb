// SecureReport: what a start with `--secure` tells: the user, the files for clients, the certificate, what has no TLS.

import { join } from 'node:path'
import { certificateFiles, RENEWAL_DAYS, type Certificates } from './certificates.ts'
import { clientFiles } from './client-files.ts'

/** HOST:PORT of each listener, by its name. */
type Addresses = Readonly<Record<string, string>>

export interface SecureOutcome {
  readonly directory: string
  readonly user: string
  /** Undefined if an earlier start has made the user. */
  readonly password: string | undefined
  /** Those for clients that are there. */
  readonly files: readonly string[]
  readonly certificates: Certificates
}

export class SecureReport {
  /** A flag of the command line that logs in. */
  readonly login: string
  readonly #outcome: SecureOutcome

  constructor(outcome: SecureOutcome) {
    this.#outcome = outcome
    this.login = `-F ${shellWord(join(outcome.directory, clientFiles.librdkafka))}`
  }

  /** For people. The password is in it, once. */
  banner(listeners: Addresses): string {
    const { directory, user, password, files, certificates } = this.#outcome
    const { endsAtMs, hosts, isCaNew } = certificates
    const plaintext = plaintextOf(listeners)
    const lines = [
      password === undefined
        ? `  user     ${user}, with the password that the first start printed; lost: millrace user passwd --help`
        : `  user     ${user}, password ${password} (printed once; the files for clients have it)`,
      `  clients  ${[...files, certificateFiles.ca].join(', ')} in ${directory}`,
      `  profile  npx millrace profile add ${user} ${this.login}`,
      `  TLS      for ${hosts.join(', ')}`,
      `           until ${dayOf(endsAtMs)}; a start in the last ${RENEWAL_DAYS} days renews it`,
      ...(isCaNew && password === undefined
        ? [`           the CA is new: clients need the new ${certificateFiles.ca}`]
        : []),
      plaintext.length === 0
        ? '  no listener is without TLS'
        : `  without TLS and passwords: ${plaintext.join(', ')}, for this machine, and with all rights; --no-plaintext closes it`,
      `  rights   ${user} may do everything, a later user nothing until: npx millrace acl add --help`,
    ]
    return lines.map((line) => `${line}\n`).join('')
  }

  /** The same for programs. */
  facts(listeners: Addresses): object {
    const { certificates, ...outcome } = this.#outcome
    const { endsAtMs, hosts, isCaNew } = certificates
    const certificateEndsAt = new Date(endsAtMs).toISOString()
    return { ...outcome, hosts, certificateEndsAt, isCaNew, plaintext: plaintextOf(listeners) }
  }
}

function plaintextOf(listeners: Addresses): string[] {
  const names = Object.entries(listeners).filter(([name]) => name === 'PLAINTEXT')
  return names.map(([, address]) => address)
}

function shellWord(path: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
